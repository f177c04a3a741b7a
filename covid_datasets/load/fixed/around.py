"""Slices with those beside them: which rows of a series are seen at once, the one in question in the middle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.load.fixed.chosen import Chosen
from covid_datasets.load.stored import open_table


def around(chosen: Chosen, slices: int) -> np.ndarray:
    """Number the rows that are seen with each: its neighbours in its series, or where there is none, itself again.

    A row of no series, such as a picture of an article, is by itself.
    """
    return neighbours(*_series(chosen), slices)


def neighbours(series: np.ndarray, part: np.ndarray, slices: int) -> np.ndarray:
    """Number the rows around each, given numbers of series and the place of each row in its own.

    >>> neighbours(np.array([0, 0, 0, 1]), np.array([2, 0, 1, 0]), 3).tolist()
    [[2, 0, 0], [1, 1, 2], [1, 2, 0], [3, 3, 3]]
    """
    order = np.lexsort((part, series))
    starts = np.flatnonzero(np.diff(series[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    first, last = np.repeat(starts, sizes), np.repeat(starts + sizes - 1, sizes)
    reach = slices // 2
    beside = np.arange(len(order))[:, None] + np.arange(-reach, reach + 1)
    found = np.empty((len(order), slices), np.int64)
    found[order] = order[np.clip(beside, first[:, None], last[:, None])]
    return found


def _series(chosen: Chosen) -> tuple[np.ndarray, np.ndarray]:
    """Give each row a number of its series, which nobody else has where it is of none, and its place there."""
    names = np.empty(len(chosen), object)
    part = np.zeros(len(chosen), np.int64)
    for number, built in enumerate(chosen.builds):
        here = np.flatnonzero(chosen.build_of == number)
        table = open_table(built).select(["series_id", "part_index"]).take(pa.array(chosen.rows[here]))
        names[here] = [
            f"row {row}" if name is None else f"{number} {name}"
            for row, name in zip(here.tolist(), table.column("series_id").to_pylist(), strict=True)
        ]
        part[here] = pc.fill_null(table.column("part_index"), 0).to_numpy()
    return np.unique(names.astype(str), return_inverse=True)[1].reshape(-1), part
