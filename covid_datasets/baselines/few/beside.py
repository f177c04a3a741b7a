"""What stands beside: metadata and texture, which know as many labels and have never seen a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from covid_datasets.audits.traits.predict import Trial, forest_scores
from covid_datasets.audits.traits.rows import Rows
from covid_datasets.audits.traits.told import told_traits
from covid_datasets.baselines.evaluate.beside import SIDE
from covid_datasets.baselines.evaluate.lbp import lbp_features
from covid_datasets.baselines.evaluate.pictures import grey_pictures
from covid_datasets.baselines.few.ways import Way, regressed
from covid_datasets.load.fixed.chosen import Chosen

METADATA = "metadata alone, with train"
TEXTURE = "LBP and logistic regression"


def of_metadata(train: Chosen, test: Chosen, classes: int) -> Way | None:
    """Learn from what is told of files of train and of the labelled ones: a forest learns nothing of a few rows alone.

    ``None`` where all rows are told the same.
    """
    builds, chosen = _numbered((train, test))
    told = [each for each in told_traits(Rows(builds, chosen)) if each.kind != "person" and each.varies]
    if not told:
        return None
    labels, count = np.concatenate([train.labels, test.labels]), len(train)

    def way(shots: Sequence[np.ndarray]) -> np.ndarray:
        learned, asked = np.arange(len(chosen)) < count, np.arange(len(chosen)) >= count
        learned[count + np.concatenate(shots)] = True
        found: np.ndarray = forest_scores(told, labels, classes, Trial(learned, asked))
        return found

    return way


def of_texture(test: Chosen) -> Way:
    """Learn local binary patterns from the labelled rows alone."""
    builds, chosen = _numbered((test,))
    return regressed(np.stack([lbp_features(picture) for picture in grey_pictures(builds, chosen, SIDE)]))


def _numbered(parts: Sequence[Chosen]) -> tuple[list[Any], np.ndarray]:
    """Number rows of several choices through all of their builds."""
    builds = list({built.path: built for part in parts for built in part.builds}.values())
    starts = dict(
        zip((built.path for built in builds), np.cumsum([0, *(built.rows for built in builds)]), strict=False)
    )
    return builds, np.concatenate(
        [
            part.rows + np.array([int(starts[built.path]) for built in part.builds], np.int64)[part.build_of]
            for part in parts
        ]
    )
