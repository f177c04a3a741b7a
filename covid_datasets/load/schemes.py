"""The split of every row of some builds, also in folds that a publisher ships, which only the stored rows tell."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from covid_datasets.catalog.cards import load_card
from covid_datasets.columns import INDEX_FILE, ORIGIN
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.splits.divide import Division
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import check_scheme, divide, needs_dates, published_fold


def division_of(builds: Sequence[Built], index: Index, scheme: str) -> Division:
    """Give every row of an index its split under a scheme, with what should be known of how; ``None`` leaves it out.

    ``index`` is the evidence of the builds: of a view, the rows of the build that it was made of.
    """
    sizes = list(zip(builds, index.sizes, strict=True))
    if fold := published_fold(scheme):
        check_scheme(scheme, [load_card(built.id) for built in builds])
        return Division([split for built, size in sizes for split in _in_fold(built, fold, size)])
    dates = [day for built, size in sizes for day in _dates(built, size)] if needs_dates(scheme) else []
    return divide(index, [built.id for built in builds], scheme, dates)


def rows_of_source(built: Built) -> Sequence[int]:
    """Say of each row of a view which row of its source it shares split and group with; of a build, of itself."""
    if not built.view:
        return range(built.rows)
    with pa.memory_map(str(built.path / INDEX_FILE)) as file:
        origins: list[int] = pa.ipc.open_file(file).read_all().column(ORIGIN).to_pylist()
    return origins


def _dates(built: Built, size: int) -> list[str | None]:
    found: list[str | None] = [None] * size
    for row, day in zip(rows_of_source(built), open_table(built).column("date").to_pylist(), strict=True):
        found[row] = day
    return found


def _in_fold(built: Built, fold: str, size: int) -> list[str | None]:
    found: list[str | None] = [None] * size
    split = load_card(built.id).official_split
    if split is not None and fold in split.folds:
        said = (json.loads(row).get(fold) for row in open_table(built).column("source_row").to_pylist())
        for row, each in zip(rows_of_source(built), said, strict=True):
            found[row] = each if each in split.names else None
    return found
