"""Rows with decoded images as NumPy arrays: the form behind ``framework="numpy"`` and ``"torch"``."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
from PIL import Image

from covid_datasets.load.selection import Picked
from covid_datasets.load.stored import open_table
from covid_datasets.read.encode import decode_deep, is_hounsfield


class NumpyRows(Sequence[dict[str, Any]]):
    """A split as a sequence of dictionaries; images, volumes and masks are arrays, decoded when a row is asked for.

    A video stays encoded: ``{"bytes": ..., "path": ...}``.
    """

    def __init__(self, parts: Sequence[Picked]) -> None:
        """Take some rows of some builds. Nothing is opened yet, so this is cheap to send to workers."""
        self._parts = parts
        self._ends = np.cumsum([len(rows) for _, rows in parts])

    def __len__(self) -> int:
        """Count the rows."""
        return int(self._ends[-1]) if len(self._ends) else 0

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return a row with its images decoded."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, position, side="right"))
        build, rows = self._parts[number]
        within = position - (int(self._ends[number - 1]) if number else 0)
        row: dict[str, Any] = open_table(build).slice(int(rows[within]), 1).to_pylist()[0]
        return row if build.columns else decoded(row)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through all rows."""
        return (self[position] for position in range(len(self)))

    def __repr__(self) -> str:
        """Say what this is in one line."""
        return f"NumpyRows({len(self):,} rows)"

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table with encoded images."""
        return pa.concat_tables([open_table(build).take(pa.array(rows)) for build, rows in self._parts])


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    """Replace encoded images and volumes in a row by arrays, of the depth and channels that they were stored with.

    An image whose row says how its values become Hounsfield units is given in these; what is stored stays as it is.
    """
    image = row["image"] and decode_array(row["image"]["bytes"])
    if image is not None and row.get("hu_slope") is not None:
        image = _hounsfield(image, row["hu_slope"], row["hu_intercept"])
    return row | {
        "image": image,
        "volume": _volume(row["volume"]),
        "masks": {name: mask and decode_array(mask["bytes"]) for name, mask in row["masks"].items()},
        "volume_masks": {name: _volume(mask) for name, mask in row["volume_masks"].items()},
    }


def _hounsfield(values: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Scale stored values: to 16 bits where that is exact, which it is of all whole numbers of a scanner."""
    scaled: np.ndarray = values.astype(np.float64) * slope + intercept
    whole = scaled.astype(np.int16) if np.isfinite(scaled).all() and np.abs(scaled).max() < 1 << 15 else None
    return whole if whole is not None and np.array_equal(whole, scaled) else scaled.astype(np.float32)


def _volume(stored: dict[str, Any] | None) -> np.ndarray | None:
    """Decode a volume to an array by slice, row and column."""
    if stored is None:
        return None
    from covid_datasets.read.nifti import read_volume  # an extra, of which most sources need nothing

    return read_volume(stored["bytes"], stored["path"], bounded=False).voxels


def decode_array(data: bytes) -> np.ndarray:
    """Decode an encoded image to an array; palette images become what they look like, Hounsfield units int16."""
    if (values := decode_deep(data)) is not None:
        return values
    image = Image.open(io.BytesIO(data))
    if is_hounsfield(image):
        return np.asarray(image).astype(np.int16)
    return np.asarray(image.convert("RGB") if image.mode == "P" else image)
