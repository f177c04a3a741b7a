"""A table of one's own: which column has the paths, and what columns that are named like the schema's say."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from covid_datasets.errors import ColumnMissingError, DamagedFileError, UsageError
from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import Row, rows_by
from covid_datasets.read.tables import Table, read_csv, read_xlsx
from covid_datasets.schema import Notice, RawFiles
from covid_datasets.vocabulary import CLINICAL, MASKS, VOCABULARIES

PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path")
"""Columns that can hold the paths, the best first."""
ENDINGS = (".csv", ".tsv", ".xlsx")
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "validation"
)
"""What folders and cells call splits."""
_TEXTS = (
    *("study", "series", "severity", "symptoms_raw", "location", "country", "license", "source_url", "caption"),
    *("value_range", "manufacturer", "scanner_model", "kernel"),
)
_NUMBERS = {"kvp": (1, 500), "slice_thickness_mm": (0, 500), "seconds": (0, 1e6)}
_WORD_LISTS = ("symptoms", "comorbidities", "treatments")
_ALSO = {
    "sex": {"female": "F", "male": "M"},
    "modality": dict.fromkeys(("x-ray", "xray", "cr", "dx"), "CXR") | {"ultrasound": "US"},
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    name: {word.casefold(): word for word in words} | _ALSO.get(name, {}) for name, words in VOCABULARIES.items()
}
_ANSWERS = dict.fromkeys(("y", "yes", "true", "1"), True) | dict.fromkeys(("n", "no", "false", "0"), False)


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of the table by path, and where it is; no rows where there is no table."""

    path: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


def read_listed(raw: RawFiles, patient: str) -> Listed:
    """Read the table that the options name, or the one at the top that has a column of paths.

    Raises:
        DamagedFileError: A path leads out of the folder.
        ColumnMissingError: It has no column of paths, or not the one of the patient.
    """
    named = raw.options.get("table")
    at_top = [path for path in raw.paths() if "/" not in path and path.lower().endswith(ENDINGS)]
    tables = {str(named): _read(raw, str(named))} if named else {}
    if named is None:
        read = {path: _read(raw, path) for path in at_top}
        tables = {path: table for path, table in read.items() if _path_column(table)}
    if len(tables) > 1:
        raise UsageError(
            f"own data: expected one table of paths, found {', '.join(tables)}; name one: OwnData(table=...)"
        )
    if not tables and patient:
        found = ", ".join(at_top) or "no table at the top of the folder"
        raise ColumnMissingError(f"patient={patient!r}: expected a table of paths with this column, found {found}")
    if not tables:
        return Listed()
    path, table = next(iter(tables.items()))
    columns = list(table.rows[0]) if table.rows else []
    column = _path_column(table)
    if column is None:
        raise ColumnMissingError(f"{path}: expected a column of paths ({', '.join(PATHS)}), found {columns}")
    if patient and patient not in columns:
        raise ColumnMissingError(f"{path}: expected the column {patient!r} of patients, found {columns}")
    folder = posixpath.dirname(path)
    rows, told = rows_by(table.rows, lambda row: inside(folder, row[column], path), path)
    return Listed(path, rows={name: group[0] for name, group in rows.items()}, notices=(*table.notices, *told))


def _read(raw: RawFiles, path: str) -> Table:
    if path.lower().endswith(".xlsx"):
        return read_xlsx(raw, path, required=())
    delimiters = ("\t",) if path.lower().endswith(".tsv") else (",", ";", "\t")
    tables = [read_csv(raw, path, required=(), delimiter=delimiter) for delimiter in delimiters[:1]]
    for delimiter in delimiters[1:]:
        if _path_column(tables[0]):
            break
        tables.insert(0, read_csv(raw, path, required=(), delimiter=delimiter))
    return tables[0] if _path_column(tables[0]) else tables[-1]


def _path_column(table: Table) -> str | None:
    named = {_name(column): column for column in (table.rows[0] if table.rows else ())}
    return next((named[name] for name in PATHS if name in named), None)


def inside(folder: str, path: str, table: str) -> str:
    r"""Give the path of a cell from the top of the folder; empty where the cell is.

    >>> inside("lists", r"..\images\1.png", "lists/all.csv")
    'images/1.png'
    """
    said = path.strip().replace("\\", "/")
    if not said:
        return ""
    found = posixpath.normpath(posixpath.join(folder, said))
    drive = len(said) > 1 and said[1] == ":"
    if found == ".." or found.startswith(("/", "../")) or drive or "\0" in said:
        raise DamagedFileError(
            f"{table}: expected paths inside of the folder, relative to the table, found {path.strip()!r}, "
            "which leads out of it; nothing was read there"
        )
    return found


def fields_of(row: Row, where: str, patient: str, findings_said: list[str]) -> tuple[dict[str, Any], list[Notice]]:
    """Read the cells of columns that are named like those of the schema: fields of a record, and what is odd.

    What the row says of the finding is appended to ``findings_said``.
    """
    cells = Cells({_name(column): cell for column, cell in row.items()}, where)
    found: dict[str, Any] = {name: cells.text(name) or cells.text(f"{name}_id") for name in _TEXTS}
    found["patient"] = row[patient].strip() or None if patient else cells.text("patient") or cells.text("patient_id")
    found["age"], found["date"], found["offset_days"] = cells.age("age"), cells.date("date"), cells.days("offset_days")
    found["doi"] = cells.doi("doi")
    found |= {name: cells.number(name, low, high) for name, (low, high) in _NUMBERS.items()}
    for name, choices in _WORDS.items():
        if name in _WORD_LISTS:
            found[name] = _words(cells, name, choices)
        else:
            found[name] = _word(cells, name, choices)
    found["survival"] = _word(cells, "survival", _ANSWERS)
    found["official_split"] = _word(cells, "official_split", SPLITS) or _word(cells, "split", SPLITS)
    answers = {name: _word(cells, name, _ANSWERS) for name, measure in CLINICAL.items() if measure.type == "bool"}
    measured = cells.clinical({name: name for name, measure in CLINICAL.items() if measure.type != "bool"})
    found["clinical"] = measured | {name: answer for name, answer in answers.items() if answer is not None}
    findings_said += filter(None, (cells.text("label"), cells.text("label_raw"), cells.text("finding")))
    return {name: value for name, value in found.items() if value is not None}, cells.notices


def masks_of(row: Row, table: str) -> dict[str, str]:
    """Return the paths of masks, from columns such as ``mask_lung``."""
    folder, named = posixpath.dirname(table), {_name(column): cell for column, cell in row.items()}
    paths = {name: inside(folder, named.get(f"mask_{name}", ""), table) for name in MASKS}
    return {name: path for name, path in paths.items() if path}


def _word(cells: Cells, column: str, choices: Mapping[str, Any]) -> Any:
    said = cells.text(column)
    if said is None:
        return None
    if said.casefold() not in choices:
        expected = ", ".join(dict.fromkeys(map(str, choices.values())))
        cells.doubt("unknown value", f"{column} is {said!r}, expected {expected}; left unknown")
    return choices.get(said.casefold())


def _words(cells: Cells, column: str, choices: Mapping[str, str]) -> tuple[str, ...] | None:
    """Read words between semicolons."""
    said = cells.text(column)
    if said is None:
        return None
    words = ["_".join(word.split()).casefold() for word in said.split(";") if word.strip()]
    if unknown := [word for word in words if word not in choices]:
        cells.doubt("unknown value", f"{column}: expected words of {', '.join(choices)}, found {unknown}; left out")
    return tuple(dict.fromkeys(choices[word] for word in words if word in choices))


def _name(column: str) -> str:
    return "_".join(column.split()).casefold()
