"""COVID-19-AR: films and CT of people with COVID-19 in rural Arkansas, in DICOM, and a workbook about them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from covid_datasets.catalog.listing import Series, read_listing
from covid_datasets.read.cells import Cells
from covid_datasets.read.film import FilmForm
from covid_datasets.read.listed import SEXES, is_projection, listed_series, series_record
from covid_datasets.read.moved import Event, places_of
from covid_datasets.read.rows import Row, rows_by
from covid_datasets.read.tables import read_xlsx
from covid_datasets.schema import Notice, RawFiles, Record
from covid_datasets.vocabulary import Comorbidity, Race, View

_LISTING = "covid19_ar.tsv"
_WORKBOOK = "COVID_19_AR_ClinicalCorrelates_July202020.xlsx"
_UNKNOWN = ("NULL",)
_POUND, _INCH = 0.45359237, 2.54
_FORM = FilmForm(fill=("view", "spacing", "manufacturer", "scanner_model", "kvp"))
"""Age and sex are those of the workbook, or else of the listing."""
_RACES: Mapping[str, Race] = {
    "WHITE": "white", "BLACK OR AFRICAN AMERICAN": "black", "ASIAN": "asian", "OTHER": "other",
    "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER": "native_hawaiian_or_pacific_islander",
}  # fmt: skip
_COMORBIDITIES: Mapping[str, Comorbidity] = {
    "CHRONIC KIDNEY DISEASE": "chronic_kidney_disease", "DIABETES TYPE I": "diabetes", "DIABETES TYPE II": "diabetes",
    "TRANSPLANT": "transplant", "CANCER": "cancer", "TUBERCULOSIS": "other", "SYSTEMIC LUPUS ERYTHMATOSUS": "other",
    "RHEUMATOID ARTHRITIS": "other", "EXTENSIVE BURNS": "other", "ASPLENIA": "other", "HYPOSPLENIA": "other",
    "MEASLES": "other", "CYTOMEGALOVIRUS": "other", "CHICKEN POX": "other", "HERPES ZOSTER": "other",
    "MALNUTRITION": "other",
}  # fmt: skip
_PATIENT = ("PATIENT_ID", "AGE", "SEX", "RACE", "LATEST_BMI", "LATEST WEIGHT", "LATEST HEIGHT", *_COMORBIDITIES,
            "HEMODIALYSIS Post diagnosis", "HEMODIALYSIS Pre Diagnosis", "CURRENT PREGNANT", "ZIP", "TEST NAME",
            "# ICU admits", "COVID TEST POSITIVE", "ICU Admit", "MORTALITY")  # fmt: skip
_DAYS, _STUDY, _FINDINGS = "Diag to img study (days)", "Image Study Description", "Radiologist KEY FINDINGS"
_VIEWS: Mapping[str, View] = {
    "Lateral L": "lateral", "AP Upright": "AP erect", "AP Supine": "AP supine", "AP Landscape": "AP", "Chest AP": "AP",
}  # fmt: skip
"""SeriesDescription, where it says more than a header does."""
_YES = {"Y": True, "N": False}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each series that is there, with what the workbook says of its patient and its study."""
    people: dict[str, list[Row]] = {}
    studies: dict[str, Row] = {}
    if raw.has(_WORKBOOK):
        table = read_xlsx(raw, _WORKBOOK, sheet="Patient Data", above=1, required=_PATIENT)
        people, notices = rows_by(table.rows, lambda row: row["PATIENT_ID"].strip(), _WORKBOOK)
        yield from (*table.notices, *notices)
        imaging = read_xlsx(
            raw, _WORKBOOK, sheet="Imaging Studies", above=1, required=("patient_id", _DAYS, _STUDY, _FINDINGS)
        )
        studies, notices = _by_study(imaging.rows)
        yield from (*imaging.notices, *notices)
    else:
        yield Notice("table missing", _WORKBOOK, "of the people only age and sex are known")
    told: dict[Notice, None] = {}
    for item in listed_series(raw, "covid19_ar"):
        if isinstance(item, Notice):
            yield item
            continue
        series, files = item
        person = Cells(people.get(series.patient, [{}])[0], f"{_WORKBOOK} {series.patient}", _UNKNOWN)
        if raw.has(_WORKBOOK) and series.patient not in people:
            person.doubt("patient not in the table", f"{_WORKBOOK} has no {series.patient}")
        yield _record(series, files, person, studies.get(series.study, {}))
        told |= dict.fromkeys(person.notices)
    yield from told  # once, and not for each series of a person


def _by_study(rows: Sequence[Row]) -> tuple[dict[str, Row], list[Notice]]:
    """Find the study that each row is of: a row names none, only how many days after the diagnosis what was done."""
    dated: dict[str, dict[str, Event]] = defaultdict(dict)
    for series in read_listing(_LISTING).values():
        day = date.fromisoformat(series.row["StudyDate"]).toordinal()
        dated[series.patient][series.study] = day, series.row["StudyDescription"]
    groups, notices = rows_by(rows, lambda row: row["patient_id"].strip(), _WORKBOOK, known=dated)
    notices = [notice for notice in notices if notice.kind != "row listed twice"]  # people have several studies
    found: dict[str, Row] = {}
    for patient, theirs in groups.items():
        days = [_day(row) for row in theirs]
        done = [(day, row[_STUDY].strip()) for day, row in zip(days, theirs, strict=True) if day is not None]
        places = places_of(done, dated[patient]) if len(done) == len(theirs) else None
        if places is None:
            what = f"{len(theirs):,} rows do not tell of which of {len(dated[patient]):,} studies they are"
            notices.append(Notice("studies that cannot be told apart", patient, what))
        for study, numbers in (places or {}).items():
            if len(numbers) == 1:
                found[study] = theirs[numbers[0]]
            elif numbers:  # two of one day and kind
                found[study] = {column: theirs[numbers[0]][column] for column in (_DAYS, _STUDY)}
                notices.append(Notice("studies that cannot be told apart", study, "its findings are not known"))
            else:
                notices.append(Notice("study not in the table", study, f"{_WORKBOOK} has no row that fits"))
    return found, notices


def _day(row: Row) -> int | None:
    return Cells(row, _WORKBOOK, _UNKNOWN).days(_DAYS)


def _record(series: Series, files: tuple[str, ...], person: Cells, study: Row) -> Record:
    found = series_record(series, files, series.patient, {**person.row, **study}, form=_FORM)
    ill = [name for column, name in _COMORBIDITIES.items() if person.one_of(column, _YES)]
    part = series.row["BodyPartExamined"]
    wrong = {
        "not_the_chest": bool(part) and not ("CHEST" in part or part == "THORAX"),
        "projection": is_projection(series),
    }
    died = person.one_of("MORTALITY", _YES)
    return replace(
        found,
        view=found.view or _VIEWS.get(series.row["SeriesDescription"]),
        label=person.one_of("COVID TEST POSITIVE", {"Y": "covid19"}) if person.row else "covid19",
        sex=person.one_of("SEX", SEXES) or found.sex,
        age=person.age("AGE") or found.age,
        race=person.one_of("RACE", _RACES),
        comorbidities=tuple(dict.fromkeys(ill)) if person.row else None,
        treatments=("dialysis",) if person.one_of("HEMODIALYSIS Post diagnosis", _YES) else None,
        clinical=person.clinical({"LATEST_BMI": "bmi_kg_per_m2", "ICU Admit": "went_icu"}, _YES) | _size(person),
        survival=None if died is None else not died,
        outcome="died" if died else None,
        offset_days=int(study[_DAYS]) if study else None,
        caption=study.get(_FINDINGS, "").strip() or None,
        country="United States",
        flags=tuple(flag for flag, is_so in wrong.items() if is_so),
    )


def _size(person: Cells) -> dict[str, float]:
    """Read weight in pounds and height in feet and inches: body mass indices in the workbook agree with these."""
    size: dict[str, float] = {}
    if weight := person.number("LATEST WEIGHT", 20, 880):
        size["weight_kg"] = round(weight * _POUND, 1)
    if height := person.value("LATEST HEIGHT", _inches):
        size["height_cm"] = round(height * _INCH, 1)
    return size


def _inches(text: str) -> int:
    if not (found := re.fullmatch(r"([2-7])' ?([0-9]|1[01])\"", text)):
        raise ValueError("expected feet and inches")
    return 12 * int(found[1]) + int(found[2])
