"""A volume of voxels with its geometry, whichever format it is stored in."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

WHOLE = 1e-3
"""Values this near to a whole number are that number, written by a program that calculates in floating point."""


@dataclass(frozen=True, slots=True, eq=False)
class VolumeHeader:
    """What a file says about its voxels.

    Attributes:
        shape: Slices, rows and columns, as they are stored.
        dtype: Type of a stored value.
        offset: Where the voxels begin in the inflated file.
        slope: Stored values times ``slope`` plus ``intercept`` are the values.
        intercept: See ``slope``.
        affine: From (column, row, slice) to millimetres in the RAS axes of NIfTI; ``None`` where nothing says it.
        spacing: Size of a voxel along column, row and slice, in millimetres.
        doubts: Kind and text of what is odd about where the voxels are: a file that says it in two ways.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: np.ndarray | None
    spacing: tuple[float, float, float]
    doubts: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    @property
    def bytes(self) -> int:
        """Bytes of all voxels."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Bytes that an inflated file has at least."""
        return self.offset + self.bytes

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Scale stored values, such as those of one slice."""
        if (self.slope, self.intercept) == (1.0, 0.0):
            return stored
        return stored * np.float64(self.slope) + self.intercept


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxels by (slice, row, column), a read-only view of the inflated file, and what its header says.

    ``surplus`` counts bytes behind the voxels, that the header does not account for.
    """

    header: VolumeHeader
    stored: np.ndarray
    surplus: int = 0

    @property
    def voxels(self) -> np.ndarray:
        """The values of all voxels; a copy only where the header scales."""
        return self.values(self.stored)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Scale stored values, such as those of one slice."""
        return self.header.values(stored)


@dataclass(slots=True, eq=False)
class Slices:
    """A volume slice after slice as it is stored, so that one of any size takes the memory of one slice.

    Only after the last slice is it known that the file is whole, and how many bytes are behind the voxels: until then
    there may be a `DamagedFileError`. They can be gone through once.
    """

    header: VolumeHeader
    planes: Generator[np.ndarray, None, int]
    surplus: int = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        """Go through the slices."""
        self.surplus = yield from self.planes


def hounsfield(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Return values as signed 16-bit numbers and nothing, or unchanged and why they are none.

    >>> hounsfield(np.array([[-1024.0, 40.0001]]))[0].dtype.name, hounsfield(np.array([[0.5]]))[1]
    ('int16', 'values that are no whole numbers, such as 0.5')
    """
    if values.dtype == np.int16:
        return values, ""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            return values, "values that are no numbers"
        whole = np.rint(values)
        if (off := np.abs(values - whole) > WHOLE).any():
            return values, f"values that are no whole numbers, such as {float(values[off].flat[0]):g}"
        values = whole
    low, high = values.min(), values.max()
    limits = np.iinfo(np.int16)
    if low < limits.min or high > limits.max:
        return values, f"values beyond 16 bits, from {low:g} to {high:g}"
    return values.astype(np.int16), ""
