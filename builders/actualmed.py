"""Actualmed COVID-19 Chest X-ray Dataset Initiative: films, and whether it was COVID-19."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import PurePosixPath

from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import not_in, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Sex, View

_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_VIEWS: Mapping[str, View] = {"PA": "PA", "AP": "AP"}
_COLUMNS = ("patientid", "offset", "sex", "age", "finding", "view", "modality", "imagename", "notes")


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film that the table lists, sorted by file name."""
    table = read_csv(raw, "metadata.csv", required=_COLUMNS)
    yield from table.notices
    rows, notices = rows_by(
        table.rows, lambda row: (name := row["imagename"].strip()) and f"images/{name}", "metadata.csv"
    )
    yield from (*notices, *not_in("metadata.csv", raw.paths("images/*"), rows))
    for path in sorted(rows):
        cells = Cells(rows[path][0], path)
        record = _record(path, cells)
        yield from cells.notices
        yield record


def _record(path: str, cells: Cells) -> Record:
    cells.one_of("modality", {"X-ray": "CXR"})
    patient, finding = cells.text("patientid"), cells.finding("finding")
    return Record(
        sample_id=PurePosixPath(path).name,
        image=File(path),
        modality="CXR",
        patient=patient,
        ties=() if patient else ("table:rows without a patient",),
        view=cells.one_of("view", _VIEWS),
        # The notes of these rows say that COVID-19 is excluded, not that the film is normal.
        label="not_covid19" if finding == "no_finding" else finding,
        label_raw=cells.text("finding"),
        sex=cells.one_of("sex", _SEX),
        age=cells.age("age"),
        offset_days=cells.days("offset"),
        date=cells.value("notes", _date_taken),
        flags=tuple(cells.flags),
        source_row=cells.row,
    )


def _date_taken(notes: str) -> str:
    """Read the day at the end of a note: ``Inconclusive, date taken (YYYYMMDD): 20200313``."""
    try:
        return date.fromisoformat(notes.rpartition("date taken (YYYYMMDD): ")[2]).isoformat()
    except ValueError:
        raise ValueError("expected 'date taken (YYYYMMDD): 20200313' at its end") from None
