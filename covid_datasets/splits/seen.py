"""The looks of many rows as columns: what pictures are compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from covid_datasets.measure.looks import HASH_BYTES, Looks
from covid_datasets.splits.ways import Words
from covid_datasets.splits.words import Numbers

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Seen:
    """The looks of many rows as columns, one after the other.

    ``rows`` and ``parts`` tell of each look what it is of, ``counts`` how many of the ``hashes`` are its own, and
    ``thumb`` its thumbnail, look by look, so that not all of them are in memory at once.
    """

    rows: Numbers
    parts: NDArray[np.str_]
    counts: Numbers
    hashes: Words
    thumb: Callable[[int], bytes]

    @classmethod
    def of(cls, looks: Iterable[Looks | None]) -> Seen:
        """Make columns of the looks of each row; ``None`` stands for a row that shows nothing."""
        every = [(row, look) for row, looks_of_row in enumerate(looks) for look in looks_of_row or ()]
        thumbs = [look.thumb for _, look in every]
        return cls(
            np.asarray([row for row, _ in every], np.int64),
            np.asarray([look.part for _, look in every], np.str_),
            np.asarray([len(look.hashes) // HASH_BYTES for _, look in every], np.int64),
            np.frombuffer(b"".join(look.hashes for _, look in every), np.uint64).reshape(-1, 4),
            thumbs.__getitem__,
        )

    @classmethod
    def stored(cls, parts: Iterable[tuple[Numbers, pa.Array]], looks: Callable[[int], pa.Scalar]) -> Seen:
        """Make columns of looks as an index stores them, given by parts, each with its rows, and row by row."""
        rows, shown, counts, hashes = [_NONE], [np.empty(0, np.str_)], [_NONE], [np.empty((0, 4), np.uint64)]
        for numbers, part in parts:
            if not len(every := part.flatten()):
                continue
            rows.append(np.repeat(numbers, np.diff(_ends(part))))
            shown.append(np.asarray(every.field("part").to_pylist(), np.str_))
            stored = every.field("hashes")
            ends, data = _ends(stored), np.frombuffer(stored.buffers()[2], np.uint8)
            counts.append(np.diff(ends) // HASH_BYTES)
            hashes.append(data[ends[0] : ends[-1]].view(np.uint64).reshape(-1, 4))
        columns = np.concatenate(rows), np.concatenate(shown), np.concatenate(counts), np.concatenate(hashes)
        found = cls(*columns, thumb=lambda look: b"")
        found = found.in_order(np.argsort(found.rows, kind="stable"))

        def thumb(look: int) -> bytes:
            row = int(found.rows[look])
            stored: bytes = looks(row)[look - int(np.searchsorted(found.rows, row))]["thumb"].as_py()
            return stored

        return replace(found, thumb=thumb)

    def in_order(self, order: Numbers) -> Seen:
        """Put the looks, or some of them, in another order; only the thumbnails remain where they are."""
        counts = self.counts[order]
        places = np.repeat(self.starts[order] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        return Seen(self.rows[order], self.parts[order], counts, self.hashes[places], self.thumb)

    def of_rows(self, rows: Numbers) -> Seen:
        """Keep the looks of some rows."""
        kept = np.flatnonzero(np.isin(self.rows, rows))
        return replace(self.in_order(kept), thumb=lambda look: self.thumb(int(kept[look])))

    @cached_property
    def starts(self) -> Numbers:
        """Where the hashes of each look begin; the first is that of all that it shows."""
        starts: Numbers = np.cumsum(self.counts) - self.counts
        return starts


def _ends(values: pa.Array) -> NDArray[np.int32]:
    """Return where the items of a list or of bytes end, and begin; Arrow's own way to NumPy would import pandas."""
    return np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
