"""Which of the arguments of `load_dataset` make a view of what is built, and which make batches of its rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from covid_datasets.load.fixed.asked import asked_batches, options_in
from covid_datasets.prepare.derived.asked import ViewOptions, derivation
from covid_datasets.prepare.result import REPORT_FILE, Built
from covid_datasets.transforms.windows import window_range

BATCHED = ("numpy", "torch")
"""Frameworks whose rows can come in batches."""


def asked_view(
    given: ViewOptions, filters: dict[str, Any], framework: str, columns: Any
) -> tuple[ViewOptions, dict[str, Any] | None]:
    """Divide what was asked for into a view, which is stored, and the options of batches, which are made of it.

    ``image_size`` makes batches of NumPy and torch where an option of batches stands beside it, or nothing that only
    a view has; the window is then theirs. Else it is the size of the images of a view, as with ``batch_size=None``.

    >>> asked_view({"window": "lung", "image_size": 64}, {}, "numpy", None)
    ({'window': 'lung', 'image_size': 64}, None)
    >>> asked_view({"image_size": 64, "to_spacing": 1}, {"batch_size": 8}, "numpy", None)
    ({'to_spacing': 1}, {'image_size': 64, 'batch_size': 8})
    """
    view = ViewOptions(**{name: value for name, value in given.items() if value is not None})  # type: ignore[typeddict-item]
    alone = not view.keys() - {"image_size"}
    rows = "image_size" in view and "batch_size" in filters and filters["batch_size"] is None
    if rows:
        del filters["batch_size"]
    if rows or "image_size" not in view or framework not in BATCHED or not (alone or options_in(filters)):
        derivation(**view)
        return view, None
    size, window = view.pop("image_size"), view.pop("window", None)
    if window is not None:
        filters["window"] = window_range(window)
    batching = asked_batches(size, filters, framework, columns)
    derivation(**view)
    return view, batching


def derived_columns(view: ViewOptions) -> Mapping[str, Any]:
    """Return the columns that the function of a view adds, by name, with their types.

    >>> derived_columns({"derive": "lungs"})["lung_mask_from"], derived_columns({})
    ('string', {})
    """
    wanted = derivation(**view)
    return {} if wanted is None else wanted.columns


def tell_of_view(built: Built) -> None:
    """Say what a view lacks, and what its window could not be applied to."""
    left_out, unwindowed = built.view.get("left_out", 0), built.view.get("unwindowed", 0)
    where = f"{built.path / REPORT_FILE} names them"
    not_found, failed = built.view.get("not_found", 0), built.view.get("failed", 0)
    if not_found or failed:
        raised = f", and it failed for {failed:,}" if failed else ""
        warnings.warn(
            f"{built.id}@{built.version}: {built.view['parameters']['derive']} found nothing in {not_found:,} of "
            f"{built.rows:,} rows{raised}; {where}",
            stacklevel=4,
        )
    if left_out:
        warnings.warn(
            f"{built.id}@{built.version}: left out because they cannot be brought to {built.view['name']}: "
            f"{left_out:,} of the rows; {where}",
            stacklevel=4,
        )
    if unwindowed:
        warnings.warn(
            f"{built.id}@{built.version}: shown as they were, without a window, because they hold no Hounsfield units: "
            f"{unwindowed:,} of the pictures or volumes; {where}",
            stacklevel=4,
        )
