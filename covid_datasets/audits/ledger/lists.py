"""Lists of a published split as rows of fields, whatever form their publisher chose."""

from __future__ import annotations

import csv
import io
import json
import pickletools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from openpyxl import load_workbook

from covid_datasets.catalog.ledger import LONGEST, Entry, Lookup, Reading, compiled, filled
from covid_datasets.errors import DamagedFileError

Row = dict[str, str]
MAX_BYTES = 64 << 20
"""Of a list; the largest that was met has 7 million."""
MAX_DEPTH = 20
_ENDING = re.compile(r"\.(?:nii\.gz|nii|png|jpe?g|gif|tiff?|mp4|mov|avi|mpe?g|dcm)\Z", re.IGNORECASE)
_LONGEST_ENDING = 8


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of one file, and the lines that could not be read."""

    rows: list[Row]
    unread: list[str] = field(default_factory=list)


def read_list(data: bytes, path: str, reading: Reading) -> Read:
    r"""Read the rows of one file of lists.

    >>> form = Reading(form="lines", row=r"(?P<patient>[^ ]{1,99}) (?P<name>[^ ]{1,99})")
    >>> read_list(b"7 a.png\n\nb.png\n", "train.txt", form)
    Read(rows=[{'patient': '7', 'name': 'a.png'}], unread=['b.png'])
    """
    if len(data) > MAX_BYTES:
        raise DamagedFileError(f"{path}: expected a list of at most {MAX_BYTES:,} bytes, found {len(data):,}")
    if reading.form == "pickle":
        read = Read(list(_pickled(data, path)))
    else:
        text = _text(data, path)
        if reading.form == "lines":
            read = _lines(text, reading.row)
        elif reading.form == "json":
            read = Read(list(_tree(_parsed(text, path), reading.levels, {}, path)))
        else:
            read = Read(
                list(_table(csv.DictReader(io.StringIO(text), delimiter=reading.delimiter), reading.columns, path))
            )
    kept = [row for row in read.rows if all(row.get(name, "") in values for name, values in reading.only.items())]
    return Read(kept, read.unread)


def complete(rows: Sequence[Row], entry: Entry, tables: Sequence[Mapping[str, Row]]) -> None:
    """Add to each row what the tables say of it, then what follows by the rules."""
    for row in rows:
        for lookup, table in zip(entry.lookups, tables, strict=True):
            said = table.get(_key(filled(lookup.on, row), lookup))
            for name, text in (said or {}).items():
                if text:
                    row.setdefault(name, text)
        given = dict(row)
        told: Row = {}
        for rule in entry.rules:
            if not told.get(rule.field) and (text := rule.apply({**given, **told})):
                told[rule.field] = text
        row |= told
        if any(rule.field == "patient" for rule in entry.rules) and "patient" not in told:
            row["patient"] = ""  # the rules say whose rows are known


def read_lookup(data: bytes, lookup: Lookup) -> dict[str, Row]:
    """Read a table that says more of rows, by its key; the first row of a key counts."""
    path, columns = lookup.file.path, {**lookup.fields, "": lookup.key}
    if path.endswith(".xlsx"):
        sheet = load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
        cells = ([str(cell if cell is not None else "") for cell in line] for line in sheet.iter_rows(values_only=True))
        header = next(cells, [])
        rows = _table((dict(zip(header, line, strict=False)) for line in cells), columns, path)
    else:
        rows = _table(csv.DictReader(io.StringIO(_text(data, path))), columns, path)
    found: dict[str, Row] = {}
    for row in rows:
        if key := _key(row.pop(""), lookup):
            found.setdefault(key, row)
    return found


def _key(text: str, lookup: Lookup) -> str:
    return stem(text.strip()) if lookup.stem else text.strip()


def stem(name: str) -> str:
    """Leave out folders and the ending of a picture, but no other part after a point.

    >>> stem("a/2020.02.25.20021568-p24.PNG"), stem("2020.02.25.20021568-p24")
    ('2020.02.25.20021568-p24', '2020.02.25.20021568-p24')
    """
    name = PurePosixPath(name).name
    ending = _ENDING.search(name[-_LONGEST_ENDING:])
    return name[: len(name) - len(ending[0])] if ending else name


def _text(data: bytes, path: str) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DamagedFileError(f"{path}: expected text in UTF-8 or cp1252, found neither")


def _lines(text: str, form: str) -> Read:
    read = Read([])
    for line in text.splitlines():
        match = compiled(form).fullmatch(line) if len(line) <= LONGEST else None
        if match:
            read.rows.append({name: value or "" for name, value in match.groupdict().items()})
        elif line.strip():
            read.unread.append(line[:LONGEST])
    return read


def _table(
    rows: Iterator[dict[str, str]] | csv.DictReader[str], columns: Mapping[str, str], path: str
) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number == 0 and (absent := sorted(set(columns.values()) - set(row))):
            raise DamagedFileError(f"{path}: expected the column {absent[0]!r}, found {', '.join(map(str, row))}")
        yield {name: str(row[column] or "").strip() for name, column in columns.items()}


def _parsed(text: str, path: str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: expected JSON, found: {error}") from error
    return found


def _tree(node: object, levels: Sequence[str], above: Row, path: str) -> Iterator[Row]:
    """Yield a row for each end of a tree, with the names on the way to it."""
    level, *below = levels
    if not below:
        yield from ({**above, level: str(each)} for each in (node if isinstance(node, list) else [node]))
        return
    if not isinstance(node, dict | list):
        raise DamagedFileError(f"{path}: expected a table or a list at the level {level!r}, found {str(node)[:80]!r}")
    steps = node.items() if isinstance(node, dict) else enumerate(node)
    for name, inner in steps:
        yield from _tree(inner, below, {**above, level: str(name)}, path)


def _pickled(data: bytes, path: str) -> Iterator[Row]:
    """Yield the texts in the arrays of a list of variants, by the names that stand before them.

    The file is taken apart into the steps that pickle knows, and none of them is carried out: only texts, and the bytes
    of arrays of text (4 bytes a character, all texts of one length), are looked at.
    """
    fold, split, count = -1, "", 0
    try:
        for value, is_shape in _steps(data):
            if is_shape and isinstance(value, int):
                count = value
            elif value in ("train", "val", "test"):
                fold, split = fold + (value == "train"), str(value)
            elif isinstance(value, bytes) and split and count and len(value) % (4 * count) == 0:
                width = len(value) // count
                for start in range(0, len(value), width):
                    name = value[start : start + width].decode("utf-32-le").rstrip("\0")
                    yield {"variant": f"fold {fold}", "split": split, "name": name}
    except (ValueError, UnicodeDecodeError) as error:
        raise DamagedFileError(f"{path}: expected a pickle of arrays of text, found: {error}") from error


def _steps(data: bytes) -> Iterator[tuple[object, bool]]:
    """Yield each value that a pickle names, also where it refers back to one, and whether it is an array's length."""
    memo: dict[object, object] = {}
    last: object = None
    for step, value, _ in pickletools.genops(data):
        if step.name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if step.name == "MEMOIZE" else value] = last
        elif step.name == "TUPLE1":
            yield last, True
            last = None
        else:
            last = memo.get(value) if step.name in ("BINGET", "LONG_BINGET") else value
            yield last, False
