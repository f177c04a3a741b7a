"""Download from a hundred thousand hosts that answer at random; print what raised an error that is not ours."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter

from tests.fetch.fuzz import raw_errors

STEP = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="hosts")
    parser.add_argument("--seed", type=int, default=500, help="the first seed; the tests use those below")
    chosen = parser.parse_args()
    os.environ["COVID_DATASETS_PROGRESS"] = "0"
    started = time.perf_counter()
    found: list[tuple[int, str]] = []
    end = chosen.seed + chosen.count
    for seed in range(chosen.seed, end, STEP):
        found += raw_errors(min(STEP, end - seed), seed)
    print(f"{len(found):,} raw errors in {chosen.count:,} answers, {time.perf_counter() - started:.0f} s")
    for what, count in Counter(what for _, what in found).most_common(20):
        print(f"  {count:,} times, first with seed {next(seed for seed, said in found if said == what)}: {what[:200]}")


if __name__ == "__main__":
    main()
