"""Flip two thousand bits of a small build, one at a time; print each that passes `verify` or ends in a raw error."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.load.flips import missed


def main() -> None:
    from covid_datasets import build_dataset

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1000, help="the tests use seed 7")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build = build_dataset("phantom", "small", cache_dir=Path(folder)).path
        started = time.perf_counter()
        found = missed(build, chosen.count, chosen.seed)
    print(*found, sep="\n")
    print(f"{chosen.count:,} flips, {len(found)} of them missed, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
