"""Groups over finished builds: what each found alone, and what joins rows across them; whole columns at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from covid_datasets.splits.assign import everybody
from covid_datasets.splits.groups import Link

if TYPE_CHECKING:
    from covid_datasets.splits.index import Index

Rows = NDArray[np.int64]
Edges = tuple[Rows, Rows]
"""Rows that belong together, pair by pair."""
NONE = -1
"""The number of a key that joins nothing."""


def joined_groups(index: Index, near: Callable[[list[int]], Iterable[Link]]) -> list[int]:
    """Number each row's group by its smallest row, as `groups.components` does of all evidence.

    ``near`` finds pictures that look the same, of rows that differ in what it is given. The group of all whom nobody
    knows is no evidence: each of its rows is compared with those of other builds, and goes alone with whom it shows.
    """
    builds = np.repeat(np.arange(len(index.sizes)), index.sizes)
    stored = _both(builds, numbered(index.table.column("group")))
    if len(index.sizes) == 1:
        return _plain(connected(len(builds), [alike(stored)]))
    patients = numbered(index.table.column("patient_id"), aside=True)
    strangers = patients < NONE
    known = np.zeros(stored.max(initial=0) + 1, dtype=bool)
    known[stored[~strangers]] = True
    in_known = known[stored]
    edges = [alike(np.where(in_known, stored, NONE)), alike(np.maximum(patients, NONE)), _tied(index)]
    blank = np.asarray(index.table.column("blank").fill_null(False))
    edges += [alike(np.where(blank, NONE, numbered(index.table.column(name)))) for name in ("sha256", "pixel_hash")]
    apart = np.where(in_known, builds, len(index.sizes) + np.arange(len(builds))).tolist()
    first, second = np.asarray([(link.first, link.second) for link in near(apart)], np.int64).reshape(-1, 2).T
    edges.append((first, second))
    groups = connected(len(builds), edges)
    if not strangers.any():
        return _plain(groups)
    bound = np.zeros(len(builds), dtype=bool)
    bound[groups[~strangers]] = True
    together = np.where(strangers & ~bound[groups], -patients, NONE)
    whole = connected(len(builds), [(np.arange(len(builds)), groups), alike(together)])
    return _plain(whole)


def numbered(column: pa.ChunkedArray, *, aside: bool = False) -> Rows:
    """Number equal texts alike; what is null or empty is `NONE`, and who is of everybody, put aside, is below that."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    texts = encoded.dictionary
    numbers = np.arange(len(texts))
    if aside:
        numbers = np.where(_marks(pc.ends_with(texts, pattern=everybody(""))), -numbers - 2, numbers)
    numbers = np.where(_marks(pc.equal(texts, "")), NONE, numbers)
    found: Rows = np.append(numbers, NONE)
    codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    numbers_of: Rows = found[codes]
    return numbers_of


def _marks(values: pa.Array) -> NDArray[np.bool_]:
    marks: NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return marks


def alike(keys: Rows) -> Edges:
    """Join each row to the first one with its key.

    >>> [side.tolist() for side in alike(np.asarray([7, -1, 7, -1, 3]))]
    [[0, 0, 4], [0, 2, 4]]
    """
    rows = np.flatnonzero(keys != NONE)
    _, first, of = np.unique(keys[rows], return_index=True, return_inverse=True)
    return rows[first[of]], rows


def connected(count: int, edges: Iterable[Edges]) -> Rows:
    """Number each row's component by its smallest row.

    >>> connected(4, [(np.asarray([3]), np.asarray([1]))]).tolist()
    [0, 1, 2, 1]
    """
    ends = list(edges)
    first = np.concatenate([one for one, _ in ends]).astype(np.int64)
    second = np.concatenate([other for _, other in ends]).astype(np.int64)
    root = np.arange(count)
    while True:
        low, high = np.minimum(root[first], root[second]), np.maximum(root[first], root[second])
        open_ = low < high
        if not open_.any():
            return root
        first, second = first[open_], second[open_]
        np.minimum.at(root, high[open_], low[open_])
        while (above := root[root]).tobytes() != root.tobytes():
            root = above


def _plain(rows: Rows) -> list[int]:
    plain: list[int] = rows.tolist()
    return plain


def _both(builds: Rows, keys: Rows) -> Rows:
    both: Rows = builds * (int(keys.max(initial=0)) + 1) + keys
    return both


def _tied(index: Index) -> Edges:
    """Join rows that share any tie but that of everybody."""
    ties = index.table.column("ties").combine_chunks()
    if isinstance(ties, pa.ChunkedArray):
        ties = ties.combine_chunks()
    rows = np.repeat(np.arange(len(ties)), np.diff(ties.offsets.to_numpy()))
    keys = numbered(pa.chunked_array([ties.flatten()]), aside=True)
    one, other = alike(np.where(keys < NONE, NONE, keys))
    return rows[one], rows[other]
