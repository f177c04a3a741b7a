"""COVID-CT-MD (Babak Imaging Centre, Iran): DICOM series of 305 people; of 79, what is seen in each slice and lobe."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.arrays import read_npy
from covid_datasets.read.person import described
from covid_datasets.read.rows import rows_by
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import Notice, Part, Parts, RawFiles, RawReader, Record

_INDEX = "Index.csv"
_FILE = re.compile(r"(?i:(?:.*/)?(covid-19|cap|normal) (?:subjects|cases)/)((?:P|cap|normal)[0-9]{3})/[^/]+\.dcm")
_DIAGNOSES = {"covid-19": "COVID-19", "cap": "CAP", "normal": "Normal"}
_LABELS = {"COVID-19": "covid19", "CAP": "other_pneumonia", "Normal": "no_finding"}
_LOBES = ("LLL", "LUL", "RLL", "RML", "RUL")
_ROOM = 200
"""Slices that a row of the arrays has room for; what a person has not is zero."""
_ABSENT = 43
"""The index that nobody has, and for which the arrays have no row."""
_EXPANSION = 2.3
_MOVING = ("gap between slices", "several acquisitions")
"""What is told of a series in which slices have other numbers than the labels count."""
Seen = Sequence[Sequence[str]]
"""Lobes with infection, slice by slice from the head down."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each person whose files are there, sorted by folder."""
    arrays = [f"{level}-level-labels{raw.options['edition']}.npy" for level in ("Slice", "Lobe")]
    folders: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(raw.sizes()):
        if match := _FILE.fullmatch(path):
            folders[match[2]][_DIAGNOSES[match[1].lower()]].append(path)
        elif path != _INDEX and not re.fullmatch(r"(?:Slice|Lobe)-level-labels(?:-updated-1)?\.npy", path):
            yield Notice("extra file", path, "expected <class> subjects/<person>/<slice>.dcm; not used", dropped=True)
    seen = yield from _labels(raw, *arrays)
    counts = load_card("covid_ct_md").facts[raw.version]
    people = [f"{name}{at:03}" for name, count in counts.items() for at in range(1, int(count) + 1)]
    if lacking := [person for person in people if person not in folders]:
        what = f"{len(lacking):,} of {len(people):,} people are not here, such as {', '.join(lacking[:3])}"
        yield Notice("person missing", "covid_ct_md", what, dropped=True, lost=True, count=len(lacking))
    for person, classes in sorted(folders.items()):
        diagnosis, files = next(iter(classes.items()))
        if len(classes) > 1:
            what = f"lies in the folders of {' and '.join(sorted(classes))}; left out, as nobody knows which is right"
            yield Notice("person of two classes", person, what, dropped=True, lost=True)
            continue
        said, drawn = seen.get(person, (diagnosis, None))
        if said != diagnosis:
            what = f"{said} in {_INDEX}, but it lies in a folder of {diagnosis}, which counts; its slices have no label"
            yield Notice("table contradicts the folder", person, what)
            drawn = None
        yield Record(
            sample_id=person,
            image=Parts(person, slices, (tuple(files), person, diagnosis, drawn), tuple(files), _EXPANSION),
            modality="CT",
            patient=person,
            study=person,
            series=person,
            label=_LABELS[diagnosis],
            label_raw=diagnosis,
            location="Babak Imaging Centre, Iran",
            country="Iran",
        )


def _labels(raw: RawFiles, slices: str, lobes: str) -> Generator[Notice, None, dict[str, tuple[str, Seen]]]:
    """Return the diagnosis of each person that the index names, and the lobes with infection in each slice."""
    table = read_csv(raw, _INDEX, required=("Label Index", "Diagnosis", "Folder/ID"))
    rows, notices = rows_by(table.rows, lambda row: row["Folder/ID"].strip(), _INDEX)
    yield from (*table.notices, *notices)
    in_lobes = read_npy(raw, lobes, (None, _ROOM, len(_LOBES))) != 0
    infected = read_npy(raw, slices, (len(in_lobes), _ROOM)) != 0
    if differ := int(np.count_nonzero(in_lobes.any(axis=2) != infected)):
        yield Notice("labels disagree", slices, f"{differ:,} slices say otherwise than {lobes}, which counts")
    found: dict[str, tuple[str, Seen]] = {}
    taken: dict[int, str] = {}
    for person, (row, *_) in rows.items():
        text = row["Label Index"].strip()
        index = int(text) if re.fullmatch("[0-9]{1,4}", text) else _ABSENT
        at = index - (index > _ABSENT)
        if index == _ABSENT or at >= len(in_lobes) or at in taken:
            why = f"that of {taken[at]}" if at in taken and index != _ABSENT else "that of no row"
            yield Notice("index out of order", f"{_INDEX}: {person}", f"{text!r} is {why}; its slices have no label")
            continue
        taken[at] = person
        names = [[name for name, there in zip(_LOBES, each, strict=True) if there] for each in in_lobes[at]]
        found[person] = (row["Diagnosis"].strip(), names)
    return found


def slices(
    raw: RawReader, files: Sequence[str], person: str, diagnosis: str, seen: Seen | None
) -> Iterator[Part | Notice]:
    """Yield the slices of a person from the feet up, with what is said of each, and what the header says of the person.

    The arrays count from the head down. Where a file is missing, doubled or damaged nobody knows which label is whose,
    so then no slice has one.
    """
    header = described(raw, files, person)
    if header.identifying:
        what = f"{', '.join(header.identifying)}: none of it is stored"
        yield Notice("headers may tell who it is", person, what)
    flags = ("headers_may_identify",) if header.identifying else ()
    begun = False
    for item in series_parts(raw, files, Wanted(person)):
        why = ""
        if isinstance(item, Notice):
            why = f"{item.kind} {item.where}" if not begun and (item.dropped or item.kind in _MOVING) else ""
        elif not begun and seen is not None:
            last = item.fields["source_row"]["InstanceNumber"] or 0  # they count from the head, too
            why = (
                f"{len(files)} slices are here, and there were more"
                if last > len(files) or any(seen[len(files) :])
                else ""
            )
        if why and seen is not None:
            seen = None
            yield Notice("labels of slices not used", person, f"{why}: nobody knows which is whose")
        if isinstance(item, Notice):
            yield item
            continue
        begun = True
        row = {name: value for name, value in item.fields["source_row"].items() if name != "SOPInstanceUID"}
        fields = {**item.fields, **header.fields, "source_row": {**row, "diagnosis": diagnosis}}
        fields["flags"] = tuple(dict.fromkeys((*item.fields["flags"], *flags)))
        if seen is not None:
            lobes = seen[len(files) - 1 - item.fields["part_index"]]
            fields["label_raw"] = f"{diagnosis}, {'infection' if lobes else 'no infection'} in this slice"
            fields["source_row"] |= {"infection": str(int(bool(lobes))), "lobes": " ".join(lobes)}
        yield Part(item.id, item.path, item.pixels, item.masks, fields, item.typical)
