"""Outlines that people drew on an image, as a mask."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from PIL import Image, ImageChops, ImageDraw

FAR_AWAY = 1_000_000
"""Nobody draws there; whole numbers of 32 bits, in which outlines are filled, end not far from it."""


@dataclass(frozen=True, slots=True)
class Polygon:
    """One closed outline in pixels, and the size of the image that it was drawn on.

    The points are packed (column, row, column, row, …), because sources have millions of them. An outline of several
    ``rings``, of so many points each, covers what an odd number of them encloses: a ring in a ring is a hole.
    """

    name: str
    height: int | None
    width: int | None
    points: bytes
    rings: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, name: str, vertices: Iterable[tuple[float, float]], height: int | None = None, width: int | None = None
    ) -> Polygon:
        """Pack vertices, each a column and a row.

        >>> Polygon.of("lesion", [(1, 2), (3, 4)]).vertices()
        [(1.0, 2.0), (3.0, 4.0)]
        """
        packed = array("d", (value for vertex in vertices for value in vertex))
        return cls(name, height, width, packed.tobytes())

    @classmethod
    def of_rings(
        cls,
        name: str,
        rings: Iterable[Iterable[tuple[float, float]]],
        height: int | None = None,
        width: int | None = None,
    ) -> Polygon:
        """Pack the vertices of several rings.

        >>> Polygon.of_rings("lesion", [[(0, 0), (9, 0), (9, 9)], [(7, 1), (8, 1), (8, 2)]]).rings
        (3, 3)
        """
        lists = [list(ring) for ring in rings]
        whole = cls.of(name, [vertex for ring in lists for vertex in ring], height, width)
        return replace(whole, rings=tuple(map(len, lists)))

    def outlines(self) -> list[list[tuple[float, float]]]:
        """Unpack the vertices, ring by ring."""
        left = iter(self.vertices())
        return [list(islice(left, count)) for count in self.rings] if self.rings else [list(left)]

    def vertices(self) -> list[tuple[float, float]]:
        """Unpack the vertices."""
        values = array("d", self.points)
        return list(zip(values[0::2], values[1::2], strict=True))


def fill(polygons: Iterable[Polygon], shape: tuple[int, int]) -> tuple[np.ndarray | None, list[str]]:
    """Draw polygons into one mask of zeros and ones; say what is wrong with each that does not fit.

    >>> mask, wrong = fill([Polygon.of("lesion", [(0, 0), (2, 0), (2, 2), (0, 2)])], (4, 4))
    >>> int(mask.sum()), wrong
    (9, [])
    """
    height, width = shape
    polygons = tuple(polygons)
    if not polygons:  # most slices
        return None, []
    canvas = Image.new("L", (width, height))
    problems: list[str] = []
    drawn = False
    for polygon in polygons:
        told = list(_problems(polygon, height, width))
        problems += [f"{polygon.name}: {text}" for text, _ in told]
        if all(usable for _, usable in told):
            _draw(canvas, polygon.outlines())
            drawn = True
    return (np.asarray(canvas) if drawn else None), problems


def _draw(canvas: Image.Image, rings: list[list[tuple[float, float]]]) -> None:
    if len(rings) == 1:
        ImageDraw.Draw(canvas).polygon(rings[0], fill=1, outline=1)
        return
    odd = Image.new("1", canvas.size)
    for ring in rings:
        one = Image.new("1", canvas.size)
        ImageDraw.Draw(one).polygon(ring, fill=1, outline=1)
        odd = ImageChops.logical_xor(odd, one)
    canvas.paste(1, mask=odd)


def _problems(polygon: Polygon, height: int, width: int) -> Iterator[tuple[str, bool]]:
    """Say what is wrong with a polygon, and whether it can be drawn nevertheless."""
    size = (polygon.height or height, polygon.width or width)
    if size != (height, width):
        yield f"drawn on {size[0]}x{size[1]} pixels, the image has {height}x{width}; not used", False
        return
    points = np.asarray(polygon.vertices())
    if len(points) < 3 or min(polygon.rings, default=3) < 3:
        yield f"{min(polygon.rings, default=len(points))} points are no outline; not used", False
    elif not np.isfinite(points).all():
        yield "a point is no number; not used", False
    elif np.abs(points).max() > FAR_AWAY:
        yield f"a point is more than {FAR_AWAY:,} pixels away; not used", False
    else:
        inside = (points >= 0) & (points <= (width, height))
        low, high = points.min(axis=0), points.max(axis=0)
        if (high < 0).any() or (low > (width, height)).any():
            yield f"wholly outside of the {height}x{width} image; not used", False
        elif not inside.all():
            yield f"partly outside of the {height}x{width} image; cut at its edge", True
