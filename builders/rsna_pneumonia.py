"""RSNA Pneumonia Detection Challenge: films of the NIH as DICOM, boxes around opacities, and whose films they are."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Cells
from covid_datasets.read.film import FilmForm, film
from covid_datasets.read.rows import Row, contradictions
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import Box, Notice, Parts, RawFiles, Record

_LABELS, _CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
_MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
_CORNERS = ("x", "y", "width", "height")
_FOLDERS = {"train": "stage_2_train_images/", "test": "stage_2_test_images/"}
_SIDE = 1024
_EXPANSION = 6.0
"""A film is a JPEG of some 130 kB in its DICOM file, and about 700 kB as PNG."""
Groups = Mapping[str, Sequence[Row]]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film of train and test, and for each that the table names, sorted by id."""
    labels = read_csv(raw, _LABELS, required=("patientId", "Target", *_CORNERS))
    yield from (*labels.notices, *contradictions(labels.rows, "patientId", "Target", "film with several targets"))
    boxes, classes = _by_film(labels.rows), None
    if raw.has(_CLASSES):
        table = read_csv(raw, _CLASSES, required=("patientId", "class"))
        yield from (*table.notices, *contradictions(table.rows, "patientId", "class", "film with several classes"))
        classes = _by_film(table.rows)
    else:
        yield Notice("table missing", _CLASSES, "which films without opacity are normal is not known")
    people = read_mapping(raw)
    if not people:
        yield Notice("table missing", _MAPPING, "nobody's films are known: all are one group, in train")
    found = {PurePosixPath(path).stem: path for folder in _FOLDERS.values() for path in raw.paths(f"{folder}*.dcm")}
    listed = {name: f"{_FOLDERS['train']}{name}.dcm" for name in boxes if name}
    for name, path in sorted((listed | found).items()):
        cells = Cells((boxes.get(name) or [{}])[0], path)
        if people and name not in people:
            yield Notice(
                "film of nobody known", path, f"{_MAPPING} does not name it; it is in train with all such films"
            )
        yield from _odd(path, boxes.get(name, ()), None if classes is None else classes.get(name, ()))
        yield _record(name, path, cells, boxes.get(name, ()), (classes or {}).get(name, ()), people.get(name))
        yield from cells.notices


def read_mapping(raw: RawFiles) -> dict[str, str]:
    """Read whose film each is: its id -> the number of the NIH's patient, with which the NIH's own name begins."""
    if not raw.has(_MAPPING):
        return {}
    try:
        return {row["subset_img_id"]: row["img_id"].partition("_")[0] for row in json.loads(raw.text(_MAPPING))}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = "expected a list of subset_img_id and img_id"
        raise DamagedFileError(f"{_MAPPING}: {what}, found something else ({error!r}); download it again") from error


def _by_film(rows: Sequence[Row]) -> Groups:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["patientId"].strip()].append(row)
    return groups


def _odd(path: str, boxes: Sequence[Row], classes: Sequence[Row] | None) -> Iterator[Notice]:
    """Tell what the two tables, which have a row for each box, say differently of a film."""
    if not boxes and path.startswith(_FOLDERS["train"]):
        yield Notice("file not in the table", path, f"{_LABELS} does not list it; it has no label")
    if len({tuple(row.values()) for row in boxes}) < len(boxes):
        yield Notice("row listed twice", path, f"{_LABELS} has one box twice")
    if classes is not None and len(classes) != len(boxes):
        yield Notice("tables disagree", path, f"{len(boxes)} rows in {_LABELS}, {len(classes)} in {_CLASSES}")
    elif boxes and classes and (boxes[0]["Target"] == "1") != (classes[0]["class"] == "Lung Opacity"):
        what = f"Target {boxes[0]['Target']}, class {classes[0]['class']!r}: the target counts"
        yield Notice("tables disagree", path, what)


def _record(
    name: str, path: str, cells: Cells, boxes: Sequence[Row], classes: Sequence[Row], patient: str | None
) -> Record:
    target = cells.one_of("Target", {"0": False, "1": True})
    named = Cells(classes[0] if classes else {}, path)
    # An opacity is a box; what else a film without one shows only the second table says.
    label = "lung_opacity" if target else None if target is None else named.finding("class")
    cells.notices += named.notices
    drawn = [box for row in dict.fromkeys(tuple(row.items()) for row in boxes) if (box := _box(dict(row), cells))]
    row = {"Target": cells.text("Target"), "class": named.text("class"), "patientId": name, "nih_patient": patient}
    form = FilmForm(secondary=True, row={key: value for key, value in row.items() if value})
    split = "test" if path.startswith(_FOLDERS["test"]) else "train"
    return Record(
        sample_id=name,
        image=Parts(path, film, (path, form), (path,), _EXPANSION),
        modality="CXR",
        patient=patient,
        label=None if label == "lung_opacity" and not target else label,
        label_raw=named.text("class") or (f"Target {cells.text('Target')}" if target is not None else None),
        boxes=None if target is None or (target and not drawn) else tuple(drawn),
        flags=tuple(named.flags),
        official_split=split,
    )


def _box(row: Row, cells: Cells) -> Box | None:
    """Read the box of a row; a film without opacity has a row too, and no numbers in it."""
    numbers = Cells(row, cells.where)
    found = [numbers.number(column, 0, _SIDE) for column in _CORNERS]
    cells.notices += numbers.notices
    x, y, width, height = found
    if x is None or y is None or not width or not height:
        if row["Target"] == "1":
            cells.doubt(
                "box without numbers", f"{', '.join(row[column] or 'nothing' for column in _CORNERS)}; left out"
            )
        return None
    return Box("lung_opacity", x, y, width, height)
