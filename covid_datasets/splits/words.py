"""Pairs of hashes that nearly agree, found among all pairs exactly, and without comparing each with each.

Two hashes are near if they differ in at most `MAX_DISTANCE` of 256 bits, and in at most one bit of one of their words,
of which there are 16. So hashes are sorted by a word, and for every bit of it those that differ by just that bit are
neighbours. Where pictures are sought in all ways, a word and its opposite are one word.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from covid_datasets.splits.ways import Words

Numbers = NDArray[np.int64]
Job = Callable[[], tuple[Numbers, Numbers]]
"""Finds some of the pairs, each once: the number of the one that is sought, and of the one that is found."""

MAX_DISTANCE = 56
"""Bits of 256 that two hashes of one picture may differ in; each of 16 in its opposite at most, if all ways count."""

_CHUNK_PAIRS = 1 << 15
"""Pairs compared at once in a thread; bounds the memory of the search, and stays in the caches of a core."""
_TELLING = (3, 1, 2, 0)
"""The classes of signs in the order in which they are compared: of a chest, those of even frequencies tell least."""
_CHUNK_ROWS = 1 << 18
"""Hashes looked up at once."""


def near_pairs(sought: Words, among: Words, *, all_ways: bool, itself: bool) -> Iterator[Job]:
    """Divide the search for all near pairs into jobs; of what is compared with itself, the smaller is sought."""
    key = _folded if all_ways else _plain
    patterns = [0, *(1 << bit for bit in range(15 if all_ways else 16)), *([0x7FFF] if all_ways else [])]
    columns = [np.ascontiguousarray(sought[:, column]) for column in range(4)]
    for word in range(16):
        bucket = _Bucket.of(sought, columns, among, word, key, all_ways, itself)
        for start in range(0, len(sought), _CHUNK_ROWS):
            values = key(sought[start : start + _CHUNK_ROWS], word)
            for pattern in patterns:
                partner = (values ^ np.uint16(pattern)).astype(np.int64)
                low = bucket.starts[partner]
                counts = bucket.starts[partner + 1] - low
                if sought is among:  # each pair of different words once
                    counts[values > partner] = 0
                rows = np.flatnonzero(counts)
                ends = np.cumsum(counts[rows])
                cuts = np.searchsorted(ends, np.arange(0, ends[-1] if ends.size else 0, _CHUNK_PAIRS)).tolist()
                for begin, stop in itertools.pairwise([*dict.fromkeys(cuts), len(rows)]):
                    part = rows[begin:stop]
                    yield partial(bucket.pairs, start + part, low[part], counts[part], pattern)


def _plain(hashes: Words, word: int) -> NDArray[np.uint16]:
    return np.ascontiguousarray(hashes.view(np.uint16)[:, word])


def _folded(hashes: Words, word: int) -> NDArray[np.uint16]:
    values = _plain(hashes, word)
    return np.where(values >> 15, ~values, values)


@dataclass(frozen=True)
class _Bucket:
    """All hashes in the order of one of their words."""

    word: int
    order: Numbers
    starts: Numbers
    columns: list[NDArray[np.uint64]]
    sought_columns: list[NDArray[np.uint64]]
    among: Words
    sought: Words
    all_ways: bool
    itself: bool

    @classmethod
    def of(
        cls,
        sought: Words,
        sought_columns: list[NDArray[np.uint64]],
        among: Words,
        word: int,
        key: Callable[[Words, int], NDArray[np.uint16]],
        all_ways: bool,
        itself: bool,
    ) -> _Bucket:
        """Sort the hashes."""
        values = key(among, word)
        order = np.argsort(values, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=1 << 16))])
        columns = [np.ascontiguousarray(among[order, column]) for column in range(4)]
        return cls(word, order, starts, columns, sought_columns, among, sought, all_ways, itself)

    def pairs(self, rows: Numbers, low: Numbers, counts: Numbers, pattern: int) -> tuple[Numbers, Numbers]:
        """Compare each of some hashes with ``counts`` from ``low`` on."""
        ends = np.cumsum(counts)
        other = np.repeat(low - (ends - counts), counts) + np.arange(ends[-1])
        total = np.zeros(len(other), np.uint8)
        first = _TELLING[: 3 if self.all_ways else 2]  # fewer would rule out next to nothing
        for column in first:
            ours = np.repeat(self.sought_columns[column][rows], counts)
            total += self._differing(ours, self.columns[column][other])
        near = np.flatnonzero(total <= MAX_DISTANCE)
        one, other, total = rows[np.searchsorted(ends, near, side="right")], other[near], total[near]
        for column in _TELLING[len(first) :]:
            total += self._differing(self.sought_columns[column][one], self.columns[column][other])
        near = np.flatnonzero(total <= MAX_DISTANCE)
        one, other = one[near], self.order[other[near]]
        if self.itself and (self.sought is not self.among or not pattern):
            smaller = one < other
            one, other = one[smaller], other[smaller]
        # A pair that is near in several words is found by each; the first of them reports it.
        words = np.bitwise_count((self.sought[one] ^ self.among[other]).view(np.uint16))
        agree = np.minimum(words, 16 - words) <= 1 if self.all_ways else words <= 1
        kept = agree.argmax(axis=1) == self.word
        one, other = one[kept], other[kept]
        return (np.minimum(one, other), np.maximum(one, other)) if self.itself else (one, other)

    def _differing(self, ours: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> NDArray[np.uint8]:
        differing: NDArray[np.uint8] = np.bitwise_count(ours ^ theirs)
        return np.minimum(differing, 64 - differing) if self.all_ways else differing
