"""One column of a build as a view shows it: which rows have it, and each of them encoded."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.load.fixed.pixels import Encoded, UnfitError, render
from covid_datasets.load.fixed.view import View
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.columnar import is_known
from covid_datasets.prepare.result import Built
from covid_datasets.vocabulary import MASKS

_SCALE = ("hu_slope", "hu_intercept")


@dataclass(frozen=True, eq=False)
class Layer:
    """The images of a build, or one kind of its masks, in the form of a view.

    Only rows that have an image, or that mask, have a place; places are counted in the order of rows.
    """

    built: Built
    view: View

    def __reduce__(self) -> tuple[Any, ...]:
        """Send a worker what this is of, and nothing that was read."""
        return Layer, (self.built, self.view)

    @cached_property
    def rows(self) -> np.ndarray:
        """The rows of the build that have this, by place."""
        return np.flatnonzero(is_known(self._column))

    @cached_property
    def places(self) -> np.ndarray:
        """The place of every row of the build; -1 where it has none."""
        found = np.full(len(self._column), -1, np.int64)
        found[self.rows] = np.arange(len(self.rows))
        return found

    def render(self, place: int, out: np.ndarray) -> None:
        """Decode the sample at a place into an array; an error of ours says in ``row`` which one it was."""
        row = int(self.rows[place])
        try:
            render(Encoded(self._data(row), self._name(row), self._hounsfield(row)), self.view, out)
        except UnfitError as error:
            error.row = row
            raise

    @cached_property
    def _column(self) -> pa.ChunkedArray:
        column = open_table(self.built).column(self.view.column)
        if self.view.mask:
            column = pc.struct_field(column, [self.view.mask])
        return column

    @cached_property
    def _chunks(self) -> tuple[list[pa.Array], list[int]]:
        chunks = pc.struct_field(self._column, ["bytes"]).chunks
        return chunks, np.cumsum([0, *map(len, chunks)]).tolist()

    def _data(self, row: int) -> bytes:
        chunks, starts = self._chunks
        number = bisect_right(starts, row) - 1
        data: bytes = chunks[number][row - starts[number]].as_buffer().to_pybytes()
        return data

    def _name(self, row: int) -> str:
        name = str(open_table(self.built).column("sample_id")[row])
        return f"{name}, mask {self.view.mask}" if self.view.mask else name

    @cached_property
    def _scales(self) -> np.ndarray | None:
        table = open_table(self.built)
        if self.view.mask or table.column(_SCALE[0]).null_count == len(table):
            return None
        return np.stack([table.column(name).to_numpy() for name in _SCALE], axis=1)

    def _hounsfield(self, row: int) -> tuple[float, float] | None:
        if self._scales is None or np.isnan(self._scales[row, 0]):
            return None
        slope, intercept = self._scales[row].tolist()
        return slope, intercept


def masks_in(builds: tuple[Built, ...]) -> list[str]:
    """List the masks that any row of any of these builds has."""
    found = []
    for name in MASKS:
        columns = [pc.struct_field(open_table(built).column("masks"), [name]) for built in builds]
        if any(column.null_count < len(column) for column in columns):
            found.append(name)
    return found
