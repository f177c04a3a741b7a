"""What the whole of a picture looks like: brightness, contrast, border, sharpness, colour; nothing that is inside.

Measured of the stored pictures, and of what is left of it when all pictures are brought to one form. Each picture is
decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from covid_datasets.audits.traits.rows import Rows
from covid_datasets.audits.traits.told import Trait
from covid_datasets.measure.image import UndecodableError, decode, grey_of
from covid_datasets.measure.quality import coloured, detail
from covid_datasets.progress import progress
from covid_datasets.settings import usable_cores

SIDE = 224
"""Rows and columns that all pictures are brought to."""
STAGES = {
    "stored": "the pixels as they are stored, as 8-bit grey",
    "loaded": f"as load_dataset(..., image_size={SIDE}) gives them: 8-bit grey, {SIDE} x {SIDE} pixels",
    "normalised": f"8-bit grey, uniform borders cut off, {SIDE} x {SIDE} pixels, histogram equalised",
}
"""In which form the pictures are looked at."""
OF_PIXELS = ("mean", "contrast", "border", "detail", "colour")
"""The names of the traits of each stage, in order; colour only where pixels are as they are stored."""
FLAT = 8
"""A row or column whose grey values differ by less is border."""
_LEAST = 8
"""Rows and columns that are left of a picture, however much of it is border."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one form of a picture looks like; border is the share of its rows or columns on each of the four sides."""

    mean: float
    contrast: float
    border: tuple[float, float, float, float]
    detail: float


@dataclass(frozen=True, slots=True)
class Looks:
    """The look of a picture in each of the `STAGES`, and the share of its stored pixels that have a colour."""

    stages: tuple[Look, ...]
    colour: float


def look_traits(rows: Rows, thumb: Callable[[int], bytes]) -> dict[str, list[Trait]]:
    """Measure the pictures of some rows, in threads; a volume or a video by the stored thumbnail of its middle.

    Returns the traits of each of the `STAGES`. What cannot be decoded, or has no picture at all, is unknown.
    """
    count = rows.table.num_rows
    slopes, intercepts = (rows.table.column(name).to_pylist() for name in ("hu_slope", "hu_intercept"))

    def measured(row: int) -> Looks | None:
        picture = rows.picture(row)
        try:
            if picture is None:
                return _of_thumb(thumb(row))
            known = slopes[row] is not None and intercepts[row] is not None
            hounsfield = (slopes[row], intercepts[row]) if known else None
            image = decode(bytes(picture.data))
            return looks_of(image, grey_of(image, hounsfield))
        except UndecodableError:  # a build that only hashed its bytes may hold such; it has no look
            return None

    with progress("Looking", unit="rows") as display, ThreadPoolExecutor(usable_cores()) as pool:
        display.add("rows", count)
        found: list[Looks | None] = []
        for each in pool.map(measured, range(count)):
            found.append(each)
            display.advance("rows")
    return {stage: _traits(found, number, stage) for number, stage in enumerate(STAGES)}


def _of_thumb(data: bytes) -> Looks | None:
    side = round(len(data) ** 0.5)
    if not data or side * side != len(data):
        return None
    grey = Image.frombytes("L", (side, side), data)
    return looks_of(grey, grey)


def looks_of(image: Image.Image, grey: Image.Image) -> Looks:
    """Look at a picture in all forms; ``grey`` is the same as 8-bit grey.

    >>> black = Image.new("L", (300, 200))
    >>> looks_of(black, black).stages[0]
    Look(mean=0.0, contrast=0.0, border=(1.0, 1.0, 1.0, 1.0), detail=0.0)
    """
    return Looks((look_of(grey), look_of(loaded(grey)), look_of(normalised(grey))), coloured(image))


def loaded(grey: Image.Image) -> Image.Image:
    """Bring a picture to one size, as the loader does."""
    return grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def normalised(grey: Image.Image) -> Image.Image:
    """Cut off uniform borders, bring a picture to one size, and equalise its histogram."""
    top, bottom, left, right = _bounds(np.asarray(grey))
    kept = grey.crop((left, top, right, bottom)) if bottom - top >= _LEAST and right - left >= _LEAST else grey
    return ImageOps.equalize(loaded(kept))


def look_of(grey: Image.Image) -> Look:
    """Look at one form of a picture."""
    values = np.asarray(grey)
    height, width = values.shape
    top, bottom, left, right = _bounds(values)
    counts = np.bincount(values.reshape(-1), minlength=256)
    levels = np.arange(256)
    mean = float(counts @ levels / counts.sum())
    spread = float(counts @ (levels - mean) ** 2 / counts.sum())
    border = (top / height, 1 - bottom / height, left / width, 1 - right / width)
    return Look(mean, spread**0.5, border if bottom > top and right > left else (1.0,) * 4, detail(grey))


def _bounds(values: np.ndarray) -> tuple[int, int, int, int]:
    """Find the first row with content and the one after the last, and the same of columns; 0 where there is none."""
    found = []
    for axis in (1, 0):
        inside = np.flatnonzero(values.max(axis).astype(np.int16) - values.min(axis) >= FLAT)
        found += [int(inside[0]), int(inside[-1]) + 1] if len(inside) else [0, 0]
    return found[0], found[1], found[2], found[3]


def _traits(found: Sequence[Looks | None], number: int, stage: str) -> list[Trait]:
    looks = [None if each is None else each.stages[number] for each in found]
    kind = f"pixels {stage}"

    def feature(value: Callable[[Look], float], digits: int) -> np.ndarray:
        # Less than a grey level, or a hundredth of a side, is in no picture: it is how its levels were rounded.
        return np.asarray([np.nan if each is None else round(value(each), digits) for each in looks], dtype=float)

    sides = [[np.nan] * 4 if each is None else [round(side, 2) for side in each.border] for each in looks]
    traits = [
        Trait("mean", kind, (feature(lambda look: look.mean, 0),)),
        Trait("contrast", kind, (feature(lambda look: look.contrast, 0),)),
        Trait("border", kind, tuple(np.asarray(sides, dtype=float).reshape(-1, 4).T)),
        Trait("detail", kind, (feature(lambda look: look.detail, 1),)),
    ]
    if number:
        return traits
    colour = [np.nan if each is None else round(each.colour, 2) for each in found]
    return [*traits, Trait("colour", kind, (np.asarray(colour, dtype=float),))]
