"""Figure 1 COVID-19 Chest X-ray Dataset Initiative: films that clinicians shared, with their notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import Row, not_in, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Sex, View

_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_VIEWS: Mapping[str, View] = {"PA": "PA", "AP": "AP", "AP erect": "AP erect"}
_CLINICAL = {"temperature": "temperature_c", "pO2 saturation": "po2_saturation_percent"}
_COLUMNS = ("patientid", "offset", "sex", "age", "finding", "view", "modality", "artifacts/distortion", *_CLINICAL)


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film that the table lists, sorted by file name."""
    table = read_csv(raw, "metadata.csv", required=_COLUMNS)
    yield from table.notices
    files = raw.paths("images/*")
    paths = {PurePosixPath(path).stem: path for path in (*raw.expected("images/*"), *files)}

    def path_of(row: Row) -> str:
        """Find the file of a row: the table names none, and some are .png beside those that are .jpg."""
        name = row["patientid"].strip()
        return paths.get(name, name and f"images/{name}.jpg")

    rows, notices = rows_by(table.rows, path_of, "metadata.csv")
    yield from (*notices, *not_in("metadata.csv", files, rows))
    for path in sorted(rows):
        cells = Cells(rows[path][0], path)
        record = _record(path, cells)
        yield from cells.notices
        yield record


def person(name: str) -> str:
    """Cut off the letter that counts the films of one person.

    >>> person("COVID-00039c")
    'COVID-00039'
    """
    return re.sub("(?<=[0-9])[a-z]$", "", name)


def _record(path: str, cells: Cells) -> Record:
    cells.one_of("modality", {"X-ray": "CXR"})
    if cells.text("artifacts/distortion"):
        cells.flags.append("artifacts_noted")
    return Record(
        sample_id=PurePosixPath(path).name,
        image=File(path),
        modality="CXR",
        patient=person(cells.row["patientid"].strip()),
        view=cells.one_of("view", _VIEWS),
        label=cells.finding("finding"),
        label_raw=cells.text("finding"),
        sex=cells.one_of("sex", _SEX),
        age=cells.age("age"),
        offset_days=cells.days("offset"),
        clinical=cells.clinical(_CLINICAL),
        flags=tuple(cells.flags),
        source_row=cells.row,
    )
