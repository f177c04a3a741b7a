"""Two videos, or two volumes, are one where two moments agree: one alone may be a title, or a slice like any other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_datasets.measure.looks import moment_of
from covid_datasets.splits.seen import Seen

DIFFERENT = 29
"""Bits of 256 in which the hashes of two moments differ at least; those of a title that stands for a while do not."""


@dataclass(frozen=True)
class _Row:
    """The moments of a row: the first look, the moment of each look, and which of these moments differ."""

    start: int
    moments: list[int]
    differ: NDArray[np.bool_]

    @classmethod
    def of(cls, seen: Seen, row: int) -> _Row:
        """Find them."""
        start, end = np.searchsorted(seen.rows, [row, row + 1]).tolist()
        names = [moment_of(part) for part in seen.parts[start:end].tolist()]
        moments = [list(dict.fromkeys(names)).index(name) for name in names]
        firsts = [start + moments.index(moment) for moment in range(max(moments) + 1)]
        hashes = seen.hashes[seen.starts[firsts]]
        return cls(start, moments, np.bitwise_count(hashes[:, None] ^ hashes).sum(axis=2) >= DIFFERENT)


class Moments:
    """What was found of pairs of which one moment alone proves too little: frames of two videos, slices of two volumes.

    A picture has a single moment, and so has a video that hardly moves: there one has to do.
    """

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._rows: dict[int, _Row] = {}
        self._agreed: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def suffice(self, one: int, other: int) -> bool:
        """Take two looks that show one picture, and tell whether their rows do, by all that was taken before."""
        one, other = sorted((one, other))
        first, second = self._row(one), self._row(other)
        if not (first.differ.any() and second.differ.any()):
            return True
        agreed = self._agreed.setdefault(
            (first.start, second.start), np.zeros((len(first.differ), len(second.differ)), bool)
        )
        moments = first.moments[one - first.start], second.moments[other - second.start]
        agreed[moments] = True
        return bool(agreed[np.ix_(first.differ[moments[0]], second.differ[moments[1]])].any())

    def _row(self, look: int) -> _Row:
        row = int(self._seen.rows[look])
        if row not in self._rows:
            self._rows[row] = _Row.of(self._seen, row)
        return self._rows[row]
