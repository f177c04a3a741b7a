"""COVID-19 Chest X-ray Segmentations (General Blockchain): films of cohen, and what radiologists outlined on them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from covid_datasets.builders import cohen

from covid_datasets.read.cells import Cells, count
from covid_datasets.read.made import MaskFile, picture_mask
from covid_datasets.read.rows import Row, count_by_folder, not_in
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import Box, File, Notice, RawFiles, Record, Reference

_CORNER, _SIDES = ("Left", "Top"), ("Width", "Height")
_COLUMNS = ("Class", "Filename", "Mask", "Resolution", *_CORNER, *_SIDES)
_LUNGS = ("left_lung", "right_lung")
_MASKS: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in (*_LUNGS, "ground_glass", "consolidation", "effusion")},
    "lung": _LUNGS,
    "heart": ("cardiomediastinum",),
}
"""Name of a mask -> the classes that it is made of, of which none may be absent."""
_CLASSES = {
    "Left Lung": "left_lung",
    "Right Lung": "right_lung",
    "Cardiomediastinum": "cardiomediastinum",
    "Airways": "airways",
    "Ground Glass Opacities": "ground_glass",
    "Consolidation": "consolidation",
    "Pleural Effusion": "effusion",
    "Pneumothorax": "pneumothorax",
    "Monitoring Probes": "monitoring_probes",
    "Tubings": "tubings",
    "Endotracheal Tube": "endotracheal_tube",
    "Central Venous Line": "central_venous_line",
    "Nosogastric Tube": "nasogastric_tube",
}
_STORED = {part for parts in _MASKS.values() for part in parts}
_PREFIX = "COVID-19 "
"""Before every class, also on films of other illnesses: the name of the project, and no diagnosis."""


@dataclass(slots=True)
class Drawn:
    """What is outlined on one film: its rows and columns, a crop for each outline by class, and a box around each."""

    size: tuple[int, int] | None = None
    crops: dict[str, list[MaskFile]] = field(default_factory=lambda: defaultdict(list))
    boxes: list[Box] = field(default_factory=list)

    def masks(self) -> dict[str, Reference]:
        """Paste the crops into masks of the size of the film."""
        return {
            name: picture_mask(*(crop for part in parts for crop in self.crops[part]), size=self.size)
            for name, parts in _MASKS.items()
            if all(part in self.crops for part in parts)
        }


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film, as cohen's builder reads the copy of its table, with masks and boxes."""
    table = read_csv(raw, "structure.csv", required=_COLUMNS)
    yield from table.notices
    drawn: dict[str, Drawn] = defaultdict(Drawn)
    yield from _read(table.rows, drawn)
    films = raw.paths("images/*")
    boxed = [
        crop.path for found in drawn.values() for name in found.crops.keys() - _STORED for crop in found.crops[name]
    ]
    yield from count_by_folder("outline without a name among masks", boxed, "are stored as boxes alone")
    yield from not_in("structure.csv", raw.paths("masks/*"), {row["Mask"].strip() for row in table.rows})
    yield from not_in("structure.csv", films, drawn, kept="nobody outlined anything on it")
    elsewhere = 0
    for item in cohen.records(raw):
        path = item.where if isinstance(item, Notice) else item.image.path if isinstance(item.image, File) else ""
        if path not in drawn and path not in films:
            elsewhere += isinstance(item, Record)
            if path == "metadata.csv":
                yield item
        elif isinstance(item, Notice):
            yield item
        else:
            found = drawn.get(path)
            outlined = {"masks": found.masks(), "boxes": tuple(found.boxes)} if found else {}
            yield replace(item, modality="CXR", **outlined)
    if elsewhere:
        what = f"{elsewhere:,} pictures that it lists are in cohen alone"
        yield Notice("row of a picture that is not here", "metadata.csv", what, dropped=True, count=elsewhere)


def _read(rows: Iterable[Row], drawn: dict[str, Drawn]) -> Iterator[Notice]:
    """Put each outline to its film."""
    read: set[str] = set()
    for number, row in enumerate(rows, start=2):
        cells = Cells(row, f"structure.csv line {number}")
        film, mask, called = (cells.text(column) for column in ("Filename", "Mask", "Class"))
        name = _CLASSES.get((called or "").removeprefix(_PREFIX))
        if not film or not name:
            what = f"expected a film and one of {', '.join(_CLASSES)}, found {film!r} and {called!r}"
            yield Notice("broken row", cells.where, what, dropped=True)
            continue
        found = drawn[f"images/{film}"]
        if mask in read:
            yield Notice("row listed twice", cells.where, f"{mask} was listed before", dropped=True)
            continue
        if not mask:
            yield Notice(
                "outline without a mask", cells.where, f"{called} on {film}: points, which are not given", True
            )
            continue
        size = cells.value("Resolution", _size)
        left, top, width, height = (cells.value(column, count) for column in (*_CORNER, *_SIDES))
        yield from cells.notices
        if size is None or left is None or top is None or width is None or height is None:
            yield Notice("outline without a place", cells.where, f"{called} on {film}", dropped=True)
            continue
        if found.size not in (None, size):
            yield Notice("outlined at two sizes", cells.where, f"{film} is {found.size} before and {size} here")
        read.add(mask)
        found.size = found.size or size
        found.crops[name].append(MaskFile(mask, corner=(left, top)))
        found.boxes.append(Box(name, left, top, width, height))


def _size(text: str) -> tuple[int, int]:
    """Read ``943x751``, columns by rows, as rows and columns."""
    if not (match := re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)):
        raise ValueError("expected columns x rows")
    return int(match[2]), int(match[1])
