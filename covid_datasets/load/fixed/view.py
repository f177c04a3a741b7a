"""`View`: what every sample looks like once it has one shape. Its name is made of all that changes a pixel."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.measure.image import WINDOW
from covid_datasets.prepare.derived.asked import picture_size
from covid_datasets.vocabulary import MASKS

FORMAT = 1
"""Counts up when the same view would get other pixels; what was stored before is then made anew."""
UNKNOWN = 255
"""What a pixel of a mask is where nobody drew that mask; else it is 0 or 1."""
Stored = Literal["uint8", "int16"]
Range = tuple[float, float]
DEFAULT_WINDOW: Range = (float(WINDOW[0]), float(WINDOW[1]))
"""Hounsfield units that become black and white: air to bone, so that lungs and soft tissue both show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A fixed shape for the images of a dataset, or for one kind of its masks.

    Attributes:
        image_size: Rows and columns. Images are stretched to it, with antialiasing; masks take the nearest pixel.
        channels: 1 for grey, 3 for colours; a grey image then has its values three times.
        dtype: "uint8" grey or colours, after the window; or "int16" Hounsfield units, as they are.
        window: The Hounsfield units that become 0 and 255, where a sample has such units. Values between are evenly
            spaced, values beyond are cut off.
        counts: The stored values that become 0 and 255 where an image has more than 8 bits and no Hounsfield units.
        draft: Let a JPEG be reduced while it is decoded: faster, and pixels differ slightly.
        mask: Which mask of `MASKS` this shows; the image without it.

    >>> View(image_size=(224, 224)).name
    '224x224-1-uint8-...'
    """

    image_size: tuple[int, int]
    channels: int = 1
    dtype: Stored = "uint8"
    window: Range = DEFAULT_WINDOW
    counts: Range | None = None
    draft: bool = False
    mask: str | None = None

    @property
    def name(self) -> str:
        """A name for a folder: readable, and another one whenever any attribute is another."""
        text = json.dumps({"format": FORMAT} | asdict(self), sort_keys=True)
        height, width = self.image_size
        what = self.mask or self.dtype
        return f"{height}x{width}-{self.channels}-{what}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of a sample."""
        return (self.channels, *self.image_size)

    @property
    def bytes(self) -> int:
        """The size of a sample."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def column(self) -> str:
        """The stored column that it is made of."""
        return "masks" if self.mask else "image"

    def of_mask(self, name: str) -> View:
        """Return the view of a mask that lies on the images of this one.

        >>> View(image_size=(224, 224), channels=3).of_mask("lung").shape
        (1, 224, 224)
        """
        return View(image_size=self.image_size, mask=name)


def make_view(
    image_size: int | Sequence[int],
    *,
    channels: int = 1,
    stored: str = "uint8",
    window: Sequence[float] | None = None,
    counts: Sequence[float] | None = None,
    draft: bool = False,
) -> View:
    """Check what a caller wants, and make a view of it.

    >>> make_view(64, channels=2)
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: channels: expected 1 or 3, found 2
    """
    if channels not in (1, 3) or isinstance(channels, bool):
        raise UsageError(f"channels: expected 1 or 3, found {channels!r}")
    if stored not in ("uint8", "int16"):
        raise UsageError(f"stored: expected 'uint8' or 'int16', found {stored!r}")
    if stored == "int16" and (channels != 1 or window is not None):
        raise UsageError("stored='int16' keeps Hounsfield units as they are: expected channels=1 and no window")
    return View(
        image_size=picture_size(image_size),
        channels=channels,
        dtype="int16" if stored == "int16" else "uint8",
        window=DEFAULT_WINDOW if window is None else _range(window, "window"),
        counts=None if counts is None else _range(counts, "counts"),
        draft=bool(draft),
    )


def mask_names(wanted: Any, present: Sequence[str]) -> tuple[str, ...]:
    """Choose masks: none, all that are there, or some by name.

    >>> mask_names(True, ["infection", "lung"]), mask_names(["lung"], []), mask_names(False, ["lung"])
    (('lung', 'infection'), ('lung',), ())
    """
    if isinstance(wanted, bool):
        return tuple(name for name in MASKS if name in present) if wanted else ()
    if isinstance(wanted, str) or not isinstance(wanted, Sequence) or not set(wanted) <= set(MASKS):
        raise UsageError(f"masks: expected True, False or a list of {', '.join(MASKS)}, found {wanted!r}")
    return tuple(name for name in MASKS if name in wanted)


def _range(given: Any, key: str) -> Range:
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"{key}: expected two numbers, the lower one first, such as (-1000, 400), found {given!r}")
    return low, high
