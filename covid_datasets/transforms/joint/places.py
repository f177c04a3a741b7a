"""Where each pixel of a result comes from: all changes of place of a sample are one map, so it is interpolated once.

Places are counted in pixels, from the middle of the first one. Everything is calculated in 64 bits by NumPy, also for
tensors, so that every device gets the same places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from covid_datasets.transforms.joint.numbers import uniform

Size = tuple[int, int]
SHRUNK = 1.25
"""Where more pixels than this become one, they are averaged first, so that nothing between two is overlooked."""
KNOTS = 7
"""Of the net that an elastic change pulls at, in each direction; the outermost stay where they are."""
_ROUNDS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The map of some samples of one size.

    Attributes:
        matrices: N×2×3, from (column, row) of the result to (column, row) of what is given.
        old: Rows and columns of what is given.
        new: Rows and columns of the result.
        knots: N×2×`KNOTS`×`KNOTS`: how far a net over the result is pulled, in pixels of what is given, columns first;
            what lies between its knots follows along cubic B-splines. It is added to where the matrices lead.
        bends: N×2×rows×columns of the result, where a displacement is known pixel by pixel.
    """

    matrices: np.ndarray
    old: Size
    new: Size
    knots: np.ndarray | None = None
    bends: np.ndarray | None = None

    @property
    def bent(self) -> bool:
        """Tell whether straight lines become others."""
        return self.knots is not None or self.bends is not None

    def bend(self, number: int) -> np.ndarray:
        """Return how far each pixel of a sample is displaced."""
        if self.bends is not None:
            found: np.ndarray = self.bends[number]
            return found
        assert self.knots is not None
        down, across = map(splines, self.new)
        return np.stack([down @ knots @ across.T for knots in self.knots[number]])

    @property
    def straight(self) -> bool:
        """Tell whether rows stay rows, and columns columns."""
        return not self.bent and not self.matrices[:, 0, 1].any() and not self.matrices[:, 1, 0].any()

    @property
    def nothing(self) -> bool:
        """Tell whether every pixel stays where it is."""
        return self.old == self.new and not self.bent and bool((self.matrices == np.eye(2, 3)).all())

    @property
    def inside(self) -> bool:
        """Tell whether nothing comes in from beyond the border."""
        if self.bent:
            return False
        rows, columns = self.new
        corners = np.array([[x, y, 1.0] for x in (0, columns - 1) for y in (0, rows - 1)])
        found = np.einsum("nij,kj->nki", self.matrices, corners)
        return bool((found >= -0.5).all() and (found <= np.array(self.old[::-1]) - 0.5).all())

    def of(self, chosen: slice | list[int]) -> Self:
        """Return the map of some of the samples."""
        knots, bends = (None if each is None else each[chosen] for each in (self.knots, self.bends))
        return replace(self, matrices=self.matrices[chosen], knots=knots, bends=bends)

    def shrunk(self, number: int) -> Size:
        """Say to which size a sample is brought before its pixels are taken, so that none is overlooked."""
        reach = np.sqrt((self.matrices[number, :, :2] ** 2).sum(axis=1))[::-1]
        rows, columns = (
            max(1, round(side / step)) if step > SHRUNK else side for side, step in zip(self.old, reach, strict=True)
        )
        return rows, columns

    def after(self, size: Size) -> Self:
        """Return the same map for samples that were brought to another size."""
        if size == self.old:
            return self
        factor = (np.array(size) / np.array(self.old))[::-1]
        matrices = self.matrices * factor[:, None]
        matrices[:, :, 2] += factor / 2 - 0.5
        knots, bends = (None if each is None else each * factor[:, None, None] for each in (self.knots, self.bends))
        return replace(self, matrices=matrices, old=size, knots=knots, bends=bends)

    @property
    def lines(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Of the columns from which pixels come, and of the rows: what their column adds, N×W, and their row, N×H.

        The sum of the two is all that is left to do for each pixel, and that is the same number on every device.
        """
        columns, rows = np.arange(self.new[1], dtype=np.float64), np.arange(self.new[0], dtype=np.float64)
        across, down = (self.matrices[:, axis, :, None] for axis in (0, 1))
        return (
            (across[:, 0] * columns, across[:, 1] * rows + across[:, 2]),
            (down[:, 0] * columns, down[:, 1] * rows + down[:, 2]),
        )

    def coordinates(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the column and the row from which each pixel of a sample comes; they broadcast to its size."""
        across, down = ((of_column[number], of_row[number][:, None]) for of_column, of_row in self.lines)
        if self.straight:
            return across[0] + across[1][:1], down[0][:1] + down[1]
        found = across[0] + across[1], down[0] + down[1]
        if not self.bent:
            return found
        bend = self.bend(number)
        return found[0] + bend[0], found[1] + bend[1]

    def backwards(self) -> Self:
        """Return the map of the way back; pixels that a crop left out stay outside."""
        count = len(self.matrices)
        whole = np.concatenate([self.matrices, np.broadcast_to([[[0.0, 0.0, 1.0]]], (count, 1, 3))], axis=1)
        found = replace(self, matrices=np.linalg.inv(whole)[:, :2], old=self.new, new=self.old, knots=None, bends=None)
        if not self.bent:
            return found
        # A pixel of the result came from M·p + b(p): p is searched for, beginning where it is without b.
        bends = np.empty((count, 2, *self.old))
        for number in range(count):
            start = np.stack(np.broadcast_arrays(*found.coordinates(number)))
            pulled = np.einsum("ij,jrc->irc", found.matrices[number, :, :2], self.bend(number))
            moved = np.zeros_like(start)
            for _ in range(_ROUNDS):
                at = start + moved
                moved, before = -_between(pulled, at[0], at[1]), moved
                if np.abs(moved - before).max() < 1e-4:
                    break
            bends[number] = moved
        return replace(found, bends=bends)


def _between(planes: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Interpolate planes; beyond the border it goes on as there."""
    rows, columns = planes.shape[1:]
    across, down = np.clip(across, 0, columns - 1), np.clip(down, 0, rows - 1)
    left, top = np.minimum(across.astype(int), max(columns - 2, 0)), np.minimum(down.astype(int), max(rows - 2, 0))
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    x, y = across - left, down - top
    upper = planes[:, top, left] * (1 - x) + planes[:, top, right] * x
    lower = planes[:, bottom, left] * (1 - x) + planes[:, bottom, right] * x
    found: np.ndarray = upper * (1 - y) + lower * y
    return found


def pulled(seed: int, most: float, size: Size, matrix: np.ndarray) -> np.ndarray:
    """Draw how far the knots of a net are pulled: at most by a share of the sides of the result.

    Those at the border stay. Nothing folds, because knots lie further apart than they are pulled.
    """
    knots = np.zeros((2, KNOTS, KNOTS))
    inner = KNOTS - 2
    knots[:, 1:-1, 1:-1] = 2 * uniform(2 * inner * inner, seed, 1).reshape(2, inner, inner) - 1
    knots *= most * np.array(size[::-1], np.float64)[:, None, None]
    found: np.ndarray = np.einsum("ij,jrc->irc", matrix[:, :2], knots)
    return found


def splines(side: int) -> np.ndarray:
    """Say how much each knot counts at each pixel of a side."""
    at = (np.arange(side) + 0.5) / side * (KNOTS - 1)
    far = np.abs(at[:, None] - np.arange(KNOTS))
    near, wide = 2 / 3 - far**2 + far**3 / 2, np.maximum(2 - far, 0) ** 3 / 6
    found: np.ndarray = np.where(far < 1, near, wide)
    return found


TIE = 0.5 + 5e-7
"""A place that is as near to the next pixel, but for rounding, belongs to the first of the two."""


def nearest(at: np.ndarray, side: int) -> np.ndarray:
    """Return the pixel that is nearest to each place, of two the first; -1 beyond the border.

    >>> nearest(np.array([-0.6, -0.4, 0.5, 0.6, 1.7]), 2).tolist()
    [-1, 0, 0, 1, -1]
    """
    found = np.ceil(at - TIE).astype(np.int64)
    found[(found < 0) | (found >= side)] = -1
    return found


def beyond(at: np.ndarray, side: int) -> np.ndarray:
    """Tell which places lie beyond the border.

    >>> beyond(np.array([-0.6, -0.5, 1.5, 1.6]), 2).tolist()
    [True, False, False, True]
    """
    return (at < -0.5) | (at > side - 0.5)
