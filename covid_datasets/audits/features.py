"""Local features of a picture: points that are found again in a copy, however it was cropped, turned or lit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covid_datasets.extras import need

if TYPE_CHECKING:
    import cv2

LONGER_SIDE = 768
"""A picture is looked at in this size: so large that one panel of four still shows what the film alone shows."""
SHOWN_SIDE = 256
"""The longer side of what is kept of it, to be laid over another one."""
POINTS = 800
LENGTH = 128
"""Numbers of a descriptor: 4 by 4 cells, each with 8 directions of edges."""
_UNIFORM = 12
"""Grey values by which a row or column differs in itself at most where it is a border."""
_LEAST = 16
"""Pixels that remain at least, whatever the borders are."""
_SCALE = 255.0
Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is kept of a picture.

    Attributes:
        points: Places in pixels of ``shown``, x and y.
        descriptors: A row of `LENGTH` bytes for each point, of length 255.
        shown: Grey, with its contrast evened out.
    """

    points: Numbers
    descriptors: NDArray[np.uint8]
    shown: NDArray[np.uint8]


def features_of(grey: Image.Image) -> Features:
    """Find the points of a grey picture that tell most.

    >>> film = Image.effect_mandelbrot((640, 520), (-2, -1, 1, 1), 50)
    >>> len(features_of(film).points) > 20
    True
    """
    cv = vision()
    pixels = _trimmed(np.asarray(grey, np.uint8))
    height, width = pixels.shape
    scale = LONGER_SIDE / max(height, width)
    size = (max(_LEAST, round(width * scale)), max(_LEAST, round(height * scale)))
    pixels = cv.resize(pixels, size, interpolation=cv.INTER_AREA if scale < 1 else cv.INTER_LINEAR)
    pixels = cv.createCLAHE(2.0, (8, 8)).apply(pixels)
    found, descriptors = cv.SIFT_create(nfeatures=POINTS, contrastThreshold=0.01).detectAndCompute(pixels, None)
    order = sorted(range(len(found)), key=lambda point: -found[point].response)[:POINTS]
    smaller = SHOWN_SIDE / LONGER_SIDE
    shown = cv.resize(pixels, None, fx=smaller, fy=smaller, interpolation=cv.INTER_AREA)
    points = np.asarray([found[point].pt for point in order], np.float32).reshape(-1, 2) * smaller
    return Features(points, _rooted(descriptors, order), shown)


def _rooted(descriptors: Any, order: list[int]) -> NDArray[np.uint8]:
    """Take roots, so that the product of two descriptors weighs all edges alike; a byte a number is enough."""
    if descriptors is None:
        return np.empty((0, LENGTH), np.uint8)
    chosen = np.asarray(descriptors, np.float32)[order]
    return np.rint(np.sqrt(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-9)) * _SCALE).astype(np.uint8)


def _trimmed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut uniform borders off."""
    rows, columns = (np.flatnonzero(np.ptp(pixels, axis=axis) > _UNIFORM) for axis in (1, 0))
    if min(len(rows), len(columns)) < _LEAST:
        return pixels
    return np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@cache
def vision() -> Any:
    """Import OpenCV, which then keeps to one thread: pictures are looked at side by side."""
    need("cv2")
    import cv2

    cv2.setNumThreads(1)
    return cv2
