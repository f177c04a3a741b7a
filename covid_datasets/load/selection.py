"""Which rows of which builds make up each split that a caller gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from covid_datasets.build.result import Built
from covid_datasets.catalog import Modality
from covid_datasets.errors import UnknownVersionError, UsageError
from covid_datasets.load.licences import PERMISSIONS, permitted
from covid_datasets.load.splitspec import parse_split
from covid_datasets.load.tables import open_table
from covid_datasets.schema import COLUMNS, Sex, View
from covid_datasets.splits.assign import SPLITS, assign, hash_fraction, published_splits
from covid_datasets.splits.index import Index
from covid_datasets.taxonomy import label_names

Rows = np.ndarray
"""Row numbers of one build, counted through its train, validation and test files in order."""

_CLOSED: dict[str, tuple[str, ...]] = {
    "modality": get_args(Modality),
    "view": get_args(View),
    "sex": get_args(Sex),
    "quality": ("good", "questionable", "poor"),
}
"""Columns whose values are known beforehand, so that a slip is an error and not an empty dataset."""

_FOLD = re.compile(r"^fold-(\d+)-of-(\d+)$")


@dataclass(frozen=True)
class Selection:
    """For each split, the rows of each build, in order."""

    builds: tuple[Built, ...]
    splits: Mapping[str, tuple[Rows, ...]]

    def part(self, spec: str) -> tuple[Rows, ...]:
        """Pick rows by a split specification."""
        sizes = {name: sum(map(len, rows)) for name, rows in self.splits.items()}
        picked: list[list[Rows]] = [[] for _ in self.builds]
        for part in parse_split(spec, sizes):
            offset = 0
            for number, rows in enumerate(self.splits[part.split]):
                picked[number].append(rows[max(part.start - offset, 0) : max(part.stop - offset, 0)])
                offset += len(rows)
        return tuple(np.concatenate(rows) for rows in picked)


def stored_splits(build: Built) -> dict[str, Rows]:
    """List the rows of the default splits, which are stored one after the other."""
    found, start = {}, 0
    for split in SPLITS:
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


def scheme_splits(index: Index, datasets: Sequence[str], scheme: str) -> list[str | None]:
    """Give every row of an index its split under a scheme; ``None`` leaves it out."""
    if scheme == "patient":
        published: dict[str, str] = {}
        for dataset in datasets:
            published |= published_splits(dataset)
        return list(assign(index.groups, index.texts("patient_id"), published))
    if scheme == "official":
        found = index.strings("official_split")
        if not any(found):
            raise UnknownVersionError(f"{', '.join(datasets)}: the source ships no split; use scheme='patient'")
        return found
    if match := _FOLD.match(scheme):
        fold, folds = int(match[1]), int(match[2])
        if not 1 <= fold <= folds or folds < 2:
            raise UsageError(f"scheme {scheme!r}: expected fold-k-of-n with n of 2 or more and k from 1 to n")
        return list(_fold(index, fold, folds))
    raise UnknownVersionError(f"scheme {scheme!r}: expected patient, official or fold-k-of-n (fold-1-of-5)")


def _fold(index: Index, fold: int, folds: int) -> list[str]:
    patients = index.texts("patient_id")
    keys: dict[int, str] = {}
    for group, patient in zip(index.groups, patients, strict=True):
        keys[group] = min(keys.get(group, patient), patient)
    place = {group: int(hash_fraction(key, f"covid_datasets/fold/{folds}") * folds) + 1 for group, key in keys.items()}
    return ["test" if place[group] == fold else "train" for group in index.groups]


def narrow(selection: Selection, view: Mapping[str, Any], licence: Any) -> Selection:
    """Keep the rows whose columns have the wanted values: ``modality="CT"``, ``quality=["good", "questionable"]``."""
    if not view and licence is None:
        return selection
    usable = [name for name, kind in COLUMNS.items() if isinstance(kind, str) and kind != "image"]
    if unknown := sorted(set(view) - set(usable)):
        raise UsageError(f"view {unknown[0]!r}: expected a column with single values ({', '.join(usable)})")
    tables = [open_table(build) for build in selection.builds]
    _check_licence(tables, licence)
    masks = []
    for table in tables:
        mask = np.ones(table.num_rows, dtype=bool)
        for name, wanted in view.items():
            mask &= np.asarray(_matches(table, name, wanted))
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
    return [value in choices for value in values]


def _choices(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]


def _check_licence(tables: Sequence[pa.Table], licence: Any) -> None:
    """Refuse a licence that is no permission and no text of these datasets: a slip would give no rows at all."""
    known = {text for table in tables for text in table.column("license").unique().to_pylist() if text}
    for choice in [] if licence is None else _choices(licence):
        if choice not in PERMISSIONS and choice not in known:
            texts = ", ".join(map(repr, sorted(known))) or "none"
            raise UsageError(f"license {choice!r}: expected {', '.join(PERMISSIONS)} or a text found here: {texts}")
