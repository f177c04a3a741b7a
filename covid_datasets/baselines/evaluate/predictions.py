"""Predictions as a table: one row a sample, a column of probability for each class; ours or anybody's.

Of a target that is no class there is one column: ``value`` for numbers, ``risk`` for survival.
"""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from covid_datasets.baselines.recipe import DRAW, read_recipe
from covid_datasets.baselines.target import RISK, VALUE, Target
from covid_datasets.catalog.typed import read_typed
from covid_datasets.disk import read_json
from covid_datasets.errors import NotThereError, PredictionsError, UnreadableError, UsageError

FILE = "predictions.csv"
CONFIG = "config.json"
ROUNDS = "rounds.json"
"""Beside the runs of several rounds: which these are."""
ROUND = "round-"
"""Before the number of a round, in the name of its folder."""
SAMPLE = "sample_id"
PREFIX = "p_"
"""Before the name of a class, in the name of its column."""
SLACK = 0.01
"""How far the probabilities of a row may be from 1 together: who rounds to three digits is not wrong."""
SHOWN = 3
"""Rows that are named in an error."""
_FROM_RUN = frozenset(("dataset", "scheme", "fingerprint", "split_hash"))
"""What a ``config.json`` has that is one of a run, and not of some other program."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What was predicted of some samples.

    Attributes:
        file: The table.
        classes: The classes that have a column, in the order of their columns; or ``value`` or ``risk`` alone.
        samples: The id of each sample, as `load_splits` has it.
        probabilities: A line for each sample, a column for each class; each line sums to 1, but for one column alone.
        splits: In which split the table says that each sample is; empty where it does not say.
        labels: The class that the table says is the true one; empty where it does not say.
        run: What ``config.json`` beside the table says: dataset, config, scheme, seed, fingerprint and so on.
    """

    file: Path
    classes: tuple[str, ...]
    samples: tuple[str, ...]
    probabilities: np.ndarray
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    run: Mapping[str, Any]

    def target(self, recipe: str | None) -> Target | None:
        """Return what is predicted where it is no label: what the run says, or a recipe by its name."""
        recipe_of_run = self.run.get("recipe")
        table = recipe_of_run.get("target") if isinstance(recipe_of_run, Mapping) else None
        told = read_typed(Target, table, self.file.parent / CONFIG) if table else None
        asked = read_recipe(recipe).target if recipe else None
        if recipe and not asked:
            raise UsageError(f"recipe: expected one with a target, such as 'severity-small', found {recipe!r}")
        if self.run and asked and told != asked:
            raise UsageError(
                f"recipe: expected that of {self.file.parent / CONFIG}, found {recipe!r}, of another target"
            )
        return told or asked


def runs_in(place: str | os.PathLike[str]) -> list[Path]:
    """Name the runs of a folder of rounds; anything else is one table or run by itself.

    >>> [str(each) for each in runs_in("mine.csv")]
    ['mine.csv']
    """
    folder = Path(place)
    return [folder / name for name in read_json(folder / ROUNDS).get("runs", [])] or [folder]


def draws_masks(place: str | os.PathLike[str]) -> bool:
    """Tell whether a run, or rounds of runs, draw masks, and tell no classes."""
    recipe = read_json(runs_in(place)[0] / CONFIG).get("recipe")
    return isinstance(recipe, dict) and recipe.get("task") == DRAW


def read_predictions(place: str | os.PathLike[str]) -> Predictions:
    """Read the folder of a run, which has ``predictions.csv``, or a table by itself.

    Raises:
        NotThereError: There is no such file.
        PredictionsError: It is no table of predictions; the message says what is wrong, and in which line.
    """
    file = Path(place) / FILE if Path(place).is_dir() else Path(place)
    if draws_masks(file.parent):
        raise UsageError(
            f"{file.parent}: expected a run that tells classes, found one that draws masks: use evaluate_masks"
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = _read(file, csv.DictReader(lines, strict=True))
    except FileNotFoundError as error:
        raise NotThereError(f"{file}: expected a table of predictions, or a run that has one, found nothing") from error
    except OSError as error:
        raise UnreadableError.of(file, error) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise PredictionsError(f"{file}: expected a CSV in UTF-8, found something else: {error}") from error
    return found


def _read(file: Path, table: csv.DictReader[str]) -> Predictions:
    columns = list(table.fieldnames or ())
    classes = tuple(name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX))
    classes = classes or tuple(name for name in (VALUE, RISK) if name in columns)[:1]
    if doubled := _doubled(columns):
        raise PredictionsError(f"{file}: expected each column once, found {', '.join(doubled)} several times")
    alone = classes in ((VALUE,), (RISK,))
    if SAMPLE not in columns or (len(classes) < 2 and not alone) or "" in classes:
        raise PredictionsError(
            f"{file}: expected the columns {SAMPLE} and {PREFIX}<class> for each of two or more classes, or {VALUE} or "
            f"{RISK}, found {', '.join(columns)[:300] or 'none'}"
        )
    rows = list(table)
    for line, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise PredictionsError(f"{file}, line {line}: expected {len(columns)} cells, as the first line has")
    samples = tuple(row[SAMPLE] for row in rows)
    if doubled := _doubled(samples):
        raise PredictionsError(
            f"{file}: expected each sample once, found {len(doubled):,} several times: {some(doubled)}. "
            "Next: keep one row of each, or average them"
        )
    read = _number if alone else _probabilities
    values = [read(row, classes, f"{file}, line {line}") for line, row in enumerate(rows, 2)]
    config = read_json(file.parent / CONFIG)
    return Predictions(
        file=file,
        classes=classes,
        samples=samples,
        probabilities=np.asarray(values, dtype=float).reshape(len(rows), len(classes)),
        splits=tuple(row.get("split", "") for row in rows),
        labels=tuple(row.get("label", "") for row in rows),
        run=config if config.keys() >= _FROM_RUN else {},
    )


def _probabilities(row: Mapping[str, str], classes: Sequence[str], where: str) -> list[float]:
    found = []
    for name in classes:
        text = row[PREFIX + name]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:
            raise PredictionsError(
                f"{where}, column {PREFIX}{name}: expected a probability from 0 to 1, found {text!r}. "
                "Next: write the softmax of what a network gives"
            )
        found.append(value)
    if abs(sum(found) - 1) > SLACK:
        raise PredictionsError(f"{where}: expected probabilities that sum to 1, found a sum of {sum(found):.4g}")
    return found


def _number(row: Mapping[str, str], classes: Sequence[str], where: str) -> list[float]:
    text = row[classes[0]]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PredictionsError(f"{where}, column {classes[0]}: expected a number, found {text!r}")
    return [value]


def _doubled(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def some(names: Sequence[str]) -> str:
    """Name the first few, and say how many more there are.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
