"""COVIDx (COVID-Net): lists of pictures, which eight other sources supply; its card says what lists and parts are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from covid_datasets.builders import actualmed, cohen, figure1

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.taxonomy import agree
from covid_datasets.read.parts import records_of_part
from covid_datasets.read.rows import count_by_folder, ids_of_one
from covid_datasets.read.scores import read_scores
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import View

LONGEST_NAME = 255
_UNUSED = {
    (".png", ".jpg", ".jpeg"): ("picture not in the list", "are in neither list"),
    (".dcm",): ("DICOM not read", "are DICOM: convert them to PNG under the names of the lists"),
}
_SCORES = {"geographic_extent": ("Geographic", 8.0), "opacity": ("Opacity", 8.0)}
_SOURCES = {"cohen": cohen, "fig1": figure1, "actmed": actualmed}
_VIEWS: Mapping[str, View] = {"PA": "PA", "AP": "AP", "LATERAL": "lateral"}
_FACTS = load_card("covidx").facts


class Row(NamedTuple):
    """One line of a list."""

    patient: str
    name: str
    label: str
    part: str
    split: str

    @property
    def person(self) -> str:
        """Ids of two parts may be equal, so the part is in front."""
        return f"{self.part}-{figure1.person(self.patient) if self.part == 'fig1' else self.patient}"


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture that both lists of a version name, wherever its part may be."""
    listed: dict[str, list[Row]] = {}
    for split in ("train", "test"):
        rows, notices = read_list(raw, _FACTS["lists"][raw.version].format(split=split), split)
        yield from notices
        for row in rows:
            listed.setdefault(f"{row.part}/{row.name}", []).append(row)
    files = frozenset(raw.sizes())
    pictures: dict[str, Record] = {}
    for part, source in _SOURCES.items():
        for item in records_of_part(source.records, raw, part, "metadata.csv"):
            if isinstance(item, Record):
                pictures[item.sample_id] = item
            elif item.where.endswith("metadata.csv") or f"{part}/{item.where.rsplit('/', 1)[-1]}" in listed:
                yield item
    scores, notices = read_scores(raw, "annotations/severity_annotations.csv", _SCORES, ("dataset", "filename"))
    yield from notices
    merged = ids_of_one({row.person for row in rows} for rows in listed.values()).keys()
    ill = {each.patient for each in pictures.values() if each.patient and each.label == "covid19"}
    used: set[str] = set()
    for sample, rows in sorted(listed.items()):
        own = pictures.get(sample) or Record(sample_id=sample, modality="CXR")
        path, scored = _place(rows[0], files), scores.get(sample, own.severity_scores)
        used |= {path, *(mask.path for mask in own.masks.values())}
        yield from _record(path, rows, replace(own, severity_scores=scored), merged, ill)
    for ending, (kind, what) in _UNUSED.items():
        yield from count_by_folder(kind, (path for path in files - used if path.lower().endswith(ending)), what)


def read_list(raw: RawFiles, path: str, split: str) -> tuple[list[Row], list[Notice]]:
    """Read a list from the right end of its rows: ids of the part sirm may hold a blank, and the part may be absent."""
    labels, parts, misspelt = _FACTS["labels"], _FACTS["parts"], _FACTS["misspelt"]
    rows, notices, wrong = [], [], Counter[str]()
    for number, line in enumerate(raw.text(path).splitlines(), start=1):
        words, where = line.split(), f"{path} line {number}"
        given = words.pop() if len(words) > 3 and words[-1] not in labels else ""
        part = misspelt.get(given, given)
        named = len(words) > 2 and "/" not in words[-2] and len(words[-2]) <= LONGEST_NAME
        if not named or not (given or words[-1] in labels):
            what = f"expected patient, file, label and source, found {line[:80]!r}"
            notices += [Notice("broken row", where, what, dropped=True)] if words else []
        elif part not in ("", *parts):
            what = f"expected one of {', '.join(parts)}, found {given!r} in {line[:80]!r}"
            notices.append(Notice("unknown source", where, what, dropped=True))
        else:
            *patient, name, label = words
            wrong[given] += part != given
            unsaid = (part for part, form in _FACTS["unsaid"].items() if re.fullmatch(form, name))
            rows.append(Row(" ".join(patient), name, label, part or next(unsaid, "cohen"), split))
    for given, count in (+wrong).items():
        what = f"{count:,} rows say {given}; read as {misspelt[given]}"
        notices.append(Notice("misspelt source", path, what, count=count))
    if count := len(rows) - len({(row.part, row.name) for row in rows}):
        what = f"{count:,} rows are of a file that was listed before; one record each"
        notices.append(Notice("row listed twice", path, what, count=count))
    return rows, notices


def _place(row: Row, files: Set[str]) -> str:
    """Find a picture in its part, under the names that it may have there, or in a copy of COVIDx that is ready made."""
    own = _FACTS["parts"][row.part] + row.name
    others = (re.sub(form, other, own) for form, other in _FACTS["respelt"].items())
    return next((path for path in (own, *others, f"ready/{row.split}/{row.name}") if path in files), own)


def _record(path: str, rows: list[Row], own: Record, merged: Set[str], ill: Set[str]) -> Iterator[Record | Notice]:
    """Say of a picture what the lists say, and of what they are silent about what its own source says."""
    row, labels, splits = rows[0], sorted({one.label for one in rows}), {one.split for one in rows}
    label, doubts = _FACTS["labels"].get(row.label), list(_doubts(row, own, ill))
    flags = [*own.flags, *doubts]
    if len(labels) > 1:
        flags.append("contradictory_rows")
        yield Notice("contradictory rows", row.name, f"its rows say {' and '.join(labels)}; it has no label")
    if strange := [one for one in labels if one not in _FACTS["labels"]]:
        flags.append("unknown_finding")
        yield Notice("unknown finding", row.name, f"{strange[0]!r}: expected one of {', '.join(_FACTS['labels'])}")
    if len(splits) > 1:
        flags.append("in_train_and_test")
        yield Notice("file in train and test", row.name, "it is in neither part of the official split here")
    flags += [flag for flag, form in _FACTS["flagged"].items() if re.fullmatch(form, path)]
    if named := re.fullmatch(_FACTS["names"].get(row.part, "$^"), row.name):
        study = _FACTS["studies"][row.part].format(patient=row.patient, **named.groupdict())
        own = replace(own, study=study, view=_VIEWS.get(named.groupdict().get("view", ""), own.view))
    people = sorted({one.person for one in rows})
    shared = (f"person:{ids}/{row.patient}" for part, ids in _FACTS["people"].items() if part == row.part)
    ties = (*(f"patient:{one}" for one in people if one in merged), *own.ties, *shared)
    listed = {"patientid": row.patient, "filename": row.name, "label": row.label, "source": row.part}
    yield replace(
        own,
        image=File(path),
        patient=people[0] if row.part not in _FACTS["not_patients"] else None,
        ties=ties if row.part not in _FACTS["not_patients"] else (f"part:{row.part}",),
        label=None if len(labels) > 1 or (row.label == "negative" and doubts) else label,
        label_raw=" / ".join(labels),
        severity=row.label if row.label.startswith("level") else None,
        official_split=row.split if len(splits) == 1 else None,
        flags=tuple(dict.fromkeys(flags)),
        source_row=listed | ({row.part: dict(own.source_row)} if own.source_row else {}),
    )


def _doubts(row: Row, own: Record, ill: Set[str]) -> Iterator[str]:
    """Flag what a picture's own source says otherwise or nothing about; the card says what `negative` means."""
    if row.part in _SOURCES:
        label, finding = _FACTS["labels"].get(row.label), own.label
        at_odds = label and finding and not (agree(label, finding) and (label == "covid19") == (finding == "covid19"))
        if finding is None:
            yield "not_reviewed_in_part"
        elif at_odds or (label != "covid19" and "hannover_copy" in own.flags):
            yield "label_contradicted_by_part"
    if row.label == "negative" and own.patient in ill:
        yield "negative_of_covid19_patient"
