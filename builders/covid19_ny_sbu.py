"""COVID-19-NY-SBU: films and CT of people with COVID-19 at Stony Brook University, in DICOM, and a table about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import Series
from covid_datasets.read.cells import Cells
from covid_datasets.read.film import FilmForm
from covid_datasets.read.listed import SEXES, is_projection, listed_series, series_record
from covid_datasets.read.rows import rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.read.typed import TableForm, truth, typed_rows
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows
from covid_datasets.vocabulary import Comorbidity, Outcome, Sex, Smoking, Symptom, Treatment

_TABLE = "deidentified_overlap_tcia.csv.cleaned.csv_20210806.csv"
_UNKNOWN = ("NA",)
_YES = {"Yes": True, "No": False, "TRUE": True, "FALSE": False}
_SEX: Mapping[str, Sex] = {"MALE": "M", "FEMALE": "F"}
_OUTCOMES: Mapping[str, Outcome] = {"discharged": "discharged", "deceased": "died"}
_SMOKING: Mapping[str, Smoking] = {"Never": "never", "Former": "former", "Current": "current"}
_SYMPTOMS: Mapping[str, Symptom] = {
    "cough_v": "cough", "dyspnea_admission_v": "dyspnea", "nausea_v": "nausea", "vomiting_v": "vomiting",
    "diarrhea_v": "diarrhea", "abdominal_pain_v": "abdominal_pain", "fever_v": "fever",
}  # fmt: skip
_COMORBIDITIES: Mapping[str, Comorbidity] = {
    "htn_v": "hypertension", "cad_v": "coronary_artery_disease", "dm_v": "diabetes", "BMI.over30": "obesity",
    "copd_v": "copd", "other_lung_disease_v": "other_lung_disease", "ckd_v": "chronic_kidney_disease",
    "malignancies_v": "cancer", "kidney_transplant": "transplant",
}  # fmt: skip
_TREATMENTS: Mapping[str, Treatment] = {
    "was_ventilated": "mechanical_ventilation", "kidney_replacement_therapy": "dialysis",
    "therapeutic.exnox.Boolean": "anticoagulant", "therapeutic.heparin.Boolean": "anticoagulant",
}  # fmt: skip
_HEART_FAILURE = {"No": False, "HFpEF": True, "HFrEF": True}
_CLINICAL = {
    "is_icu": "went_icu", "was_ventilated": "intubated", "8331-1_Oral temperature": "temperature_c",
    "59408-5_Oxygen saturation in Arterial blood by Pulse oximetry": "po2_saturation_percent",
    "9279-1_Respiratory rate": "respiratory_rate_per_min",
    "76282-3_Heart rate.beat-to-beat by EKG": "heart_rate_per_min",
    "8480-6_Systolic blood pressure": "systolic_mmhg", "39156-5_Body mass index (BMI) [Ratio]": "bmi_kg_per_m2",
    "33256-9_Leukocytes [#/volume] corrected for nucleated erythrocytes in Blood by Automated count":
        "leukocytes_per_nl",
    "751-8_Neutrophils [#/volume] in Blood by Automated count": "neutrophils_per_nl",
    "731-0_Lymphocytes [#/volume] in Blood by Automated count": "lymphocytes_per_nl",
}  # fmt: skip
_SODIUM = "2951-2_Sodium [Moles/volume] in Serum or Plasma"
_TWICE = {f"{_SODIUM}.1", f"{_SODIUM} (column 114)"}
"""How the column is called that repeats the one of sodium: by others, and by the reader where both have one name."""
_FILL = ("age", "view", "spacing", "manufacturer", "scanner_model", "kvp")


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each series that the config names, or the one record of the table."""
    if raw.config == "patients":
        yield Record(sample_id=raw.config, rows=Rows(_TABLE, table_rows, (), (_TABLE,)))
        return
    people: dict[str, Cells] = {}
    if raw.has(_TABLE):
        used = (
            "to_patient_id",
            "covid19_statuses",
            "last.status",
            "gender_concept_name",
            "smoking_status_v",
            "hf_ef_v",
        )
        table = read_csv(raw, _TABLE, required=(*used, *_SYMPTOMS, *_COMORBIDITIES, *_TREATMENTS, *_CLINICAL))
        rows, notices = rows_by(table.rows, lambda row: row["to_patient_id"].strip(), _TABLE)
        yield from (*table.notices, *notices)
        people = {patient: Cells(found[0], f"{_TABLE} {patient}", _UNKNOWN) for patient, found in rows.items()}
    else:
        yield Notice("table missing", _TABLE, "of the people only age and sex are known")
    form = FilmForm(originals=bool(raw.options.get("originals")), fill=_FILL)
    said: dict[str, Mapping[str, Any]] = {}
    for item in listed_series(raw, "covid19_ny_sbu"):
        if isinstance(item, Notice):
            yield item
            continue
        series, files = item
        if series.patient not in said:
            cells = people.get(series.patient) or Cells({}, f"{_TABLE} {series.patient}")
            if raw.has(_TABLE) and not cells.row:
                cells.doubt("patient not in the table", f"{_TABLE} has no {series.patient}")
            said[series.patient] = _person(series, cells)
            yield from cells.notices
        found = replace(series_record(series, files, series.patient, form=form), **said[series.patient])
        part = series.row["BodyPartExamined"]
        wrong = {"not_the_chest": bool(part) and "CHEST" not in part, "projection": is_projection(series)}
        yield replace(found, flags=(*found.flags, *(flag for flag, is_so in wrong.items() if is_so)))


def _person(series: Series, cells: Cells) -> Mapping[str, Any]:
    """Say of a person what the table says, as fields of each record."""
    sex, header = cells.one_of("gender_concept_name", _SEX), SEXES.get(series.row["PatientSex"])
    contradicts = bool(sex and header and sex != header)
    if contradicts:
        cells.doubt("sex in two ways", f"{sex} in the table, {header} in DICOM: unknown here")
    outcome = cells.one_of("last.status", _OUTCOMES)
    answers = {name: cells.one_of(column, _YES) for column, name in _SYMPTOMS.items()}
    ill = [(name, cells.one_of(column, _YES)) for column, name in _COMORBIDITIES.items()]
    ill.append(("heart_failure", cells.one_of("hf_ef_v", _HEART_FAILURE)))
    given = [name for column, name in _TREATMENTS.items() if cells.one_of(column, _YES)]
    return {
        "label": cells.one_of("covid19_statuses", {"positive": "covid19"}) if cells.row else "covid19",
        "sex": None if contradicts else sex or header,
        "outcome": outcome,
        "survival": None if outcome is None else outcome != "died",
        "symptoms": _those(answers.items()),
        "comorbidities": _those(ill),
        "treatments": tuple(dict.fromkeys(given)) or None,
        "smoking": cells.one_of("smoking_status_v", _SMOKING),
        "clinical": cells.clinical(_CLINICAL, _YES),
        "country": "United States",
        "flags": ("sex_contradicts",) if contradicts else (),
    }


def _those(answers: Iterable[tuple[str, bool | None]]) -> tuple[str, ...] | None:
    """List what was answered with yes; nothing is known where nothing was answered."""
    known = [(name, answer) for name, answer in answers if answer is not None]
    return tuple(name for name, answer in known if answer) if known else None


def table_rows(raw: RawReader) -> Iterator[Mapping[str, Any] | Notice]:
    """Read the table as columns of the types that the card declares."""
    columns = load_card("covid19_ny_sbu").choice(config="patients").columns
    convert = {name: _answer for name, kind in columns.items() if kind == "bool"}
    yield from typed_rows(raw, _TABLE, TableForm(
        columns=columns, key=("to_patient_id",), unknown=_UNKNOWN, convert=convert, left_out=_TWICE,
    ))  # fmt: skip


def _answer(text: str) -> bool:
    found = text.strip()
    return _YES[found] if found in _YES else truth(found)
