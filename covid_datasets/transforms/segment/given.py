"""What is handed to a segmentation: checked first, because a wrong array gives a plausible wrong number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.orient import axis_codes

CHANNELS = 4
"""A last axis of so many or fewer is colours, and no columns."""
SMALLEST = 32
"""Rows and columns that a slice has at least: in fewer there is no chest to be seen."""
BODY_MM = 350.0
"""How wide a chest is about, where nobody says how large a pixel is; lungs of children are then found as of adults."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A volume that can be segmented: slices, rows and columns; a picture is one slice.

    Attributes:
        voxels: Whole or floating-point numbers, all finite.
        flat: Whether a picture was given, so that a picture is returned.
        spacing: Millimetres from column to column, row to row and slice to slice; ``None`` where unknown.
        codes: Where columns, rows and slices lead, such as "LPS"; empty where unknown.
        hounsfield: Whether values are Hounsfield units; ``None`` where nobody said so.
    """

    voxels: np.ndarray
    flat: bool
    spacing: tuple[float, float, float] | None
    codes: str
    hounsfield: bool | None = None

    def as_given(self, mask: np.ndarray) -> np.ndarray:
        """Give a result the axes of what was handed in."""
        return mask[0] if self.flat else mask


def scan_of(
    given: np.ndarray, spacing: Sequence[float] | None = None, orientation: str = "", what: str = "volume"
) -> Scan:
    """Check a picture or a volume, and what is said of its geometry.

    >>> scan_of(np.zeros((4, 64, 64), np.int16), (0.7, 0.7, 5)).spacing
    (0.7, 0.7, 5.0)
    >>> scan_of(np.zeros((64, 64, 4), np.uint8))
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: volume: expected slices, rows and columns of single values, found a shape of ...
    """
    if np.ma.isMaskedArray(given) and np.ma.getmaskarray(given).any():
        raise UsageError(
            f"{what}: expected an array without masked voxels. Next: fill them, as in volume.filled(-1000)"
        )
    voxels = np.asarray(given)
    if voxels.dtype.kind == "f" and voxels.dtype.itemsize > 8:
        voxels = voxels.astype(np.float64)
    if voxels.ndim not in (2, 3) or voxels.dtype.kind not in "iuf" or (voxels.ndim == 3 and 0 in voxels.shape):
        raise UsageError(
            f"{what}: expected a picture (rows, columns) or a volume (slices, rows, columns) of numbers, found a shape "
            f"of {voxels.shape} of {voxels.dtype}"
        )
    if voxels.ndim == 3 and voxels.shape[2] <= CHANNELS:
        raise UsageError(
            f"{what}: expected slices, rows and columns of single values, found a shape of {voxels.shape}, as a "
            f"picture with {voxels.shape[2]} channels has it. Next: make it grey, as in Image.open(path).convert('L')"
        )
    if voxels.ndim == 3 and len(voxels) in (3, CHANNELS) and _are_colours(voxels):
        raise UsageError(
            f"{what}: expected slices, rows and columns, found {len(voxels)} slices of which three are the same, as a "
            "grey picture with channels first has them. Next: take one of them, as in picture[0]"
        )
    if min(voxels.shape[-2:]) < SMALLEST:
        raise UsageError(f"{what}: expected at least {SMALLEST} rows and columns, found a shape of {voxels.shape}")
    if voxels.dtype.kind == "f" and not (finite := np.isfinite(voxels)).all():
        raise UsageError(
            f"{what}: expected numbers, found {np.size(finite) - np.count_nonzero(finite):,} voxels that are none (NaN "
            "or infinite). Next: say what they are, as in np.nan_to_num(volume, nan=-1000)"
        )
    flat = voxels.ndim == 2
    codes = axis_codes(orientation) if orientation else ""
    if codes and codes[2] not in "SI":
        raise UsageError(
            f"orientation: expected slices that lead to head or feet (axial ones), found {codes!r}. "
            "Next: turn the volume first, see to_orientation in docs/volumes.md"
        )
    if codes and codes[0] not in "LR":
        raise UsageError(f"orientation: expected columns that lead to the left or the right, found {codes!r}")
    return Scan(voxels[None] if flat else voxels, flat, _spacing(spacing, flat), codes)


def _spacing(given: Sequence[float] | None, flat: bool) -> tuple[float, float, float] | None:
    if given is None:
        return None
    try:
        sides = [float(side) for side in given]
    except (TypeError, ValueError):
        sides = []
    if flat and len(sides) == 2:
        sides.append(1.0)
    if len(sides) != 3 or not all(math.isfinite(side) and 0 < side <= 100 for side in sides):
        raise UsageError(
            "spacing: expected millimetres between columns, rows and slices, all above 0 and at most 100, such as "
            f"(0.7, 0.7, 5.0), or None where they are unknown, found {given!r}"
        )
    return sides[0], sides[1], sides[2]


def _are_colours(voxels: np.ndarray) -> bool:
    first = voxels[0]
    same = np.array_equal(first, voxels[1]) and np.array_equal(first, voxels[2])
    return same and bool((first != first[0, 0]).any())


def mask_of(given: np.ndarray, scan: Scan, what: str, most: int | None = None) -> np.ndarray:
    """Check a mask that belongs to a scan: slices, rows and columns as it has them, and no value above ``most``.

    >>> scan = scan_of(np.zeros((64, 64), np.int16))
    >>> mask_of(np.zeros((64, 65), bool), scan, "lungs")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: lungs: expected a mask of the shape of its image, (64, 64), found (64, 65)...
    """
    mask = np.asarray(given)
    shape = scan.as_given(scan.voxels).shape
    if mask.shape != shape:
        raise UsageError(
            f"{what}: expected a mask of the shape of its image, {shape}, found {mask.shape}. Next: resample it to "
            "the grid of the image, taking the nearest voxel"
        )
    if mask.dtype.kind not in "biu":
        raise UsageError(f"{what}: expected a mask of whole numbers or of true and false, found {mask.dtype}")
    low, high = int(mask.min(initial=0)), int(mask.max(initial=0))
    if low < 0 or (most is not None and high > most):
        said = "0 and above" if most is None else ", ".join(map(str, range(most))) + f" and {most}"
        raise UsageError(
            f"{what}: expected a mask of {said}, found {low if low < 0 else high} in it. Next: where it is one of yes "
            "and no, mask != 0"
        )
    return mask[None] if scan.flat else mask


def name_of(method: object) -> str:
    """Name a method that plugs in: by what it calls itself, as weights do, else as Python calls it.

    >>> name_of("rag"), name_of(len)
    ('rag', 'len')
    """
    if isinstance(method, str):
        return method
    said = getattr(method, "name", None)
    return said if isinstance(said, str) else getattr(method, "__name__", type(method).__name__)
