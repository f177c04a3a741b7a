"""Annotations of one image as the Darwin tool (V7) exports them: outlines and boxes, and tags of the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from covid_datasets.read.exports import parsed, points, rows, side
from covid_datasets.read.polygons import Polygon
from covid_datasets.schema import Box, Notice


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was said about one image.

    Attributes:
        name: What the image was called before it was uploaded; else as the tool calls it.
        height: Rows of the image, where the file says it.
        width: Columns of the image.
        outlines: What was outlined, each with its name.
        boxes: What was put into a box.
        tags: What was said of the whole image: ``"View/PA"``.
        notices: What could not be used.
    """

    name: str
    height: int | None
    width: int | None
    outlines: tuple[Polygon, ...] = ()
    boxes: tuple[Box, ...] = ()
    tags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


def read_darwin(text: str, path: str) -> Drawn:
    """Read the JSON file of one image. Addresses in it, which may hold somebody's key, are not kept.

    >>> text = '{"image": {"width": 9, "height": 9, "original_filename": "a.jpg"}, "annotations": ['
    >>> text += '{"name": "Lung", "polygon": {"path": [{"x": 1, "y": 1}, {"x": 4, "y": 1}, {"x": 4, "y": 5}]}},'
    >>> text += '{"name": "X-ray", "tag": {}}]}'
    >>> drawn = read_darwin(text, "a.json")
    >>> drawn.name, [outline.name for outline in drawn.outlines], drawn.tags
    ('a.jpg', ['Lung'], ('X-ray',))
    """
    table = parsed(text, path, "an export of Darwin", ["annotations"])
    image: Any = table.get("image")
    image = image if isinstance(image, dict) else {}
    height, width = side(image.get("height")), side(image.get("width"))
    outlines: list[Polygon] = []
    boxes: list[Box] = []
    tags: list[str] = []
    notices: list[Notice] = []
    for number, found in enumerate(rows(table, "annotations", path)):
        name, where = str(found.get("name") or ""), f"{path}#{number}"
        try:
            if "complex_polygon" in found:
                rings = [points(ring) for ring in found["complex_polygon"]["path"]]
                outlines.append(Polygon.of_rings(name, rings, height, width))
            elif "polygon" in found:
                outlines.append(Polygon.of(name, points(found["polygon"]["path"]), height, width))
            elif "bounding_box" in found:
                box = found["bounding_box"]
                boxes.append(Box(name, *(float(box[key]) for key in ("x", "y", "w", "h"))))
            elif "tag" in found:
                tags.append(name)
            else:
                notices.append(
                    Notice("annotation not read", where, f"{name}: {', '.join(sorted(map(str, found)))[:200]}")
                )
        except (TypeError, ValueError, KeyError, IndexError, OverflowError):
            notices.append(Notice("annotation without data", where, f"{name}, without an outline", dropped=True))
    called = str(image.get("original_filename") or image.get("filename") or "")
    return Drawn(called, height, width, tuple(outlines), tuple(boxes), tuple(tags), tuple(notices))
