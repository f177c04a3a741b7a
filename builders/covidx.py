"""COVIDx (COVID-Net): lists of pictures, which eight other sources supply.

Longer than other builders, because it reads the lists, the tables of three parts and the names of three more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from covid_datasets.builders import cohen

from covid_datasets.catalog.taxonomy import UnknownFindingError, ancestors, classify
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record, Sex, View

LABELS: Mapping[str, str | None] = {
    "normal": "no_finding",
    "pneumonia": "pneumonia",
    "COVID-19": "covid19",
    "positive": "covid19",
    "negative": "not_covid19",
    "level1": "covid19",
    "level2": "covid19",
}
"""The lists' labels; `negative` means that only where something else bears it out, see `_label`."""
PARTS = ("cohen", "fig1", "actmed", "sirm", "rsna", "ricord", "stonybrook", "bimcv")
MISSPELT = {"rnsa": "rsna"}
IN_GIT = ("cohen", "fig1", "actmed")
"""Parts whose own tables say more about a picture; their pictures lie in images/."""
NOT_PATIENTS = ("rsna", "sirm")
"""Parts whose ids name pictures: several pictures of one person must be expected, and which ones nobody says."""
PICTURES = (".png", ".jpg", ".jpeg")

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.png")
_FIG1 = re.compile(r"COVID-\d{5}[a-z]?\.(jpg|png)")
_RICORD = re.compile(r"MIDRC-RICORD-1C-(?P<study>.+)-\d+\.png")
_STONYBROOK = re.compile(
    r"(?P<who>A\d+-\d\d-\d\d-\d{4})-NA-(?P<what>.*?)-(?P<uid>\d+)-\d+\.\d+-(?P<view>AP|PA|LATERAL)-.+"
)
_BIMCV = re.compile(r"sub-\w+?_(?P<study>ses-\w+?)_.*")
_VIEWS: Mapping[str, View] = {"PA": "PA", "AP": "AP", "AP erect": "AP erect", "LATERAL": "lateral"}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}


Key = tuple[str, str]
"""A part and a file of it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list."""

    patient: str
    name: str
    label: str
    part: str
    split: str

    @property
    def person(self) -> str:
        """Ids of two parts may be equal, and a letter behind an id of Figure 1 counts pictures of one person."""
        return f"{self.part}-{re.sub('(?<=[0-9])[a-z]$', '', self.patient) if self.part == 'fig1' else self.patient}"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known from outside of the lists: by the parts' own tables, the scores, and ids that share a picture."""

    pictures: Mapping[Key, Record]
    ill: frozenset[tuple[str, str | None]]
    scores: Mapping[Key, Mapping[str, float]]
    merged: frozenset[str]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture that both lists of a version name, wherever its part may be."""
    listed: dict[Key, list[Row]] = {}
    for split in ("train", "test"):
        path = f"labels/{split}_COVIDx{'' if raw.version == '1' else raw.version}.txt"
        rows, notices = read_list(raw, path, split)
        yield from notices
        for row in rows:
            listed.setdefault((row.part, row.name), []).append(row)
    files = frozenset(raw.sizes())
    pictures: dict[Key, Record] = {}
    for part in (part for part in IN_GIT if any(path.startswith(f"{part}/") for path in files)):
        for item in _described(raw, part, files):
            if isinstance(item, Record):
                pictures[part, item.sample_id] = item
            elif item.where.endswith("metadata.csv") or (part, item.where.rsplit("/", 1)[-1]) in listed:
                yield replace(item, where=f"{part}/{item.where.removeprefix(f'{part}/')}", dropped=False)
    ill = frozenset((part, record.patient) for (part, _), record in pictures.items() if record.label == "covid19")
    scores: dict[Key, Mapping[str, float]] = {}
    yield from _severity(raw, scores)
    people = [{row.person for row in rows} for rows in listed.values()]
    merged: frozenset[str] = frozenset().union(*(found for found in people if len(found) > 1))
    known = Known(pictures, ill, scores, merged)
    used = set()
    for (part, name), rows in sorted(listed.items()):
        path = _place(part, name, rows[0].split, files)
        masks = pictures[part, name].masks.values() if (part, name) in pictures else ()
        used |= {path, *(f"{part}/{mask.path}" for mask in masks)}
        yield from _record(path, rows, known)
    yield from _unused(files - used)


def read_list(raw: RawFiles, path: str, split: str) -> tuple[list[Row], list[Notice]]:
    """Read a list from the right end of its rows: ids of the part sirm may hold a blank, and the part may be absent."""
    rows, notices = [], []
    for number, line in enumerate(raw.text(path).splitlines(), start=1):
        words = line.split()
        given = words.pop() if len(words) > 3 and words[-1] not in LABELS else ""
        if not words:
            continue
        if len(words) < 3 or "/" in words[-2] or (not given and words[-1] not in LABELS):
            what = f"expected patient, file, label and source, found {line[:80]!r}"
            notices.append(Notice("broken row", f"{path} line {number}", what, dropped=True))
        elif given and given not in (*PARTS, *MISSPELT):
            what = f"expected one of {', '.join(PARTS)}, found {given!r} in {line[:80]!r}"
            notices.append(Notice("unknown source", f"{path} line {number}", what, dropped=True))
        else:
            *patient, name, label = words
            rows.append(Row(" ".join(patient), name, label, given or _part_of(name), split))
    for wrong, right in MISSPELT.items():
        if count := sum(row.part == wrong for row in rows):
            notices.append(Notice("misspelt source", path, f"{count:,} rows say {wrong}; read as {right}", count=count))
    rows = [replace(row, part=MISSPELT[row.part]) if row.part in MISSPELT else row for row in rows]
    files = Counter((row.part, row.name) for row in rows)
    if count := len(rows) - len(files):
        several = sum(times > 1 for times in files.values())
        what = f"{several:,} files are listed more than once, in {count:,} rows too many; one record each"
        notices.append(Notice("row listed twice", path, what, count=count))
    return rows, notices


def _part_of(name: str) -> str:
    """Tell the part of a row that does not say: all of them are RSNA's, Figure 1's or cohen's, by the other lists."""
    return "rsna" if _UUID.fullmatch(name) else "fig1" if _FIG1.fullmatch(name) else "cohen"


def _place(part: str, name: str, split: str, files: frozenset[str]) -> str:
    """Find a picture in its part, under the names that it may have there, or in a copy of COVIDx that is ready made."""
    places = [f"{part}/images/{name}"] if part in IN_GIT else [f"{part}/{name}"]
    if part == "sirm":
        places += [f"sirm/{name.replace('(', ' (')}"]
        places += [f"sirm/{name.replace('(', '-').replace(')', '')}"] if name.startswith("COVID(") else []
    return next((path for path in (*places, f"ready/{split}/{name}") if path in files), places[0])


def _record(path: str, rows: list[Row], known: Known) -> Iterator[Record | Notice]:
    row = rows[0]
    theirs = known.pictures.get((row.part, row.name))
    flags = [*theirs.flags] if theirs else []
    labels, splits = sorted({one.label for one in rows}), {one.split for one in rows}
    label = _label(row, theirs, known, flags)
    if len(labels) > 1:
        label = None
        flags.append("contradictory_rows")
        yield Notice("contradictory rows", row.name, f"its rows say {' and '.join(labels)}; it has no label")
    if strange := [one for one in labels if one not in LABELS]:
        flags.append("unknown_finding")
        yield Notice("unknown finding", row.name, f"label {strange[0]!r}: expected one of {', '.join(LABELS)}")
    if len(splits) > 1:
        flags.append("in_train_and_test")
        yield Notice("file in train and test", row.name, "it is in neither part of the official split here")
    if row.part == "sirm" and path.startswith("sirm/COVID-") and "(" not in path:
        flags.append("number_of_newer_release")
    own = _from_name(row, theirs or Record(sample_id="", modality="CXR"), flags)
    if row.part in NOT_PATIENTS:
        own = replace(own, patient=None, ties=(f"part:{row.part}",))
    else:
        people = sorted({one.person for one in rows})
        also = tuple(f"patient:{one}" for one in people if one in known.merged)
        own = replace(own, patient=people[0], ties=(*also, *own.ties))
    listed = {"patientid": row.patient, "filename": row.name, "label": row.label, "source": row.part}
    yield replace(
        own,
        sample_id=f"{row.part}/{row.name}",
        image=File(path),
        masks={name: File(f"{row.part}/{mask.path}") for name, mask in own.masks.items()},
        label=label,
        label_raw=" / ".join(labels),
        severity=row.label if row.label.startswith("level") else None,
        severity_scores=known.scores.get((row.part, row.name), own.severity_scores),
        official_split=row.split if len(splits) == 1 else None,
        flags=tuple(dict.fromkeys(flags)),
        source_row=listed | ({row.part: dict(own.source_row)} if theirs else {}),
    )


def _label(row: Row, theirs: Record | None, known: Known, flags: list[str]) -> str | None:
    """Harmonise a label, and flag what the picture's own source says otherwise or nothing about.

    `negative` is whatever the script did not know: it counts as not COVID-19 only where a film is older than the
    disease (RSNA), or its own source names another finding of a person without COVID-19.
    """
    label = LABELS.get(row.label)
    if row.part not in IN_GIT:
        return label
    finding = theirs.label if theirs else None
    if finding is None:
        flags.append("not_reviewed_in_part")
    elif not _agree(label, finding) or (label != "covid19" and "hannover_copy" in flags):
        flags.append("label_contradicted_by_part")
    if row.label != "negative":
        return label
    if theirs and (row.part, theirs.patient) in known.ill:
        flags.append("negative_of_covid19_patient")
    doubts = {"not_reviewed_in_part", "label_contradicted_by_part", "negative_of_covid19_patient"}
    return None if doubts.intersection(flags) else label


def _agree(label: str | None, finding: str) -> bool:
    """Tell whether a list's label leaves room for the finding of the picture's own source."""
    if label == "pneumonia":
        return finding != "covid19" and "pneumonia" in (finding, *ancestors(finding))
    return finding != "covid19" if label == "not_covid19" else label in (finding, None)


def _from_name(row: Row, record: Record, flags: list[str]) -> Record:
    """Add what the names of a part say: the study, the view, and whether it is a film of the chest at all."""
    if row.part == "ricord" and (found := _RICORD.fullmatch(row.name)):
        return replace(record, study=f"ricord-{found['study']}")
    if row.part == "bimcv" and (found := _BIMCV.fullmatch(row.name)):
        return replace(record, study=f"bimcv-{row.patient}-{found['study']}")
    if row.part == "stonybrook" and (found := _STONYBROOK.fullmatch(row.name)):
        if "ABD" in found["what"]:
            flags.append("study_of_abdomen")
        return replace(record, study=f"stonybrook-{found['who']}-{found['uid']}", view=_VIEWS[found["view"]])
    return record


def _described(raw: RawFiles, part: str, files: frozenset[str]) -> Iterator[Record | Notice]:
    """Read what a part says about its own pictures."""
    if part == "cohen":
        for item in cohen.records(raw.below("cohen/")):
            ties = tuple(tie.replace("patient:", "patient:cohen-") for tie in getattr(item, "ties", ()))
            yield replace(item, ties=ties) if isinstance(item, Record) else item
        return
    path = f"{part}/metadata.csv"
    if not raw.has(path):
        yield Notice("table missing", path, "what the part says about its pictures is not known")
        return
    table = read_csv(raw, path, required=("patientid", "finding", "view", *(["imagename"] if part == "actmed" else [])))
    yield from table.notices
    for row in table.rows:
        names = [row[key] + end for key, end in (("patientid", ".jpg"), ("patientid", ".png"))]
        name = row.get("imagename") or next((one for one in names if f"{part}/images/{one}" in files), names[0])
        try:
            label = classify(row["finding"])
        except UnknownFindingError as error:
            yield Notice("unknown finding", f"{part}/images/{name}", str(error))
            label = None
        age = row.get("age", "").strip()
        yield Record(
            sample_id=name,
            modality="CXR",
            patient=row["patientid"],
            label=label,
            view=_VIEWS.get(row["view"].strip()),
            sex=_SEX.get(row.get("sex", "").strip()),
            age=float(age) if age.isdigit() else None,
            offset_days=int(offset) if (offset := row.get("offset", "").strip()).isdigit() else None,
            source_row=row,
        )


def _severity(raw: RawFiles, scores: dict[Key, Mapping[str, float]]) -> Iterator[Notice]:
    """Read the mean scores of the raters, 0 to 8 each; some rows have none."""
    path = "annotations/severity_annotations.csv"
    if not raw.has(path):
        yield Notice("table missing", path, "no severity scores")
        return
    table = read_csv(raw, path, required=("filename", "dataset", "Geographic", "Opacity"))
    yield from table.notices
    for row in table.rows:
        found: dict[str, float] = {}
        for column, name in (("Geographic", "geographic_extent"), ("Opacity", "opacity")):
            if re.fullmatch(r"\d+(\.\d+)?", row[column]) and float(row[column]) <= 8:
                found[name] = float(row[column])
            elif row[column]:
                what = f"{column} is {row[column]!r}, expected 0 to 8; left unknown"
                yield Notice("impossible value", f"{path}: {row['filename']}", what)
        scores[row["dataset"], row["filename"]] = found


def _unused(files: frozenset[str]) -> Iterator[Notice]:
    """Tell how many pictures of each part are in neither list, and of the films that are there but not as pictures."""
    parts = Counter(path.split("/", 1)[0] for path in files if path.lower().endswith(PICTURES))
    for part in (*PARTS, "ready"):
        if count := parts[part]:
            yield Notice("picture not in the list", f"{part}/", f"{count:,} pictures are in neither list", count=count)
    if films := sum(path.lower().endswith(".dcm") for path in files):
        what = f"{films:,} films are DICOM, which is not read here; convert them to PNG under the names of the lists"
        yield Notice("DICOM not read", "rsna/", what, count=films)
