"""What recipes reach on phantoms: held-out AUC, the same with shuffled labels, a fixed threshold beside, and the cost.

    python -m benchmarks.baselines --seeds 5
    python -m benchmarks.baselines --seeds 5 --shuffled
    python -m benchmarks.baselines --recipe study1-resnet50 --changes '{"image_size": 64, "width": 0.25, "epochs": 4}'
    python -m benchmarks.baselines --recipe small-patient --config training_series --scheme "patient(60/40)" --seeds 1

One line of JSON for each seed, and one for all of them; seconds are those of the processor. Of models that weigh slices
it says how much of the weight lies on those that show the lesion, in people who have one.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from covid_datasets import load_dataset, train
from covid_datasets.audits.traits.auc import Pairs
from covid_datasets.baselines.train import data

SCHEME = "patient(50/10/40)"
SLICES = ("series", "training_series")
"""Configs whose slices say which of them are ill."""


class Shuffled(data.Data):
    """The same data, of which no label of training and validation is true: whole patients change places."""

    def batches(self, part: str, recipe: Any, seed: int, **options: Any) -> Any:
        found = super().batches(part, recipe, seed, **options)
        if part != "test":
            patients = self.rows[part].column("patient_id").to_pylist()
            label_of = dict(zip(patients, found.chosen.labels.tolist(), strict=True))
            drawn = np.random.default_rng(options.get("rank", 0) + seed).permutation(list(label_of.values()))
            label_of = dict(zip(label_of, drawn.tolist(), strict=True))
            found.chosen.labels[:] = [label_of[patient] for patient in patients]
        return found


def auc_of(scores: np.ndarray, positive: np.ndarray) -> float:
    return Pairs.of(scores, positive, np.zeros(len(scores))).auc(np.ones(len(scores)))


def on_lesions(run: Path, config: str, cache: str | None) -> float:
    """The share of a patient's score that is of slices with the lesion, in the mean of all tested who have COVID-19."""
    rows = load_dataset("phantom", config, "all", framework="numpy", cache_dir=cache)
    told = zip(rows.column("sample_id").to_pylist(), rows.column("source_row").to_pylist(), strict=True)
    ill = {sample for sample, row in told if json.loads(row)["ill"]}
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row["split"] == "test" and row["label"] == "covid19"]
    total = sum(float(row["share"]) for row in found if row["sample_id"] in ill)
    return total / len({row["patient"] for row in found})


def threshold(cache: str | None) -> float:
    """The best of all fixed thresholds: the share of the lungs, which are given, that is above it."""
    rows = load_dataset("phantom", "training", "test", scheme=SCHEME, framework="numpy", cache_dir=cache)
    counts = [np.bincount(row["image"][row["masks"]["lung"] > 0], minlength=256) for row in rows]
    shares = np.cumsum(np.array(counts)[:, ::-1], 1) / np.sum(counts, 1, keepdims=True)
    positive = np.array([rows.label_names[row["label"]] == "covid19" for row in rows])
    found = [auc_of(shares[:, level], positive) for level in range(255)]
    return max(*found, *(1 - auc for auc in found))


def held_out(run: Path) -> float:
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    scores = np.array([float(row["p_covid19"]) for row in rows])
    return auc_of(scores, np.array([row["label"] == "covid19" for row in rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="small")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--changes", type=json.loads, default={})
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--config", default="training")
    parser.add_argument("--scheme", default=SCHEME)
    parser.add_argument("--cache-dir")
    arguments = parser.parse_args()
    if arguments.shuffled:
        data.Data = Shuffled  # type: ignore[misc]
    found = []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            run = train(
                "phantom",
                Path(folder) / "run",
                arguments.recipe,
                scheme=arguments.scheme,
                seed=seed,
                device=arguments.device,
                config=arguments.config,
                cache_dir=arguments.cache_dir,
                changes=arguments.changes,
            )
            found.append(held_out(run.path))
            told = {
                "recipe": arguments.recipe,
                "seed": seed,
                "shuffled": arguments.shuffled,
                "auc": round(found[-1], 4),
            }
            told |= {"epochs": len(run.history), "cpu_seconds": round(time.process_time() - began, 1)}
            if run.recipe.unit != "image" and not run.recipe.in_depth and arguments.config in SLICES:
                told["share_on_lesions"] = round(on_lesions(run.path, arguments.config, arguments.cache_dir), 4)
            print(json.dumps(told), flush=True)
    told = {"mean": round(float(np.mean(found)), 4), "lowest": round(min(found), 4)}
    if arguments.config == "training":
        told["fixed_threshold"] = round(threshold(arguments.cache_dir), 4)
    print(json.dumps(told | {"load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
