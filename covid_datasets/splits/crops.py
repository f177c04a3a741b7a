"""Do two pictures show the same, however one was cropped out of the other? Slow, for few pairs."""

from __future__ import annotations

import numpy as np
from PIL import Image

from covid_datasets.splits.groups import correlation

_SIDE = 32
_WORKING_SIDE = 128
"""The shorter side of what crops are tried on; finer detail does not change a thumbnail."""
_SCALES = tuple(1 - 0.03 * step for step in range(7))
_STEP = 3
"""Pixels of the working size between two places that are tried."""


def crop_correlation(first: Image.Image, second: Image.Image) -> float:
    """Correlate two grey pictures, each whole with the best crop of the other that has its shape.

    A crop is at least four fifths as large as the largest that fits. The contrast may differ, for a correlation does
    not see brightness and scale of grey values.

    >>> film = Image.effect_mandelbrot((640, 520), (-2, -1, 1, 1), 50)
    >>> crop_correlation(film, film.crop((100, 0, 620, 520)).resize((2000, 2000))) > 0.99
    True
    """
    return max(_inside(first, second), _inside(second, first))


def _inside(whole: Image.Image, larger: Image.Image) -> float:
    wanted = _thumb(whole, (0, 0, *whole.size))
    larger = larger.reduce(max(1, min(larger.size) // _WORKING_SIDE))
    aspect = whole.width / whole.height
    full = min(larger.height, larger.width / aspect)
    best = 0.0
    for height in (full * scale for scale in _SCALES):
        width = height * aspect
        for left in _places(larger.width - width):
            for top in _places(larger.height - height):
                box = (left, top, min(left + width, larger.width), min(top + height, larger.height))
                best = max(best, correlation(wanted, _thumb(larger, box)))
    return best


def _thumb(image: Image.Image, box: tuple[float, float, float, float]) -> bytes:
    return image.resize((_SIDE, _SIDE), Image.Resampling.BOX, box=box).tobytes()


def _places(room: float) -> list[float]:
    """Where a crop may begin: the first, the last, and some between."""
    places: list[float] = np.linspace(0, max(room, 0.0), int(max(room, 0.0) // _STEP) + 2).tolist()
    return places
