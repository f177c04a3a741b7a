"""``streaming=True`` without a finished build: rows straight from the raw files, nothing written to disk."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from covid_datasets.catalog.cards import Name, choose
from covid_datasets.catalog.confounded import confounding_warning
from covid_datasets.catalog.published import SPLITS
from covid_datasets.errors import UsageError
from covid_datasets.extras import need
from covid_datasets.features import features_dict
from covid_datasets.prepare.completeness import check_complete
from covid_datasets.prepare.pieces import Task, piece_rows
from covid_datasets.prepare.result import Verify
from covid_datasets.prepare.source import open_source
from covid_datasets.prepare.tabular import table_rows
from covid_datasets.schema import Notice
from covid_datasets.settings import Settings
from covid_datasets.splits.assign import TABLE_SPLIT

if TYPE_CHECKING:
    from datasets import IterableDatasetDict

STREAM_PIECE_BYTES = 8 << 20


def stream_raw(
    name: Name,
    config: str | None,
    settings: Settings,
    *,
    data_dir: Any,
    verify: Verify,
    allow_missing: bool,
    accept_licence: bool = False,
) -> IterableDatasetDict:
    """Stream the default splits of a source that is not built.

    Splits are by what the metadata says: duplicates that only pixels show are not known before they are read,
    unless they are in the catalog's identities.
    """
    need("datasets")
    from datasets import Features, IterableDataset, IterableDatasetDict

    choice = choose(name, config)
    card, columns = choice.card, choice.columns
    if card.patients.group == "near-duplicates":
        raise UsageError(
            f"streaming: expected a finished build of {card.id}, found none: only how its pictures look keeps those of "
            f"one person together, and that is found while building. First: covid-datasets build {card.id}"
        )
    if card.patients.known == "none" and not columns:
        warnings.warn(f"{card.id}: {card.patients.consequence}", stacklevel=4)
    if not columns and (text := confounding_warning(card.id, choice.version, choice.config)):
        warnings.warn(f"{card.id}: {text}", stacklevel=4)
    how: dict[str, Any] = {"verify": verify, "allow_missing": allow_missing, "accept_licence": accept_licence}
    source = open_source(choice, settings, data_dir=data_dir, **how)
    plan = source.plan(STREAM_PIECE_BYTES)
    incomplete = check_complete(choice, plan.rows, plan.notices, plan.shares, allow_missing)
    if incomplete or source.obtained.incomplete:
        warnings.warn(f"{card.id}@{choice.version} is INCOMPLETE: {plan.rows:,} rows are there", stacklevel=4)
    tasks = source.tasks(plan)
    features = Features.from_dict(features_dict(columns))
    return IterableDatasetDict(
        {
            split: IterableDataset.from_generator(
                _rows, features=features, gen_kwargs={"tasks": [task for task in tasks if task.piece.split == split]}
            )
            for split in ((TABLE_SPLIT,) if columns else SPLITS)
        }
    )


def _rows(tasks: list[Task]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        task.raw.reach()
        for item in table_rows(task) if task.columns else piece_rows(task):
            if not isinstance(item, Notice):
                yield item if isinstance(item, dict) else item[0]
            elif item.dropped:  # a build would count it and hold it against the tolerance; a stream can only tell
                warnings.warn(f"left out: {item.where}: {item.kind}: {item.what}", stacklevel=2)
