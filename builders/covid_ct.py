"""COVID-CT (UCSD-AI4H): single CT slices cut from figures of preprints and articles, with a metadata workbook."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import PurePosixPath

from covid_datasets.read.tables import read_csv, read_xlsx
from covid_datasets.schema import File, Notice, RawFiles, Record, Sex

_LABELS = {"CT_COVID": "covid19", "CT_NonCOVID": "not_covid19"}
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_ARTICLE = re.compile(r"\d{4}\.\d\d\.\d\d\.\d+|PIIS\d+|.+?(?=-p\d+-\d+)")
_PREPRINT = re.compile(r"\d{4}\.\d\d\.\d\d\.\d+")

Row = Mapping[str, str]
Rows = dict[str, dict[str, str]]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each image that is there or that the metadata names, sorted by file name."""
    rows: Rows = {}
    yield from _positives(raw, rows)
    yield from _negatives(raw, rows)
    severity = _severity(rows)
    splits: dict[str, str] = {}
    yield from _official_split(raw, splits)
    files = {path for folder in _LABELS for path in raw.paths(f"{folder}/*")}
    for path in sorted(files - rows.keys()):
        yield Notice("file not in the table", path, "no metadata row; kept, its patient is unknown")
    for path in sorted(splits.keys() - rows.keys() - files):
        yield Notice(
            "listed but unknown", path, f"listed in {splits[path]}, but neither a file nor a metadata row has the name"
        )
    for path in sorted(files | rows.keys(), key=lambda path: PurePosixPath(path).name):
        yield _record(path, rows.get(path, {}), splits.get(path), severity.get(path))


def _record(path: str, row: Row, split: str | None, severity: str | None) -> Record:
    folder, name = path.split("/", 1)
    patient = (row.get("Patient ID") or row.get("patient id") or "").strip() or None
    article = _ARTICLE.match(name) if folder == "CT_COVID" else None
    group = f"article:{article.group()}" if article else "" if patient else f"folder:{folder}"
    location = row.get("Location", "").strip(" .") or None
    country = re.search(r"(?:^|, )([A-Z][a-z]+)$", location or "")
    age = row.get("Age", "").strip()
    return Record(
        sample_id=name,
        image=File(path),
        modality="CT",
        patient=patient,
        ties=(group,) if group else (),
        label=_LABELS[folder],
        label_raw=folder,
        severity=severity,
        sex=_SEX.get(row.get("Gender", "").strip()),
        age=float(age) if age.isdecimal() else None,  # "Young Child" and "40+" stay in source_row
        location=location,
        country=country.group(1) if country else None,
        doi=_doi(name, row),
        value_range="8-bit, windowed before publication; Hounsfield units are lost",
        caption=_caption(row.get("Captions", "")),
        official_split=split,
        source_row=row,
    )


def _positives(raw: RawFiles, rows: Rows) -> Iterator[Notice]:
    table = read_xlsx(raw, "COVID-CT-MetaInfo.xlsx", required=("File name", "Patient ID", "DOI", "Captions"))
    yield from table.notices
    for row in table.rows:
        name = row["File name"].strip()
        if not name:
            what = " ".join(value.strip() for value in row.values() if value.strip())
            yield Notice("row without a file name", "COVID-CT-MetaInfo.xlsx", f"no image, only {what!r}")
            continue
        if not name.endswith(".png"):
            yield Notice("file name completed", f"CT_COVID/{name}.png", f"the workbook says {row['File name']!r}")
            name += ".png"
        yield from _add(rows, f"CT_COVID/{name}", row)


def _negatives(raw: RawFiles, rows: Rows) -> Iterator[Notice]:
    table = read_csv(raw, "NonCOVID-CT-MetaInfo.csv", required=("image name", "patient id"))
    yield from table.notices
    for row in table.rows:
        yield from _add(rows, f"CT_NonCOVID/{row['image name'].strip()}", row)


def _severity(rows: Rows) -> dict[str, str]:
    """Take the severity as written, but "same as above" as what is above."""
    found: dict[str, str] = {}
    above = ""
    for path, row in rows.items():
        text = row.get("Severity", "").strip()
        above = above if text.casefold() == "same as above" else text
        if above:
            found[path] = above
    return found


def _add(rows: Rows, path: str, row: dict[str, str]) -> Iterator[Notice]:
    if path in rows:
        yield Notice("row listed twice", path, f"the first row is kept, this one is not: {row}", dropped=True)
    else:
        rows[path] = row


def _official_split(raw: RawFiles, splits: dict[str, str]) -> Iterator[Notice]:
    for folder in _LABELS:
        kind = folder.removeprefix("CT_")
        for part, split in _SPLITS.items():
            source = f"Data-split/{kind}/{part}{folder}.txt"
            if not raw.has(source):
                yield Notice("split list missing", source, f"its images have no official split ({split})")
                continue
            for name in filter(None, map(str.strip, raw.text(source).splitlines())):
                if (before := splits.setdefault(f"{folder}/{name}", split)) != split:
                    yield Notice("listed in two splits", f"{folder}/{name}", f"{before} is kept, {source} is not")


def _doi(name: str, row: Row) -> str | None:
    """Take the DOI of the workbook without its stray blanks, else the one that a preprint's file name is made of."""
    stated = "".join(row.get("DOI", "").split())
    if re.fullmatch(r"10\.\d{4,}/\S+", stated):
        return stated
    preprint = _PREPRINT.match(name)
    return f"10.1101/{preprint.group()}" if preprint else None


def _caption(text: str) -> str | None:
    """Undo the Python list that most captions were printed as."""
    text = text.strip()
    if text.startswith("[") and len(text) < 100_000:
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            text = " ".join(map(str, ast.literal_eval(text)))
    return text.strip() or None
