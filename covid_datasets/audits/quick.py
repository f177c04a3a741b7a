"""The quick level: pairs of pictures that look the same by what every build looks at too, exact on every machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any

import pyarrow as pa

from covid_datasets.measure.image import Measured
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.groups import Link
from covid_datasets.splits.index import Index

_CORRELATION = re.compile(r"correlation (-?[0-9.]+)")
_COMMON = {field.name for field in fields(Measured)} & set(INDEX_SCHEMA.names)


def look_alikes(pictures: Sequence[Measured]) -> list[Link]:
    """Find all pairs of pictures that are near-duplicates, by the search of a build.

    >>> look_alikes([Measured(""), Measured("")])
    []
    """
    rows = [_row(each) for each in pictures]
    return Index(pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)).near_links()


def _row(picture: Measured) -> dict[str, Any]:
    """Make a row of the index of a build, as far as the picture says what is in it."""
    return {name: _stored(getattr(picture, name)) for name in _COMMON}


def _stored(value: Any) -> Any:
    """Give parts of a picture as the dictionaries that an index has of them."""
    if not isinstance(value, tuple):
        return value
    return [asdict(each) if is_dataclass(each) and not isinstance(each, type) else each for each in value]


def score_of(link: Link) -> float | None:
    """Read how alike two pictures are out of the evidence.

    >>> score_of(Link("near-duplicate", 0, 1, "distance 4 of 256, correlation 0.998"))
    0.998
    """
    found = _CORRELATION.search(link.key)
    return float(found[1]) if found else None
