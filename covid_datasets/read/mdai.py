"""Annotations as the MD.ai annotation tool exports them: JSON with groups of labels, and datasets of annotations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from covid_datasets.read.exports import parsed, points, rows, side
from covid_datasets.read.polygons import Polygon
from covid_datasets.schema import Notice


@dataclass(frozen=True, slots=True)
class Annotations:
    """What readers said, as they said it.

    Attributes:
        outlines: SeriesInstanceUID -> SOPInstanceUID -> the outlines of the wanted labels.
        images: SeriesInstanceUID -> "group: label" -> how many annotations of single images.
        studies: StudyInstanceUID -> group -> labels of the whole study.
        notices: What could not be used.
    """

    outlines: Mapping[str, Mapping[str, tuple[Polygon, ...]]]
    images: Mapping[str, Mapping[str, int]]
    studies: Mapping[str, Mapping[str, tuple[str, ...]]]
    notices: tuple[Notice, ...]


NOTHING = Annotations({}, {}, {}, ())


def read_annotations(text: str, path: str, wanted: Collection[str]) -> Annotations:
    """Read an export; ``wanted`` are the names of the labels whose outlines are kept.

    A label of one name occurs in the group of each team of readers, with an id of its own: annotations are joined by
    id, and the group stays with them.
    """
    table = parsed(text, path, "an export of MD.ai", ["labelGroups", "datasets"])
    labels = dict(_labels(table, path))
    outlines: dict[str, dict[str, list[Polygon]]] = defaultdict(lambda: defaultdict(list))
    images: dict[str, Counter[str]] = defaultdict(Counter)
    studies: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    notices: list[Notice] = []
    for where, found in _annotations(table, path):
        group, name = labels.get(str(found.get("labelId")), ("", ""))
        series, image = found.get("SeriesInstanceUID"), found.get("SOPInstanceUID")
        if not name:
            what = f"its label {found.get('labelId')!r} is in no group of labels"
            notices.append(Notice("annotation without a label", where, what, dropped=True))
        elif not image:
            study = studies[str(found.get("StudyInstanceUID"))][group]
            if name not in study:
                study.append(name)
        else:
            images[str(series)][f"{group}: {name}"] += 1
            if name not in wanted:
                continue
            try:
                outlines[str(series)][str(image)].append(_polygon(found, name))
            except (TypeError, ValueError, KeyError, IndexError, OverflowError):
                what = f"{group}: {name} on image {image}, without an outline"
                notices.append(Notice("annotation without data", where, what, dropped=True))
    return Annotations(
        {series: {image: tuple(drawn) for image, drawn in found.items()} for series, found in outlines.items()},
        {series: dict(sorted(counts.items())) for series, counts in images.items()},
        {
            study: {group: tuple(sorted(names)) for group, names in sorted(groups.items())}
            for study, groups in studies.items()
        },
        tuple(notices),
    )


def _polygon(found: Mapping[str, Any], name: str) -> Polygon:
    vertices = points(found["data"]["vertices"])
    return Polygon.of(name, vertices, side(found.get("height")), side(found.get("width")))


def _labels(table: dict[str, Any], path: str) -> Iterator[tuple[str, tuple[str, str]]]:
    for group in table["labelGroups"]:
        for label in rows(group, "labels", path):
            yield str(label.get("id")), (str(group.get("name")), str(label.get("name") or ""))


def _annotations(table: dict[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for dataset in table["datasets"]:
        for found in rows(dataset, "annotations", path):
            yield f"{path}#{found.get('id')}", found
