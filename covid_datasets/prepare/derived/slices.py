"""The rows of a stack as a view takes them: pixels, masks and columns, with what a function derived of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from covid_datasets.prepare.derived.asked import Derivation
from covid_datasets.prepare.derived.derive import FAILED, FILES, derive, place_together, sample_of, told_of
from covid_datasets.prepare.derived.place import PLACED, NoPlaceError, Place, place_of, place_of_picture
from covid_datasets.prepare.derived.source import StoredRows
from covid_datasets.prepare.derived.stacks import Stack
from covid_datasets.prepare.derived.values import Values, mask_values, picture_values
from covid_datasets.schema import Notice
from covid_datasets.transforms.derive.checked import Result, unmade
from covid_datasets.transforms.segment.levels import AIR

KEEP = "keep"
"""Stands among the masks of a row for what stays of its picture, until all else is blank."""


class Slices:
    """The rows of one stack, by their number in it. One is in memory, and what was derived of all."""

    def __init__(self, source: StoredRows, stack: Stack, wanted: Derivation) -> None:
        self._source, self._stack, self._wanted = source, stack, wanted
        self._row_of = lru_cache(maxsize=1)(lambda number: source.whole(stack.rows[number]))
        self._values_of = lru_cache(maxsize=1)(lambda number: picture_values(self._row_of(number)))
        self._derived: dict[int, tuple[Result, int | None]] = {}

    def derive(self) -> Iterator[Notice]:
        """Run the function that was asked for, on all slices as one volume where it wants that and they are one."""
        made = self._wanted.made
        if made is None:
            return
        numbers = list(range(len(self._stack.rows)))
        if len(numbers) > 1:
            told = self._source.columns(PLACED)
            rows = [told.slice(row, 1).to_pylist()[0] for row in self._stack.rows]
            numbers.sort(key=lambda number: rows[number]["part_index"] or 0)
            place = place_together([rows[number] for number in numbers])
            together = [numbers] if place is not None else [[number] for number in numbers]
        else:
            together = [numbers]
        for members in together:
            yield from self._derive(members)

    def _derive(self, members: list[int]) -> Iterator[Notice]:
        made = self._wanted.made
        assert made is not None, "who asked for a function has one"
        rows, name = list[dict[str, Any]](), self.row(members[0])["sample_id"]
        try:
            values, masks = list[Values](), list[dict[str, np.ndarray]]()
            for number in members:
                rows.append({key: value for key, value in self.row(number).items() if key not in FILES})
                values.append(self.values(number))
                masks.append(dict(self.masks(number)))
            if len({each.kind for each in values}) > 1:
                for number in members:  # colours among grey slices: they are no volume
                    yield from self._derive([number])
                return
            place = place_together(rows) if len(members) > 1 else _place_of_one(rows[0])
            sample = sample_of(rows, values, masks, place)
            del values, masks
            result, why = derive(made, sample)
        except NoPlaceError as error:
            result, why = unmade(made, len(members), str(error)), ""
        if why:
            yield Notice(FAILED, name, why, count=len(members))
        yield from told_of(made, name, result)
        for at, number in enumerate(members):
            self._derived[number] = result, at if len(members) > 1 else None

    def row(self, number: int) -> dict[str, Any]:
        """Return a row, with its new columns."""
        row = self._row_of(number)
        if number not in self._derived:
            return row
        result, at = self._derived[number]
        return {**row, **result.columns[at or 0]}

    def values(self, number: int) -> Values:
        """Return its pixels, those that were derived where there are some, cut out where a box was found."""
        if number not in self._derived:
            return self._values_of(number)
        result, at = self._derived[number]
        stored = self._values_of(number)
        pixels = stored.pixels if result.pixels is None else _of(result.pixels, at)
        hounsfield = stored.hounsfield and pixels.dtype == stored.pixels.dtype
        return Values(self._cut(number, pixels), hounsfield)

    def masks(self, number: int) -> Iterator[tuple[str, np.ndarray]]:
        """Yield its masks by name, and what is to be kept of its picture as `KEEP`."""
        result, at = self._derived.get(number, (None, None))
        made: Mapping[str, np.ndarray] = {} if result is None else result.masks
        for name, mask in self._row_of(number)["masks"].items():
            if name in made:
                yield name, self._cut(number, _of(made[name], at))
            elif mask is not None:
                yield name, self._cut(number, mask_values(mask["bytes"]))
        if result is not None and result.keep is not None:
            yield KEEP, self._cut(number, _of(result.keep, at).astype(np.uint8))

    def agreed(self) -> dict[str, Any]:
        """Return the new columns in which all slices agree; the others as unknown."""
        found = [result.columns[at or 0] for result, at in self._derived.values()]
        return {name: found[0][name] if all(each[name] == found[0][name] for each in found) else None
                for name in self._wanted.columns}  # fmt: skip

    def given(self, number: int) -> Iterable[str]:
        """Name the masks that were derived of a slice."""
        result, _ = self._derived.get(number, (None, None))
        return () if result is None else result.masks

    def has_mask(self, number: int, name: str) -> bool:
        """Tell whether a slice has a mask of this name."""
        return name == KEEP or name in self.given(number) or self._row_of(number)["masks"][name] is not None

    def as_it_was(self, number: int) -> bool:
        """Tell whether its pixels are those that are stored."""
        result, _ = self._derived.get(number, (None, None))
        return result is not None and result.pixels is None and result.keep is None and result.box is None

    def corner(self, number: int) -> tuple[int, int]:
        """Return how many columns and rows were cut off before the first one."""
        result, _ = self._derived.get(number, (None, None))
        return (0, 0) if result is None or result.box is None else result.box[:2]

    def place(self, number: int | None = None) -> Place:
        """Say where a slice lies, or without a number all of them, after what was cut off."""
        if number is None:
            table = self._source.columns(PLACED)
            place = place_of([table.slice(row, 1).to_pylist()[0] for row in self._stack.rows])
        else:
            row = self._row_of(number)
            place = place_of([row]) if self._wanted.needs_place else place_of_picture(row)
        return place.cut(*self.corner(number or 0))

    def _cut(self, number: int, pixels: np.ndarray) -> np.ndarray:
        result, _ = self._derived.get(number, (None, None))
        if result is None or result.box is None:
            return pixels
        left, top, width, height = result.box
        scale_rows, scale_columns = (new / old for new, old in zip(pixels.shape[:2], self._shape(number), strict=True))
        rows = slice(round(top * scale_rows), round((top + height) * scale_rows))
        columns = slice(round(left * scale_columns), round((left + width) * scale_columns))
        return pixels[rows, columns]

    def _shape(self, number: int) -> tuple[int, ...]:
        return self._values_of(number).pixels.shape[:2]


def kept_only(
    pixels: np.ndarray, masks: Mapping[str, np.ndarray], *, deep: bool
) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """Make all blank that is not to be kept: black, or air where values are Hounsfield units.

    >>> kept_only(np.array([[7, 8]], np.uint8), {KEEP: np.array([[0, 1]])}, deep=True)
    (array([[0, 8]], dtype=uint8), {})
    """
    if KEEP not in masks:
        return pixels, masks
    blank = AIR if deep and pixels.dtype == np.int16 else 0
    kept = masks[KEEP] > 0
    left = {name: mask for name, mask in masks.items() if name != KEEP}
    return np.where(kept[..., None] if pixels.ndim > kept.ndim else kept, pixels, pixels.dtype.type(blank)), left


def _of(array: np.ndarray, at: int | None) -> np.ndarray:
    """Take the part of a row: all of a picture, or its slice of a volume."""
    found: np.ndarray = array if at is None else array[at]
    return found


def _place_of_one(row: Mapping[str, Any]) -> Place | None:
    try:
        return place_of([row])
    except NoPlaceError:
        return None
