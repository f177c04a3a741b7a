"""What a run consists of: the names of its files, and of the columns of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.safetensors"
"""The weights of the best epoch."""
STATE = "state.safetensors"
"""All that a training needs to go on."""
CURVE = "curve.svg"
PREDICTIONS = "predictions.csv"
"""Written last: with it a run is finished."""
PROBABILITY = "p_"
"""Before the name of a class, in the name of the column of its probability."""
JUDGED = {"validation_auc": "AUC", "validation_dice": "Dice"}
"""By what an epoch is judged on validation: the key in a line of metrics -> what that is called."""


def judged_by(row: Mapping[str, Any]) -> tuple[str, float] | None:
    """Say by what an epoch was judged, and how good it was.

    >>> judged_by({"epoch": 1, "validation_dice": 0.9})
    ('Dice', 0.9)
    """
    return next(((name, row[key]) for key, name in JUDGED.items() if key in row), None)
