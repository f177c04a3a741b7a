"""Reading ahead: the blocks of large files that the next batches need, each as a whole, by one thread.

What is read goes into the cache of the system, from which mapped pages then come without waiting. So a view that is
larger than memory is read at the rate of the disk, and not one page after the other.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from covid_datasets.load.fixed.lot import Lot
from covid_datasets.load.fixed.order import WINDOW_BLOCKS

CHUNK_BYTES = 1 << 20
Span = tuple[Path, int, int]


class Array(NamedTuple):
    """Where the samples of an array are in its file: from where on, and how many bytes each."""

    file: Path
    start: int
    each: int


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Which rows lie together on the disk.

    Attributes:
        rows: Rows of a block.
        place: Of each row, where it lies among all.
    """

    rows: int
    place: np.ndarray

    def of(self, rows: np.ndarray) -> list[int]:
        """Number the blocks of some rows, each once, in the order in which they are needed."""
        return list(dict.fromkeys((self.place[rows] // self.rows).tolist()))

    def members(self) -> np.ndarray:
        """List all rows as they lie on the disk."""
        return np.argsort(self.place)


def spans_of(arrays: Sequence[Array], which: np.ndarray, places: np.ndarray) -> list[Span]:
    """List what has to be read for some samples; neighbours together.

    >>> array = Array(Path("a"), 128, 10)
    >>> [span[1:] for span in spans_of([array], np.zeros(4, int), np.array([7, 3, 2, -1]))]
    [(148, 168), (198, 208)]
    """
    found = []
    for number, array in enumerate(arrays):
        here = np.unique(places[(which == number) & (places >= 0)])
        for run in np.split(here, np.flatnonzero(np.diff(here) > 1) + 1):
            if len(run):
                first, last = int(run[0]), int(run[-1]) + 1
                found.append((array.file, array.start + first * array.each, array.start + last * array.each))
    return found


def read(spans: Sequence[Span]) -> int:
    """Read parts of files, so that they are in memory, and count the bytes that were there; they are not kept."""
    scratch, count = memoryview(bytearray(CHUNK_BYTES)), 0
    for file, first, last in spans:
        with file.open("rb", buffering=0) as opened:
            opened.seek(first)
            while first < last and (size := opened.readinto(scratch[: last - first])):
                first += size
                count += size
    return count


@dataclass(frozen=True, eq=False)
class Ahead:
    """Has the blocks of batches read, a window of them before they are used."""

    arrays: Sequence[Array]
    blocks: Blocks
    which: np.ndarray
    places: np.ndarray
    _lately: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def lots(self, lots: Iterable[tuple[np.ndarray, Lot]]) -> Iterator[Lot]:
        """Yield the samples of batches, each when its blocks were read."""
        members = self.blocks.members()
        waiting: deque[tuple[Lot, Future[int]]] = deque()
        rows_ahead = 0
        pool = ThreadPoolExecutor(1, "read ahead")
        try:
            for rows, lot in lots:
                waiting.append((lot, pool.submit(read, self._spans(rows, members))))
                rows_ahead += len(rows)
                while rows_ahead > WINDOW_BLOCKS * self.blocks.rows:
                    rows_ahead -= len(waiting[0][0])
                    yield self._ready(*waiting.popleft())
            while waiting:
                yield self._ready(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _ready(self, lot: Lot, reading: Future[int]) -> Lot:
        reading.result()
        return lot

    def _spans(self, rows: np.ndarray, members: np.ndarray) -> list[Span]:
        """List what no batch shortly before needed as well."""
        new = [block for block in self.blocks.of(rows) if block not in self._lately]
        self._lately.update(dict.fromkeys(new))
        while len(self._lately) > 3 * WINDOW_BLOCKS:
            self._lately.popitem(last=False)
        spans: list[Span] = []
        for block in new:
            each = members[block * self.blocks.rows : (block + 1) * self.blocks.rows]
            spans += spans_of(self.arrays, self.which[each], self.places[each])
        return spans
