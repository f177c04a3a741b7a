"""Propose how a figure of several panels may be cut: along bands of one colour from edge to edge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from covid_datasets.contribute.figures.found import Cut

EVEN = 12
"""Grey values that a line of one colour may spread over: JPEG is not exact."""
SMALLEST = 32
"""Pixels of the shortest side of a panel; what is smaller is a letter or an arrow."""
DEEPEST = 6
"""Times that a part is cut again."""
MOST = 64
"""Panels of one figure."""


def panels(grey: np.ndarray) -> tuple[Cut, ...]:
    """List panels in reading order; nothing where the picture seems to be one.

    >>> two = np.zeros((100, 210), np.uint8)
    >>> two[:, :100] = two[:, 110:] = np.arange(100)[:, None] + 100
    >>> panels(two)
    ((0, 0, 100, 100), (110, 0, 210, 100))
    """
    height, width = grey.shape
    found = list(_cut(grey, (0, 0, width, height), DEEPEST))
    return tuple(found) if 1 < len(found) <= MOST else ()


def _cut(grey: np.ndarray, box: Cut, depth: int) -> Iterator[Cut]:
    box = _trimmed(grey, box)
    left, top, right, bottom = box
    if min(right - left, bottom - top) < SMALLEST:
        return
    part = grey[top:bottom, left:right]
    for axis in (0, 1):
        runs = _runs(_even(part, axis)) if depth else []
        if len(runs) > 1:
            for start, stop in runs:
                inner = (
                    (left, top + start, right, top + stop) if axis == 0 else (left + start, top, left + stop, bottom)
                )
                yield from _cut(grey, inner, depth - 1)
            return
    yield box


def _trimmed(grey: np.ndarray, box: Cut) -> Cut:
    """Take away lines of one colour from the four sides."""
    left, top, right, bottom = box
    for _ in range(2):
        part = grey[top:bottom, left:right]
        if part.size and (lines := _runs(_even(part, 0))):
            top, bottom = top + lines[0][0], top + lines[-1][1]
        part = grey[top:bottom, left:right]
        if part.size and (lines := _runs(_even(part, 1))):
            left, right = left + lines[0][0], left + lines[-1][1]
    return left, top, right, bottom


def _even(part: np.ndarray, axis: int) -> np.ndarray:
    """Tell of each row (axis 0) or column (axis 1) whether it has one colour."""
    across = 1 - axis
    return np.asarray(np.ptp(part, axis=across) <= EVEN)


def _runs(even: np.ndarray) -> list[tuple[int, int]]:
    """List the stretches between bands of one colour; a band is at least a hundredth of the side."""
    least = max(2, len(even) // 100)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], even.view(np.int8), [0]])))
    bands = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least or a == 0 or b == len(even)]
    found, start = [], 0
    for a, b in [*bands, (len(even), len(even))]:
        if a > start:
            found.append((int(start), int(a)))
        start = b
    return found
