"""`Target`: what is predicted of an image where that is no label: how ill somebody is, a number, or for how long."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from covid_datasets.errors import CatalogError, UsageError, did_you_mean
from covid_datasets.progress import tell
from covid_datasets.schema import COLUMNS

VALUE, RISK = "value", "risk"
"""The columns of predictions that are no probabilities: a number, and the logarithm of a hazard."""
OFFSET, PATIENT, SAMPLE, SURVIVAL = "offset_days", "patient_id", "sample_id", "survival"
_WITHIN = ("source_row", "severity_scores", "clinical")
"""Columns that hold several values by name."""
_OR = "|"
"""Between words that are one level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is predicted.

    Every target is one number of each image: the number of a level, from 0; a value; or days, of which those until
    death are above 0 and those until nothing more is known of somebody who lived are below, as XGBoost has it. The
    day of the image is day 1, so that no number is 0.

    Attributes:
        kind: "ordinal" for levels in an order, "regression" for a number, "survival" for days until death.
        column: Where it is: a stored column, or a value in one, as in "severity_scores.opacity", "clinical.in_icu" or
            "source_row.death_offset". Of survival: days from the image until death.
        levels: Of "ordinal": what the column says, from the mildest on. Words with "|" between them are one level.
        bounds: Of "regression": the lowest and the highest number that there can be.
        steps: Of "regression": the numbers from which on somebody counts as ill, for the AUC of each.
        seen: Of "survival": values that say how many days after the image somebody lived. Later images of a
            person, by ``offset_days``, say so too.
    """

    kind: Literal["ordinal", "regression", "survival"]
    column: str
    levels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    steps: tuple[float, ...] = ()
    seen: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The levels; or the one column of predictions that are no probabilities."""
        return {"ordinal": self.levels, "regression": (VALUE,), "survival": (RISK,)}[self.kind]

    @property
    def columns(self) -> list[str]:
        """The stored columns that it is made of."""
        of_person = [OFFSET, SURVIVAL] if self.kind == "survival" else []
        places = [place.partition(".")[0] for place in (self.column, *self.seen)]
        return list(dict.fromkeys([SAMPLE, PATIENT, *of_person, *places]))

    def said(self, truth: float) -> str:
        """Say what is true of an image as text.

        >>> Target(kind="ordinal", column="severity", levels=("mild", "severe")).said(1)
        'severe'
        """
        return self.levels[int(truth)] if self.kind == "ordinal" else f"{truth:.6g}"


def check_target(target: Target, where: str) -> None:
    """Refuse what cannot be predicted, whatever the data are."""

    def of(key: str, fits: bool, expected: str) -> None:
        if not fits:
            found = getattr(target, key)
            raise CatalogError(f"{where}: table 'target': key {key!r}: expected {expected}, found {found!r}")

    for key, places in (("column", (target.column,)), ("seen", target.seen)):
        for place in places:
            column, _, within = place.partition(".")
            hint = did_you_mean(column, COLUMNS)
            of(key, column in COLUMNS, f"a stored column, or a value in {', '.join(_WITHIN)}{hint}")
            of(key, bool(within) == (column in _WITHIN), f"a value in {', '.join(_WITHIN)}, as in 'source_row.days'")
    words = [word for level in target.levels for word in level.split(_OR)]
    levels, bounds = len(target.levels), target.bounds
    match target.kind:
        case "ordinal":
            of("levels", levels >= 2 and len(set(words)) == len(words), "two or more, from the mildest on, each once")
        case "regression":
            two = len(bounds) == 2 and math.isfinite(sum(bounds)) and bounds[0] < bounds[1]
            of("bounds", two, "two numbers, the lowest and the highest that there can be")
            of("steps", all(bounds[0] < step <= bounds[1] for step in target.steps), "numbers within the bounds")
    for key, kind in (("levels", "ordinal"), ("bounds", "regression"), ("steps", "regression"), ("seen", "survival")):
        of(key, target.kind == kind or not getattr(target, key), f"it with kind {kind!r} alone")


def truth_of(target: Target, parts: Iterable[Any]) -> dict[str, float]:
    """Return what is true of each sample of which it is known; ``parts`` are all rows as `load_dataset` gives them.

    Raises:
        UsageError: A value is none that there can be, or none is known.
    """
    table: dict[str, list[Any]] = {name: [] for name in target.columns}
    for part in parts:
        for name, values in table.items():
            values += part.column(name).to_pylist()
    samples = table[SAMPLE]
    cells = _cells(table, target.column)
    match target.kind:
        case "ordinal":
            truth = _levels(target, cells)
        case "regression":
            truth = _numbers(samples, target.column, cells)
            low, high = target.bounds
            _refuse(samples, target.column, cells, (truth < low) | (truth > high), f"a number from {low:g} to {high:g}")
        case "survival":
            truth = _days(target, table, cells)
    known = {sample: value for sample, value in zip(samples, truth.tolist(), strict=True) if not math.isnan(value)}
    if not known:
        raise UsageError(_nothing(target, table, cells))
    return known


def _cells(table: Mapping[str, list[Any]], place: str) -> list[Any]:
    """Return a value of each row; ``None`` where nothing is said, also by an empty text."""
    column, _, within = place.partition(".")
    values = table[column]
    match column:
        case "source_row":
            values = [None if value is None else json.loads(value).get(within) for value in values]
        case "severity_scores":
            values = [{each["name"]: each["value"] for each in value or ()}.get(within) for value in values]
        case "clinical":
            values = [None if value is None else value.get(within) for value in values]
    return [None if value == "" else value for value in values]


def _levels(target: Target, cells: Sequence[Any]) -> np.ndarray:
    number = {word: rank for rank, level in enumerate(target.levels) for word in level.split(_OR)}
    words = [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
    others = Counter(str(word)[:40] for word in words if word is not None and str(word) not in number)
    if others:
        shown = ", ".join(f"{word!r}" for word, _ in others.most_common(3))
        tell(f"{target.column}: {others.total():,} rows say something else than its levels, as {shown}: left out")
    return np.asarray([number.get(str(word), math.nan) for word in words], dtype=float)


def _numbers(samples: Sequence[str], place: str, cells: Sequence[Any]) -> np.ndarray:
    """Read numbers; nothing said is NaN, and what is no number is refused."""

    def number(cell: Any) -> float:
        try:
            return float(cell)
        except (TypeError, ValueError):
            return math.nan

    found = np.asarray([number(cell) for cell in cells], dtype=float)
    said = np.asarray([cell is not None for cell in cells], dtype=bool)
    _refuse(samples, place, cells, said & ~np.isfinite(found), "a number")
    return found


def _refuse(samples: Sequence[str], place: str, cells: Sequence[Any], wrong: np.ndarray, expected: str) -> None:
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"{samples[first]}: expected {expected} in {place}, found {cells[first]!r}; {wrong.sum():,} rows are so"
        )


def _days(target: Target, table: Mapping[str, list[Any]], cells: Sequence[Any]) -> np.ndarray:
    """Return days until death, or below 0 those on which somebody is known to have lived; unknown is NaN."""
    samples = table[SAMPLE]
    death = _numbers(samples, target.column, cells)
    _refuse(samples, target.column, cells, death < 0, "days from the image until death, 0 or more,")
    seen = np.zeros(len(samples))
    for place in target.seen:
        seen = np.fmax(seen, _numbers(samples, place, _cells(table, place)))
    offsets = np.asarray([math.nan if value is None else value for value in table[OFFSET]], dtype=float)
    last: dict[str, float] = {}
    for patient, day in zip(table[PATIENT], offsets.tolist(), strict=True):
        if patient is not None and not math.isnan(day):
            last[patient] = max(day, last.get(patient, day))
    latest = np.asarray([math.nan if patient is None else last.get(patient, math.nan) for patient in table[PATIENT]])
    seen = np.fmax(seen, latest - offsets)
    seen[[survived is False for survived in table[SURVIVAL]]] = math.nan  # died, and nobody says when
    return np.where(np.isnan(death), -(seen + 1), death + 1)


def _nothing(target: Target, table: Mapping[str, list[Any]], cells: Sequence[Any]) -> str:
    """Say that nothing is known, and what is said instead."""
    found = Counter(str(cell)[:40] for cell in cells if cell is not None)
    shown = f"found {', '.join(map(repr, list(found)[:5]))}" if found else "found none"
    wanted = ", ".join(target.levels) if target.levels else "a number"
    return f"{target.column}: expected {wanted} of some of {len(cells):,} images, {shown}"


def check_truth(target: Target, truth: Mapping[str, np.ndarray], names: str, outcomes: int = 0) -> None:
    """Refuse parts of a split from which nothing can be learned, or on which nothing can be judged.

    ``truth`` has an entry for each part; ``outcomes`` is of how many images the data say whether the person lived.
    """
    for part, found in truth.items():
        where = f"{names}, {part}: {target.column}"
        match target.kind:
            case "ordinal":
                there = set(found.astype(int).tolist())
                if len(there) < 2:
                    raise UsageError(
                        f"{where}: expected two levels or more, found one: {target.levels[there.pop()]} of all "
                        f"{len(found):,} images. Nothing can be learned or judged there; choose another scheme"
                    )
                if part == "train" and len(there) < len(target.levels):
                    lost = ", ".join(level for rank, level in enumerate(target.levels) if rank not in there)
                    raise UsageError(
                        f"{where}: expected every level, found no {lost}; choose another scheme, or make one level of "
                        f"two in a recipe of your own ('CT-3{_OR}CT-4')"
                    )
            case "regression":
                if len(set(found.tolist())) < 2:
                    raise UsageError(f"{where}: expected several values, found {found[0]:g} of all {len(found):,}")
            case "survival":
                if not (found > 0).any():
                    whether = (
                        f" Of {outcomes:,} images the column survival says whether somebody died, and nothing says "
                        "when: that is no survival time. The recipe survival-outcome learns whether"
                        if outcomes
                        else ""
                    )
                    raise UsageError(
                        f"{where}: expected days until death of some, found none: all {len(found):,} are censored."
                        f"{whether}"
                    )


def counted(target: Target, truth: np.ndarray) -> dict[str, int]:
    """Count the images of each level, or those who died and those who are censored, or all."""
    match target.kind:
        case "ordinal":
            return {level: int((truth == rank).sum()) for rank, level in enumerate(target.levels)}
        case "survival":
            return {"died": int((truth > 0).sum()), "censored": int((truth < 0).sum())}
    return {VALUE: len(truth)}
