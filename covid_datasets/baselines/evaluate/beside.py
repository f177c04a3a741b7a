"""What stands beside every result, on the same rows and the same split: metadata alone, and texture alone."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.traits.predict import Trial, forest_scores
from covid_datasets.audits.traits.rows import Rows
from covid_datasets.audits.traits.told import told_traits
from covid_datasets.baselines.evaluate.bootstrap import Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.lbp import lbp_features
from covid_datasets.baselines.evaluate.metrics import mean_auc, rankings
from covid_datasets.baselines.evaluate.pictures import grey_pictures
from covid_datasets.baselines.evaluate.report import Beside
from covid_datasets.baselines.evaluate.rows import Asked, Matched, class_of
from covid_datasets.extras import is_installed
from covid_datasets.load.splits import builds_of

METADATA = "metadata alone"
TEXTURE = "LBP and logistic regression"
SIDE = 256
"""Rows and columns of the pictures whose texture is looked at."""
CacheDir = str | os.PathLike[str] | None


def beside(
    wanted: Asked, matched: Matched, *, resamples: int, seed: int, cache_dir: CacheDir = None
) -> tuple[Beside, Beside]:
    """Learn the classes on train, once from metadata and once from texture, and predict the rows that are asked.

    Metadata is everything that `confounding` knows of a picture but its pixels and the person, learned by its forest.
    """
    if not is_installed("sklearn"):
        return not_measured("scikit-learn is not installed; pip install 'covid_datasets[audit]' brings it")
    numbers = {row["sample_id"]: number for number, row in enumerate(wanted.rows)}
    labels = [class_of(row["label"], matched.classes) for row in wanted.rows]
    train = [
        number
        for number, row in enumerate(wanted.rows)
        if row["split"] == "train" and row["kept"] and labels[number] is not None
    ]
    classes = np.asarray([matched.classes.index(labels[row] or "") for row in train], dtype=np.int64)
    if len(set(classes.tolist())) < 2:
        return not_measured("train has no two classes")
    builds = builds_of(list(wanted.names), wanted.config, cache_dir)
    chosen = np.asarray([*train, *(numbers[sample] for sample in matched.samples)], dtype=np.int64)
    ends = percentiles(matched.rarest)

    def scored(model: str, scores: Numbers) -> Beside:
        ranked = rankings(matched.truth, scores)
        measures = {"resamples": resamples, "seed": seed}
        auc = intervals(lambda weights: {"auc": mean_auc(ranked, weights)}, matched.groups, ends, **measures)["auc"]
        known = not np.isnan(auc.value)
        return Beside(model, auc.value if known else None, auc.low, auc.high, "" if known else "test has one class")

    told = [each for each in told_traits(Rows(builds, chosen)) if each.kind != "person" and each.varies]
    known = np.arange(len(chosen)) < len(train)
    everybody = np.concatenate([classes, matched.truth])
    metadata = Beside(METADATA, why="all rows have the same metadata")
    if told:
        metadata = scored(METADATA, forest_scores(told, everybody, len(matched.classes), Trial(known, ~known)))
    pictures = grey_pictures(builds, chosen, SIDE)
    if not pictures.any():
        return metadata, Beside(TEXTURE, why="no row has a picture")
    return metadata, scored(TEXTURE, _by_texture(pictures, classes, len(matched.classes)))


def not_measured(why: str) -> tuple[Beside, Beside]:
    """Say of both why they are not there."""
    return Beside(METADATA, why=why), Beside(TEXTURE, why=why)


def _by_texture(pictures: NDArray[np.uint8], classes: NDArray[np.int64], count: int) -> Numbers:
    """Learn the first pictures, of which the classes are known, and score the others."""
    from sklearn.linear_model import LogisticRegression

    features = np.stack([lbp_features(picture) for picture in pictures])
    learned = LogisticRegression(max_iter=2000).fit(features[: len(classes)], classes)
    found = np.zeros((len(features) - len(classes), count))
    found[:, learned.classes_] = learned.predict_proba(features[len(classes) :])
    return found
