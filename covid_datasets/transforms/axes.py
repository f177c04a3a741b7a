"""One axis of a picture or volume in another grid: where its new samples lie, and what they are made of.

All that is calculated is multiplied and added number by number, in one order: every machine gets the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

SAME = 1e-4
"""Of its size, a voxel that differs by less has the wanted size: it is a rounded number in a header."""


@dataclass(frozen=True)
class Axis:
    """Samples along one axis: ``new`` ones in place of ``old`` ones.

    Sample ``j`` of the new ones lies at ``scale * j + shift``, counted in old ones.
    """

    old: int
    new: int
    scale: float = 1.0
    shift: float = 0.0

    @property
    def same(self) -> bool:
        """Tell whether nothing changes."""
        return (self.old, self.scale, self.shift) == (self.new, 1.0, 0.0)

    def then(self, other: Axis) -> Axis:
        """Return the one step that does what this one and another do one after the other.

        >>> sized(100, 50).then(sized(50, 25)) == sized(100, 25)
        True
        """
        return Axis(self.old, other.new, self.scale * other.scale, self.scale * other.shift + self.shift)

    def edge(self, old: float) -> float:
        """Return where a place between samples is afterwards; 0 is the border of the first sample.

        >>> sized(100, 50).edge(10.0)
        5.0
        """
        return (old - 0.5 - self.shift) / self.scale + 0.5

    @cached_property
    def nearest(self) -> np.ndarray:
        """The old sample that is nearest to each new one; of two, the first."""
        at = self.scale * np.arange(self.new) + self.shift
        found: np.ndarray = np.clip(np.ceil(np.round(at, 6) - 0.5).astype(np.int64), 0, self.old - 1)
        return found

    @cached_property
    def taps(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """The old samples of which each new one is made, and their weights: a first, a second one, and so on.

        A sample between two is made of both in proportion. Where there are fewer new ones, each is made of all that
        lie within its reach, so that nothing between two of them is overlooked and no pattern arises (anti-aliasing).
        """
        at = np.clip(self.scale * np.arange(self.new) + self.shift, 0, self.old - 1)  # the border goes on outside
        reach = max(1.0, self.scale)
        first = np.floor(at - reach).astype(np.int64) + 1
        samples = first[:, None] + np.arange(int(np.floor(2 * reach)) + 1)
        weights = np.maximum(0.0, 1.0 - np.abs(samples - at[:, None]) / reach)
        weights[(samples < 0) | (samples >= self.old)] = 0.0
        total = np.zeros(self.new)
        for column in weights.T:
            total += column
        return tuple(
            (np.clip(samples[:, number], 0, self.old - 1), weights[:, number] / total)
            for number in range(samples.shape[1])
            if weights[:, number].any()
        )


def kept(size: int) -> Axis:
    """Return the axis on which nothing changes."""
    return Axis(size, size)


def sized(old: int, new: int) -> Axis:
    """Return the axis of another number of samples from border to border."""
    scale = old / new
    return Axis(old, new, scale, (scale - 1) / 2)


def spaced(old: int, spacing: float, wanted: float) -> Axis:
    """Return the axis of samples that are ``wanted`` millimetres apart, where they were ``spacing``.

    There are as many as come nearest to the old extent, around the same middle.

    >>> spaced(40, 8.0, 5.0).new, spaced(40, 5.0001, 5.0).same
    (64, True)
    """
    if abs(spacing - wanted) <= SAME * wanted:
        return kept(old)
    new, scale = max(1, round(old * spacing / wanted)), wanted / spacing
    return Axis(old, new, scale, ((old - 1) - scale * (new - 1)) / 2)


def interpolated(values: np.ndarray, axis: int, by: Axis) -> np.ndarray:
    """Resample one axis linearly, with anti-aliasing, as 64-bit numbers.

    >>> interpolated(np.array([0, 10]), 0, sized(2, 4)).tolist()
    [0.0, 2.5, 7.5, 10.0]
    """
    if by.same:
        return values.astype(np.float64)
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    out: np.ndarray | None = None
    for samples, weights in by.taps:
        part = values.take(samples, axis) * weights.reshape(shape)
        out = part if out is None else np.add(out, part, out=out)
    assert out is not None, "every sample is made of something"
    return out


def interpolated_plane(plane: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """Resample the rows and columns of a picture; a third axis, of colours, stays."""
    first, second = ((0, rows), (1, columns)) if rows.scale > columns.scale else ((1, columns), (0, rows))
    return interpolated(interpolated(plane, *first), *second)


def nearest_plane(plane: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    """Take the nearest pixel for each: values are chosen and never mixed, as a mask needs it.

    >>> nearest_plane(np.array([[0, 1]]), kept(1), sized(2, 4)).tolist()
    [[0, 0, 1, 1]]
    """
    if rows.same and columns.same:
        return plane
    return plane.take(rows.nearest, 0).take(columns.nearest, 1)


def as_stored(values: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    """Round to the nearest number of a type; the even one, where two are as near."""
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    rounded: np.ndarray = np.clip(np.rint(values), limits.min, limits.max).astype(kind)
    return rounded
