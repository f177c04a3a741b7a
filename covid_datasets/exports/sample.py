"""One row taken apart: the files that it holds, under names and extensions, and everything else as plain values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from covid_datasets.exports.features import is_file
from covid_datasets.harmless import csv_cell

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
)
_SUFFIX = re.compile(r"\.(nii\.gz|[A-Za-z0-9]{1,5})$")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_SLUG_LENGTH = 60


class Held(NamedTuple):
    """A file that a row holds: the column and what is inside of it ("masks", "lung"), and its bytes."""

    name: tuple[str, ...]
    extension: str
    content: bytes


def held_files(row: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[Held]:
    """Yield the files of a row, in the order of its columns; one that is null is left out."""
    for column, feature in types.items():
        yield from _held((column,), row[column], feature)


def plain_values(row: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """Return the other columns, as JSON writes them; a label has its class beside it, as ``label_name``."""
    found: dict[str, Any] = {}
    for column, feature in types.items():
        if _holds_files(feature):
            continue
        found[column] = _plain(row[column])
        if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel":
            code = row[column]
            found[f"{column}_name"] = None if code is None else feature["names"][code]
    return found


def cell(value: Any) -> object:
    """Write a plain value into a CSV: a list or struct as JSON, and no text that a spreadsheet would run."""
    return csv_cell(json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else value)


def key(number: int, row: Mapping[str, Any]) -> str:
    """Name a row by its number in the split and its id; nothing in it is special to a file system, a shell or a tar.

    >>> key(7, {"sample_id": "cohen/1.CXR.d/a b"})
    '00000007_cohen-1-CXR-d-a-b'
    """
    slug = _UNFIT.sub("-", str(row.get("sample_id") or "")).strip("-")[-_SLUG_LENGTH:].strip("-")
    return f"{number:08}_{slug}" if slug else f"{number:08}"


def extension(content: bytes, path: str | None) -> str:
    r"""Name the kind of a file: by how it begins, as publishers' names are often wrong; else by its name.

    >>> extension(b"\xff\xd8\xff", "scan.png"), extension(b"\x1f\x8b", "a/b.nii.gz"), extension(b"", None)
    ('jpg', 'nii.gz', 'bin')
    """
    for begin, name in _BEGINNINGS:
        if content.startswith(begin):
            return name
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if content[128:132] == b"DICM":
        return "dcm"
    found = _SUFFIX.search(path or "")
    return found[1].lower() if found else "bin"


def _held(name: tuple[str, ...], value: Any, feature: Any) -> Iterator[Held]:
    if value is None:
        return
    if is_file(feature):
        if (content := value["bytes"]) is not None:
            yield Held(name, extension(content, value["path"]), content)
    elif isinstance(feature, Mapping) and not isinstance(feature.get("_type"), str):
        for inner, kind in feature.items():
            yield from _held((*name, inner), value[inner], kind)
    elif _holds_files(feature):
        for number, each in enumerate(value):
            yield from _held((*name, str(number)), each, feature["feature"])


def _holds_files(feature: Any) -> bool:
    if is_file(feature):
        return True
    if not isinstance(feature, Mapping):
        return False
    if isinstance(feature.get("_type"), str):
        return "feature" in feature and _holds_files(feature["feature"])
    return any(map(_holds_files, feature.values()))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    return value
