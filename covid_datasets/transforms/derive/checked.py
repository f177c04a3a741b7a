"""What a function gave, held against what it may give: types, names and shapes, so that no nonsense is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_datasets.errors import FunctionError, did_you_mean, words_of
from covid_datasets.transforms.derive.contract import Derived, Sample
from covid_datasets.transforms.derive.named import Deriver
from covid_datasets.vocabulary import MASKS

_KINDS = {"string": str, "bool": bool, "int64": int, "float64": float}
_WIDE = {np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32)}
REASONS = "reasons"
"""A column that says why there is no result, where the function declares it."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What was derived of the rows of a sample: columns of each, and arrays of the shape of the sample."""

    columns: tuple[dict[str, Any], ...]
    masks: Mapping[str, np.ndarray]
    told: Mapping[str, int]
    pixels: np.ndarray | None = None
    keep: np.ndarray | None = None
    box: tuple[int, int, int, int] | None = None


def unmade(made: Deriver, rows: int, reason: str) -> Result:
    """Give rows that nothing was found of: new columns are null, and say why where one is called reasons."""
    blank = dict.fromkeys(made.declared.columns)
    if made.declared.columns.get(REASONS) == ["string"]:
        blank[REASONS] = [reason]
    return Result(tuple(dict(blank) for _ in range(rows)), {}, {reason: rows})


def checked(given: Any, sample: Sample, made: Deriver, row: str) -> Result:
    """Take a result, or say what is wrong with it.

    Raises:
        FunctionError: It is none, or has a name, type or shape that it may not have.
    """
    check = _Check(made, row, sample)
    if not isinstance(given, Derived):
        raise check.wrong("expected Derived(...)", f"found {type(given).__name__}")
    if given.each and len(given.each) != len(sample.rows):
        raise check.wrong(f"each: expected columns of {len(sample.rows)} rows", f"found {len(given.each)}")
    each = given.each or [{}] * len(sample.rows)
    blank = dict.fromkeys(made.declared.columns)
    columns = tuple(blank | check.columns({**given.columns, **own}) for own in each)
    masks = {name: check.mask(name, mask) for name, mask in given.masks.items()}
    for name in masks:
        if name not in MASKS:
            raise check.wrong(
                f"masks: expected names of {', '.join(MASKS)}", f"found {name!r}{did_you_mean(name, MASKS)}"
            )
    keep = None if given.keep is None else check.mask("keep", given.keep) > 0
    pixels = None if given.pixels is None else check.pixels(given.pixels)
    return Result(columns, masks, check.told(given.told), pixels, keep, check.box(given.box))


def counted(made: Deriver, masks: Mapping[str, np.ndarray], row: str) -> dict[str, Any]:
    """Give the columns that follow from the masks of a finished row, checked as all are."""
    count, words = made.declared.counted, _Words(made, row)
    if count is None:
        return {}
    try:
        found = count(masks)
    except Exception as error:  # anybody's function may raise anything
        raise words.wrong("counted: expected columns of masks", f"found {words_of(error)}") from error
    if not isinstance(found, Mapping):
        raise words.wrong("counted: expected columns by name", f"found {type(found).__name__}")
    return words.columns(found)


@dataclass(frozen=True, slots=True)
class _Words:
    """Holds names and values against what a function declares."""

    made: Deriver
    row: str

    def wrong(self, expected: str, found: str) -> FunctionError:
        return FunctionError(f"{self.row}: {self.made.text}: {expected}, {found}")

    def columns(self, given: Mapping[str, Any]) -> dict[str, Any]:
        declared = self.made.declared.columns
        for name in given:
            if name not in declared:
                known = f"one of {', '.join(declared)}" if declared else "no column, for none is declared (@derives)"
                raise self.wrong(f"columns: expected {known}", f"found {name!r}{did_you_mean(name, declared)}")
        return {name: self.value(name, declared[name], value) for name, value in given.items()}

    def value(self, name: str, kind: Any, value: Any) -> Any:
        """Take a value in the type of its column; what is no number is unknown."""
        value = value.item() if isinstance(value, np.generic) else value
        if value is None or (isinstance(value, float) and np.isnan(value)):
            return None
        if isinstance(kind, list):
            if not isinstance(value, list | tuple | np.ndarray):
                raise self.wrong(f"column {name!r}: expected a list", f"found {type(value).__name__}")
            items = [self.value(name, kind[0], item) for item in value]
            if None in items:
                raise self.wrong(f"column {name!r}: expected values in its list", "found None or NaN")
            return items
        wanted = _KINDS[kind]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        whole = wanted is not int or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63)
        if type(value) is not wanted or not whole or value in (np.inf, -np.inf):
            raise self.wrong(
                f"column {name!r}: expected {wanted.__name__}", f"found {value!r}, a {type(value).__name__}"
            )
        return value


@dataclass(frozen=True, slots=True)
class _Check(_Words):
    """Holds arrays against the sample that they were made of, too."""

    sample: Sample

    @property
    def shape(self) -> tuple[int, ...]:
        return self.sample.pixels.shape[: 2 + self.sample.volume]

    def mask(self, name: str, given: Any) -> np.ndarray:
        mask = np.asarray(given)
        if mask.shape != self.shape:
            raise self.wrong(f"mask {name!r}: expected the shape of the picture, {self.shape}", f"found {mask.shape}")
        if mask.dtype.kind not in "biu" or (mask.size and not 0 <= int(mask.min()) <= int(mask.max()) <= 255):
            found = f"{mask.dtype}" + ("" if mask.dtype.kind not in "iu" else f" from {mask.min()} to {mask.max()}")
            raise self.wrong(f"mask {name!r}: expected whole numbers from 0 to 255", f"found {found}")
        return np.ascontiguousarray(mask.astype(np.uint8))

    def pixels(self, given: Any) -> np.ndarray:
        pixels, own = np.asarray(given), self.sample.pixels
        if pixels.shape[: len(self.shape)] != self.shape or pixels.ndim - len(self.shape) not in (0, 1):
            raise self.wrong(f"pixels: expected the shape of the picture, {own.shape}", f"found {pixels.shape}")
        colours = pixels.shape[len(self.shape) :]
        if (
            pixels.dtype not in {np.dtype(np.uint8), own.dtype} & _WIDE
            or colours not in ((), (3,))
            or (colours and (self.sample.volume or pixels.dtype != np.uint8))
        ):
            raise self.wrong(
                f"pixels: expected uint8 or {own.dtype}, grey or in three colours",
                f"found {pixels.dtype} {pixels.shape}",
            )
        return np.ascontiguousarray(pixels)

    def box(self, given: Any) -> tuple[int, int, int, int] | None:
        if given is None:
            return None
        try:
            left, top, width, height = (int(side) for side in given)
        except (TypeError, ValueError) as error:
            raise self.wrong("box: expected left, top, width and height", f"found {given!r}") from error
        rows, columns = self.shape[-2:]
        if not (0 <= left < left + width <= columns and 0 <= top < top + height <= rows):
            raise self.wrong(f"box: expected one inside of {columns} columns and {rows} rows", f"found {given!r}")
        return left, top, width, height

    def told(self, given: Any) -> dict[str, int]:
        if not isinstance(given, Mapping) or not all(
            isinstance(what, str) and isinstance(rows, int) for what, rows in given.items()
        ):
            raise self.wrong("told: expected words and how many rows each is of", f"found {given!r}")
        return dict(given)
