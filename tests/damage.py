"""Damage that befalls every source: tables that are gone, cut or changed, and pictures that are gone, cut or strange.

All of it is done to copies of a source's own small tree, so that its own test need only hold what is special about it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import openpyxl

SHEETS = (".csv", ".tsv", ".xlsx")
"""Endings of tables, with a header; other files that a builder reads are texts."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One change to one file: of what kind, where in the file, and what the file is then (``None``: gone)."""

    kind: str
    where: str
    data: bytes | None

    def __str__(self) -> str:
        """Name it in one line."""
        return f"{self.kind} {self.where}".strip()


def damages(path: str, data: bytes) -> Iterator[Damage]:
    """Yield all that may happen to a file that a builder reads."""
    yield Damage("missing table", "", None)
    yield Damage("empty table", "", b"")
    if not path.lower().endswith(SHEETS):
        return
    sheet = Workbook(data) if path.endswith(".xlsx") else Text(path, data)
    rows, header = sheet.rows, header_of(sheet.rows)
    first, last = header + 1, len(rows) - 1
    if isinstance(sheet, Workbook):
        yield Damage("cut table", "", data[: len(data) // 2])
    elif last > header and (cut_off := sheet.cut()) != data.rstrip():  # of one column nothing is cut
        yield Damage("cut table", "", cut_off)
    yield Damage("header alone", "", sheet.written(rows[:first]))
    for column, name in enumerate(rows[header]):
        if name:
            renamed = [*rows[header]]
            renamed[column] = f"{name} (renamed)"
            yield Damage("renamed column", name, sheet.written([*rows[:header], renamed, *rows[first:]]))
    for column, name in enumerate(rows[header]):
        row = next((row for row in range(first, len(rows)) if rows[row][column : column + 1] not in ([], [""])), None)
        if row is not None:
            emptied = [*rows[row]]
            emptied[column] = ""
            yield Damage("empty cell", name, sheet.written([*rows[:row], emptied, *rows[row + 1 :]]))
    if last > header:
        yield Damage("duplicate row", "", sheet.written([*rows, rows[first]]))


def header_of(rows: list[list[str]]) -> int:
    """Find the line of names: the first with two names or all, and as many cells as any of the first lines."""
    width = max(map(len, rows[:5]))
    return next(number for number, row in enumerate(rows) if len(row) == width and sum(map(bool, row)) >= min(2, width))


class Text:
    """A table as text: in the encoding, and with the ends of lines, that it has."""

    def __init__(self, path: str, data: bytes) -> None:
        self.delimiter = "\t" if path.endswith(".tsv") else ","
        self.encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
        try:
            text = data.decode(self.encoding)
        except UnicodeDecodeError:
            self.encoding = "cp1252"
            text = data.decode(self.encoding)
        self.end = "\r\n" if "\r\n" in text else "\n"
        self.rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter) if row]

    def written(self, rows: list[list[str]]) -> bytes:
        """Write it with other rows."""
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self.delimiter, lineterminator=self.end).writerows(rows)
        return out.getvalue().encode(self.encoding)

    def cut(self) -> bytes:
        """Cut it behind the first words of its last row, as a broken transfer does."""
        last = self.rows[-1]
        count = next(number for number, cell in enumerate(last, start=1) if cell)
        return self.written([*self.rows[:-1], last[:count]]).rstrip()


class Workbook:
    """The first sheet of a workbook."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        sheet = openpyxl.load_workbook(io.BytesIO(data)).worksheets[0]
        self.values = [list(row) for row in sheet.iter_rows(values_only=True)]
        self.rows = [["" if value is None else str(value) for value in row] for row in self.values]

    def written(self, rows: list[list[str]]) -> bytes:
        """Write it with other rows; a cell that says what it said keeps its type."""
        typed = {str(value): value for row in self.values for value in row if value is not None}
        book = openpyxl.load_workbook(io.BytesIO(self.data))
        sheet = book.worksheets[0]
        sheet.delete_rows(1, sheet.max_row)
        for row in rows:
            sheet.append([typed.get(cell, cell) if cell else None for cell in row])
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()


def cut(data: bytes) -> bytes:
    """Give the first half of a file."""
    return data[: len(data) // 2]


PICTURE_DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing file": Path.unlink,
    "cut file": lambda path: path.write_bytes(cut(path.read_bytes())),
    "empty file": lambda path: path.write_bytes(b""),
}
"""What is done to pictures, to one after the other."""
