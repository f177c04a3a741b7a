"""Annotations as the MD.ai annotation tool exports them: JSON with groups of labels, and datasets of annotations."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from covid_datasets.errors import DamagedFileError
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
    table = _parsed(text, path)
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
            except (TypeError, ValueError, KeyError):
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
    vertices = [(float(column), float(row)) for column, row in found["data"]["vertices"]]
    return Polygon.of(name, vertices, found.get("height"), found.get("width"))


def _parsed(text: str, path: str) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: expected an export of MD.ai (JSON), found none: {error}") from error
    wrong = not isinstance(table, dict) or any(
        not isinstance(table.get(key), list) or any(not isinstance(item, dict) for item in table[key])
        for key in ("labelGroups", "datasets")
    )
    if wrong:
        raise DamagedFileError(
            f"{path}: expected an export of MD.ai with the lists 'labelGroups' and 'datasets', found "
            f"{sorted(table) if isinstance(table, dict) else type(table).__name__}"
        )
    found: dict[str, Any] = table
    return found


def _labels(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, tuple[str, str]]]:
    for group in table["labelGroups"]:
        for label in _rows(group, "labels", path):
            yield str(label.get("id")), (str(group.get("name")), str(label.get("name") or ""))


def _annotations(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for dataset in table["datasets"]:
        for found in _rows(dataset, "annotations", path):
            yield f"{path}#{found.get('id')}", found


def _rows(table: Mapping[str, Any], key: str, path: str) -> list[dict[str, Any]]:
    rows = table.get(key) or []
    if not isinstance(rows, list) or any(not isinstance(row, dict) for row in rows):
        raise DamagedFileError(f"{path}: expected {key!r} as a list of tables, found {type(rows).__name__}")
    return rows
