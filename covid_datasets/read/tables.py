"""A source's own tables (CSV, Excel) as rows of untouched text, with everything odd about them said.

Values are never converted here: a builder sees ``"50"``, ``" "`` and ``"?"`` as the publisher wrote them.
"""

from __future__ import annotations

import csv
import difflib
import io
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

from covid_datasets.errors import ColumnMissingError, DamagedFileError, IncompleteSourceError
from covid_datasets.schema import Notice, RawReader

MAX_WORKBOOK_BYTES = 512 * 2**20
"""An unpacked workbook beyond this is a bomb: the largest of this field has 20 MB."""

_NO_RENAME: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by column name (``""`` where a cell is empty), and what the report must tell about the file."""

    rows: list[dict[str, str]]
    notices: list[Notice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scan:
    """A table whose rows are made when asked for, so that a wide one is never in memory as text cells.

    ``rows`` are the number of a row's first line and its cells, one for each of ``names``; ``notices`` are complete
    once the last row was taken.
    """

    names: list[str]
    rows: Iterator[tuple[int, list[str]]]
    notices: list[Notice]


def read_csv(
    raw: RawReader,
    path: str,
    *,
    required: Sequence[str],
    rename: Mapping[str, str] = _NO_RENAME,
    comment: str = "",
    delimiter: str = ",",
) -> Table:
    """Read a CSV file; ``rename`` maps the stripped names of older headers to the current ones.

    A row with cells missing or left over is reported and dropped; what follows it is read as usual, also when
    the cause is a quotation mark that never closes. Cells under nameless columns are kept as ``"unnamed <n>"``.
    """
    scan = scan_csv(raw, path, required=required, rename=rename, comment=comment, delimiter=delimiter)
    rows = [dict(zip(scan.names, cells, strict=True)) for _, cells in scan.rows]
    return Table(rows, scan.notices)


def scan_csv(
    raw: RawReader,
    path: str,
    *,
    required: Sequence[str],
    rename: Mapping[str, str] = _NO_RENAME,
    comment: str = "",
    delimiter: str = ",",
    lines: Collection[int] | None = None,
) -> Scan:
    """Read a CSV file row by row, as `read_csv` does; with ``lines``, only the rows that begin in these lines."""
    text, notices = _decode(_bytes(raw, path), path)
    numbered = list(enumerate(io.StringIO(text, newline=""), start=1))
    while comment and numbered and numbered[0][1].startswith(comment):
        del numbered[0]
    cells = _parse(numbered, delimiter, path, notices, lines)
    _, header = next(cells, (0, None))
    if header is None:
        raise DamagedFileError(f"{path}: expected a table, found no header line")
    names = _names(header, rename)
    _require(path, names, required)
    count = len(names)
    rows = ((number, [*row[:count], *[""] * (count - len(row))]) for number, row in cells)
    return Scan(names, rows, notices)


def read_xlsx(
    raw: RawReader,
    path: str,
    *,
    required: Sequence[str],
    sheet: str | None = None,
    rename: Mapping[str, str] = _NO_RENAME,
) -> Table:
    """Read one sheet of an Excel workbook (the first without a name), all values as text."""
    import openpyxl

    data = _bytes(raw, path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
        if unpacked > MAX_WORKBOOK_BYTES:
            raise DamagedFileError(f"{path}: expected at most {MAX_WORKBOOK_BYTES} bytes unpacked, found {unpacked}")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            raise ColumnMissingError(f"{path}: expected a sheet {sheet!r}, found {', '.join(book.sheetnames)}")
        pages = book[sheet] if sheet is not None else book.worksheets[0]
        cells = [[_as_text(value) for value in row] for row in pages.iter_rows(values_only=True)]
    except (ColumnMissingError, DamagedFileError):
        raise
    except Exception as error:  # openpyxl lets through whatever its zip, XML and cell readers raise
        raise DamagedFileError(
            f"{path}: expected an Excel workbook, found a file that cannot be read: {error}"
        ) from error
    if not cells:
        raise DamagedFileError(f"{path}: expected a table, found an empty sheet")
    return _table(path, cells[0], iter(cells[1:]), required, rename, [])


def _bytes(raw: RawReader, path: str) -> bytes:
    if not raw.has(path):
        raise IncompleteSourceError(
            f"{path}: expected this table in the raw files, found nothing; without it the source cannot be read. "
            "Download it again, or put it into data_dir= under this name"
        )
    data = raw.read(path)
    if not data:
        raise DamagedFileError(f"{path}: expected a table, found an empty file (0 bytes)")
    return data


def _decode(data: bytes, path: str) -> tuple[str, list[Notice]]:
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        what = f"byte {data[error.start]:#04x} at offset {error.start} is not UTF-8; read as Windows-1252"
        return data.decode("cp1252", errors="replace"), [Notice("text not UTF-8", path, what)]


def _parse(
    numbered: Sequence[tuple[int, str]],
    delimiter: str,
    path: str,
    notices: list[Notice],
    lines: Collection[int] | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the header, then each row that fits it. Of a row that does not, only the first line is given up."""
    header: list[str] = []
    start = 0
    while start < len(numbered):
        number = numbered[start][0]
        if header and lines is not None and number not in lines:
            start += 1
            continue
        cells, used, broken = _next_row(numbered, start, delimiter)
        if not broken and not _fits(cells, header):
            broken = f"expected {len(header)} cells, found {len(cells)} in {cells[:3]}"
        if broken:
            notices.append(Notice("broken row", f"{path} line {number}", broken, dropped=True))
            start += 1
            continue
        start += used
        if any(cell.strip() for cell in cells):
            header = header or cells
            yield number, cells


def _next_row(numbered: Sequence[tuple[int, str]], start: int, delimiter: str) -> tuple[list[str], int, str]:
    """Parse one row: its cells, how many lines it takes, and what is wrong with it.

    A row may be sloppy about quotation marks within its line, but one that goes on over lines must be strict:
    else a mark that was never closed would swallow the rows up to the next one.
    """
    problem = ""
    for strict in (True, False):
        # A reader of its own for each row: one that swallowed lines can't step back.
        rest = (numbered[index][1] for index in range(start, len(numbered)))
        reader = csv.reader(rest, delimiter=delimiter, strict=strict)
        try:
            cells = next(reader)
        except csv.Error as error:
            problem = problem or str(error)
            continue
        if strict or reader.line_num == 1:
            return cells, reader.line_num, ""
    return [], 1, problem


def _fits(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether every named column has a cell and every cell that is left over is blank."""
    named = next((index for index in range(len(header), 0, -1) if header[index - 1].strip()), 0)
    if not header or not any(map(str.strip, cells)):
        return True
    return len(cells) >= named and not any(map(str.strip, cells[len(header) :]))


def _table(
    path: str,
    header: Sequence[str],
    cells: Iterator[list[str]],
    required: Sequence[str],
    rename: Mapping[str, str],
    notices: list[Notice],
) -> Table:
    names = _names(header, rename)
    _require(path, names, required)
    blank = dict.fromkeys(names, "")
    rows = [blank | dict(zip(names, row, strict=False)) for row in cells if any(cell.strip() for cell in row)]
    return Table(rows, notices)


def _names(header: Sequence[str], rename: Mapping[str, str]) -> list[str]:
    names: list[str] = []
    seen: set[str] = set()  # quick to look up: some tables have a column a day
    for index, cell in enumerate(header):
        name = rename.get(cell.strip(), cell.strip()) or f"unnamed {index}"
        names.append(f"{name} (column {index})" if name in seen else name)
        seen.add(name)
    return names


def _require(path: str, names: Sequence[str], required: Sequence[str]) -> None:
    for wanted in required:
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
            hint = f"; the nearest is {near[0]!r}, upstream may have renamed it" if near else ""
            raise ColumnMissingError(f"{path}: expected a column {wanted!r}, found {', '.join(map(repr, names))}{hint}")


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
