"""COVIDx (COVID-Net): lists of pictures, which eight other sources supply; its card says what lists and parts are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from covid_datasets.builders import cohen

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.taxonomy import ancestors
from covid_datasets.read.cells import Cells
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record, Sex, View

PICTURES = (".png", ".jpg", ".jpeg")
LONGEST_NAME = 255
_SCORES = "annotations/severity_annotations.csv"
_VIEWS: Mapping[str, View] = {"PA": "PA", "AP": "AP", "AP erect": "AP erect", "LATERAL": "lateral"}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_DOUBTS = {"not_reviewed_in_part", "label_contradicted_by_part", "negative_of_covid19_patient"}
_FACTS = load_card("covidx").facts

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
    scores: Mapping[Key, Mapping[str, float]]
    merged: frozenset[str]
    ill: frozenset[tuple[str, str | None]]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture that both lists of a version name, wherever its part may be."""
    listed: dict[Key, list[Row]] = {}
    for split in ("train", "test"):
        rows, notices = read_list(raw, _FACTS["lists"][raw.version].format(split=split), split)
        yield from notices
        for row in rows:
            listed.setdefault((row.part, row.name), []).append(row)
    files = frozenset(raw.sizes())
    pictures: dict[Key, Record] = {}
    for part in _FACTS["tables"]:
        for item in _described(raw, part, files) if any(path.startswith(f"{part}/") for path in files) else ():
            if isinstance(item, Record):
                pictures[part, item.sample_id] = item
            elif item.where.endswith("metadata.csv") or (part, item.where.rsplit("/", 1)[-1]) in listed:
                yield replace(item, where=f"{part}/{item.where.removeprefix(f'{part}/')}", dropped=False)
    scores: dict[Key, Mapping[str, float]] = {}
    yield from _severity(raw, scores)
    people = [{row.person for row in rows} for rows in listed.values()]
    merged: frozenset[str] = frozenset().union(*(found for found in people if len(found) > 1))
    ill = frozenset((part, record.patient) for (part, _), record in pictures.items() if record.label == "covid19")
    used = set()
    for (part, name), rows in sorted(listed.items()):
        path = _place(part, name, rows[0].split, files)
        theirs = pictures.get((part, name))
        used |= {path, *(f"{part}/{mask.path}" for mask in (theirs.masks.values() if theirs else ()))}
        yield from _record(path, rows, theirs, Known(pictures, scores, merged, ill))
    yield from _unused(files - used)


def read_list(raw: RawFiles, path: str, split: str) -> tuple[list[Row], list[Notice]]:
    """Read a list from the right end of its rows: ids of the part sirm may hold a blank, and the part may be absent."""
    labels, parts, misspelt = _FACTS["labels"], _FACTS["parts"], _FACTS["misspelt"]
    rows, notices, wrong = [], [], Counter[str]()
    for number, line in enumerate(raw.text(path).splitlines(), start=1):
        words = line.split()
        given = words.pop() if len(words) > 3 and words[-1] not in labels else ""
        named = len(words) > 2 and "/" not in words[-2] and len(words[-2]) <= LONGEST_NAME
        if words and (not named or (not given and words[-1] not in labels)):
            what = f"expected patient, file, label and source, found {line[:80]!r}"
            notices.append(Notice("broken row", f"{path} line {number}", what, dropped=True))
        elif words and given and given not in (*parts, *misspelt):
            what = f"expected one of {', '.join(parts)}, found {given!r} in {line[:80]!r}"
            notices.append(Notice("unknown source", f"{path} line {number}", what, dropped=True))
        elif words:
            *patient, name, label = words
            wrong[given] += given in misspelt
            unsaid = (part for part, form in _FACTS["unsaid"].items() if _fits(form, name))
            part = misspelt.get(given, given) or next(unsaid, "cohen")
            rows.append(Row(" ".join(patient), name, label, part, split))
    for given, count in (+wrong).items():
        what = f"{count:,} rows say {given}; read as {misspelt[given]}"
        notices.append(Notice("misspelt source", path, what, count=count))
    files = Counter((row.part, row.name) for row in rows)
    if count := len(rows) - len(files):
        several = sum(times > 1 for times in files.values())
        what = f"{several:,} files are listed more than once, in {count:,} rows too many; one record each"
        notices.append(Notice("row listed twice", path, what, count=count))
    return rows, notices


def _fits(form: str, name: str) -> re.Match[str] | None:
    """Match a file's name with a form of the card; what no file can be called is not tried."""
    return re.fullmatch(form, name) if len(name) <= 255 else None


def _place(part: str, name: str, split: str, files: frozenset[str]) -> str:
    """Find a picture in its part, under the names that it may have there, or in a copy of COVIDx that is ready made."""
    places = [_FACTS["parts"][part] + name]
    if part == "sirm":
        places += [f"sirm/{name.replace('(', ' (')}"]
        places += [f"sirm/{name.replace('(', '-').replace(')', '')}"] if name.startswith("COVID(") else []
    return next((path for path in (*places, f"ready/{split}/{name}") if path in files), places[0])


def _record(path: str, rows: list[Row], theirs: Record | None, known: Known) -> Iterator[Record | Notice]:
    row, key = rows[0], (rows[0].part, rows[0].name)
    flags = [*theirs.flags] if theirs else []
    labels, splits = sorted({one.label for one in rows}), {one.split for one in rows}
    label = _label(row, theirs, known, flags)
    if len(labels) > 1:
        label = None
        flags.append("contradictory_rows")
        yield Notice("contradictory rows", row.name, f"its rows say {' and '.join(labels)}; it has no label")
    if strange := [one for one in labels if one not in _FACTS["labels"]]:
        flags.append("unknown_finding")
        yield Notice(
            "unknown finding", row.name, f"label {strange[0]!r}: expected one of {', '.join(_FACTS['labels'])}"
        )
    if len(splits) > 1:
        flags.append("in_train_and_test")
        yield Notice("file in train and test", row.name, "it is in neither part of the official split here")
    if row.part == "sirm" and path.startswith("sirm/COVID-") and "(" not in path:
        flags.append("number_of_newer_release")
    own = theirs or Record(sample_id="", modality="CXR")
    if named := _fits(_FACTS["names"].get(row.part, "$^"), row.name):
        said = named.groupdict()
        study = _FACTS["studies"][row.part].format(patient=row.patient, **said)
        own = replace(own, study=study, view=_VIEWS.get(said.get("view", ""), own.view))
        flags += ["study_of_abdomen"] if "ABD" in said.get("what", "") else []
    people = sorted({one.person for one in rows})
    ties = (*(f"patient:{one}" for one in people if one in known.merged), *own.ties)
    nobody = row.part in _FACTS["not_patients"]
    listed = {"patientid": row.patient, "filename": row.name, "label": row.label, "source": row.part}
    yield replace(
        own,
        sample_id=f"{row.part}/{row.name}",
        image=File(path),
        masks={name: File(f"{row.part}/{mask.path}") for name, mask in own.masks.items()},
        patient=None if nobody else people[0],
        ties=(f"part:{row.part}",) if nobody else ties,
        label=label,
        label_raw=" / ".join(labels),
        severity=row.label if row.label.startswith("level") else None,
        severity_scores=known.scores.get(key, own.severity_scores),
        official_split=row.split if len(splits) == 1 else None,
        flags=tuple(dict.fromkeys(flags)),
        source_row=listed | ({row.part: dict(own.source_row)} if theirs else {}),
    )


def _label(row: Row, theirs: Record | None, known: Known, flags: list[str]) -> str | None:
    """Harmonise a label, and flag what the picture's own source says otherwise or nothing about.

    `negative` is whatever the script did not know: it counts as not COVID-19 only where a film is older than the
    disease (RSNA), or its own source names another finding of a person without COVID-19.
    """
    label = _FACTS["labels"].get(row.label)
    if row.part not in _FACTS["tables"]:
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
    return None if _DOUBTS.intersection(flags) else label


def _agree(label: str | None, finding: str) -> bool:
    """Tell whether a list's label leaves room for the finding of the picture's own source."""
    if label == "pneumonia":
        return finding != "covid19" and "pneumonia" in (finding, *ancestors(finding))
    return finding != "covid19" if label == "not_covid19" else label in (finding, None)


def _described(raw: RawFiles, part: str, files: frozenset[str]) -> Iterator[Record | Notice]:
    """Read what a part says about its own pictures."""
    if part == "cohen":
        for item in cohen.records(raw.below("cohen/")):
            ties = tuple(tie.replace("patient:", "patient:cohen-") for tie in getattr(item, "ties", ()))
            yield replace(item, ties=ties) if isinstance(item, Record) else item
        return
    path, folder = _FACTS["tables"][part], _FACTS["parts"][part]
    if not raw.has(path):
        yield Notice("table missing", path, "what the part says about its pictures is not known")
        return
    table = read_csv(raw, path, required=("patientid", "finding", "view", *(["imagename"] if part == "actmed" else [])))
    yield from table.notices
    for row in table.rows:
        names = [row["patientid"] + end for end in (".jpg", ".png")]
        name = row.get("imagename") or next((one for one in names if folder + one in files), names[0])
        cells = Cells(row, folder + name)
        yield Record(
            sample_id=name,
            modality="CXR",
            patient=row["patientid"],
            label=cells.finding("finding"),
            view=cells.one_of("view", _VIEWS),
            sex=cells.one_of("sex", _SEX),
            age=cells.age("age"),
            offset_days=cells.days("offset"),
            source_row=row,
        )
        yield from cells.notices


def _severity(raw: RawFiles, scores: dict[Key, Mapping[str, float]]) -> Iterator[Notice]:
    """Read the mean scores of the raters, 0 to 8 each; some rows have none."""
    if not raw.has(_SCORES):
        yield Notice("table missing", _SCORES, "no severity scores")
        return
    table = read_csv(raw, _SCORES, required=("filename", "dataset", "Geographic", "Opacity"))
    yield from table.notices
    for row in table.rows:
        cells = Cells(row, f"{_SCORES}: {row['filename']}")
        found = {"geographic_extent": cells.number("Geographic", 0, 8), "opacity": cells.number("Opacity", 0, 8)}
        scores[row["dataset"], row["filename"]] = {name: value for name, value in found.items() if value is not None}
        yield from cells.notices


def _unused(files: frozenset[str]) -> Iterator[Notice]:
    """Tell how many pictures of each part are in neither list, and of the films that are there but not as pictures."""
    parts = Counter(path.split("/", 1)[0] for path in files if path.lower().endswith(PICTURES))
    for part in (*_FACTS["parts"], "ready"):
        if count := parts[part]:
            yield Notice("picture not in the list", f"{part}/", f"{count:,} pictures are in neither list", count=count)
    if films := sum(path.lower().endswith(".dcm") for path in files):
        what = f"{films:,} films are DICOM, which is not read here; convert them to PNG under the names of the lists"
        yield Notice("DICOM not read", "rsna/", what, count=films)
