"""POCUS (Born et al.): lung ultrasound videos and stills of two hospitals, articles and teaching sites, with a table.

Longer than 100 lines for the dirt of the table: rows without files, files without a hosted row, contradictory cells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.catalog.taxonomy import UnknownFindingError, classify
from covid_datasets.read.tables import read_csv
from covid_datasets.read.video import pixels, sample
from covid_datasets.schema import File, Notice, Part, Parts, RawFiles, Record, Sex

TABLE = "dataset_metadata.csv"
_NEEDED = ("Filename", "Label", "License", "InThisRepo", "Gender", "Age", "Patient ID / Name")
_NAMED = {"cov": "COVID-19", "pne": "Bacterial pneumonia", "reg": "regular", "vir": "Viral pneumonia"}
"""The first letters of a file's name, from which the publishers' scripts take the class."""
_SEX: Mapping[str, Sex] = {"m": "M", "w": "F"}
_UNKNOWN = {"", "nd", "n/A", "N.A.", "None"}
_STILLS = (".jpg", ".jpeg", ".png")
_SET = re.compile(r"_northumbria_(\d+_set\d+)_")
"""Recordings of one set; one of them goes on where another, of another patient id, ends."""
_FOLDS = 5
_EXPANSION = 3.0
"""The frames of all videos as PNG have 2.4 times the bytes of the videos."""

Row = dict[str, str]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each hosted file, sorted by name; with the option ``hertz``, one for all frames of a video."""
    table = read_csv(raw, TABLE, required=_NEEDED)
    yield from table.notices
    rows: dict[str, Row] = {}
    for row in table.rows:
        name = row["Filename"].strip()
        if name in rows:
            yield Notice("row listed twice", f"{TABLE}: {name}", "the first of its rows counts")
        rows.setdefault(name, row)
    # Also those that an incomplete copy lacks, so that no fold depends on the copy.
    files = {PurePosixPath(path) for kind in ("videos", "images") for path in raw.expected(f"pocus_{kind}/*")}
    folds = official_folds(files)
    yield from _without_files(table.rows, {path.stem for path in files})
    for path in sorted(files, key=lambda path: (path.name, path)):
        yield from _record(path, rows.get(path.stem, {}), folds.get(path), raw)


def official_folds(files: Collection[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Apply what is fixed in the publishers' rule; the files that it draws by chance get no fold.

    For each class, and for videos and stills apart: convex files in the order of their names, in five equal parts.
    """
    folds: dict[PurePosixPath, str] = {}
    for prefix in ("cov", "pne", "reg"):
        for folder in ("pocus_videos/convex", "pocus_images/convex"):
            of_class = [file for file in files if str(file.parent) == folder and file.name[:3].lower() == prefix]
            ordered = sorted(of_class, key=lambda file: file.stem)
            size = len(ordered) // _FOLDS
            folds |= {file: f"fold-{at // size + 1}" for at, file in enumerate(ordered[: size * _FOLDS])}
    return folds


def frames(raw: RawFiles, path: str, hertz: float, most: int) -> Iterator[Part | Notice]:
    """Yield some frames of a video, all of it decoded first; the middle one stands for it."""
    chosen = sample(raw.read(path), path, hertz=hertz, most=most)
    for at, frame in enumerate(chosen):
        number = f"{frame.number:06}"
        when = {"part_index": frame.number, "seconds": frame.seconds}
        yield Part(number, f"{path}/{number}", pixels(frame), fields=when, typical=at == len(chosen) // 2)


def _without_files(rows: Iterable[Row], stems: set[str]) -> Iterator[Notice]:
    """Tell of rows without a file: one by one where the table says that it is hosted, else in one sum."""
    elsewhere: Counter[str] = Counter()
    for row in rows:
        if (name := row["Filename"].strip()) in stems:
            continue
        if row["InThisRepo"].strip() == "Yes":
            where = row.get("Current location", "").strip()
            what = f"InThisRepo is 'Yes' (location {where!r}), but no file has this name"
            yield Notice("image not in the repository", f"{TABLE}: {name}", what, dropped=True)
        else:
            elsewhere[row["Label"].strip()] += 1
    if elsewhere:
        counts = ", ".join(f"{label} {count}" for label, count in sorted(elsewhere.items()))
        what = f"{elsewhere.total()} rows are of files that the publisher does not host ({counts}); none is expected"
        yield Notice("rows of files elsewhere", TABLE, what)


def _record(path: PurePosixPath, row: Row, fold: str | None, raw: RawFiles) -> Iterator[Record | Notice]:
    where, name = str(path), path.name
    value = {column: cell.strip() for column, cell in row.items() if cell.strip() not in _UNKNOWN}
    if not row:
        yield Notice("file not in the table", where, "no row; kept without label, its patient is unknown")
    elif value.get("InThisRepo") != "Yes":
        yield Notice("listed as not hosted", where, f"InThisRepo is {row['InThisRepo']!r}, but here it is; kept")
    flags = ["label_uncertain"] if "label_uncertain" in path.parts else []
    label = None
    try:
        label = classify(value.get("Label", ""))
    except UnknownFindingError as error:
        flags.append("unknown_finding")
        yield Notice("unknown finding", where, str(error))
    if row and (named := _NAMED.get(name[:3].lower())) != value.get("Label", "").replace("Regular", "regular"):
        what = f"Label is {row['Label']!r}, the file's name says {named!r}; Label counts"
        yield Notice("label contradicts the name", where, what)
    if value.get("Healthy") == "1" and label != "no_finding":
        flags.append("healthy_contradicts_label")
    age = value.get("Age", "")
    if age and not (age.isdecimal() and 0 < int(age) <= 120):
        yield Notice("impossible value", where, f"Age is {age!r}; left unknown")
        age = ""
    if "Gender" in value and value["Gender"] not in _SEX:
        yield Notice("unknown value", where, f"Gender is {value['Gender']!r}; left unknown")
    still = path.suffix.lower() in _STILLS
    doi = re.search(r"10\.\d{4,}/\S+", value.get("DOI", ""))
    origin = value.get("URL (Video Name)", "")
    hertz, most = float(raw.options.get("hertz", 0)), int(raw.options.get("most", 0))
    parts = Parts(where, frames, (where, hertz, most), (where,), _EXPANSION) if hertz and not still else None
    patient, location = value.get("Patient ID / Name"), origin.partition("contributed by ")[2].partition(",")[0] or None
    if location:
        flags.append("patient_doubtful")
    # Two ids of one article's stills: the publishers' issue #3 calls them images of a single patient.
    article = f"article:{doi.group()}" if doi and still else "" if patient else "file not in the table"
    recorded = _SET.search(name)
    ties = (article, f"set:{recorded[1]}" if recorded else "")
    yield Record(
        sample_id=name,
        image=File(where) if still else parts,
        video=None if still or parts else File(where),
        modality="US",
        patient=patient,
        ties=tuple(filter(None, ties)),
        label=label,
        label_raw=value.get("Label"),
        sex=_SEX.get(value.get("Gender", "")),
        age=float(age) if age else None,
        location=location,
        license=value["License"].replace(" -", "-") if "License" in value else None,
        source_url=origin.split()[0] if origin.startswith("http") else None,
        doi=doi.group() if doi else None,
        caption=value.get("Comments from web site"),
        series=name if parts else None,
        flags=tuple(flags),
        official_split=fold,
        source_row=row,
    )
