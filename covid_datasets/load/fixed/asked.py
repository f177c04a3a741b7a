"""The options of batches among the arguments of `load_dataset`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.options import NAMES, wanted


def asked_batches(size: Any, filters: dict[str, Any], framework: str, columns: Any) -> dict[str, Any]:
    """Take the options of batches from among the filters, and refuse those that cannot work."""
    if columns is not None:
        raise UsageError("columns: expected none beside image_size=, because batches have columns of their own")
    options = {"image_size": size} | {name: filters.pop(name) for name in NAMES if name in filters}
    wanted(options)
    return options


def options_in(filters: Mapping[str, Any]) -> bool:
    """Tell whether something was asked for that only batches have."""
    return any(name in filters for name in NAMES)


def batched(make: Callable[..., Any], options: dict[str, Any], framework: str) -> Callable[..., Any]:
    """Make batches of what a framework's form would be."""
    from covid_datasets.load.fixed.make import to_numpy
    from covid_datasets.load.fixed.to_torch import to_torch

    to_batches = to_torch if framework == "torch" else to_numpy
    return lambda parts, form: to_batches(make(parts, form), **options)
