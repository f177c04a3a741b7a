"""Where the panels of a figure are, or the film in the window of a viewer: parts between even lines or sharp seams."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Top, bottom, left, right."""

MOST = 6
"""Panels that are looked at by themselves, the largest first."""
_UNIFORM = 12
"""Grey values by which a line differs in itself at most where it shows nothing."""
_SEAM = 14.0
"""Median step in grey between two neighbouring lines where one picture ends and another begins."""
_SHARP = 4.0
"""How many times the usual step this must be."""
_MARGIN = 0.15
"""Share of a picture at each end in which no seam is looked for."""
_LEAST_SIDE = 48
_LEAST_AREA = 0.05
"""Share of the picture that a panel fills at least."""
_LONGEST = 4.0
"""A panel is not longer than this many times its breadth: that is a bar."""
_NEARLY_ALL = 0.9
"""A part that fills so much of the picture is no part of it."""
_DEPTH = 6


def panels_of(pixels: Pixels) -> list[Box]:
    """Find the parts that may be pictures of their own; none where the picture is but one.

    >>> figure = np.zeros((200, 420), np.uint8)
    >>> figure[:, :200] = figure[:, 220:] = np.random.default_rng(0).integers(0, 255, (200, 200))
    >>> panels_of(figure)
    [(0, 200, 0, 200), (0, 200, 220, 420)]
    """
    height, width = pixels.shape
    found = []
    for top, bottom, left, right in _leaves(pixels, (0, height, 0, width), _DEPTH):
        sides = bottom - top, right - left
        share = sides[0] * sides[1] / pixels.size
        if min(sides) >= _LEAST_SIDE and max(sides) <= _LONGEST * min(sides) and _LEAST_AREA <= share < _NEARLY_ALL:
            found.append((top, bottom, left, right))
    return sorted(sorted(found, key=lambda box: -(box[1] - box[0]) * (box[3] - box[2]))[:MOST])


def trimmed(pixels: Pixels) -> Pixels:
    """Cut uniform borders off; what is uniform all over stays."""
    rows, columns = (np.flatnonzero(~_uniform(pixels, axis)) for axis in (0, 1))
    if min(len(rows), len(columns)) < 2:
        return pixels
    return np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _leaves(pixels: Pixels, box: Box, depth: int) -> Iterator[Box]:
    """Cut at even lines, one way and the other, and where there are none, at the sharpest seam."""
    top, bottom, left, right = box
    part = pixels[top:bottom, left:right]
    if depth and min(part.shape) >= _LEAST_SIDE:
        for cut in (_even, _seam):
            for axis in (0, 1):
                parts = cut(part, axis)
                if parts != [(0, part.shape[axis])]:
                    for start, stop in parts:
                        inner = (
                            (top + start, top + stop, left, right)
                            if axis == 0
                            else (top, bottom, left + start, left + stop)
                        )
                        yield from _leaves(pixels, inner, depth - 1)
                    return
    yield box


def _uniform(part: Pixels, axis: int) -> NDArray[np.bool_]:
    uniform: NDArray[np.bool_] = np.ptp(part, axis=1 - axis) <= _UNIFORM
    return uniform


def _even(part: Pixels, axis: int) -> list[tuple[int, int]]:
    """List the runs of lines that show something."""
    shown = np.concatenate([[False], ~_uniform(part, axis), [False]])
    edges = np.flatnonzero(np.diff(shown.astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _seam(part: Pixels, axis: int) -> list[tuple[int, int]]:
    length = part.shape[axis]
    steps = np.median(np.abs(np.diff(part.astype(np.int16), axis=axis)), axis=1 - axis)
    margin = round(length * _MARGIN)
    inner = steps[margin : length - margin]
    if len(inner) and inner.max() >= max(_SEAM, _SHARP * float(np.median(steps))):
        at = margin + int(inner.argmax()) + 1
        return [(0, at), (at, length)]
    return [(0, length)]
