"""Exports of annotation tools: outlines, boxes and tags as they were drawn, and what cannot be used is told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.coco import read_coco
from covid_datasets.read.darwin import read_darwin
from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.schema import Box

SQUARE = [{"x": 1, "y": 2}, {"x": 4, "y": 2}, {"x": 4, "y": 5}, {"x": 1, "y": 5}]
IMAGE = {
    "width": 9,
    "height": 8,
    "filename": "0001.jpg",
    "original_filename": "a.jpg",
    "url": "https://x/?token=secret",
}


def darwin(*annotations: dict[str, Any], **image: Any) -> str:
    return json.dumps({"dataset": "d", "image": IMAGE | image, "annotations": list(annotations)})


def test_darwin() -> None:
    inner = [{"x": 2, "y": 3}, {"x": 3, "y": 3}, {"x": 3, "y": 4}, {"x": 2, "y": 4}]
    drawn = read_darwin(
        darwin(
            {"name": "Lung", "polygon": {"path": SQUARE}},
            {"name": "Lung", "complex_polygon": {"path": [SQUARE, inner]}},
            {"name": "Mark", "bounding_box": {"x": 1, "y": 2, "w": 3, "h": 4}},
            {"name": "View/PA", "tag": {}},
        ),
        "a.json",
    )
    assert (drawn.name, drawn.height, drawn.width, drawn.tags) == ("a.jpg", 8, 9, ("View/PA",))
    assert "secret" not in repr(drawn)
    assert drawn.boxes == (Box("Mark", 1, 2, 3, 4),)
    assert drawn.notices == ()
    plain, wrong = fill(drawn.outlines[:1], (8, 9))
    assert plain is not None
    assert (int(plain.sum()), wrong) == (16, [])
    holed, _ = fill(drawn.outlines[1:], (8, 9))
    assert holed is not None
    assert holed[2:6, 1:5].tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    both, _ = fill(drawn.outlines, (8, 9))
    assert both is not None
    assert int(both.sum()) == 16, "a hole in one outline is none in another"


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ({"name": "Lung", "polygon": {}}, "annotation without data"),
        ({"name": "Lung", "polygon": None}, "annotation without data"),
        ({"name": "Lung", "polygon": {"path": [{"x": 1}]}}, "annotation without data"),
        ({"name": "Lung", "complex_polygon": {"path": 5}}, "annotation without data"),
        ({"name": "Box", "bounding_box": {"x": "left"}}, "annotation without data"),
        ({"name": "Line", "line": {"path": []}}, "annotation not read"),
    ],
)
def test_what_darwin_does_not_say_is_told(annotation: dict[str, Any], kind: str) -> None:
    drawn = read_darwin(darwin(annotation, {"name": "ok", "tag": {}}), "a.json")
    assert drawn.tags == ("ok",)
    assert [(notice.kind, notice.where) for notice in drawn.notices] == [(kind, "a.json#0")]


def coco(**parts: Any) -> str:
    plain: dict[str, Any] = {
        "images": [
            {"id": 1, "file_name": "a.png", "height": 8, "width": 9},
            {"id": 2, "file_name": "b.png", "height": 8, "width": 9},
        ],
        "categories": [{"id": 0, "name": "Lung"}],
        "annotations": [
            {"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 3], "segmentation": [[1, 2, 4, 2, 4, 5, 1, 5]]}
        ],
    }
    return json.dumps(plain | parts)


def test_coco() -> None:
    said = read_coco(coco(), "c.json")
    assert sorted(said) == ["a.png", "b.png"]
    assert (said["b.png"].outlines, said["b.png"].boxes) == ((), ())
    assert said["a.png"].boxes == (Box("Lung", 1, 2, 3, 3),)
    mask, _ = fill(said["a.png"].outlines, (8, 9))
    assert mask is not None
    assert int(mask.sum()) == 16


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ({"image_id": 1, "category_id": 7}, "annotation without a label"),
        ({"image_id": 1, "category_id": 0, "bbox": [1, 2]}, "annotation without data"),
        ({"image_id": 1, "category_id": 0, "segmentation": [[1, 2, 3]]}, "annotation without data"),
        ({"image_id": 1, "category_id": 0, "segmentation": {"counts": "x", "size": [8, 9]}}, "annotation not read"),
    ],
)
def test_what_coco_does_not_say_is_told(annotation: dict[str, Any], kind: str) -> None:
    assert [notice.kind for notice in read_coco(coco(annotations=[annotation]), "c.json")["a.png"].notices] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"annotations": [5]}',
        coco(images=5),
        coco(images=[{"id": 1}]),
        coco(images=[{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]),
        coco(images=[{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}]),
        coco(annotations=[{"image_id": 9, "category_id": 0}]),
    ],
)
def test_what_is_no_export_is_an_error(text: str) -> None:
    with pytest.raises(DamagedFileError, match="x.json"):
        read_coco(text, "x.json")
    if "images" not in text:
        with pytest.raises(DamagedFileError, match="x.json"):
            read_darwin(text, "x.json")


def test_a_point_far_away_is_not_drawn() -> None:
    mask, wrong = fill([Polygon.of("x", [(1, 1), (1e300, 1), (3, 3)])], (8, 8))
    assert mask is None
    assert len(wrong) == 1


def test_rings_are_outlines_each() -> None:
    mask, wrong = fill([Polygon.of_rings("x", [[(1, 1), (5, 1), (5, 5)], [(2, 2)]])], (8, 8))
    assert (mask, wrong) == (None, ["x: 1 points are no outline; not used"])
    assert np.array_equal(
        fill([Polygon.of_rings("x", [[(1, 1), (5, 1), (5, 5)]])], (8, 8))[0],  # type: ignore[arg-type]
        fill([Polygon.of("x", [(1, 1), (5, 1), (5, 5)])], (8, 8))[0],  # type: ignore[arg-type]
    )
