"""Read a hundred thousand changed tables, texts, catalog files and archives; print each error that is not ours."""

from __future__ import annotations

import argparse
import time
from collections import Counter

from tests.read.fuzz_tables import KINDS, raw_errors

STEP = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=KINDS)
    parser.add_argument("--count", type=int, default=100_000, help="files of each kind")
    parser.add_argument("--seed", type=int, default=500, help="the first seed; the tests use those below")
    chosen = parser.parse_args()
    for kind in chosen.kinds:
        started = time.perf_counter()
        found: list[tuple[int, str]] = []
        for seed in range(chosen.seed, chosen.seed + chosen.count, STEP):
            found += raw_errors(kind, min(STEP, chosen.seed + chosen.count - seed), seed)
        print(f"{kind}: {len(found):,} raw errors in {chosen.count:,} files, {time.perf_counter() - started:.0f} s")
        for what, count in Counter(what for _, what in found).most_common(20):
            print(
                f"  {count:,} times, first with seed {next(seed for seed, said in found if said == what)}: {what[:200]}"
            )


if __name__ == "__main__":
    main()
