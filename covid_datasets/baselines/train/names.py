"""What a run consists of: the names of its files, and of the columns of its predictions."""

from collections.abc import Mapping, Sequence
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


_SAID = {"auc": "AUC", "dice": "Dice"}
VALIDATION = "validation_"
"""Before the name of what is measured on validation after an epoch."""


def decided(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return what was measured on validation after an epoch, but for the loss; the first decides which is the best.

    >>> decided({"epoch": 1, "validation_auc": 0.9, "validation_accuracy": 0.8, "validation_loss": 0.5})
    [('AUC', 0.9), ('accuracy', 0.8)]
    """
    found = {name.removeprefix(VALIDATION): row[name] for name in row if name.startswith(VALIDATION)}
    return [(_SAID.get(name, name), value) for name, value in found.items() if name != "loss"]


def columns_of(classes: Sequence[str]) -> list[str]:
    """Name the columns of predictions: one for each class, or the one that is no probability.

    >>> columns_of(["rest", "covid19"]), columns_of(["risk"])
    (['p_rest', 'p_covid19'], ['risk'])
    """
    return [PROBABILITY + name for name in classes] if len(classes) > 1 else list(classes)
