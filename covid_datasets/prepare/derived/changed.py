"""Columns of a row whose pixels or masks are others than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from covid_datasets.features import arrow_schema
from covid_datasets.measure.image import Measured
from covid_datasets.prepare.derived.place import PLACED
from covid_datasets.prepare.derived.source import StoredRows
from covid_datasets.prepare.derived.values import mask_values
from covid_datasets.read.encode import encode
from covid_datasets.transforms.axes import Axis, sized
from covid_datasets.transforms.grids import Regrid

_OWN = {
    "sample_id", "image", "volume", "video", "masks", "volume_masks", "boxes", "part_index", "width", "height", "depth",
    "pixel_mode", "sha256", "pixel_hash", "phash", "value_range", "hu_slope", "hu_intercept", *PLACED,
}  # fmt: skip
"""Columns that every new slice gets anew."""
_WORDS = ("flags", "quality_reasons")


def common_columns(source: StoredRows, rows: Sequence[int]) -> dict[str, Any]:
    """Say of slices that are cut through what is true of all of them; what differs is unknown."""
    names = [name for name in arrow_schema().names if name not in _OWN]
    table = source.columns(names)
    parts = [table.slice(number, 1) for number in rows]
    found: dict[str, Any] = {}
    for name in names:
        values = [part.column(name).to_pylist()[0] for part in parts]
        if any(value != values[0] for value in values):
            words = name in _WORDS
            found[name] = list(dict.fromkeys(word for value in values for word in value or ())) if words else None
    return found


def measured_columns(measured: Measured) -> dict[str, Any]:
    """Take what new pixels measure; how good the picture is was said of the old ones, and stays."""
    names = ("width", "height", "depth", "pixel_mode", "sha256", "pixel_hash", "phash")
    return {name: getattr(measured, name) for name in names}


def encoded_masks(masks: Mapping[str, np.ndarray], stem: str) -> dict[str, Any]:
    """Encode masks as files beside a picture."""
    return {name: {"bytes": encode(mask), "path": f"{stem}.{name}.png"} for name, mask in masks.items()}


def stored_masks(row: Mapping[str, Any], masks: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Add masks to those that a row has, whose files stay as they are."""
    stem = str(PurePosixPath(row["image"]["path"]).with_suffix(""))
    stored: Mapping[str, Any] = row["masks"]
    new = {
        name: mask
        for name, mask in masks.items()
        if stored[name] is None or not np.array_equal(mask_values(stored[name]["bytes"]), mask)
    }
    return {**stored, **encoded_masks(new, stem)}


def moved_boxes(
    boxes: Sequence[Mapping[str, Any]] | None, grid: Regrid, corner: tuple[int, int] = (0, 0)
) -> list[dict[str, Any]] | None:
    """Move boxes with their pixels; where slices cut through the old ones, nobody knows what is inside of them."""
    if boxes is None or grid.turned[2][0] != 2:
        return None
    left, top = corner
    moved = [(box, grid.box(box["x"] - left, box["y"] - top, box["width"], box["height"])) for box in boxes]
    names = ("x", "y", "width", "height")
    return [{**box, **dict(zip(names, place, strict=True))} for box, place in moved if place is not None]


def filling(mask: np.ndarray, grid: Regrid) -> tuple[Axis, Axis]:
    """Resample a mask of another size than its picture so that it fills the same rectangle."""
    columns, rows, _ = grid.axes
    return sized(mask.shape[0], rows.old).then(rows), sized(mask.shape[1], columns.old).then(columns)


def side_of(grid: Regrid, axis: int) -> int:
    """Return how many columns (0) or rows (1) the old slices have."""
    return next(by.old for (old, _), by in zip(grid.turned, grid.axes, strict=True) if old == axis)
