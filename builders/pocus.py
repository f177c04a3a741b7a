"""POCUS (Born et al.): lung ultrasound, videos and stills of hospitals, articles and teaching sites, and a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import Row, not_in, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.read.video import pixels, sample
from covid_datasets.schema import File, Notice, Part, Parts, RawFiles, Record
from covid_datasets.vocabulary import Sex

TABLE = "dataset_metadata.csv"
_NEEDED = ("Filename", "Label", "License", "InThisRepo", "Gender", "Age", "Patient ID / Name")
_WANTED = ("URL (Video Name)", "DOI", "Comments from web site", "Healthy")
_NAMED = {"cov": "COVID-19", "pne": "Bacterial pneumonia", "reg": "regular", "vir": "Viral pneumonia"}
"""The first letters of a file's name, from which the publishers' scripts take the class."""
_SEX: Mapping[str, Sex] = {"m": "M", "w": "F"}
_UNKNOWN = ("nd", "n/A", "N.A.", "None")
_STILLS = (".jpg", ".jpeg", ".png")
_SET = re.compile(r"_northumbria_(\d+_set\d+)_")
"""Recordings of one set; one of them goes on where another, of another patient id, ends."""
_FOLDS = 5
_EXPANSION = 3.0
"""The frames of all videos as PNG have 2.4 times the bytes of the videos."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each hosted file, sorted by name; with the option ``hertz``, one for all frames of a video."""
    table = read_csv(raw, TABLE, required=_NEEDED, wanted=_WANTED)
    rows, notices = rows_by(table.rows, lambda row: row["Filename"].strip(), TABLE)
    yield from (*table.notices, *notices)
    # Also those that an incomplete copy lacks, so that no fold depends on the copy.
    files = {PurePosixPath(path) for kind in ("videos", "images") for path in raw.expected(f"pocus_{kind}/*")}
    folds = official_folds(files)
    yield from _without_files(table.rows, {path.stem for path in files})
    listed = {str(path) for path in files if path.stem in rows}
    yield from not_in(TABLE, map(str, files), listed, kept="no row; kept without label, its patient is unknown")
    for path in sorted(files, key=lambda path: (path.name, path)):
        cells = Cells(rows.get(path.stem, [{}])[0], str(path), _UNKNOWN)
        record = _record(path, cells, folds.get(path), raw)
        yield from cells.notices
        yield record


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


def _record(path: PurePosixPath, cells: Cells, fold: str | None, raw: RawFiles) -> Record:
    where, name, row = str(path), path.name, cells.row
    if "label_uncertain" in path.parts:
        cells.flags.append("label_uncertain")
    label, label_raw = cells.finding("Label"), cells.text("Label")
    if row and cells.text("InThisRepo") != "Yes":
        cells.doubt("listed as not hosted", f"InThisRepo is {row['InThisRepo']!r}, but here it is; kept")
    if row and (named := _NAMED.get(name[:3].lower())) != (label_raw or "").replace("Regular", "regular"):
        what = f"Label is {row['Label']!r}, the file's name says {named!r}; Label counts"
        cells.doubt("label contradicts the name", what)
    if cells.text("Healthy") == "1" and label != "no_finding":
        cells.flags.append("healthy_contradicts_label")
    still = path.suffix.lower() in _STILLS
    hertz, most = float(raw.options.get("hertz", 0)), int(raw.options.get("most", 0))
    parts = Parts(where, frames, (where, hertz, most), (where,), _EXPANSION) if hertz and not still else None
    patient, doi, license = cells.text("Patient ID / Name"), cells.doi("DOI"), cells.text("License")
    origin = cells.text("URL (Video Name)") or ""
    location = origin.partition("contributed by ")[2].partition(",")[0] or None
    if location:
        cells.flags.append("patient_doubtful")
    # Two ids of one article's stills: the publishers' issue #3 calls them images of a single patient.
    article = f"article:{doi}" if doi and still else "" if patient else "file not in the table"
    recorded = _SET.search(name)
    return Record(
        sample_id=name,
        image=File(where) if still else parts,
        video=None if still or parts else File(where),
        modality="US",
        patient=patient,
        ties=tuple(filter(None, (article, f"set:{recorded[1]}" if recorded else ""))),
        label=label,
        label_raw=label_raw,
        sex=cells.one_of("Gender", _SEX),
        age=cells.age("Age", low=1),
        location=location,
        license=license.replace(" -", "-") if license else None,
        source_url=origin.split()[0] if origin.startswith("http") else None,
        doi=doi,
        caption=cells.text("Comments from web site"),
        series=name if parts else None,
        flags=tuple(cells.flags),
        official_split=fold,
        source_row=row,
    )
