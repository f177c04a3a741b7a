"""iCTCF, also HUST-19 (Wuhan): slices of one CT a patient as JPEG, and what COVIDNet-CT says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from covid_datasets.read.cells import Cells, ranges
from covid_datasets.read.rows import Row, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Sex

_CHOSEN, _PEOPLE = "ictcf_metadata.csv", "metadata.csv"
_SLICE = re.compile(r"(Patient [0-9]+)/([^/]+)/[^/]+\.jpg")
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each slice, patient by patient in the order of their names."""
    table = read_csv(raw, _CHOSEN, required=("pid", "slice indices", "finding"))
    chosen, notices = rows_by(table.rows, lambda row: row["pid"].strip(), _CHOSEN)
    yield from (*table.notices, *notices)
    table = read_csv(raw, _PEOPLE, required=("patient id", "source", "sex", "age"))
    here = [row for row in table.rows if row["source"].strip() == "iCTCF"]
    people, notices = rows_by(here, _patient, _PEOPLE, known=chosen)
    yield from (*table.notices, *notices)
    series: dict[tuple[str, str], list[str]] = {}
    for path in sorted(raw.sizes()):
        if match := _SLICE.fullmatch(path):
            series.setdefault((match[1], match[2]), []).append(path)
        elif path not in (_CHOSEN, _PEOPLE):
            yield Notice("extra file", path, "expected Patient <N>/CT/IMG-0001-<N>.jpg; not used", dropped=True)
    if absent := sorted(chosen.keys() - {patient for patient, _ in series}):
        what = f"{len(absent):,} of {len(chosen):,} patients have no slice here, such as {absent[0]}"
        yield Notice("patient without slices", _CHOSEN, what, count=len(absent))
    for (patient, folder), paths in series.items():
        if len([key for key in series if key[0] == patient]) > 1:
            yield Notice(
                "several folders", f"{patient}/{folder}", "COVIDNet-CT's numbers are of one folder of a patient"
            )
        row = {**people.get(patient, [{}])[0], **chosen.get(patient, [{}])[0]}
        cells = Cells(row, f"{patient}/{folder}")
        indices = cells.value("slice indices", lambda text: set(ranges(text.replace(":", "-"), "/")))
        if indices and max(indices) >= len(paths):
            cells.doubt(
                "fewer slices than chosen", f"COVIDNet-CT chose slice {max(indices)}, found {len(paths)} slices"
            )
        label, sex, age = cells.finding("finding"), cells.one_of("sex", _SEX), cells.age("age")
        yield from cells.notices
        for at, path in enumerate(paths):
            yield Record(
                sample_id=path,
                image=File(path),
                modality="CT",
                patient=patient,
                series=f"{patient}/{folder}",
                part_index=at,
                typical=at == len(paths) // 2,
                view="axial",
                label=label,
                label_raw=cells.text("finding"),
                sex=sex,
                age=age,
                country="China",
                value_range="8-bit, windowed before publication; Hounsfield units are lost",
                source_row={**row, "chosen": "unknown" if indices is None else str(at in indices)},
            )


def _patient(row: Row) -> str:
    """Spell ``HUST-Patient12`` as the other table does."""
    return row["patient id"].strip().replace("HUST-Patient", "Patient ")
