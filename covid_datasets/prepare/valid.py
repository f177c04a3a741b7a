"""What the harmonised schema demands of a record, told as one sentence for each thing that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.schema import Box, Record
from covid_datasets.vocabulary import CLINICAL, MASKS, VOCABULARIES

_WORDS = {name: frozenset(words) for name, words in VOCABULARIES.items()}
_LISTS = frozenset({"symptoms", "comorbidities", "treatments"})
_RANGES = {"age": (0, 120, "years"), "kvp": (1, 500, "kilovolts"), "slice_thickness_mm": (0, 500, "millimetres")}


def problems_of(record: Record, *, table: bool = False, grouped: bool = False) -> list[str]:
    """List what is wrong with a record; nothing, where all is well.

    Nobody can be told apart in a ``table``; where records are ``grouped`` by what they look like, one whose patient is
    unknown needs no tie.

    >>> from covid_datasets.schema import File
    >>> problems_of(Record(sample_id="1", image=File("1.png"), patient="p", sex="female"))
    ["sex: expected F, M or None, found 'female'"]
    """
    return [*_of_kind(record, table, table or grouped), *_of_values(record)]


def _of_kind(record: Record, table: bool, untied: bool) -> Iterator[str]:
    if (record.rows is not None) != table:
        wanted = "rows, because the card has [columns]" if table else "an image, because the card has no [columns]"
        yield f"rows: expected {wanted}, found {record.rows and record.rows.path}"
    if record.patient is None and not record.ties and not untied:
        yield "patient: unknown, so ties must hold the narrowest group that is known (article, folder, study)"
    if (record.image, record.volume, record.video).count(None) < 2:
        yield "image, volume, video: expected at most one of them, found several"


def _of_values(record: Record) -> Iterator[str]:
    if record.label is not None and record.label not in label_names():
        yield f"label: expected a class of the taxonomy, found {record.label!r}"
    for name, words in _WORDS.items():
        if (value := getattr(record, name)) is not None:
            yield from _of_words(name, value, words)
    for name, (low, high, unit) in _RANGES.items():
        if (number := getattr(record, name)) is not None and not low <= number <= high:
            yield f"{name}: expected {low} to {high} {unit} or None, found {number!r}"
    if (factors := (record.hu_slope, record.hu_intercept)) != (None, None) and not _is_scale(*factors):
        yield f"hu_slope, hu_intercept: expected two numbers, the first not 0, or None twice, found {factors}"
    if record.outcome == "died" and record.survival:
        yield "outcome, survival: one says that the patient died, the other that the patient lives"
    if unknown := sorted({*record.masks, *record.volume_masks}.difference(MASKS)):
        yield f"masks: expected {', '.join(MASKS)}, found {unknown}"
    if unknown := sorted(record.clinical.keys() - CLINICAL.keys()):
        yield f"clinical: expected names of vocabulary.CLINICAL, found {unknown}"
    for name, found in record.clinical.items():
        if found is not None and name in CLINICAL and not CLINICAL[name].fits(found):
            yield f"clinical.{name}: expected {CLINICAL[name]}, found {found!r}"
    for box in record.boxes or ():
        if not _is_box(box):
            yield f"boxes: expected a name, a corner at 0 or more, a positive size and a score of 0 to 1, found {box}"


def _of_words(name: str, value: Any, words: frozenset[str]) -> Iterator[str]:
    choices = ", ".join(VOCABULARIES[name])
    if name not in _LISTS:
        if value not in words:
            yield f"{name}: expected {choices} or None, found {value!r}"
    elif not isinstance(value, tuple):
        yield f"{name}: expected a tuple of words or None, found {value!r}"
    elif unknown := [word for word in value if word not in words]:
        yield f"{name}: expected words of {choices}, found {unknown}"
    elif len(set(value)) != len(value):
        yield f"{name}: expected each word once, found {value!r}"


def _is_scale(slope: float | None, intercept: float | None) -> bool:
    return slope is not None and intercept is not None and slope != 0 and all(map(math.isfinite, (slope, intercept)))


def _is_box(box: Box) -> bool:
    corner, size = (box.x, box.y), (box.width, box.height)
    if not box.name or not all(map(math.isfinite, (*corner, *size))):
        return False
    return min(corner) >= 0 and min(size) > 0 and (box.score is None or 0 <= box.score <= 1)
