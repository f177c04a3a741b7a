"""Exports of annotation tools (JSON): parsed once, with the shape that a reader relies on checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import MAX_TEXT


def parsed(text: str, path: str, what: str, lists: Iterable[str] = ()) -> dict[str, Any]:
    """Parse an export whose top is a table that has some ``lists`` of tables; ``what`` it is goes into errors.

    >>> parsed('{"images": []}', "a.json", "an export of COCO", ["images"])
    {'images': []}
    """
    if len(text) > MAX_TEXT:
        raise DamagedFileError(f"{path}: expected {what}, found {len(text):,} characters; the limit is {MAX_TEXT:,}")
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"{path}: expected {what} (JSON), found none: {error}") from error
    wanted = list(lists)
    wrong = not isinstance(table, dict) or any(not _is_list_of_tables(table.get(key)) for key in wanted)
    if wrong:
        found = sorted(map(str, table))[:20] if isinstance(table, dict) else type(table).__name__
        named = " and ".join(repr(key) for key in wanted)
        raise DamagedFileError(f"{path}: expected {what} with the lists {named}, found {found}")
    found_table: dict[str, Any] = table
    return found_table


def rows(table: dict[str, Any], key: str, path: str) -> list[dict[str, Any]]:
    """Return a list of tables in a table; an empty one where there is none."""
    found = table.get(key) or []
    if not _is_list_of_tables(found):
        raise DamagedFileError(f"{path}: expected {key!r} as a list of tables, found {type(found).__name__}")
    listed: list[dict[str, Any]] = found
    return listed


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def side(value: Any) -> int | None:
    """Return the height or width of an image; ``None`` where it says none that can be.

    >>> side(512), side("512"), side(True), side(-1), side(10**9)
    (512, None, None, None, None)
    """
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 16 else None


def points(values: Any) -> list[tuple[float, float]]:
    """Return points that are given as ``{"x": …, "y": …}``, as pairs, or one number after the other."""
    if values and isinstance(values[0], dict):
        return [(float(value["x"]), float(value["y"])) for value in values]
    if values and isinstance(values[0], list | tuple):
        return [(float(column), float(row)) for column, row in values]
    numbers = [float(value) for value in values]
    return list(zip(numbers[0::2], numbers[1::2], strict=True))
