"""Suspend builds at many steps until their lock expires: does everybody end with the same whole build?

python benchmarks/suspend_builds.py            # 20 steps by chance
python benchmarks/suspend_builds.py --all      # before and after every step, some minutes
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from covid_datasets.prepare.engine import build_dataset
from tests.suspending import chosen_step, steps_of, suspend_and_check


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        whole = build_dataset("phantom", "small", cache_dir=Path(folder) / "whole", num_proc=1)
        steps = steps_of(Path(folder) / "counted")
        chosen = [chosen_step(seed, len(steps)) for seed in range(arguments.seeds)]
        if arguments.all:
            chosen = [(step, after) for step in range(len(steps)) for after in (False, True)]
        for number, (step, after) in enumerate(chosen):
            suspend_and_check(Path(folder) / str(number), whole, step, after=after)
            print(f"{number + 1} of {len(chosen)}: {'after' if after else 'before'} {steps[step]}", flush=True)
    print(f"{len(chosen)} suspended builds, all whole, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
