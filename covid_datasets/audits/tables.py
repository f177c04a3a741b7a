"""A split as somebody wrote it down: a CSV, TSV, Excel or Parquet file, a data frame, or rows in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from covid_datasets.errors import ColumnMissingError, DamagedFileError, NotThereError, UsageError, did_you_mean
from covid_datasets.own.table import PATHS
from covid_datasets.read.bounds import MAX_TEXT, border
from covid_datasets.read.tables import read_xlsx, scan_csv
from covid_datasets.schema import Notice
from covid_datasets.settings import given_path

Role = Literal["file", "sha256", "split", "label", "patient"]
NAMES: Mapping[Role, tuple[str, ...]] = {
    "file": (*PATHS, "image_name", "img", "img_path", "name", "sample_id", "image_id", "id"),
    "sha256": ("sha256", "hash"),
    "split": ("split", "set", "subset", "partition", "part", "fold", "official_split"),
    "label": ("label", "class", "finding", "diagnosis", "target", "category", "label_raw"),
    "patient": ("patient", "patient_id", "patientid", "subject", "subject_id", "person", "case", "case_id"),
}
"""What columns are called that tell these things, the best first."""
_TOLD: tuple[Role, ...] = ("file", "sha256", "label", "patient")
ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".parquet")
_DELIMITERS = (",", ";", "\t", "|")
_NOTHING = frozenset(("", "nan", "none", "null", "<na>", "n/a"))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: where it stands, and what it tells; empty where it tells nothing."""

    where: str
    file: str
    sha256: str
    label: str
    patient: str
    split: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All rows of a table that are in some part of a split, what was odd, and which columns there are."""

    title: str
    rows: tuple[Row, ...]
    notices: tuple[Notice, ...]
    roles: Mapping[Role, str]


def read_listing(table: Any, columns: Mapping[str, str], *, needs_split: bool = True) -> Listing:
    """Read a split from whatever holds it.

    Args:
        table: The path of a file; a pandas or Arrow table; a list of dictionaries; a dictionary of names and their
            parts, or of parts and their names.
        columns: Which column tells what, where its name does not say it: ``{"split": "fold_a"}``.
        needs_split: Whether a table without parts is refused.

    >>> [(row.file, row.split) for row in read_listing({"train": ["a.png"], "test": ["b.png"]}, {}).rows]
    [('a.png', 'train'), ('b.png', 'test')]
    """
    for name in columns:
        if name not in NAMES:
            raise UsageError(f"columns: expected {', '.join(NAMES)}, found {name!r}{did_you_mean(name, NAMES)}")
    title, names, cells, notices = _cells_of(table)
    roles = _roles(title, names, columns, needs_split)
    rows, left = [], 0
    parts: dict[str, str] = {}
    for where, row in cells:
        said = {role: _told(row.get(column)) for role, column in roles.items()}
        if needs_split and not said.get("split"):
            left += 1
            continue
        part = said.get("split", "")
        file, sha256, label, patient = (said.get(role, "") for role in _TOLD)
        rows.append(Row(where, file, sha256, label, patient, parts.setdefault(part.casefold(), part)))
    if left:
        what = f"{left:,} rows are in no part of the split, and were not looked at"
        notices.append(Notice("row without a split", title, what, count=left))
    if not rows:
        raise UsageError(f"{title}: expected rows that are in some part of a split, found none")
    unnamed = [row.where for row in rows if not row.file and not row.sha256]
    if unnamed:
        raise UsageError(f"{unnamed[0]}: expected the name of a file or a sha256, found an empty cell")
    return Listing(title, tuple(rows), tuple(notices), roles)


Cells = Iterable[tuple[str, Mapping[str, object]]]


def _cells_of(table: Any) -> tuple[str, list[str], Cells, list[Notice]]:
    """Return a title, the names of the columns, each row with where it stands, and a list for what is odd."""
    if isinstance(table, str | os.PathLike):
        return _read_file(given_path(table, "split"))
    if isinstance(table, Mapping):
        return _of_mapping(table)
    if hasattr(table, "to_pylist") and hasattr(table, "column_names"):
        return _in_memory("the Arrow table", list(table.column_names), table.to_pylist())
    if hasattr(table, "to_dicts") and hasattr(table, "columns"):
        return _in_memory("the data frame", list(table.columns), table.to_dicts())
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        frame = table if str(getattr(table.index, "name", None)) in ("None", "") else table.reset_index()
        return _in_memory("the data frame", [str(name) for name in frame.columns], frame.to_dict("records"))
    if isinstance(table, Sequence) and table and all(isinstance(row, Mapping) for row in table):
        names = list(dict.fromkeys(str(name) for row in table for name in row))
        return _in_memory("the list", names, table)
    raise UsageError(
        "split: expected a table (a path, a data frame, a list of dictionaries, a dictionary), "
        f"found {type(table).__name__}"
    )


def _in_memory(
    title: str, names: list[str], rows: Iterable[Mapping[Any, object]]
) -> tuple[str, list[str], Cells, list[Notice]]:
    cells = [(f"{title} row {number}", {str(k): v for k, v in row.items()}) for number, row in enumerate(rows)]
    return title, names, cells, []


def _of_mapping(table: Mapping[Any, Any]) -> tuple[str, list[str], Cells, list[Notice]]:
    pairs: list[tuple[object, object]] = []
    for key, value in table.items():
        if isinstance(value, str):
            pairs.append((key, value))
        elif isinstance(value, Iterable):
            pairs += [(name, key) for name in value]
        else:
            raise UsageError(f"split[{key!r}]: expected the name of a part, or a list of files, found {value!r}")
    return _in_memory("the dictionary", ["file", "split"], [{"file": name, "split": part} for name, part in pairs])


def _read_file(path: Path) -> tuple[str, list[str], Cells, list[Notice]]:
    if not path.is_file():
        near = did_you_mean(path.name, [each.name for each in _beside(path)])
        raise NotThereError(f"{path}: expected a table ({', '.join(ENDINGS)}), found no such file{near}")
    if path.stat().st_size > MAX_TEXT:
        raise DamagedFileError(f"{path}: expected a table of at most {MAX_TEXT:,} bytes, found more")
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        import pyarrow.parquet as pq

        with border(str(path), "a Parquet table", data):
            found = pq.read_table(io.BytesIO(data))
        return _in_memory(path.name, found.column_names, found.to_pylist())
    if data[:4] == b"PK\x03\x04":
        sheet = read_xlsx(_Bytes(path.name, data), path.name, required=())
        return _in_memory(path.name, list(sheet.rows[0]) if sheet.rows else [], sheet.rows)
    raw = _Bytes(path.name, _as_utf8(data, path))
    scan = scan_csv(raw, path.name, required=(), delimiter=_delimiter(raw.data, path))
    cells = [(f"{path.name} line {number}", dict(zip(scan.names, row, strict=True))) for number, row in scan.rows]
    return path.name, scan.names, cells, list(scan.notices)


def _beside(path: Path) -> list[Path]:
    return list(path.parent.iterdir()) if path.parent.is_dir() else []


def _as_utf8(data: bytes, path: Path) -> bytes:
    """Turn what Excel calls Unicode text into UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise DamagedFileError(f"{path}: expected UTF-16, as its first bytes say, found: {error}") from error
    if b"\0" in data[:4096]:
        raise DamagedFileError(f"{path}: expected a table of text, found binary data ({len(data):,} bytes)")
    return data


def _delimiter(data: bytes, path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = data[: 1 << 16].split(b"\n", 1)[0].decode("utf-8", errors="replace")
    return max(_DELIMITERS, key=lambda each: (header.count(each), -_DELIMITERS.index(each)))


@dataclass(frozen=True, slots=True)
class _Bytes:
    """One file that is in memory, as those read it who read the raw files of a source."""

    name: str
    data: bytes

    def has(self, path: str) -> bool:
        return path == self.name

    def read(self, path: str) -> bytes:
        return self.data

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.data)


def _roles(title: str, names: Sequence[str], columns: Mapping[str, str], needs_split: bool) -> dict[Role, str]:
    named = {"_".join(name.replace("-", "_").split()).casefold(): name for name in reversed(names)}
    roles: dict[Role, str] = {}
    for role, known in NAMES.items():
        if (asked := columns.get(role)) is not None:
            if asked not in names:
                raise ColumnMissingError(
                    f"{title}: expected a column {asked!r}, found {', '.join(map(repr, names))}"
                    f"{did_you_mean(asked, names)}"
                )
            roles[role] = asked
        elif (found := next((named[name] for name in known if name in named), None)) is not None:
            roles[role] = found
    if needs_split and "split" not in roles:
        raise ColumnMissingError(_lacking(title, "of the part of the split", "split", names))
    if "file" not in roles and "sha256" not in roles:
        raise ColumnMissingError(_lacking(title, "of file names, or of sha256", "file", names))
    return roles


def _lacking(title: str, what: str, role: Role, names: Sequence[str]) -> str:
    near = next((hint for word in NAMES[role] if (hint := did_you_mean(word, names))), "")
    return (
        f"{title}: expected a column {what} ({', '.join(NAMES[role])}), found {', '.join(map(repr, names))}{near}. "
        f"Say which it is: columns={{{role!r}: '...'}}, or --column {role}=NAME"
    )


def _told(value: object) -> str:
    """Give the text of a cell: whole numbers without a point, nothing where it says nothing.

    >>> _told(3.0), _told(float("nan")), _told(" P1 "), _told(None)
    ('3', '', 'P1', '')
    """
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return "" if text.casefold() in _NOTHING else text
