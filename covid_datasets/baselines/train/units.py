"""Patients and series as what is learned and judged: whose rows are whose, and batches of some slices of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.order import Order
from covid_datasets.load.fixed.steps import Steps
from covid_datasets.transforms.joint.numbers import uniform

_COLUMNS = {"patient": "patient_id", "series": "series_id"}
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Units:
    """Rows by whom they are of.

    Attributes:
        names: Ids of the patients or series.
        rows: Of each, the numbers of its rows, in the order of its slices.
        labels: Of each, the number of its class.
    """

    names: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        """Count them."""
        return len(self.names)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give every row what is known of its unit."""
        found = np.empty((sum(map(len, self.rows)), *values.shape[1:]), values.dtype)
        for rows, value in zip(self.rows, values, strict=True):
            found[rows] = value
        return found


def units_of(part: str, rows: Any, recipe: Recipe) -> Units:
    """Bring the rows of each patient or series together, in the order of their slices.

    Raises:
        UsageError: Nobody knows whose some rows are, a unit has several labels, or a volume has no order or one slice.
    """
    column = _COLUMNS[recipe.unit]
    who = rows.column(column).combine_chunks()
    unknown = np.asarray(pc.is_null(who))
    if recipe.unit == "patient":
        unknown |= ~np.asarray(pc.fill_null(rows.column("patient_known"), False))
    ids, names = rows.column("sample_id").to_pylist(), who.to_pylist()
    _refuse(
        unknown,
        ids,
        f"{part}: expected the {recipe.unit} of every row, because unit = {recipe.unit!r} brings its slices together; "
        "nobody knows that of {count:,} of {all:,} rows: {shown}. Keep the others, or judge each image by itself",
    )
    series = [value or "" for value in rows.column("series_id").to_pylist()]
    places = rows.column("part_index").to_pylist()
    if recipe.in_depth:
        _refuse(
            np.array([place is None for place in places]),
            ids,
            f"{part}: expected the place of every slice in its series, because {recipe.network} sees volumes; "
            "{count:,} of {all:,} rows have none: {shown}. Load the config slices of a source of volumes",
        )
    order = sorted(range(len(ids)), key=lambda row: (names[row], series[row], places[row] or 0, row))
    starts = [at for at, row in enumerate(order) if at == 0 or names[row] != names[order[at - 1]]]
    found = [np.array(each, np.int64) for each in np.split(np.array(order), starts[1:])]
    labels = np.asarray(rows.column("label").to_pylist())
    which = tuple(str(names[each[0]]) for each in found)
    if recipe.in_depth:
        _refuse(
            np.array([len(each) < 2 for each in found]),
            which,
            f"{part}: expected series of two slices or more, because {recipe.network} sees volumes; "
            "{count:,} of {all:,} have one: {shown}",
        )
    _refuse(
        np.array([len(set(labels[each].tolist())) > 1 for each in found]),
        which,
        f"{part}: expected one label of each {recipe.unit}; "
        "{count:,} of {all:,} have several: {shown}. Judge each series, or each image, by itself",
    )
    return Units(which, tuple(found), np.array([labels[each[0]] for each in found], np.int64))


def _refuse(wrong: np.ndarray, names: Any, text: str) -> None:
    if wrong.any():
        shown = ", ".join(names[number] for number in np.flatnonzero(wrong)[:_SHOWN])
        raise UsageError(text.format(count=int(wrong.sum()), all=len(wrong), shown=shown))


class UnitBatches:
    """Batches of units, as a loop takes them: the slices of one unit after those of the other, a label for each unit.

    Of a unit with more than ``recipe.slices`` slices so many are shown, evenly spread; in training each is drawn anew
    in every epoch from its stretch of the series, else it is the middle one. A network in three dimensions always gets
    so many, of short series some twice. All slices of a unit are changed alike, as the volume that they are.
    """

    def __init__(self, slices: Any, units: Units, recipe: Recipe, order: Order, steps: Steps) -> None:
        """Take batches of slices, of which those of a unit are asked for."""
        self.slices, self.units, self.recipe, self.order, self.steps = slices, units, recipe, order, steps
        self._rows = len(order.rows(0))
        self._next, self._from = 0, 0
        self._now = (0, 0)

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return self.steps.count(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Go through the next epoch, or what is left of it after `load_state_dict`."""
        epoch, start = self._next, self._from
        self._next, self._from = epoch + 1, 0
        total = self.steps.count(self._rows, start)
        for number, units in enumerate(self.steps.cut(self.order.rows(epoch), start)):
            done = start + (number + 1) * self.steps.together
            self._now = (epoch, done) if number + 1 < total else (epoch + 1, 0)
            yield self._batch(units, epoch, start + number * self.steps.together + self.steps.rank * len(units))

    def _batch(self, units: np.ndarray, epoch: int, place: int) -> dict[str, Any]:
        rows = [self._shown(int(unit), epoch) for unit in units]
        sizes = [len(each) for each in rows]
        places = np.repeat(np.arange(place, place + len(units)), sizes)
        found: dict[str, Any] = self.slices.at_places(np.concatenate(rows), epoch, places)
        first = np.cumsum([0, *sizes[:-1]])
        return found | {"label": found["label"][first.tolist()], "sizes": sizes}

    def _shown(self, unit: int, epoch: int) -> np.ndarray:
        rows, most = self.units.rows[unit], self.recipe.slices
        if len(rows) <= most and not self.recipe.in_depth:
            return rows
        inside = uniform(most, self.order.seed, epoch, unit) if self.order.shuffle else 0.5
        return rows[((np.arange(most) + inside) * len(rows) / most).astype(np.int64)]

    def state_dict(self) -> dict[str, int]:
        """Say how far things are, as batches of pictures do; ``seen`` counts units."""
        epoch, seen = self._now
        return {"seed": self.order.seed, "epoch": epoch, "seen": seen}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from where `state_dict` was asked for."""
        self._next, self._from = state["epoch"], state["seen"]
        self._now = (self._next, self._from)
