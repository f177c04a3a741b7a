"""COVID-CT (UCSD-AI4H): single CT slices cut from figures of preprints and articles, with a metadata workbook."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import not_in, read_splits, rows_by
from covid_datasets.read.tables import read_csv, read_xlsx
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Sex

_WORKBOOK, _NEGATIVES = "COVID-CT-MetaInfo.xlsx", "NonCOVID-CT-MetaInfo.csv"
_COLUMNS = "File name,Patient ID,Age,Gender,Location,Medical history,Time,Severity,DOI,Captions".split(",")
_LABELS = {"CT_COVID": "covid19", "CT_NonCOVID": "not_covid19"}
_LISTS = {
    f"Data-split/{kind}/{part}CT_{kind}.txt": split
    for kind in ("COVID", "NonCOVID")
    for part, split in (("train", "train"), ("val", "validation"), ("test", "test"))
}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_NO_NUMBER = ("Young Child", "40+")
_ARTICLE = re.compile(r"\d{4}\.\d\d\.\d\d\.\d+|PIIS\d+|.+?(?=-p\d+-\d+)")
_PREPRINT = re.compile(r"\d{4}\.\d\d\.\d\d\.\d+")
_ORIGINS = {"medpix": "from_medpix", "crawled": "from_pmc"}
_ILL_FOR = re.compile(
    r"\bday (\d{1,3}) +(?:after|from) (?:the onset of illness|symptom onse)|Illness Day (\d{1,3})\b"
    r"|^(\d{1,3})\w\w day of the course"
)
"""A number of days that says since when it counts: since the illness began."""
_CELSIUS = re.compile(r"(\d\d(?:\.\d)?) *°C")

Rows = Mapping[str, list[Mapping[str, str]]]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each image that is there or that the metadata names, sorted by file name."""
    workbook = read_xlsx(raw, _WORKBOOK, required=_COLUMNS)
    table = read_csv(raw, _NEGATIVES, required=("image name", "patient id"))
    yield from (*workbook.notices, *table.notices)
    named = [row for row in workbook.rows if row["File name"].strip()]
    for row in workbook.rows:
        name = row["File name"].strip()
        if not name:
            what = " ".join(value.strip() for value in row.values() if value.strip())
            yield Notice("row without a file name", _WORKBOOK, f"no image, only {what!r}")
        elif not name.endswith(".png"):
            yield Notice("file name completed", f"CT_COVID/{name}.png", f"the workbook says {row['File name']!r}")
    positives, told = rows_by(
        named, lambda row: f"CT_COVID/{row['File name'].strip().removesuffix('.png')}.png", _WORKBOOK
    )
    negatives, also = rows_by(
        table.rows, lambda row: f"CT_NonCOVID/{name}" if (name := row["image name"].strip()) else "", _NEGATIVES
    )
    splits, lists = read_splits(raw, _LISTS, lambda path, name: f"CT_{path.split('/')[1]}/{name}")
    yield from (*told, *also, *lists)
    rows = positives | negatives
    files = {path for folder in _LABELS for path in raw.paths(f"{folder}/*")}
    yield from not_in("metadata", files, rows, kept="no metadata row; kept, its patient is unknown")
    for path in sorted(splits.keys() - rows.keys() - files):
        what = f"listed in {splits[path]}, but neither a file nor a metadata row has the name"
        yield Notice("listed but unknown", path, what)
    severity = _severity(positives)
    for path in sorted(files | rows.keys(), key=lambda path: PurePosixPath(path).name):
        cells = Cells(rows[path][0] if path in rows else {}, path, unknown=_NO_NUMBER)
        record = _record(path, cells, splits.get(path), severity.get(path))
        yield from cells.notices
        yield record


def _record(path: str, cells: Cells, split: str | None, severity: str | None) -> Record:
    folder, name = path.split("/", 1)
    patient = cells.text("Patient ID") or cells.text("patient id")
    article = _ARTICLE.match(name) if folder == "CT_COVID" else None
    group = f"article:{article.group()}" if article else "" if patient else f"folder:{folder}"
    location = cells.row.get("Location", "").strip(" .") or None
    country = re.search(r"(?:^|, )([A-Z][a-z]+)$", location or "")
    return Record(
        sample_id=name,
        image=File(path),
        modality="CT",
        patient=patient,
        ties=(group,) if group else (),
        label=_LABELS[folder],
        label_raw=folder,
        severity=severity,
        **_course(cells),
        sex=cells.one_of("Gender", _SEX),
        age=cells.age("Age"),
        location=location,
        country=country.group(1) if country else None,
        doi=_doi(name, cells),
        value_range="8-bit, windowed before publication; Hounsfield units are lost",
        caption=_caption(cells.row.get("Captions", "")),
        official_split=split,
        flags=tuple(flag for start, flag in _ORIGINS.items() if (patient or "").startswith(f"{start}_patient_")),
        source_row=cells.row,
    )


def _course(cells: Cells) -> dict[str, Any]:
    """Read what the columns of the medical history and of the time tell for sure; most of it is other prose."""
    history, time = cells.text("Medical history"), cells.text("Time")
    symptoms = {text: words for text in (history, time) if text and (words := _words("symptoms", text)) is not None}
    day, celsius = _ILL_FOR.search(time or ""), _CELSIUS.search(history or "")
    measured = Cells({"temperature": celsius[1] if celsius else ""}, cells.where)
    clinical = measured.clinical({"temperature": "temperature_c"})
    cells.notices += measured.notices
    return {
        "symptoms": tuple(dict.fromkeys(word for words in symptoms.values() for word in words)) if symptoms else None,
        "symptoms_raw": " ".join(symptoms) or None,
        "comorbidities": _words("comorbidities", history or ""),
        "offset_days": int(next(filter(None, day.groups()))) if day else None,
        "clinical": clinical,
    }


def _words(column: str, text: str) -> tuple[str, ...] | None:
    """Find the phrases that the card knows in a text, and say what they mean; null where there is none."""
    found = [words.split() for phrase, words in load_card("covid_ct").facts[column].items() if phrase in text]
    return tuple(dict.fromkeys(word for words in found for word in words)) if found else None


def _severity(rows: Rows) -> dict[str, str]:
    """Take the severity as written, but "same as above" as what is above."""
    found: dict[str, str] = {}
    above = ""
    for path, (row, *_) in rows.items():
        text = row.get("Severity", "").strip()
        above = above if text.casefold() == "same as above" else text
        if above:
            found[path] = above
    return found


def _doi(name: str, cells: Cells) -> str | None:
    """Take the DOI of the workbook without its stray blanks, else the one that a preprint's file name is made of."""
    stated = Cells({"DOI": "".join(cells.row.get("DOI", "").split())}, cells.where)
    found = stated.doi("DOI")
    cells.notices += stated.notices
    preprint = _PREPRINT.match(name)
    return found or (f"10.1101/{preprint.group()}" if preprint else None)


def _caption(text: str) -> str | None:
    """Undo the Python list that most captions were printed as."""
    text = text.strip()
    if text.startswith("[") and len(text) < 100_000:
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            text = " ".join(map(str, ast.literal_eval(text)))
    return text.strip() or None
