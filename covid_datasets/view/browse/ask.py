"""What somebody asks of the rows, checked: columns by a list of ours, values always bound, never a part of the SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from covid_datasets.columns import GROUP
from covid_datasets.errors import UsageError

CHOICES = (
    "dataset version config split modality view finding severity sex country quality license manufacturer date"
).split()
"""Columns of text that are chosen from."""
BY_WORD = (*(name for name in CHOICES if name != "date"), "kind", "masked")
"""Those with few words, which the page offers."""
RANGES = ("age", "offset_days", "width", "height", "depth")
"""Columns of numbers, of which a range is asked for."""
TEXTS = ("sample_id", "patient_id", "label_raw", "finding")
"""Columns that a search for words looks into."""
WORDS = "words"
"""The column that holds these, in small letters, a line each."""
_EXACT = ("patient_id", GROUP, "pixel_hash", "build", "date")
SORTED = ("number", "sample_id", *BY_WORD, *RANGES)
"""Columns by which rows can be put in order; the number is the order in which they are stored."""
_LONGEST, _LONGEST_TEXT, _MOST, _FURTHEST = 16_384, 200, 200, 1e9


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked question: words that must all be found, values by column, ends of ranges, and an order.

    >>> Ask.read('{"text": "covid", "finding": ["COVID-19", null], "age": [60, null]}').where()[1]
    ['covid', 'COVID-19', 60.0]
    >>> Ask.read('{"age; DROP TABLE samples": [1, 2]}')
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: question: expected columns ... found 'age; DROP TABLE samples'
    """

    words: tuple[str, ...] = ()
    values: tuple[tuple[str, tuple[str | None, ...]], ...] = ()
    ranges: tuple[tuple[str, float | None, float | None], ...] = ()
    order: str = "number"
    descending: bool = False

    @classmethod
    def read(cls, text: str) -> Ask:
        """Read a question as the page writes it, in JSON."""
        if len(text) > _LONGEST:
            raise UsageError(f"question: expected at most {_LONGEST:,} characters, found {len(text):,}")
        try:
            given = json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            raise UsageError("question: expected JSON") from error
        if not isinstance(given, dict):
            raise UsageError("question: expected an object in JSON")
        words = given.pop("text", "")
        order, descending = given.pop("order", "number"), given.pop("descending", False)
        if not _is_text(words) or len(words) > _LONGEST_TEXT:
            raise UsageError(f"text: expected at most {_LONGEST_TEXT} characters")
        if order not in SORTED or not isinstance(descending, bool):
            raise UsageError(f"order: expected one of {', '.join(SORTED)}, found {str(order)[:40]!r}")
        values, ranges = _conditions(given)
        return cls(tuple(words.lower().split()), values, ranges, order, descending)

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition of a WHERE, and what is bound to its question marks."""
        conditions: list[str] = ["true"]
        bound: list[Any] = []
        for word in self.words:
            conditions.append(f"contains({WORDS}, ?)")
            bound.append(word)
        for name, wanted in self.values:
            known = [value for value in wanted if value is not None]
            either = [f'"{name}" IN ({", ".join("?" * len(known))})'] if known else []
            either += [f'"{name}" IS NULL'] if None in wanted else []
            conditions.append(f"({' OR '.join(either)})")
            bound += known
        for name, low, high in self.ranges:
            for sign, end in ((">=", low), ("<=", high)):
                if end is not None:
                    conditions.append(f'"{name}" {sign} ?')
                    bound.append(end)
        return " AND ".join(conditions), bound

    def sql(self) -> tuple[str, list[Any]]:
        """Return the statement that gives the numbers of the rows as they are stored, and what is bound to it."""
        where, bound = self.where()
        return f"SELECT number FROM samples WHERE {where} ORDER BY number", bound  # noqa: S608 - names are ours, values bound

    @property
    def unordered(self) -> Ask:
        """The same rows as they are stored."""
        return replace(self, order="number", descending=False)


def _conditions(given: Mapping[str, Any]) -> tuple[Any, Any]:
    values, ranges = [], []
    for name, wanted in given.items():
        if name in RANGES:
            ranges.append((name, *_ends(name, wanted)))
        elif name in (*BY_WORD, *_EXACT):
            fits = isinstance(wanted, list) and 0 < len(wanted) <= _MOST
            if not fits or not all(each is None or _is_text(each) for each in wanted):
                raise UsageError(f"{name}: expected a list of 1 to {_MOST} texts, or null for what is unknown")
            values.append((name, tuple(dict.fromkeys(wanted))))
        else:
            known = ", ".join((*BY_WORD, *_EXACT, *RANGES))
            raise UsageError(f"question: expected columns {known}, found {name[:40]!r}")
    return tuple(values), tuple(ranges)


def _is_text(value: Any) -> bool:
    """Tell whether this is text that can be written as UTF-8: JSON also writes halves of characters."""
    return isinstance(value, str) and value == value.encode("utf-8", "ignore").decode()


def _ends(name: str, wanted: Any) -> tuple[float | None, float | None]:
    if not isinstance(wanted, list) or len(wanted) != 2 or not all(map(_is_end, wanted)):
        raise UsageError(f"{name}: expected two numbers, or null for an open end")
    low, high = (None if end is None else float(end) for end in wanted)
    return low, high


def _is_end(end: Any) -> bool:
    number = isinstance(end, int | float) and not isinstance(end, bool)
    return end is None or (number and abs(end) < _FURTHEST)  # which no NaN is
