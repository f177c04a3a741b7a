"""The split of every row of some builds, also in folds that a publisher ships, which only the stored rows tell."""

from __future__ import annotations

import json
from collections.abc import Sequence

from covid_datasets.catalog.cards import load_card
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import check_scheme, published_fold, scheme_splits


def splits_of(builds: Sequence[Built], index: Index, scheme: str) -> list[str | None]:
    """Give every row its split under a scheme; ``None`` leaves it out. ``index`` is that of the builds."""
    fold = published_fold(scheme)
    if not fold:
        return scheme_splits(index, [built.id for built in builds], scheme)
    check_scheme(scheme, [load_card(built.id) for built in builds])
    return [split for built in builds for split in _in_fold(built, fold)]


def _in_fold(built: Built, fold: str) -> list[str | None]:
    split = load_card(built.id).official_split
    if split is None or fold not in split.folds:
        return [None] * built.rows
    said = (json.loads(row).get(fold) for row in open_table(built).column("source_row").to_pylist())
    return [each if each in split.names else None for each in said]
