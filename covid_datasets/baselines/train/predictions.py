"""`predictions.csv`: what a model says of each row of validation and test, by sample id, for any evaluator."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.names import columns_of
from covid_datasets.baselines.train.score import scores_of
from covid_datasets.baselines.train.weighing import Judge
from covid_datasets.disk import refused, whole

FIRST = ("sample_id", "patient", "group", "split", "label")
SHARE = "share"
"""The column that says how much a slice counts for its patient or series, where slices are pooled."""


def write_predictions(path: Path, network: nn.Module, data: Data, recipe: Any, machine: Machine) -> None:
    """Score validation and test, and write a line for each row; last of all, for with it a run is finished."""
    further = ["fingerprint", SHARE] if recipe.unit != "image" and not recipe.in_depth else ["fingerprint"]
    rows = [
        row
        for part in ("validation", "test")
        if part in data.rows
        for row in _of_part(part, network, data, recipe, machine)
    ]
    try:
        with whole(path) as private, private.open("w", encoding="utf-8", newline="") as file:
            written = csv.writer(file, lineterminator="\n")
            written.writerow([*FIRST, *columns_of(data.classes), *further])
            written.writerows(rows)
    except OSError as error:
        raise refused(path, error, "The weights are kept; the same command scores them again.") from error


def _of_part(part: str, network: nn.Module, data: Data, recipe: Any, machine: Machine) -> Iterator[list[str]]:
    batches = data.batches(part, recipe, 0, device=machine.device)
    shares = None
    if recipe.unit == "image":
        scores = scores_of(network, batches, recipe, machine, data.labelled)
        told, truth = scores.told, scores.truth
    else:
        judge = Judge.of(data, part, recipe, machine)
        scores, shares = judge(network)
        told, truth = (judge.units.spread(each) for each in (scores.told, scores.truth))
    rows, chosen = data.rows[part], batches.chosen
    patients, groups = (rows.column(name).to_pylist() for name in ("patient_id", "group_id"))
    if rows.column("sample_id").to_pylist() != chosen.ids.tolist():  # a reader matches by id, and so do we
        raise AssertionError("batches are expected in the order of their rows")
    for number, sample in enumerate(chosen.ids.tolist()):
        yield [
            sample,
            patients[number] or "",
            groups[number] or "",
            part,
            recipe.target.said(truth[number]) if recipe.target else data.classes[int(truth[number])],
            *(f"{value:.6f}" for value in told[number]),
            chosen.builds[int(chosen.build_of[number])].fingerprint,
            *([] if shares is None else [f"{shares[number]:.6f}"]),
        ]
