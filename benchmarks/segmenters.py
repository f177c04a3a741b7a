"""What a segmenter reaches on faint phantoms over seeds: `evaluate_masks` of held-out patients, and what that cost.

    python -m benchmarks.segmenters --seeds 1
    python -m benchmarks.segmenters --recipe segment-25d --changes '{"image_size": 64, "width": 0.25, "epochs": 4}'

The report of each seed, then a line of JSON; seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.baselines import SCHEME
from covid_datasets import evaluate_masks, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="segment-small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--changes", type=json.loads, default={})
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache-dir")
    given = parser.parse_args()
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            run = train(
                "phantom", Path(folder) / "run", given.recipe, config="training", scheme=SCHEME, seed=seed,
                device=given.device, cache_dir=given.cache_dir, changes=given.changes,
            )  # fmt: skip
            seconds = round(time.process_time() - began, 1)
            print(evaluate_masks(run.path, cache_dir=given.cache_dir), flush=True)
            print(json.dumps({"seed": seed, "cpu_seconds": seconds, "load": os.getloadavg()[0]}), flush=True)


if __name__ == "__main__":
    main()
