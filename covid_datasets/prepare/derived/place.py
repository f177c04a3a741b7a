"""Where a stack of slices lies, from the columns of its rows; one slice is a stack too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from covid_datasets.prepare.derived.asked import Derivation
from covid_datasets.read.orientation import orientation, position, spacing
from covid_datasets.read.volume import VolumeHeader
from covid_datasets.transforms.grids import Regrid, regrid

UNEVEN = 0.05
"""Of the distance between slices, one that is further from its place is not evenly spaced."""
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
PLACED = ("spacing", "position", "orientation", "part_index")
"""The columns that tell where a slice lies."""


class NoPlaceError(Exception):
    """A stack cannot be brought to what is wanted; the message says what is missing or wrong."""


@dataclass(frozen=True)
class Place:
    """What is known of where voxels are.

    Attributes:
        affine: From (column, row, slice) to LPS millimetres; of what nobody told it has ones.
        spaced: Of how many axes somebody told the spacing: 0, 2 or 3.
        oriented: Whether somebody told where the axes lead.
        located: Whether somebody told where the first voxel is.
        lacks: Why slices that nobody located are no whole stack; empty where they are, or where it is one.
    """

    affine: np.ndarray
    spaced: int
    oriented: bool
    located: bool
    lacks: str = ""

    def columns(self, number: int) -> dict[str, Any]:
        """Say it for a slice, in the columns of its row."""
        return {
            "spacing": list(spacing(self.affine)[: self.spaced]) or None,
            "orientation": list(orientation(self.affine)) if self.oriented else None,
            "position": list(position(self.affine, number)) if self.located else None,
        }

    def cut(self, columns: int, rows: int, slices: int = 0) -> Place:
        """Return the place of what is left where so many were cut off before the first one."""
        if not (columns or rows or slices):
            return self
        affine = self.affine.copy()
        affine[:3, 3] += self.affine[:3, :3] @ (columns, rows, slices)
        return replace(self, affine=affine)

    def moved(self, grid: Regrid) -> Place:
        """Return the place of the voxels of another grid."""
        return Place(grid.affine(self.affine), self.spaced, self.oriented, self.located)

    def grid(self, shape: tuple[int, int, int], wanted: Derivation) -> Regrid:
        """Plan the change to a wanted grid.

        Raises:
            NoPlaceError: What this needs is not known.
        """
        spacing_, codes = wanted.to_spacing, wanted.to_orientation
        if codes and not self.oriented:
            raise NoPlaceError("no orientation is known, which to_orientation needs")
        if codes and shape[0] > 1 and not self.located:
            raise NoPlaceError("nobody tells where its slices lie, which to_orientation needs")
        if len(spacing_) > self.spaced and not (self.spaced == 2 and shape[0] == 1):
            known = "none" if not self.spaced else "only that of rows and columns"
            raise NoPlaceError(f"the spacing is not known ({known}), which to_spacing needs")
        if self.lacks:
            raise NoPlaceError(self.lacks)
        grid = regrid(shape, self.affine, orientation=codes, spacing=spacing_, size=wanted.image_size)
        if shape[0] == 1 and grid.turned[2][0] != 2:
            raise NoPlaceError(f"it is a single slice, which cannot be seen from another side (to_orientation={codes})")
        old = zip(grid.turned, spacing_, ("columns", "rows", "slices"), strict=False)
        for (axis, _), wanted_mm, name in old:
            extent = shape[2 - axis] * float(np.sqrt((self.affine[:3, axis] ** 2).sum()))
            if shape[2 - axis] > 1 and extent < wanted_mm / 2:
                raise NoPlaceError(f"across its {name} it measures {extent:.4g} mm, less than half of to_spacing")
        return grid


NOWHERE = Place(np.eye(4), 0, oriented=False, located=False)
"""The place of pixels of which nobody told it, or of which it does not matter."""


def place_of_picture(row: Mapping[str, Any]) -> Place:
    """Find where a picture lies that is only brought to a size; nowhere, where what is told is impossible."""
    try:
        return place_of([row])
    except NoPlaceError:
        return NOWHERE


def place_of(rows: Sequence[Mapping[str, Any]]) -> Place:
    """Find where slices lie that follow each other.

    Raises:
        NoPlaceError: They do not lie on one even grid, or what is told is impossible.
    """
    first, last = rows[0], rows[-1]
    sides = first["spacing"] or []
    if not _usable(sides) or len(sides) not in (0, 2, 3):
        raise NoPlaceError(f"its spacing is {sides}; expected positive numbers")
    if any(row[name] != first[name] for row in rows for name in ("spacing", "orientation")):
        raise NoPlaceError("its slices have different spacings or orientations")
    affine = np.eye(4)
    directions, across = np.eye(3), (float(sides[2]) if len(sides) == 3 else 1.0)
    if oriented := first["orientation"] is not None:
        along, down = np.reshape(first["orientation"], (2, 3))
        directions = np.stack([along, down, np.cross(along, down)], axis=1)
        lengths = np.sqrt((directions**2).sum(axis=0))
        if not np.isfinite(directions).all() or np.abs(lengths - 1).max() > 0.01:
            raise NoPlaceError(f"its orientation is {first['orientation']}; expected two directions at right angles")
        directions /= lengths
    affine[:3, :3] = directions * [*(sides[:2] or (1.0, 1.0)), across]
    positions = [row["position"] for row in rows]
    located = oriented and all(each is not None for each in positions)
    if located:
        places = np.array(positions, float)
        affine[:3, 3] = places[0]
        if len(rows) > 1:
            affine[:3, 2] = (places[-1] - places[0]) / (len(rows) - 1)
            _check_even(places, affine, directions)
    spaced = 3 if located and len(rows) > 1 and len(sides) >= 2 else len(sides)
    reach = 1 if located or len(rows) == 1 else last["part_index"] - first["part_index"] + 1
    lacks = f"of {reach} slices {len(rows)} are there" if reach not in (1, len(rows)) else ""
    return Place(affine, spaced, oriented, located, lacks)


def _check_even(places: np.ndarray, affine: np.ndarray, directions: np.ndarray) -> None:
    step = float(np.sqrt((affine[:3, 2] ** 2).sum()))
    expected = places[0] + np.arange(len(places))[:, None] * affine[:3, 2]
    off = np.sqrt(((places - expected) ** 2).sum(axis=1))
    if not np.isfinite(off).all() or off.max() > UNEVEN * max(step, 1e-9):
        worst = float(np.nan_to_num(off, nan=np.inf).max())
        raise NoPlaceError(
            f"its {len(places)} slices are not evenly spaced: one is {worst:.3g} mm from its place, {step:.3g} mm apart"
        )
    if abs(float(affine[:3, 2] @ directions[:, 2])) < 0.5 * step:
        raise NoPlaceError("its slices are not stacked across their planes")


def place_of_volume(header: VolumeHeader) -> Place:
    """Find where the voxels of a volume are, in LPS."""
    if header.affine is not None:
        return Place(_TO_LPS @ header.affine, 3, oriented=True, located=True)
    known = _usable(header.spacing)
    affine = np.diag([*(header.spacing if known else (1.0, 1.0, 1.0)), 1.0])
    return Place(affine, 3 if known else 0, oriented=False, located=False)


def to_ras(affine: np.ndarray) -> np.ndarray:
    """Return an affine to LPS as one to RAS, or the other way around."""
    turned: np.ndarray = _TO_LPS @ affine
    return turned


def _usable(sides: Sequence[float]) -> bool:
    return all(np.isfinite(side) and side > 0 for side in sides)
