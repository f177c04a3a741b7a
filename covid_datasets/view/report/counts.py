"""Counts of the values of a column by split, without a look at any picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built

UNKNOWN = "unknown"
"""How a row is counted that says nothing."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How often each value of a column is in each split.

    Attributes:
        name: What is counted.
        values: Value -> split -> rows; most rows first, or in the order of the values where they have one. Rows that
            say nothing are under ``unknown``, the last one.
        several: Whether a row may have several values, so that the counts are not those of rows.
    """

    name: str
    values: Mapping[str, Mapping[str, int]]
    several: bool = False

    @property
    def told(self) -> int:
        """How many rows say something; each value of a row counts where it may have several."""
        return sum(sum(of.values()) for value, of in self.values.items() if value != UNKNOWN)

    def total(self, value: str) -> int:
        """Count a value in all splits."""
        return sum(self.values.get(value, {}).values())


@dataclass(frozen=True, slots=True)
class _Way:
    """How a column is counted: what a stored value is called, and whether values have an order of their own."""

    column: str
    called: Callable[[Any], str] = str
    ordered: bool = False


def _decade(age: float) -> str:
    if not isfinite(age):
        return UNKNOWN
    low = int(age // 10) * 10
    return f"{low} to {low + 9}"


_WAYS: Mapping[str, _Way] = {
    "label": _Way("label", lambda number: label_names()[number]),
    "modality": _Way("modality"),
    "view": _Way("view"),
    "sex": _Way("sex"),
    "age": _Way("age", _decade, ordered=True),
    "severity": _Way("severity"),
    "severity scores": _Way("severity_scores"),
    "outcome": _Way("outcome"),
    "survival": _Way("survival", lambda lived: "lived" if lived else "died"),
    "month": _Way("date", lambda date: date[:7], ordered=True),
    "country": _Way("country"),
    "licence": _Way("license"),
    "quality": _Way("quality"),
    "quality reasons": _Way("quality_reasons"),
    "flags": _Way("flags"),
    "masks": _Way("masks"),
}
"""What is counted of images, in the order in which it is shown."""


def counts_of(built: Built) -> tuple[Counted, ...]:
    """Count what a build says of its rows; of a table, whose columns are its own, only countries, if it has them."""
    there = {"country"} if built.columns.get("country") == "string" else set()
    ways = {name: way for name, way in _WAYS.items() if not built.columns or name in there}
    table = open_table(built)
    return tuple(_counted(name, way, table[way.column], built.splits) for name, way in ways.items())


def known_of(built: Built) -> dict[str, int]:
    """Count of each column of a table in how many rows it says something."""
    table = open_table(built)
    return {name: len(table) - table[name].null_count for name in built.columns}


def _counted(name: str, way: _Way, column: pa.ChunkedArray, splits: Mapping[str, int]) -> Counted:
    found: dict[str, Counter[str]] = {}
    start = 0
    for split, rows in splits.items():
        for value, count in _values(column.slice(start, rows)):
            called = UNKNOWN if value is None or value == "" else way.called(value)
            found.setdefault(called, Counter())[split] += count
        start += rows
    several = pa.types.is_list(column.type) or pa.types.is_struct(column.type)
    if several:
        found.pop(UNKNOWN, None)
    return Counted(name, {value: dict(found[value]) for value in _in_order(found, ordered=way.ordered)}, several)


def _values(column: pa.ChunkedArray) -> list[tuple[Any, int]]:
    if pa.types.is_struct(column.type):  # of files, those that are there
        return [
            (field.name, count)
            for field in column.type
            if (count := len(column) - pc.struct_field(column, field.name).null_count)
        ]
    if pa.types.is_list(column.type):
        column = pc.list_flatten(column)
    if pa.types.is_struct(column.type):  # of values that have a name, the name
        column = pc.struct_field(column, "name")
    return [(row["values"], row["counts"]) for row in pc.value_counts(column).to_pylist()]


def _in_order(found: Mapping[str, Counter[str]], *, ordered: bool) -> list[str]:
    def key(value: str) -> tuple[Any, ...]:
        number = int(value.split()[0]) if ordered and " to " in value else 0
        return (value == UNKNOWN, number if ordered else -found[value].total(), value)

    return sorted(found, key=key)
