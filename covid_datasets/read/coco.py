"""Annotations in the format of COCO: one JSON file for many images, with outlines and boxes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.darwin import Drawn
from covid_datasets.read.exports import parsed, points, side
from covid_datasets.read.polygons import Polygon
from covid_datasets.schema import Box, Notice


def read_coco(text: str, path: str) -> dict[str, Drawn]:
    """Read an export as what was said about each image, by its file name.

    An annotation with several outlines is one thing in several pieces. Run-length masks are told and not read.

    >>> text = '{"images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}],'
    >>> text += '"categories": [{"id": 0, "name": "Lung"}], "annotations": [{"image_id": 1, "category_id": 0,'
    >>> text += '"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6]]}]}'
    >>> drawn = read_coco(text, "a.json")["a.png"]
    >>> drawn.boxes[0].width, drawn.outlines[0].vertices()
    (3.0, [(1.0, 2.0), (4.0, 2.0), (4.0, 6.0)])
    """
    table = parsed(text, path, "an export in the format of COCO", ["images", "annotations", "categories"])
    names = {_id(item): str(item.get("name") or "") for item in table["categories"]}
    images: dict[Any, Drawn] = {}
    for item in table["images"]:
        file_name = str(item.get("file_name") or "")
        if not file_name or _id(item) in images:
            raise DamagedFileError(f"{path}: expected images with an id and a file_name each, found {str(item)[:200]}")
        images[_id(item)] = Drawn(file_name, side(item.get("height")), side(item.get("width")))
    outlines: dict[Any, list[Polygon]] = defaultdict(list)
    boxes: dict[Any, list[Box]] = defaultdict(list)
    notices: dict[Any, list[Notice]] = defaultdict(list)
    for number, found in enumerate(table["annotations"]):
        image, where = _id(found, "image_id"), f"{path}#{number}"
        if image not in images:
            what = f"expected the id of one of its images, found {image!r}"
            raise DamagedFileError(f"{where}: {what}")
        name = names.get(_id(found, "category_id"), "")
        if not name:
            what = f"its category {_id(found, 'category_id')!r} is not listed"
            notices[image].append(Notice("annotation without a label", where, what, dropped=True))
            continue
        drawn = images[image]
        try:
            if found.get("bbox"):
                boxes[image].append(Box(name, *_four(found["bbox"])))
            shapes = found.get("segmentation") or []
            if isinstance(shapes, dict):
                notices[image].append(Notice("annotation not read", where, f"{name}: a run-length mask", dropped=True))
                continue
            outlines[image] += [Polygon.of(name, points(shape), drawn.height, drawn.width) for shape in shapes]
        except (TypeError, ValueError, KeyError, IndexError, OverflowError):
            what = f"{name}, without an outline or box that can be read"
            notices[image].append(Notice("annotation without data", where, what, dropped=True))
    said: dict[str, Drawn] = {}
    for image, drawn in images.items():
        if drawn.name in said:
            raise DamagedFileError(f"{path}: expected each image once, found {drawn.name} twice")
        said[drawn.name] = replace(
            drawn, outlines=tuple(outlines[image]), boxes=tuple(boxes[image]), notices=tuple(notices[image])
        )
    return said


def _id(item: dict[str, Any], key: str = "id") -> int | str | None:
    """Return an id; what cannot be one is none."""
    value = item.get(key)
    return value if isinstance(value, int | str) else None


def _four(values: Any) -> tuple[float, float, float, float]:
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height
