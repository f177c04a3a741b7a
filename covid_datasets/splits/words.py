"""Pairs of hashes that nearly agree, found among all pairs exactly, and without comparing each with each.

Two hashes are near if they differ in at most `MAX_DISTANCE` of 256 bits, and in at most one bit of one of their words,
of which there are 16. So hashes are sorted by a word, and those of one value are compared with those of the values that
differ by just one bit. Where pictures are sought in all ways, a word and its opposite are one word.

Of few hashes a value has one or two, and pairs are gathered from many values; of many it has dozens, and all of them
are compared with all of their partners as one block, which takes a fraction of the time for each pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
from numpy.typing import NDArray

from covid_datasets.splits.ways import Words

Numbers = NDArray[np.int64]
Distances = NDArray[np.uint8]
Job = Callable[[], tuple[Numbers, Numbers]]
"""Finds some of the pairs, each once: the number of the one that is sought, and of the one that is found."""

MAX_DISTANCE = 56
"""Bits of 256 that two hashes of one picture may differ in; each of 16 in its opposite at most, if all ways count."""

_CHUNK_PAIRS = 1 << 15
"""Pairs compared at once in a thread; bounds the memory of the search, and stays in the caches of a core."""
_BLOCK_PAIRS, _BLOCK_ROWS = 1 << 11, 4
"""What makes a block: fewer pairs, or rows, are not worth the calls."""
_JOB_PAIRS = 1 << 18
"""Pairs compared in the blocks of one job; all of them may be near, and are in memory then."""
_TELLING = (3, 1, 2, 0)
"""The classes of signs in the order in which they are compared: of a chest, those of even frequencies tell least."""


def near_pairs(sought: Words, among: Words, *, all_ways: bool, itself: bool) -> Iterator[Job]:
    """Divide the search for all near pairs into jobs; of what is compared with itself, the smaller is sought."""
    for word in range(16):
        ours = _Sorted.of(sought, word, all_ways)
        theirs = ours if sought is among else _Sorted.of(among, word, all_ways)
        yield from _Search(word, ours, theirs, all_ways, itself).jobs()


@dataclass(frozen=True)
class _Sorted:
    """Hashes in the order of one of their words: whose they are, where each value starts, and their four classes."""

    order: Numbers
    starts: Numbers
    columns: list[NDArray[np.uint64]]

    @classmethod
    def of(cls, hashes: Words, word: int, all_ways: bool) -> _Sorted:
        """Sort them."""
        values = np.ascontiguousarray(hashes.view(np.uint16)[:, word])
        if all_ways:
            values = np.where(values >> 15, ~values, values)
        order = np.argsort(values, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=1 << (15 if all_ways else 16)))])
        return cls(order, starts, [np.ascontiguousarray(hashes[order, column]) for column in range(4)])


@dataclass(frozen=True)
class _Search:
    """Hashes that are sought by one of their words; both sides by their places in its order."""

    word: int
    sought: _Sorted
    among: _Sorted
    all_ways: bool
    itself: bool

    @property
    def _first(self) -> tuple[int, ...]:
        """The classes that are compared of all pairs; fewer would rule out next to nothing."""
        return _TELLING[: 3 if self.all_ways else 2]

    def _partners(self, values: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield where those start, and how many they are, that differ from each value in the same bit, or in none.

        Where hashes are sought among themselves, each pair of values is in it once.
        """
        bits = (len(self.among.starts) - 1).bit_length() - 1
        opposite = [(1 << bits) - 1] if self.all_ways else []
        for pattern in [0, *(1 << bit for bit in range(bits)), *opposite]:
            partner = values ^ pattern
            low = self.among.starts[partner]
            counts = self.among.starts[partner + 1] - low
            yield low, np.where(values > partner, 0, counts) if self.sought is self.among else counts

    def jobs(self) -> Iterator[Job]:
        """Divide it: values with many pairs into blocks, the rest into gathered pairs."""
        sizes = np.diff(self.sought.starts)
        values = np.flatnonzero(sizes)
        partners: Numbers = np.sum([counts for _, counts in self._partners(values)], axis=0)
        many = (sizes[values] * partners >= _BLOCK_PAIRS) & (sizes[values] >= _BLOCK_ROWS)
        yield from self._block_jobs(values[many], partners[many])
        few = values[~many]
        rows = np.repeat(self.sought.starts[few], sizes[few]) + _within(sizes[few])
        for low, counts in self._partners(np.repeat(few, sizes[few])):
            some = np.flatnonzero(counts)
            for begin, stop in _cut(counts[some], _CHUNK_PAIRS):
                part = some[begin:stop]
                yield partial(self.gathered, rows[part], low[part], counts[part])

    def _block_jobs(self, values: Numbers, partners: Numbers) -> Iterator[Job]:
        """Put several values into one job, or the rows of one into several."""
        begins, ends = self.sought.starts[values], self.sought.starts[values + 1]
        steps = np.maximum(1, _JOB_PAIRS // partners)
        pieces = -(-(ends - begins) // steps)
        starts = np.repeat(begins, pieces) + _within(pieces) * np.repeat(steps, pieces)
        stops = np.minimum(starts + np.repeat(steps, pieces), np.repeat(ends, pieces))
        values, partners = np.repeat(values, pieces), np.repeat(partners, pieces)
        for begin, end in _cut((stops - starts) * partners, _JOB_PAIRS):
            yield partial(self.blocks, values[begin:end], starts[begin:end], stops[begin:end])

    def gathered(self, rows: Numbers, low: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
        """Compare each of some hashes with ``counts`` from ``low`` on."""
        ends = np.cumsum(counts)
        other = np.repeat(low, counts) + _within(counts)
        total = np.zeros(len(other), np.uint8)
        for column in self._first:
            ours = np.repeat(self.sought.columns[column][rows], counts)
            total += self._differing(ours, self.among.columns[column][other])
        near = np.flatnonzero(total <= MAX_DISTANCE)
        return self._near(rows[np.searchsorted(ends, near, side="right")], other[near], total[near])

    def blocks(self, values: Numbers, starts: Numbers, stops: Numbers) -> tuple[Numbers, Numbers]:
        """Compare hashes of each of some values, from a start to a stop, with all of their partners."""
        lows, counts = (np.stack(side, axis=1) for side in zip(*self._partners(values), strict=True))
        found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))]
        for begin, end, low, count in zip(starts.tolist(), stops.tolist(), lows, counts, strict=True):
            other = np.repeat(low, count) + _within(count)
            theirs = [self.among.columns[column][other] for column in self._first]
            step = max(1, _CHUNK_PAIRS // len(other))
            for start in range(begin, end, step):
                rows = slice(start, min(start + step, end))
                ours = (self.sought.columns[column][rows, None] for column in self._first)
                total: Distances = reduce(np.add, map(self._differing, ours, theirs)).ravel()
                near = np.flatnonzero(total <= MAX_DISTANCE)
                found.append((start + near // len(other), other[near % len(other)], total[near]))
        return self._near(*(np.concatenate(side) for side in zip(*found, strict=True)))

    def _near(self, one: Numbers, other: Numbers, total: Distances) -> tuple[Numbers, Numbers]:
        """Keep pairs that are near also in what was not compared yet, each of them once, and tell whose they are."""
        if self.sought is self.among:
            kept = np.flatnonzero(one < other)  # of two values the smaller is sought
            one, other, total = one[kept], other[kept], total[kept]
        for column in _TELLING[len(self._first) :]:
            total = total + self._differing(self.sought.columns[column][one], self.among.columns[column][other])
        kept = np.flatnonzero(total <= MAX_DISTANCE)
        one, other = one[kept], other[kept]
        # A pair that is near in several words is found by each; the first of them reports it.
        differing = [self.sought.columns[each][one] ^ self.among.columns[each][other] for each in range(4)]
        words = np.bitwise_count(np.stack(differing, axis=1).view(np.uint16))
        agree = np.minimum(words, 16 - words) <= 1 if self.all_ways else words <= 1
        kept = np.flatnonzero(agree.argmax(axis=1) == self.word)
        one, other = self.sought.order[one[kept]], self.among.order[other[kept]]
        if self.sought is self.among:
            return np.minimum(one, other), np.maximum(one, other)
        smaller = one < other if self.itself else slice(None)
        return one[smaller], other[smaller]

    def _differing(self, ours: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> Distances:
        differing: Distances = np.bitwise_count(ours ^ theirs)
        return np.minimum(differing, 64 - differing) if self.all_ways else differing


def _within(counts: Numbers) -> Numbers:
    """Count from 0 in each of some ranges.

    >>> _within(np.asarray([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    ends = np.cumsum(counts)
    within: Numbers = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return within


def _cut(sizes: Numbers, most: int) -> Iterator[tuple[int, int]]:
    """Cut a list into pieces of about so much in all.

    >>> list(_cut(np.asarray([3, 1, 4, 1, 5]), 4))
    [(0, 1), (1, 2), (2, 4), (4, 5)]
    """
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1] if ends.size else 0, most)).tolist()
    return itertools.pairwise([*dict.fromkeys(cuts), len(sizes)])
