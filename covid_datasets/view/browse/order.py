"""Rows in the order of a column, unknown values last: the column is ranked once, and then only numbers are sorted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def ranks_of(column: pa.ChunkedArray) -> np.ndarray:
    """Number the values of a column of words or numbers by their order, equal ones alike; -1 is what is unknown.

    >>> ranks_of(pa.chunked_array([["b", None, "a", "b"]])).tolist()
    [1, -1, 0, 1]
    """
    if pa.types.is_dictionary(column.type):  # few words: these are sorted, and not the rows
        coded = column.combine_chunks()
        ranks = ranks_of(pa.chunked_array([coded.dictionary]))
        codes = coded.indices.fill_null(len(ranks)).to_numpy(zero_copy_only=False)
        return np.asarray(np.append(ranks, np.int32(-1))[codes])
    ranked = pc.rank(column, sort_keys="ascending", tiebreaker="dense")
    known = np.asarray(column.is_valid().combine_chunks().to_numpy(zero_copy_only=False))
    return np.where(known, ranked.to_numpy().astype(np.int32) - np.int32(1), np.int32(-1))


def in_order(numbers: np.ndarray, ranks: np.ndarray, *, descending: bool) -> np.ndarray:
    """Put some rows in the order of their ranks; those of one rank stay as they are.

    >>> ranks = np.asarray([1, -1, 0, 1], np.int32)
    >>> [in_order(np.arange(4), ranks, descending=descending).tolist() for descending in (False, True)]
    [[2, 0, 3, 1], [0, 3, 2, 1]]
    """
    keys = ranks[numbers]
    unknown = keys < 0
    keys = -keys if descending else keys
    keys[unknown] = np.iinfo(keys.dtype).max
    return np.asarray(numbers[np.argsort(keys, kind="stable")])
