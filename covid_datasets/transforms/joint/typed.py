"""`Image` and `Mask`: the type says what may be done to the values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from covid_datasets.errors import UsageError

Range = tuple[float, float]
_OTHER = {"left": "right", "Left": "Right", "LEFT": "RIGHT"}
_OTHER |= {right: left for left, right in _OTHER.items()}
_SIDE = re.compile("(?<![A-Za-z])(?:left|right|LEFT|RIGHT)(?![a-z])|(?<![A-Z])(?:Left|Right)(?![a-z])")
"""The words left and right, whatever stands between words: in "left_lung", "Right lung", "lung-left" and "LeftLung"."""
_MOST_COLOURS = 4
"""A last axis up to this long holds colours, unless somebody says that it is an axis of a volume."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture (rows × columns), one in colours (rows × columns × 3), or a volume (slices × rows × columns).

    Attributes:
        values: Whole numbers or floats. They are not changed; every transform makes new ones, of the same type.
        full: The values of black and white: brightness is a share of this range, and what comes in from beyond the
            border is black. By default 0 to 255 for uint8, and 0 to 1 for floats that lie there; else it must be said.
        volume: Whether three axes are a volume. By default they are, unless the last one is as short as colours are.

    >>> Image(np.zeros((4, 6), np.uint8)).full
    (0.0, 255.0)
    >>> Image(np.full((4, 6), 300.0))
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: full: expected the values of black and white, such as full=(0, 255), ...
    """

    values: np.ndarray
    full: Range | None = None
    volume: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be changed without a wrong result."""
        values = _checked(self.values, "image", "uif")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UsageError(
                f"image: expected numbers, found {int((~np.isfinite(values)).sum()):,} NaN or infinite ones"
            )
        object.__setattr__(self, "volume", _is_volume(values, self.volume))
        object.__setattr__(self, "full", _full(values, self.full))

    @property
    def planes(self) -> np.ndarray:
        """The values as planes × rows × columns: one plane for grey, one a colour, one a slice; a view."""
        return _planes(self.values, bool(self.volume))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return _size(self.values, bool(self.volume))

    def of_planes(self, planes: np.ndarray) -> Self:
        """Return an image of the same kind with other values, given as `planes` and rounded to its type."""
        kind = self.values.dtype
        if kind.kind != "f":
            limits = np.iinfo(kind)
            planes = np.clip(np.rint(planes), limits.min, limits.max)
        return replace(self, values=_unplaned(planes.astype(kind), self.values.ndim, bool(self.volume)))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where something is: rows × columns, or slices × rows × columns, of truth or of the numbers of labels.

    Attributes:
        values: Whole numbers or truth values.
        labels: What the numbers mean. Where a picture is mirrored, the numbers of "left_..." and "right_..." change
            places, because the left lung is then where the right one was.
        outside: What comes in from beyond the border.

    >>> Mask(np.array([[1, 2]]), {1: "left_lung", 2: "right_lung"}).mirrored().values
    array([[2, 1]])
    """

    values: np.ndarray
    labels: Mapping[int, str] = field(default_factory=dict)
    outside: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no mask."""
        values = _checked(self.values, "mask", "uib")
        low, high = (0, 1) if values.dtype.kind == "b" else (np.iinfo(values.dtype).min, np.iinfo(values.dtype).max)
        if not isinstance(self.outside, int | np.integer) or not low <= self.outside <= high:
            raise UsageError(f"outside: expected a whole number from {low} to {high}, found {self.outside!r}")

    @property
    def planes(self) -> np.ndarray:
        """The values as planes × rows × columns; a view."""
        return _planes(self.values, True)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return _size(self.values, True)

    def of_planes(self, planes: np.ndarray) -> Self:
        """Return a mask of the same kind with other values, given as `planes`."""
        return replace(self, values=_unplaned(planes.astype(self.values.dtype), self.values.ndim, True))

    def mirrored(self) -> Self:
        """Let labels of left and right change places; pixels stay where they are."""
        numbers = {name: number for number, name in self.labels.items()}
        swapped = {number: numbers[names_mirrored(tuple(numbers))[name]] for name, number in numbers.items()}
        if all(old == new for old, new in swapped.items()):
            return self
        values = self.values.copy()
        for old, new in swapped.items():
            values[self.values == old] = new
        return replace(self, values=values)


def other_side(name: str) -> str:
    """Return the name of the same thing on the other side; the name itself where it has no side.

    >>> other_side("left_lung"), other_side("Lung, RIGHT"), other_side("leftLung"), other_side("cleft")
    ('right_lung', 'Lung, LEFT', 'rightLung', 'cleft')
    """
    return _SIDE.sub(lambda found: _OTHER[found[0]], name)


def names_mirrored(names: Sequence[str]) -> dict[str, str]:
    """Say for each name which one it has in a mirror; both sides must be there.

    >>> names_mirrored(["left_lung", "right_lung", "infection"])["left_lung"]
    'right_lung'
    """
    found = {name: other_side(name) for name in names}
    if missing := [other for other in found.values() if other not in found]:
        raise UsageError(
            f"masks: expected {missing[0]} together with {other_side(missing[0])}, because images are mirrored, and "
            f"left and right then change places; found {', '.join(names)}"
        )
    return found


def check_together(image: Image, masks: Mapping[str, Mask]) -> None:
    """Refuse masks that are not of the image."""
    for name, mask in masks.items():
        if not isinstance(mask, Mask):
            raise UsageError(f"masks: expected Mask(...) for {name!r}, found {type(mask).__name__}")
        wanted = image.values.shape if image.volume else image.size
        if mask.values.shape != wanted:
            raise UsageError(f"mask {name!r}: expected the shape of its image, {wanted}, found {mask.values.shape}")


def _checked(values: Any, what: str, kinds: str) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        raise UsageError(f"{what}: expected a NumPy array, found {type(values).__name__}; np.asarray(...) makes one")
    if values.dtype.kind not in kinds:
        wanted = (
            "whole numbers or floats" if "f" in kinds else "whole numbers or truth values, for a mask has no fractions"
        )
        raise UsageError(f"{what}: expected {wanted}, found {values.dtype}")
    if values.ndim not in (2, 3):
        raise UsageError(f"{what}: expected two or three axes, found the shape {values.shape}")
    if 0 in values.shape:
        raise UsageError(f"{what}: expected at least one pixel, found the shape {values.shape}")
    return values


def _is_volume(values: np.ndarray, said: bool | None) -> bool:
    colours = values.shape[2] if values.ndim == 3 else 1
    if said and values.ndim != 3:
        raise UsageError(f"volume: expected slices × rows × columns, found the shape {values.shape}")
    volume = values.ndim == 3 and colours > _MOST_COLOURS if said is None else said
    if not volume and colours not in (1, 3):
        raise UsageError(
            f"image: expected one or three channels, found {colours}; leave out what is transparent with "
            "values[..., :3], or say volume=True where the last axis is the columns of a volume"
        )
    return volume


def _full(values: np.ndarray, said: Range | None) -> Range:
    if said is not None:
        return range_of(said)
    if values.dtype == np.uint8:
        return 0.0, 255.0
    if values.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1:
        return 0.0, 1.0
    raise UsageError(
        f"full: expected the values of black and white, such as full=(0, 255), or full=(-1000, 400) for Hounsfield "
        f"units, because {values.dtype} from {values.min():g} to {values.max():g} does not say them"
    )


def range_of(said: Any) -> Range:
    """Take the values of black and white.

    >>> range_of([-1000, 400])
    (-1000.0, 400.0)
    """
    try:
        low, high = map(float, said)
    except (TypeError, ValueError):
        low = high = 0.0
    if not (np.isfinite([low, high]).all() and low < high):
        raise UsageError(f"full: expected two numbers, the lower one first, such as (0, 255), found {said!r}")
    return low, high


def _planes(values: np.ndarray, volume: bool) -> np.ndarray:
    if values.ndim == 2:
        return values[None]
    return values if volume else np.moveaxis(values, 2, 0)


def _size(values: np.ndarray, volume: bool) -> tuple[int, int]:
    rows, columns = values.shape[-2:] if volume else values.shape[:2]
    return rows, columns


def _unplaned(planes: np.ndarray, axes: int, volume: bool) -> np.ndarray:
    found: np.ndarray = planes[0] if axes == 2 else planes
    return np.ascontiguousarray(np.moveaxis(found, 0, 2)) if axes == 3 and not volume else found
