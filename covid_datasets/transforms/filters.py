"""Filters for questionable pictures: each returns the picture and says what it changed.

A filter invents nothing that a reader of the picture would not know of: `Change` names it, with its numbers and the
share of pixels that it touched. ``docs/transforms.md`` says which measure each one improves, and by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from covid_datasets.errors import UsageError

EMPTY = 8
"""A row or column whose grey values spread less than this holds nothing; as `measure.quality` has it."""
COLOURED = 40
"""A pixel whose channels differ by more than this is coloured; as `measure.quality` has it."""
_LETTERS = 2.0
"""Per cent of a row of a border that letters may fill."""
_EDGE = 0.2
"""Share of each side in which burned-in text is searched for."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a filter did.

    Attributes:
        name: Of the filter.
        parameters: The numbers that it was given or measured.
        touched: The share of pixels that are others now; of those cut away, too.
    """

    name: str
    parameters: Mapping[str, Any]
    touched: float


class Filtered(NamedTuple):
    """A picture after a filter, and what that changed."""

    values: np.ndarray
    change: Change


def trimmed(values: np.ndarray) -> Filtered:
    """Cut away an empty border, of any grey, with the letters in it; the box says which part is left.

    >>> picture = np.zeros((40, 60), np.uint8)
    >>> picture[10:30, 20:50] = np.add.outer(np.arange(20) * 5, np.arange(30) * 5)
    >>> trimmed(picture).change.parameters["box"]
    (10, 20, 30, 50)
    """
    _check(values)
    grey = values.max(axis=2) if values.ndim == 3 else values
    top, bottom = _content(grey)
    left, right = _content(grey[top:bottom].T)
    kept = values[top:bottom, left:right].copy()
    touched = 1 - (kept.shape[0] * kept.shape[1]) / grey.size
    return Filtered(kept, Change("trimmed", {"box": (top, left, bottom, right)}, touched))


def stretched(values: np.ndarray, low: float = 0.5, high: float = 99.5) -> Filtered:
    """Spread grey values over all that a byte holds, from one percentile of the content to another.

    The border does not count. A picture of a single grey stays as it is.

    >>> stretched(np.arange(100, 140, dtype=np.uint8).reshape(4, 10)).values.max()
    np.uint8(255)
    """
    _check(values)
    if not 0 <= low < high <= 100:
        raise UsageError(f"low, high: expected two percentiles, the lower one first, found {low!r} and {high!r}")
    first, last = (float(each) for each in np.percentile(trimmed(values).values, (low, high)))
    done = values.copy() if last - first < 1 else (values.astype(np.float32) - first) * (255 / (last - first))
    return _filtered("stretched", values, done, {"from": (first, last)})


def denoised(values: np.ndarray, noise: float | None = None, reach: int = 2) -> Filtered:
    """Smooth noise away where there is no edge (guided filter); the noise is measured, unless it is given.

    >>> denoised(np.full((9, 9), 7, np.uint8)).change.touched
    0.0
    """
    _check(values)
    if noise is not None and not 0 <= noise <= 255:
        raise UsageError(f"noise: expected a deviation of grey values, found {noise!r}")
    planes = values.astype(np.float64).reshape(*values.shape[:2], -1)
    measured = noise_of(planes.mean(axis=2)) if noise is None else float(noise)
    done = np.stack([_guided(plane, reach, (1.5 * measured) ** 2) for plane in np.moveaxis(planes, 2, 0)], axis=2)
    return _filtered("denoised", values, done.reshape(values.shape), {"noise": round(measured, 3), "reach": reach})


def deblurred(values: np.ndarray, deviation: float = 1.0, noise: float = 0.02) -> Filtered:
    """Undo a Gaussian blur as far as noise allows (Wiener's filter).

    >>> deblurred(np.full((9, 9), 7, np.uint8)).change.touched
    0.0
    """
    _check(values)
    if not 0 < deviation <= 10 or not 0 < noise <= 1:
        raise UsageError(f"expected 0 < deviation <= 10 and 0 < noise <= 1, found {deviation!r} and {noise!r}")
    planes = values.astype(np.float64).reshape(*values.shape[:2], -1)
    done = np.stack([_sharpened(plane, deviation, noise) for plane in np.moveaxis(planes, 2, 0)], axis=2)
    parameters = {"deviation": deviation, "noise": noise}
    return _filtered("deblurred", values, done.reshape(values.shape), parameters)


def without_colour(values: np.ndarray) -> Filtered:
    """Fill coloured marks with the grey around them; what comes back is grey.

    >>> picture = np.full((9, 9, 3), 50, np.uint8)
    >>> picture[4, 4] = 255, 0, 0
    >>> np.unique(without_colour(picture).values).tolist()
    [50]
    """
    _check(values)
    if values.ndim == 2:
        return _filtered("without_colour", values, values, {})
    spread = values.max(axis=2).astype(int) - values.min(axis=2)
    marks = _grown(spread > COLOURED, 2)
    grey = values.astype(np.float64).mean(axis=2)
    if marks.all():
        return _filtered("without_colour", values, grey, {"marks": 1.0})
    return _filtered("without_colour", values, _filled(grey, marks), {"marks": round(float(marks.mean()), 6)})


def without_text(values: np.ndarray) -> Filtered:
    """Fill bright, thin strokes near the border of a film, where text is burned in, with what is around them.

    It is for films: in CT the skin is as bright and thin. The middle of the picture is
    not touched: vessels and fissures are bright and thin as well.

    >>> without_text(np.full((60, 60), 7, np.uint8)).change.touched
    0.0
    """
    _check(values)
    grey = values.astype(np.float64).mean(axis=2) if values.ndim == 3 else values.astype(np.float64)
    width = max(5, round(min(grey.shape) / 60))
    opened = _extreme(_extreme(grey, width, np.minimum), width, np.maximum)
    strokes = (grey - opened > 60) & (grey > 160)
    rows, columns = (np.abs(np.arange(side) - (side - 1) / 2) > side * (0.5 - _EDGE) for side in grey.shape)
    strokes &= rows[:, None] | columns
    done = _filled(grey, _grown(strokes, 2)) if strokes.any() else grey
    return _filtered("without_text", values, done, {"width": width, "strokes": round(float(strokes.mean()), 6)})


REPAIRS: Mapping[str, Callable[[np.ndarray], Filtered]] = {
    "padding": trimmed,
    "colour": without_colour,
    "low contrast": stretched,
    "blurred": deblurred,
}
"""What helps against a reason of `quality_reasons`; nothing helps against the others."""


def repaired(values: np.ndarray, reasons: Sequence[str] | None) -> tuple[np.ndarray, list[Change]]:
    """Do what helps against the reasons for which a picture is questionable, and say what was done.

    >>> faint = np.tile(np.arange(100, 140, dtype=np.uint8), (40, 1))
    >>> values, changes = repaired(faint, ["low contrast", "small"])
    >>> [change.name for change in changes], int(values.max())
    (['stretched'], 255)
    """
    if isinstance(reasons, str):
        raise UsageError(f"reasons: expected a list such as row['quality_reasons'], found {reasons!r}")
    _check(values)
    changes = []
    for reason, repair in REPAIRS.items():
        if reason in (reasons or ()):
            values, change = repair(values)
            changes.append(change)
    return values, changes


def noise_of(grey: np.ndarray) -> float:
    """Measure the deviation of the noise: what is left of second differences both ways, which edges hardly have.

    >>> round(noise_of(np.random.default_rng(0).normal(100, 5, (200, 200))))
    5
    """
    if min(grey.shape) < 3:
        return 0.0
    rows = grey[:-2] - 2 * grey[1:-1] + grey[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(both)) / 0.6745 / 6)


def _check(values: Any) -> None:
    """Refuse what is no picture of bytes: filters know black and white."""
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8:
        found = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise UsageError(
            f"picture: expected bytes (uint8), found {found}; Hounsfield units become grey by a window, see "
            "covid_datasets.transforms.windows.windowed"
        )
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3) or 0 in values.shape:
        raise UsageError(f"picture: expected rows × columns, or rows × columns × 3, found the shape {values.shape}")


def _filtered(name: str, before: np.ndarray, after: np.ndarray, parameters: Mapping[str, Any]) -> Filtered:
    done = np.clip(np.rint(after), 0, 255).astype(np.uint8)
    if before.ndim == 3 and done.ndim == 2:
        done = np.repeat(done[..., None], 3, axis=2)
    other = done != before
    return Filtered(done, Change(name, parameters, float((other.any(axis=2) if other.ndim == 3 else other).mean())))


def _content(grey: np.ndarray) -> tuple[int, int]:
    """Return the first row with content, and the one after the last."""
    low, high = np.percentile(grey, (_LETTERS, 100 - _LETTERS), axis=1)
    there = np.flatnonzero(high - low >= EMPTY)
    return (int(there[0]), int(there[-1]) + 1) if len(there) else (0, len(grey))


def _box(values: np.ndarray, reach: int) -> np.ndarray:
    """Return the mean of the square around each pixel; beyond the border it goes on as there."""
    side = 2 * reach + 1
    for axis in (0, 1):
        wide = np.pad(values, [(reach + 1, reach) if axis == each else (0, 0) for each in (0, 1)], mode="edge")
        total = wide.cumsum(axis=axis)
        count = values.shape[axis]
        ends, starts = total.take(range(side, side + count), axis), total.take(range(count), axis)
        values = (ends - starts) / side
    return values


def _guided(plane: np.ndarray, reach: int, least: float) -> np.ndarray:
    if not least:
        return plane
    mean = _box(plane, reach)
    variance = np.maximum(_box(plane**2, reach) - mean**2, 0)
    kept = variance / (variance + least)
    found: np.ndarray = _box(kept, reach) * plane + _box((1 - kept) * mean, reach)
    return found


def _sharpened(plane: np.ndarray, deviation: float, noise: float) -> np.ndarray:
    reach = min(int(np.ceil(6 * deviation)), *(side - 1 for side in plane.shape))
    wide = np.pad(plane, reach, mode="reflect") if reach > 0 else plane
    down, across = np.fft.fftfreq(wide.shape[0])[:, None], np.fft.rfftfreq(wide.shape[1])
    passed = np.exp(-2 * (np.pi * deviation) ** 2 * (down**2 + across**2))
    inverse = passed * (1 + noise) / (passed**2 + noise)  # what has no detail stays as it is
    sharp = np.fft.irfft2(np.fft.rfft2(wide) * inverse, wide.shape)
    rows, columns = plane.shape
    found: np.ndarray = sharp[reach : reach + rows, reach : reach + columns]
    return found


def _extreme(values: np.ndarray, side: int, which: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the least or the largest value of the square around each pixel."""
    for axis in (0, 1):
        count, reach = values.shape[axis], side // 2
        wide = np.pad(values, [(reach, reach) if axis == each else (0, 0) for each in (0, 1)], mode="edge")
        found = wide.take(range(count), axis)
        for step in range(1, 2 * reach + 1):
            found = which(found, wide.take(range(step, step + count), axis))
        values = found
    return values


def _grown(marks: np.ndarray, reach: int) -> np.ndarray:
    return _extreme(marks, 2 * reach + 1, np.maximum)


def _filled(grey: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Fill holes with the mean of what is around them, from the rim inwards."""
    known, values = (~holes).astype(np.float64), np.where(holes, 0.0, grey)
    found, reach = grey.copy(), 2
    left = holes.copy()
    while left.any() and reach < 4 * max(grey.shape):
        share = _box(known, min(reach, max(grey.shape)))
        near = left & (share > 0.2)
        found[near] = (_box(values, min(reach, max(grey.shape))) / np.maximum(share, 1e-9))[near]
        left &= ~near
        reach *= 2
    return found
