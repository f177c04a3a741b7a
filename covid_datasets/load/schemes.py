"""The split of every row of some builds, also in folds that a publisher ships, which only the stored rows tell."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from covid_datasets.catalog.cards import load_card
from covid_datasets.columns import INDEX_FILE, ORIGIN
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import check_scheme, published_fold, scheme_splits


def splits_of(builds: Sequence[Built], index: Index, scheme: str) -> list[str | None]:
    """Give every row of an index its split under a scheme; ``None`` leaves it out.

    ``index`` is the evidence of the builds: of a view, the rows of the build that it was made of.
    """
    fold = published_fold(scheme)
    if not fold:
        return scheme_splits(index, [built.id for built in builds], scheme)
    check_scheme(scheme, [load_card(built.id) for built in builds])
    sizes = zip(builds, index.sizes, strict=True)
    return [split for built, size in sizes for split in _in_fold(built, fold, size)]


def rows_of_source(built: Built) -> Sequence[int]:
    """Say of each row of a view which row of its source it shares split and group with; of a build, of itself."""
    if not built.view:
        return range(built.rows)
    with pa.memory_map(str(built.path / INDEX_FILE)) as file:
        origins: list[int] = pa.ipc.open_file(file).read_all().column(ORIGIN).to_pylist()
    return origins


def _in_fold(built: Built, fold: str, size: int) -> list[str | None]:
    found: list[str | None] = [None] * size
    split = load_card(built.id).official_split
    if split is not None and fold in split.folds:
        said = (json.loads(row).get(fold) for row in open_table(built).column("source_row").to_pylist())
        for row, each in zip(rows_of_source(built), said, strict=True):
            found[row] = each if each in split.names else None
    return found
