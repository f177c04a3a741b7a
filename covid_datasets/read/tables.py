"""A source's own tables (CSV, Excel) as rows of untouched text, with everything odd about them said.

Values are never converted here: a builder sees ``"50"``, ``" "`` and ``"?"`` as the publisher wrote them.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from covid_datasets.errors import ColumnMissingError, DamagedFileError, IncompleteSourceError
from covid_datasets.read.bounds import (
    MAX_BROKEN_ROWS,
    MAX_COLUMNS,
    MAX_SHEET_CELLS,
    MAX_SHEET_ROWS,
    MAX_WORKBOOK_BYTES,
    MAX_WORKBOOK_PART,
    Held,
)
from covid_datasets.read.lines import Lines, encoding_of
from covid_datasets.schema import Notice, RawFiles, RawReader

LONGEST_ROW = 1 << 22
"""Characters of one row over several lines; the longest of this field has 30,000."""

_NO_RENAME: Mapping[str, str] = MappingProxyType({})
_ROWLESS = "it has a header, and nothing below that could be read"


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
    wanted: Sequence[str] = (),
    rename: Mapping[str, str] = _NO_RENAME,
    comment: str = "",
    delimiter: str = ",",
) -> Table:
    """Read a CSV file; ``rename`` maps the stripped names of older headers to the current ones.

    Without a ``required`` column the file cannot be read; that a ``wanted`` one is not there is told, and so is a file
    without rows.

    A row with cells missing or left over is reported and dropped; what follows it is read as usual, also when
    the cause is a quotation mark that never closes. Cells under nameless columns are kept as ``"unnamed <n>"``.
    """
    scan = scan_csv(raw, path, required=required, rename=rename, comment=comment, delimiter=delimiter)
    held = Held(path)
    rows: list[dict[str, str]] = []
    for _, cells in scan.rows:
        held.add(cells)
        rows.append(dict(zip(scan.names, cells, strict=True)))
    notices = [
        Notice("column missing", path, f"{name}: unknown in all rows") for name in wanted if name not in scan.names
    ]
    if not rows:
        notices.append(Notice("table without rows", path, _ROWLESS))
    return Table(rows, [*notices, *scan.notices])


def read_matching(
    raw: RawFiles,
    pattern: str,
    *,
    required: Sequence[str],
    wanted: Sequence[str] = (),
    rename: Mapping[str, str] = _NO_RENAME,
    delimiter: str = ",",
) -> tuple[str, Table]:
    """Read the one CSV file whose path matches, where each edition has another name for it; return its path too.

    Of several the last by name is read, and the others are told; where there is none, this is told, and nothing read.
    """
    *others, path = raw.paths(pattern) or [""]
    if not path:
        return "", Table(
            [], [Notice("table missing", pattern, "expected a table of such a name; what it says is unknown")]
        )
    table = read_csv(raw, path, required=required, wanted=wanted, rename=rename, delimiter=delimiter)
    notices = [Notice("several tables", other, f"{path} is used", dropped=True) for other in others]
    return path, Table(table.rows, [*notices, *table.notices])


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
    """Read a CSV file row by row, as `read_csv` does; with ``lines``, only the rows that begin in these lines.

    However large the file is, no more than the next row is in memory.
    """
    encoding, notices = encoding_of(raw, path)
    text = Lines(raw, path, encoding)
    while comment and text.peek().startswith(comment):
        text.drop()
    cells = _parse(text, delimiter, path, notices, lines)
    _, header = next(cells, (0, None))
    if header is None:
        raise DamagedFileError(f"{path}: expected a table, found no header line")
    names = _names(path, header, rename)
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
    above: int = 0,
    cells: int = MAX_SHEET_CELLS,
) -> Table:
    """Read one sheet of an Excel workbook (the first without a name), all values as text.

    So many rows stand ``above`` the header: a title, say. A sheet of more ``cells`` is refused; raise it for a table
    that is known to be larger, of which a hash says that it is that one.
    """
    import openpyxl

    data = _bytes(raw, path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            sizes = {part.filename: part.file_size for part in parts.infolist()}
        _need_at_most(MAX_WORKBOOK_BYTES, sum(sizes.values()), path)
        for name in sizes:
            if name.endswith((".rels", "styles.xml", "workbook.xml", "[Content_Types].xml")):
                _need_at_most(MAX_WORKBOOK_PART, sizes[name], f"{path}: {name}")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        if sheet is not None and sheet not in book.sheetnames:
            raise ColumnMissingError(f"{path}: expected a sheet {sheet!r}, found {', '.join(book.sheetnames)}")
        pages = book[sheet] if sheet is not None else book.worksheets[0]
        found = _bounded(pages, path, cells, above)
    except (ColumnMissingError, DamagedFileError):
        raise
    except Exception as error:  # openpyxl lets through whatever its zip, XML and cell readers raise
        raise DamagedFileError(
            f"{path}: expected an Excel workbook, found a file that cannot be read: {error}"
        ) from error
    if not found:
        raise DamagedFileError(f"{path}: expected a table, found an empty sheet")
    return _table(path, found[0], iter(found[1:]), required, rename, [])


def _need_at_most(limit: int, unpacked: int, what: str) -> None:
    if unpacked > limit:
        raise DamagedFileError(f"{what}: expected at most {limit} bytes unpacked, found {unpacked}")


def _bounded(sheet: Any, path: str, most_cells: int, above: int) -> list[list[str]]:
    """Read the cells of a sheet as text from its header on, as long as it is no larger than any that people fill in."""
    sheet.reset_dimensions()  # what a sheet says of its size is not to be trusted
    found: list[list[str]] = []
    count = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True)):
        count += len(row)
        if number >= MAX_SHEET_ROWS or count > most_cells:
            most = f"{MAX_SHEET_ROWS:,} rows and {most_cells:,} cells"
            raise DamagedFileError(
                f"{path}: expected a sheet of at most {most}, found more; is one cell far away? "
                "A table that is really larger can be saved as CSV"
            )
        texts = [_as_text(value) for value in row]
        if number >= above and (not found or any(map(str.strip, texts))):
            found.append(texts)
    width = max(map(len, found), default=0)
    return [[*texts, *[""] * (width - len(texts))] for texts in found[:1]] + found[1:]


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


def _parse(
    text: Lines, delimiter: str, path: str, notices: list[Notice], lines: Collection[int] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the header, then each row that fits it. Of a row that does not, only the first line is given up."""
    header: list[str] = []
    limit = csv.field_size_limit()
    try:
        while line := text.peek():
            number = text.number
            if header and lines is not None and number not in lines:
                text.drop()
                continue
            if '"' in line or len(line) > limit:
                cells, used, broken = _next_row(text, delimiter)
            else:  # what the parser would do, in a fifth of its time
                cells, used, broken = line.rstrip("\r\n").split(delimiter), 1, ""
            if not broken and not _fits(cells, header):
                broken = f"expected {len(header)} cells, found {len(cells)} in {cells[:3]}"
            if broken:
                if len(notices) > MAX_BROKEN_ROWS:
                    raise DamagedFileError(f"{path}: {broken} in line {number}, after {MAX_BROKEN_ROWS:,} broken rows")
                notices.append(Notice("broken row", f"{path} line {number}", broken, dropped=True))
                text.drop()
                continue
            text.drop(used)
            if any(map(str.strip, cells)):
                header = header or cells
                yield number, cells
    finally:
        text.close()


def _next_row(text: Lines, delimiter: str) -> tuple[list[str], int, str]:
    """Parse one row: its cells, how many lines it takes, and what is wrong with it.

    A row may be sloppy about quotation marks within its line, but one that goes on over lines must be strict:
    else a mark that was never closed would swallow the rows up to the next one.
    """
    problem = ""
    for strict in (True, False):
        # A reader of its own for each row: one that swallowed lines can't step back.
        reader = csv.reader(_ahead(text), delimiter=delimiter, strict=strict)
        try:
            cells = next(reader)
        except csv.Error as error:
            problem = problem or str(error)
            continue
        if strict or reader.line_num == 1:
            return cells, reader.line_num, ""
    return [], 1, problem


def _ahead(text: Lines) -> Iterator[str]:
    """Give the lines that one row may take; a quotation mark that never closes must not take the whole file."""
    taken = 0
    for ahead in itertools.count():
        if not (line := text.peek(ahead)):
            return
        taken += len(line)
        if taken > LONGEST_ROW and ahead:
            raise csv.Error(f"a row of more than {LONGEST_ROW:,} characters")
        yield line


def _fits(cells: Sequence[str], header: Sequence[str]) -> bool:
    """Tell whether every named column has a cell and every cell that is left over is blank."""
    if len(cells) == len(header) or not header or not any(map(str.strip, cells)):
        return True
    named = next((index for index in range(len(header), 0, -1) if header[index - 1].strip()), 0)
    return len(cells) >= named and not any(map(str.strip, cells[len(header) :]))


def _table(
    path: str,
    header: Sequence[str],
    cells: Iterator[list[str]],
    required: Sequence[str],
    rename: Mapping[str, str],
    notices: list[Notice],
) -> Table:
    names = _names(path, header, rename)
    _require(path, names, required)
    blank = dict.fromkeys(names, "")
    rows = [blank | dict(zip(names, row, strict=False)) for row in cells if any(cell.strip() for cell in row)]
    if not rows:
        notices.append(Notice("table without rows", path, _ROWLESS))
    return Table(rows, notices)


def _names(path: str, header: Sequence[str], rename: Mapping[str, str]) -> list[str]:
    if len(header) > MAX_COLUMNS:
        raise DamagedFileError(f"{path}: expected at most {MAX_COLUMNS:,} columns, found {len(header):,}")
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
