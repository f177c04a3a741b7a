"""`Found`: what a search found, as a table to look at, to go on with, and to write to a file."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, overload

import pyarrow as pa

from covid_datasets.disk import refused, whole
from covid_datasets.extras import need
from covid_datasets.harmless import csv_cell, visible
from covid_datasets.settings import given_path

if TYPE_CHECKING:
    import pandas as pd

SHOWN_ROWS = 10
SHOWN_COLUMNS = (
    "dataset",
    "sample_id",
    "patient_id",
    "split",
    "modality",
    "finding",
    "age",
    "sex",
    "quality",
    "license",
    "id",
    "title",
    "modalities",
    "images",
    "access",
    "licence",
)
"""What is shown of a table of many columns; all of them are in it."""
FEW_COLUMNS = 12
CELL = 40
"""Characters of a cell that are shown."""


class Found(Sequence[dict[str, Any]]):
    """Rows that a search found, in an order that is the same every time.

    ``left_out`` says which builds could not be searched, and why: folder -> reason.
    """

    def __init__(self, table: pa.Table, left_out: Mapping[Path, str] | None = None) -> None:
        self._table = table
        self.left_out: dict[Path, str] = dict(left_out or {})

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table; nothing is copied."""
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame."""
        need("pandas")
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the rows to a CSV file that spreadsheets open without running what is in it.

        Text that a spreadsheet would take for a formula gets an apostrophe before it; lists are written as JSON.
        """
        with _writing(path) as private, private.open("w", encoding="utf-8", newline="") as file:
            self.print_csv(file)

    def print_csv(self, file: TextIO) -> None:
        """Write the same to an open text file."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([csv_cell(name) for name in self.column_names])
        for batch in self._table.to_batches(max_chunksize=10_000):
            columns = [column.to_pylist() for column in batch.columns]
            writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the rows to a Parquet file."""
        import pyarrow.parquet as pq

        with _writing(path) as private:
            pq.write_table(self._table, private)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self._table.column_names
        return names

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column."""
        return self._table.column(name)

    @property
    def shown_columns(self) -> list[str]:
        """The columns that are shown: all where they are few, else those that tell most."""
        few = [name for name in self.column_names if name in SHOWN_COLUMNS]
        return few if few and len(self.column_names) > FEW_COLUMNS else self.column_names[:FEW_COLUMNS]

    def __len__(self) -> int:
        """Count the rows."""
        return int(self._table.num_rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return a row as a dictionary."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                found: list[dict[str, Any]] = self._table.slice(start, max(stop - start, 0)).to_pylist()
                return found
            return [self[number] for number in range(start, stop, step)]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        row: dict[str, Any] = self._table.slice(number, 1).to_pylist()[0]
        return row

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the rows."""
        for batch in self._table.to_batches(max_chunksize=1_000):
            yield from batch.to_pylist()

    def __eq__(self, other: object) -> bool:
        """Tell whether the rows are the same."""
        return isinstance(other, Found) and self._table.equals(other._table)

    __hash__ = None  # type: ignore[assignment]

    def summary(self) -> str:
        """Say in one line how much was found, and how many builds could not be searched."""
        rows, columns = len(self), len(self.column_names)
        lost = len(self.left_out)
        left_out = f"; {lost:,} {'build' if lost == 1 else 'builds'} left out, see .left_out" if lost else ""
        return (
            f"Found({rows:,} {'row' if rows == 1 else 'rows'}, "
            f"{columns:,} {'column' if columns == 1 else 'columns'}{left_out})"
        )

    def __repr__(self) -> str:
        """Show the first rows as text."""
        names = self.shown_columns
        if not names or not len(self):
            return self.summary()
        lines = [names, *([_short(row[name]) for name in names] for row in self._shown())]
        widths = [max(len(line[number]) for line in lines) for number in range(len(names))]
        text = io.StringIO()
        print(self.summary(), file=text)
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), file=text)
        return text.getvalue() + self._rest()

    def _repr_html_(self) -> str:
        """Show the first rows in a notebook; what a source wrote is text and no markup."""
        from covid_datasets.markup import paragraph, shown, table

        names = self.shown_columns
        rows = [[_short(row[name]) for name in names] for row in self._shown()]
        first = table("The first rows", names, rows) if names and rows else ()
        return shown(self.summary(), first, paragraph(self._rest()))

    def _shown(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._table.select(self.shown_columns).slice(0, SHOWN_ROWS).to_pylist()
        return rows

    def _rest(self) -> str:
        names = [name for name in self.column_names if name not in self.shown_columns]
        hidden = f"{len(names):,} more columns in .column_names" if names else ""
        more = f"{len(self) - SHOWN_ROWS:,} more rows" if len(self) > SHOWN_ROWS else ""
        return ", ".join(filter(None, (more, hidden)))


def _writing(path: str | os.PathLike[str]) -> Any:
    place = given_path(path, "path")
    if not place.parent.is_dir():
        raise refused(place, NotADirectoryError(20, f"{place.parent} is no folder"))
    return whole(place, durable=False)


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return csv_cell(json.dumps(value, ensure_ascii=False, default=str))
    return csv_cell(value)


def _short(value: object) -> str:
    if value is None:
        return "?"
    text = visible(", ".join(map(str, value)) if isinstance(value, list) else str(value), keep="")
    return text if len(text) <= CELL else f"{text[: CELL - 1]}…"
