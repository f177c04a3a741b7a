"""Which rows of which builds make up each split that a caller gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.catalog.published import SPLITS
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.errors import UsageError
from covid_datasets.load.licences import PERMISSIONS, permitted
from covid_datasets.load.splitspec import parse_split
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.schema import COLUMNS, CONTENT, VOCABULARIES
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import scheme_splits

Rows = np.ndarray
"""Row numbers of one build, counted through its train, validation and test files in order."""

Picked = tuple[Built, Rows]
"""Some rows of one build; what a caller gets is a list of these."""

_CLOSED = {**VOCABULARIES, "quality": ("good", "questionable", "poor")}
"""Columns whose values are known beforehand, so that a slip is an error and not an empty dataset."""


@dataclass(frozen=True)
class Selection:
    """For each split, the rows of each build, in order."""

    builds: tuple[Built, ...]
    splits: Mapping[str, tuple[Rows, ...]]

    def whole(self, name: str) -> list[Picked]:
        """Return a split, build after build."""
        return list(zip(self.builds, self.splits[name], strict=True))

    def range(self, spec: str) -> list[Picked]:
        """Pick rows by a split specification, in its order."""
        sizes = {name: sum(map(len, rows)) for name, rows in self.splits.items()}
        picked = []
        for wanted in parse_split(spec, sizes):
            offset = 0
            for build, rows in self.whole(wanted.split):
                picked.append((build, rows[max(wanted.start - offset, 0) : max(wanted.stop - offset, 0)]))
                offset += len(rows)
        return picked


def stored_splits(build: Built) -> dict[str, Rows]:
    """List the rows of the default splits, which are stored one after the other."""
    found, start = {}, 0
    for split in build.splits:
        found[split] = np.arange(start, start + build.splits[split])
        start += build.splits[split]
    return found


def select(builds: Sequence[Built], scheme: str) -> Selection:
    """Choose the rows of each split under a scheme; several builds are kept disjoint in people and pictures."""
    if scheme == "patient" and len(builds) == 1:
        return Selection(tuple(builds), {split: (rows,) for split, rows in stored_splits(builds[0]).items()})
    indices = [Index.read(build.path) for build in builds]
    joint = (
        Index(pa.concat_tables([index.table for index in indices]).combine_chunks()) if len(indices) > 1 else indices[0]
    )
    splits = scheme_splits(joint, [build.id for build in builds], scheme)
    names = sorted({split for split in splits if split}, key=lambda name: (*SPLITS, name).index(name))
    bounds = np.cumsum([0, *(index.table.num_rows for index in indices)])
    column = np.asarray([split or "" for split in splits])
    chosen = {
        name: tuple(np.flatnonzero(column[start:stop] == name) for start, stop in pairwise(bounds.tolist()))
        for name in names
    }
    return Selection(tuple(builds), chosen)


def narrow(selection: Selection, filters: Mapping[str, Any], licence: Any) -> Selection:
    """Keep the rows whose columns have the wanted values: ``modality="CT"``, ``quality=["good", "questionable"]``."""
    if not filters and licence is None:
        return selection
    columns = selection.builds[0].columns
    usable = list(columns) or [
        name for name, kind in COLUMNS.items() if (isinstance(kind, str) or kind == ["string"]) and name not in CONTENT
    ]
    if unknown := sorted(set(filters) - set(usable)):
        raise UsageError(f"filter {unknown[0]!r}: expected a column with single values ({', '.join(usable)})")
    tables = [open_table(build) for build in selection.builds]
    if licence is not None:
        _check_licence(tables, licence)
    masks = []
    for table in tables:
        mask = np.ones(table.num_rows, dtype=bool)
        for name, wanted in filters.items():
            mask &= np.asarray(_equals(table, name, wanted) if columns else _matches(table, name, wanted))
        if licence is not None:
            mask &= np.asarray([permitted(text, licence) for text in table.column("license").to_pylist()], dtype=bool)
        masks.append(mask)
    kept = {
        name: tuple(rows[mask[rows]] for rows, mask in zip(parts, masks, strict=True))
        for name, parts in selection.splits.items()
    }
    return Selection(selection.builds, kept)


def _matches(table: pa.Table, name: str, wanted: Any) -> list[bool]:
    values = table.column(name).to_pylist()
    choices = _choices(wanted)
    known = label_names() if name == "label" else _CLOSED.get(name, ())
    if known and (unknown := [choice for choice in choices if isinstance(choice, str) and choice not in known]):
        raise UsageError(f"{name} {unknown[0]!r}: expected one of {', '.join(known)}")
    if name == "label":
        choices = [known.index(choice) if isinstance(choice, str) else choice for choice in choices]
    if COLUMNS[name] == ["string"]:  # a list fits by any of its words; a null one says nothing, and fits by None
        return [
            any(choice in value for choice in choices) if value is not None else None in choices for value in values
        ]
    return [value in choices for value in values]


def _equals(table: pa.Table, name: str, wanted: Any) -> list[bool]:
    """Tell which rows of a table hold one of the wanted values; a value of another type is a slip, and an error."""
    import pyarrow.compute as pc  # here, so that loading without a filter does without it

    kind = table.schema.field(name).type
    dates = pa.types.is_date(kind)
    try:
        choices = [date.fromisoformat(each) if dates and isinstance(each, str) else each for each in _choices(wanted)]
        values = pa.array(choices, kind)
    except (ValueError, TypeError) as error:  # Arrow's own are among them
        raise UsageError(f"{name}={wanted!r}: expected values of type {kind}, found others ({error})") from error
    found: list[bool] = pc.is_in(table.column(name), value_set=values).to_pylist()
    return found


def _choices(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]


def _check_licence(tables: Sequence[pa.Table], licence: Any) -> None:
    """Refuse a licence that is no permission and no text of these datasets: a slip would give no rows at all."""
    known = {text for table in tables for text in table.column("license").unique().to_pylist() if text}
    for choice in _choices(licence):
        if choice not in PERMISSIONS and choice not in known:
            texts = ", ".join(map(repr, sorted(known))) or "none"
            raise UsageError(f"license {choice!r}: expected {', '.join(PERMISSIONS)} or a text found here: {texts}")
