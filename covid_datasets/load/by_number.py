"""Rows that are asked for by their numbers: what every form of them has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

from covid_datasets.load.form import Form

Row = TypeVar("Row")


class RowsByNumber(Sequence[Row]):
    """A split as a sequence of rows, in the columns and classes of its ``form``."""

    @property
    @abstractmethod
    def form(self) -> Form:
        """The columns that are handed out, and what the numbers of the label column mean."""

    @abstractmethod
    def _row(self, position: int) -> Row:
        """Return the row at a place that there is, counted from 0."""

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        """Return a row, or a list of them."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._row(position)

    def __repr__(self) -> str:
        """Say what this is in one line."""
        return f"{type(self).__name__}({len(self):,} rows)"

    @property
    def column_names(self) -> list[str]:
        """The names of the columns that were asked for."""
        return list(self.form.columns)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes, by their numbers in the column label."""
        return self.form.label_names
