"""What a probability of a model is worth: how often it was right on validation when it was about as sure."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import Interval, students_t
from covid_datasets.baselines.train.names import PREDICTIONS, PROBABILITY

MOST_BINS, ROWS_OF_BIN = 5, 20


@dataclass(frozen=True, slots=True)
class Sure:
    """Images of validation of which a model was about equally sure.

    Attributes:
        low: They have at least this probability of the likeliest class.
        high: And at most this.
        rows: How many they are.
        groups: Of how many groups of people.
        right: Which share of them has that class, with a 95 % interval over groups.
    """

    low: float
    high: float
    rows: int
    groups: int
    right: Interval


def calibration(run: Path) -> tuple[Sure, ...]:
    """Read how often a run was right on validation, from the least to the most sure; nothing without a validation."""
    with (run / PREDICTIONS).open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "validation"]
    if not rows:
        return ()
    classes = [name for name in rows[0] if name.startswith(PROBABILITY)]
    scores = np.asarray([[float(row[name]) for name in classes] for row in rows])
    sure = scores.max(1)
    right = [classes[best] == PROBABILITY + row["label"] for row, best in zip(rows, scores.argmax(1), strict=True)]
    bins = np.array_split(np.argsort(sure, kind="stable"), min(MOST_BINS, max(len(rows) // ROWS_OF_BIN, 1)))
    found = []
    for numbers in bins:
        groups = [rows[row]["group"] or rows[row]["sample_id"] for row in numbers]
        share = share_within([right[row] for row in numbers], groups)
        ends = float(sure[numbers[0]]), float(sure[numbers[-1]])
        found.append(Sure(*ends, len(numbers), len(set(groups)), share))
    return tuple(found)


def about_as(sure: Sequence[Sure], probability: float) -> Sure | None:
    """Find those of which the model was about as sure; the least or most sure where it was never so before."""
    return next((each for each in sure if probability <= each.high), sure[-1] if sure else None)


def share_within(right: Sequence[bool], groups: Sequence[str]) -> Interval:
    """Give the share that is right, with Wilson's interval of as many people as the groups are worth.

    Groups of several sizes are worth less than their number (Kish), and rows of one person as much as one.

    >>> print(share_within([True, True, True, False], list("abcd"))), print(share_within([True] * 9, ["a"] * 9))
    0.750 (0.163 to 0.979)
    1.000 (no interval)
    (None, None)
    """
    share, sizes = sum(right) / len(right), np.asarray([*Counter(groups).values()], dtype=float)
    people = float(sizes.sum() ** 2 / (sizes**2).sum())
    if len(sizes) < 2:
        return Interval(share)
    square = students_t(len(sizes) - 1) ** 2 / people
    middle = (share + square / 2) / (1 + square)
    half = (square * (share * (1 - share) + square / 4)) ** 0.5 / (1 + square)
    return Interval(share, max(middle - half, 0.0), min(middle + half, 1.0))
