"""Tables of predictions, each with the rows that it has to be of: those of one run, or of one for each seed or fold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from covid_datasets.baselines.evaluate.predictions import CONFIG, Predictions, read_predictions, runs_in
from covid_datasets.baselines.evaluate.rows import Asked, Matched, asked, match
from covid_datasets.catalog.cards import Name, names_in
from covid_datasets.errors import PredictionsError, UsageError

Place = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Predictions of one build, what they had to be of, and both laid together; an entry for each table."""

    tables: tuple[Predictions, ...]
    wanted: tuple[Asked, ...]
    sets: tuple[Matched, ...]


def gather(
    predictions: Place | Sequence[Place],
    dataset: Name | Sequence[Name] | None,
    config: str | None,
    scheme: str | None,
    split: str,
    cache_dir: str | os.PathLike[str] | None,
    recipe: str | None = None,
    **filters: Any,
) -> Gathered:
    """Read predictions and hold each table against its build and split; filters are those of a run, and further ones.

    ``recipe`` says what is predicted where that is no label, and no run says it.

    Raises:
        PredictionsError: A table is not of the rows that it has to be of, or several are of different data.
    """
    places = [predictions] if isinstance(predictions, str | os.PathLike) else list(predictions)
    if not places:
        raise UsageError("predictions: expected a run or a CSV, found an empty list")
    tables = [read_predictions(run) for place in places for run in runs_in(place)]
    wanted = []
    for table in tables:
        _check_said(table, {"dataset": dataset, "config": config, "scheme": scheme})
        name = dataset if dataset is not None else table.run.get("dataset")
        if name is None:
            raise UsageError(f"dataset: expected what {table.file} is of, found nothing; the table does not say it")
        told = (config or table.run.get("config"), scheme or table.run.get("scheme") or "patient")
        pictures = bool(table.run.get("pictures"))  # which our training alone can learn from
        kept = table.run.get("filters", {}) | filters
        target = table.target(recipe)
        wanted.append(asked(names_in(name), *told, split, cache_dir, pictures=pictures, target=target, **kept))
    sets = [match(table, of) for table, of in zip(tables, wanted, strict=True)]
    for table, of, one in zip(tables, wanted, sets, strict=True):
        if of.fingerprint != wanted[0].fingerprint or one.classes != sets[0].classes:
            raise PredictionsError(
                f"{table.file}: expected predictions of {', '.join(sets[0].classes)} of one build, as {tables[0].file} "
                f"has them, found {', '.join(one.classes)} of {of.fingerprint[:16]}…"
            )
    return Gathered(tuple(tables), tuple(wanted), tuple(sets))


def _check_said(table: Predictions, given: dict[str, Any]) -> None:
    """Refuse to call predictions those of other data than their run says."""
    for name, value in given.items():
        said = table.run.get(name)
        if value is not None and said is not None and _names(said) != _names(value):
            raise UsageError(f"{name}: expected {said!r}, as {CONFIG} beside {table.file} has it, found {value!r}")


def _names(value: Any) -> list[str]:
    return [os.fspath(each) for each in ([value] if isinstance(value, str | os.PathLike) else value)]
