"""COVID-CTset (Rahimzadeh et al., Sari): 16-bit slices of chest CT, whole series, or those that were chosen of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Cells
from covid_datasets.read.exports import parsed
from covid_datasets.read.rows import not_in, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Sex

_CHOSEN, _PEOPLE, _SERIES = "all.csv", "Patient_details.csv", "Patients_metadata.csv"
_TAGS = ("ConvolutionKernel", "KVP", "SliceThickness", "PixelSpacing", "Manufacturer", "ManufacturerModelName")
_FOLDS = {
    (split, fold): f"folds/{split}{fold}.json" for split in ("train", "test", "validation") for fold in range(1, 6)
}
"""In this order, because every validation list is a part of the test list: what is in both is validation."""
_FILE = re.compile(r"(?:\w+/(patient[0-9]+)/(SR_[234])/|\w+?_(patient[0-9]+)_(SR_[234])_)IM([0-9]{1,9})\.tif")
Key = tuple[str, str, int]
"""Patient, series, and the number of a slice in it."""
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_INFECTED = {"Positive": "covid19", "Negative": "no_finding"}
_CLASSES = {"covid": "covid19", "normal": "no_finding"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each slice, sorted by its path: of whole series, or of those that a table has chosen."""
    table = read_csv(raw, _PEOPLE, required=("Patient ID", "SEX", "AGE", "Date", "COVID-19 Infection"))
    people, notices = rows_by(table.rows, lambda row: row["Patient ID"].strip(), _PEOPLE)
    yield from (*table.notices, *notices)
    table = read_csv(raw, _SERIES, required=("Patient ID", *(f"SR_{at} {tag}" for at in (2, 3, 4) for tag in _TAGS)))
    series, notices = rows_by(table.rows, lambda row: row["Patient ID"].strip(), _SERIES, known=people)
    yield from (*table.notices, *notices)
    table = read_csv(raw, _CHOSEN, required=("filename", "class"))
    chosen, notices = rows_by(table.rows, lambda row: row["filename"].strip(), _CHOSEN)
    yield from (*table.notices, *notices)
    folds, selected = _folds(raw), bool(raw.options["chosen"])
    files = [path for path in sorted(raw.sizes()) if path.endswith(".tif") and ("/" not in path) == selected]
    yield from not_in(_CHOSEN, files, chosen) if selected else ()
    keys: dict[str, Key] = {}
    numbers: dict[str, list[int]] = {}
    for path in sorted(chosen) if selected else files:
        if key := _key(path):
            keys[path] = key
            numbers.setdefault(_series(path), []).append(key[2])
        else:
            yield Notice("extra file", path, "expected <folder>/patient<N>/SR_<n>/IM<N>.tif; not used", dropped=True)
    images = {key for path in chosen if (key := _key(path))}
    if absent := sorted(images.difference(keys.values())) if not selected else []:
        what = f"{len(absent):,} slices that were chosen of the whole are not in it, such as {absent[0]}"
        yield Notice("chosen slice missing", _CHOSEN, what, count=len(absent))
    count = Counter(keys.values())
    for path, key in keys.items():
        patient, said = key[0], {"class": chosen[path][0]["class"]} if selected else {"chosen": str(key in images)}
        row = {**people.get(patient, [{}])[0], **said, **folds.get(key, {})}
        cells, tags = Cells(row, path), Cells(series.get(patient, [{}])[0], path, unknown=("N/A",))
        if patient not in people:
            cells.doubt("patient not in the table", f"{_PEOPLE} does not list {patient}")
        if count[key] > 1:
            cells.flags.append("number_twice")
        every = sorted(numbers[_series(path)])
        record = _record(path, key, cells, tags, every[len(every) // 2] == key[2], raw)
        yield from (*cells.notices, *tags.notices)
        yield record


def _record(path: str, key: Key, cells: Cells, tags: Cells, typical: bool, raw: RawFiles) -> Record:
    patient, series, at = key
    infected = cells.one_of("COVID-19 Infection", _INFECTED)
    label = cells.one_of("class", _CLASSES) if "class" in cells.row else infected
    if infected and label != infected:
        cells.doubt("label contradicts the patient", f"{label} in {_CHOSEN}, {infected} in {_PEOPLE}; the first counts")
    return Record(
        sample_id=path,
        image=File(path),
        modality="CT",
        patient=patient,
        study=patient,
        series=_series(path),
        part_index=at,
        typical=typical,
        view="axial",
        label=label,
        label_raw=cells.text("class") or cells.text("COVID-19 Infection"),
        sex=cells.one_of("SEX", _SEX),
        age=cells.value("AGE", _years),
        date=cells.value("Date", _day),
        location="Negin medical center, Sari, Iran",
        country="Iran",
        spacing=tags.value(f"{series} PixelSpacing", _pair),
        kernel=tags.text(f"{series} ConvolutionKernel"),
        kvp=tags.number(f"{series} KVP", 1, 500),
        slice_thickness_mm=tags.number(f"{series} SliceThickness", 0, 500),
        manufacturer=tags.text(f"{series} Manufacturer"),
        scanner_model=tags.text(f"{series} ManufacturerModelName"),
        hu_slope=float(raw.options["hu_slope"]),
        hu_intercept=float(raw.options["hu_intercept"]),
        flags=tuple(cells.flags),
        official_split=cells.text("fold_1"),
        source_row=cells.row,
    )


def _folds(raw: RawFiles) -> dict[Key, dict[str, str]]:
    """Read in which part of each of the five folds a slice is, by the lists of class, patient, series and name."""
    found: dict[Key, dict[str, str]] = {}
    for (split, fold), path in _FOLDS.items():
        for name in _names(parsed(raw.text(path), path, "a list of a fold"), ""):
            if not (key := _key(name)):
                raise DamagedFileError(f"{path}: expected class, patient, series and IM00010.tif, found {name!r}")
            found.setdefault(key, {})[f"fold_{fold}"] = split
    return found


def _names(table: object, above: str) -> Iterator[str]:
    """Spell the names at the ends of a tree of tables as paths."""
    if isinstance(table, dict):
        for name, below in table.items():
            yield from _names(below, f"{above}{name}/")
    elif isinstance(table, list):
        yield from (f"{above}{name}" for name in table)
    else:
        yield f"{above}{table}"


def _key(path: str) -> Key | None:
    match = _FILE.fullmatch(path)
    return match and (match[1] or match[3], match[2] or match[4], int(match[5]))


def _series(path: str) -> str:
    """Cut the number off: ``covid1/patient1/SR_2``, or ``normal1_patient168_SR_2``, which is not ``normal4_...``."""
    return path[: path.rindex("IM") - 1]


def _years(text: str) -> float:
    if not re.fullmatch(r"[0-9]{3}Y", text):
        raise ValueError("expected an age such as 053Y")
    return float(text[:3])


def _day(text: str) -> str:
    return datetime.strptime(text, "%Y%m%d").date().isoformat()


def _pair(text: str) -> tuple[float, ...]:
    """Read ``[0.62890625, 0.62890625]``: between rows, then between columns, the other way round than here."""
    rows, columns = text.strip("[]").split(",")
    return float(columns), float(rows)
