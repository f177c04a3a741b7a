"""Local features of a picture: points that are found again in a copy, however it was cropped, turned or lit."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from covid_datasets.audits.panels import Pixels, panels_of, trimmed
from covid_datasets.extras import is_installed, need
from covid_datasets.measure.image import to_grey

LONGER_SIDE = 416
"""A picture is looked at in this size; in 576 pixels no more was found, in twice the time."""
PANEL_SIDE = 320
"""The same for a panel that is looked at by itself."""
SHOWN_SIDE = 256
"""The longer side of what is kept of it, to be laid over another one."""
POINTS = 640
CELLS = 8
"""Points are taken from each of so many rows and columns of cells alike: else writing takes them all."""
LENGTH = 128
"""Numbers of a descriptor: 4 by 4 cells, each with 8 directions of edges."""
_LEAST = 16
"""Pixels of the shorter side at least, so that there is something to look at."""
LONG = 255.0
"""The length of a descriptor."""
Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is kept of a picture, or of a panel of it.

    Attributes:
        points: Places in pixels of ``shown``, x and y.
        descriptors: A row of `LENGTH` bytes for each point, of length 255.
        shown: Grey, with its contrast evened out.
    """

    points: Numbers
    descriptors: NDArray[np.uint8]
    shown: Pixels


def features_of(picture: Image.Image) -> tuple[Features, ...]:
    """Find the points of a picture that tell most, and those of each of its panels, where it is a figure.

    >>> film = Image.effect_mandelbrot((640, 520), (-2, -1, 1, 1), 50)
    >>> [len(each.points) > 20 for each in features_of(film)]
    [True]
    """
    pixels = _resized(trimmed(np.asarray(to_grey(picture))), LONGER_SIDE)
    panels = [trimmed(pixels[top:bottom, left:right]) for top, bottom, left, right in panels_of(pixels)]
    return (_looked_at(pixels), *(_looked_at(_resized(panel, PANEL_SIDE)) for panel in panels))


def _resized(pixels: Pixels, longer: int) -> Pixels:
    cv = vision()
    scale = longer / max(pixels.shape)
    height, width = (max(_LEAST, round(side * scale)) for side in pixels.shape)
    resized: Pixels = cv.resize(pixels, (width, height), interpolation=cv.INTER_AREA if scale < 1 else cv.INTER_LINEAR)
    return resized


def _looked_at(pixels: Pixels) -> Features:
    cv = vision()
    pixels = cv.createCLAHE(2.0, (8, 8)).apply(pixels)
    sift = cv.SIFT_create(contrastThreshold=0.01)
    found = _chosen(sift.detect(pixels, None), pixels.shape)
    found, descriptors = sift.compute(pixels, found)
    smaller = SHOWN_SIDE / max(pixels.shape)
    shown = cv.resize(pixels, None, fx=smaller, fy=smaller, interpolation=cv.INTER_AREA)
    points = np.asarray([point.pt for point in found], np.float32).reshape(-1, 2) * smaller
    return Features(points, _rooted(descriptors), shown)


def _chosen(found: Any, shape: tuple[int, ...]) -> list[Any]:
    """Choose the strongest points of each cell."""
    order = sorted(found, key=lambda point: -point.response)
    ranks = np.zeros((CELLS, CELLS), np.int64)
    ranked = []
    for number, point in enumerate(order):
        cell = int(point.pt[1] * CELLS / shape[0]), int(point.pt[0] * CELLS / shape[1])
        ranks[cell] += 1
        ranked.append((ranks[cell], number))
    return [order[number] for _, number in sorted(ranked)[:POINTS]]


def _rooted(descriptors: Any) -> NDArray[np.uint8]:
    """Take roots, so that the product of two descriptors weighs all edges alike; a byte a number is enough."""
    if descriptors is None or not len(descriptors):
        return np.empty((0, LENGTH), np.uint8)
    chosen = np.asarray(descriptors, np.float32)
    roots = np.sqrt(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-9))
    rooted: NDArray[np.uint8] = np.rint(roots * LONG).astype(np.uint8)
    return rooted


@cache
def vision() -> Any:
    """Import OpenCV, which then keeps to one thread: pictures are looked at side by side."""
    need("cv2")
    import cv2

    cv2.setNumThreads(1)
    return cv2


def single_threaded() -> AbstractContextManager[object]:
    """Keep each product of matrices to one thread while several are made side by side.

    Else their threads wait for each other, which took half of all the time. Without the library for it, which comes
    with the extra, the same is found, only later.
    """
    if not is_installed("threadpoolctl"):
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits
