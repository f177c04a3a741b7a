"""Meet a hundred thousand random inputs of every foreign kind; print each error that is not ours, with its seed."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from tests.fetch import fuzz as answers
from tests.read import fuzz as files
from tests.read import fuzz_tables as tables

STEP = 1000
RawErrors = Callable[[int, int], list[tuple[int, str]]]


def borders() -> dict[str, RawErrors]:
    """Name each kind of foreign input, with what meets so many of it from a seed on."""
    return {
        **{kind: partial(files.raw_errors, kind) for kind in sorted(files.readers())},
        **{kind: partial(tables.raw_errors, kind) for kind in tables.KINDS},
        "http": answers.raw_errors,
    }


def main() -> None:
    """Meet all kinds, or those that are named."""
    known = borders()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"some of {', '.join(known)}; all without any")
    parser.add_argument("--count", type=int, default=100_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=500, help="the first seed; the tests use those below")
    chosen = parser.parse_args()
    os.environ["COVID_DATASETS_PROGRESS"] = "0"
    end = chosen.seed + chosen.count
    for kind in chosen.kinds or known:
        started = time.perf_counter()
        found: list[tuple[int, str]] = []
        for seed in range(chosen.seed, end, STEP):
            found += known[kind](min(STEP, end - seed), seed)
        print(f"{kind}: {len(found):,} raw errors in {chosen.count:,} inputs, {time.perf_counter() - started:.0f} s")
        for what, count in Counter(what for _, what in found).most_common(20):
            first = next(seed for seed, said in found if said == what)
            print(f"  {count:,} times, first with seed {first}: {what[:200]}", flush=True)


if __name__ == "__main__":
    main()
