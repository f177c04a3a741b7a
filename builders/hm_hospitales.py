"""CDSL of HM Hospitales: films and CT slices of people admitted with COVID-19 or suspected of it, and six tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Cells, day, number
from covid_datasets.read.rows import not_in, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.read.typed import TableForm, typed_rows
from covid_datasets.schema import File, Notice, RawFiles, RawReader, Record, Rows
from covid_datasets.vocabulary import Modality, Outcome, Sex, View

PATIENTS, IMAGES = "patient_01.csv", "CDSL-1.0.0-dicom-metadata.csv"
KEYS = {
    PATIENTS: ("patient_id",), "vital_signs_04.csv": ("vital_sign_id",), "medication_05.csv": ("medication_id",),
    "lab_06.csv": ("lab_id",),
}  # fmt: skip
"""Table -> what tells its rows apart; of diagnoses it is the patient."""
FOLDERS = ("patient_group_folder_id", "patient_folder_id", "study_id", "image_id")
UNKNOWN = ("N.A.",)
ZERO = ("N.A.", "0", "0.0")
"""In vital signs 0 is missing too, but not in ages, days and results."""
MODALITIES: Mapping[str, Modality] = {"CR": "CXR", "DX": "CXR", "CT": "CT"}
VIEWS: Mapping[str, View] = {"PA": "PA", "AP": "AP", "LL": "lateral", "LATERAL": "lateral"}
SEXES: Mapping[str, Sex] = {"MALE": "M", "FEMALE": "F", "M": "M", "F": "F"}
OUTCOMES: Mapping[str, Outcome] = {
    "Death": "died", "Home": "discharged", "Fallecimiento": "died", "Domicilio": "discharged",
    "Alta Voluntaria": "discharged", "Traslado al Hospital": "transferred",
    "Traslado a un Centro Sociosanitario": "transferred",
}  # fmt: skip
"""Where people went; English in CDSL, Spanish in the releases before it."""
VITAL = ("_first_emerg", "_last_emerg", "p_max_ing", "p_min_ing", "temp_ing", "hr_ing", "sat_02_ing", "glu_ing")
"""How names of columns of vital signs end."""
VITALS = {"temp_first_emerg": "temperature_c", "sat_02_first_emerg": "po2_saturation_percent",
          "hr_first_emerg": "heart_rate_per_min"}  # fmt: skip


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture, or the one record of a table."""
    if table := str(raw.options.get("table", "")):
        yield Record(sample_id=raw.config, rows=Rows(table, table_rows, (table, raw.config), (table,)))
        return
    people = read_csv(raw, PATIENTS, required=("patient_id", "destin_discharge"), wanted=("age", "sex", "icu_date_in"))
    by_id, notices = rows_by(people.rows, lambda row: row["patient_id"].strip(), PATIENTS)
    yield from (*people.notices, *notices)
    listed = read_csv(raw, IMAGES, required=("patient_id", *FOLDERS, "Modality", "ViewPosition", "StudyDate"))
    rows, notices = rows_by(listed.rows, _path, IMAGES)
    yield from (*listed.notices, *notices, *not_in(IMAGES, raw.paths("IMAGES/*"), rows))
    shown = set[str]()
    for path, (row, *_) in sorted(rows.items()):
        cells, patient = Cells(row, path, UNKNOWN), row["patient_id"].strip()
        if patient not in by_id:
            cells.doubt("patient not in the table", f"{PATIENTS} has no {patient or 'patient'}")
        said = by_id.get(patient, [{}])[0]
        person, vitals = (Cells(said, f"{PATIENTS} {patient}", unknown) for unknown in (UNKNOWN, ZERO))
        record = _record(path, cells, person, vitals, typical=row["study_id"] not in shown)
        shown.add(row["study_id"])
        yield from (*cells.notices, *person.notices, *vitals.notices)
        yield record


def _record(path: str, cells: Cells, person: Cells, vitals: Cells, *, typical: bool) -> Record:
    modality, outcome = cells.one_of("Modality", MODALITIES), person.one_of("destin_discharge", OUTCOMES)
    patient, study = cells.text("patient_id"), cells.text("study_id")
    went_icu = {"went_icu": True} if person.text("icu_date_in") else {}
    return Record(
        sample_id=path.removeprefix("IMAGES/"),
        image=File(path),
        modality=modality,
        patient=patient,
        study=study,
        ties=() if patient else (f"study:{study}",),
        series=study if modality == "CT" else None,
        typical=typical or modality != "CT",
        view=cells.one_of("ViewPosition", VIEWS),
        sex=person.one_of("sex", SEXES),
        age=person.age("age"),
        outcome=outcome,
        survival=None if outcome is None else outcome != "died",
        clinical=vitals.clinical(VITALS) | went_icu,
        date=cells.date("StudyDate"),
        country="Spain",
        value_range="8-bit, windowed before publication",
        flags=tuple(cells.flags),
        source_row=cells.row,
    )


def _path(row: Mapping[str, str]) -> str:
    folders = [row[name].strip() for name in FOLDERS]
    return f"IMAGES/{'/'.join(folders)}.jpg" if all(folders) else ""


def table_rows(raw: RawReader, table: str, config: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Read a table; which columns it has is known from programs that read it, so one that is not there is told."""
    columns = load_card("hm_hospitales").choice(config=config).columns
    key = KEYS.get(table, ("patient_id",))
    convert: dict[str, Any] = {
        name: _day if kind == "date32" else _number for name, kind in columns.items() if kind != "string"
    }
    convert |= {name: _vital for name in convert if name.endswith(VITAL) and columns[name] == "float64"}
    yield from typed_rows(raw, table, TableForm(
        columns=columns, key=key, unknown=UNKNOWN, convert=convert,
        optional=[name for name in columns if name not in ("patient_id", *key)],
    ))  # fmt: skip


def _day(text: str) -> date:
    return day(text.strip().partition(" ")[0])


def _number(text: str) -> float:
    """Read a number, also with the comma that Spain writes."""
    return number(text.replace(",", "."))


def _vital(text: str) -> float | None:
    """Read a vital sign, of which 0 says that nobody measured it."""
    return _number(text) or None
