"""The data of a run that draws masks, as it was trained on them, and what is true of the images of one split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from covid_datasets.baselines.evaluate.overlap import Counts
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.again import data_again
from covid_datasets.baselines.train.asked import names_of
from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.run import Run
from covid_datasets.errors import UsageError, not_one_of


@dataclass(frozen=True, eq=False)
class Held:
    """A run, its data, and the true pixels of each image of a split, by sample id."""

    path: Path
    config: Mapping[str, Any]
    recipe: Recipe
    data: Data
    split: str
    truth: Mapping[str, Counts]

    @property
    def names(self) -> tuple[str, ...]:
        """The datasets."""
        return names_of(self.config["dataset"])


def held(path: Path, split: str, cache_dir: str | os.PathLike[str] | None) -> Held:
    """Open a finished run, and the build that it is of.

    Raises:
        PredictionsError: The build here is another one.
        UsageError: The run draws no masks, or the split has none.
    """
    run = Run.read(path)
    config, recipe = run.config, run.recipe
    if not recipe.draws_alone:
        raise UsageError(f"{path}: expected a run that draws masks, found one that tells classes: evaluate() scores it")
    data = data_again(run, cache_dir=cache_dir)
    if split not in data.rows:
        raise UsageError(f"split: {not_one_of(split, set(data.rows) - {'train'})}")
    found = {}
    for row in data.rows[split]:
        none = np.zeros(row["image"].shape[:2], bool)
        found[row["sample_id"]] = Counts.of(row, split, "", dict.fromkeys(recipe.draws, none))
    return Held(path, config, recipe, data, split, found)
