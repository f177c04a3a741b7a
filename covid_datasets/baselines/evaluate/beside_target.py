"""What stands beside a target: a linear model of the same likelihood on what is known of an image without a pixel."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from covid_datasets.audits.traits.rows import Rows
from covid_datasets.audits.traits.told import told_traits
from covid_datasets.baselines.evaluate.bootstrap import Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.linear import columns_of, learned
from covid_datasets.baselines.evaluate.measures import RESAMPLES, means_of
from covid_datasets.baselines.evaluate.report import Beside
from covid_datasets.baselines.evaluate.rows import Asked, Matched, rarest
from covid_datasets.extras import is_installed
from covid_datasets.load.splits import builds_of

METADATA = "metadata alone, with age and sex"
CacheDir = str | os.PathLike[str] | None


def beside_target(wanted: Sequence[Asked], sets: Sequence[Matched], seed: int, cache_dir: CacheDir = None) -> Beside:
    """Learn the target on train from metadata, and measure it on the rows that are asked, and what predictions gain.

    Of several tables, as of folds, it is learned for each, and all is a mean over them. Metadata is all that
    `confounding` knows of a file but its pixels, the person's age and sex among it: of how ill somebody is, and who
    dies, these are no fault of the files.
    """
    if not all(map(is_installed, ("sklearn", "scipy"))):
        return Beside(METADATA, why="scikit-learn is not installed; pip install 'covid_datasets[audit]' brings it")
    theirs = []
    for asked, matched in zip(wanted, sets, strict=True):
        said = _said(asked, matched, cache_dir)
        if isinstance(said, str):
            return Beside(METADATA, why=said)
        theirs.append(replace(matched, probabilities=said))
    mine, its = means_of(sets), means_of(theirs)

    def gain(weights: Numbers) -> dict[str, float]:
        ours, others = mine(weights), its(weights)
        return {name: ours[name] - others[name] for name in ours}

    groups = [group for one in sets for group in one.groups]
    how: dict[str, Any] = {"resamples": RESAMPLES, "seed": seed}
    measures, gains = (intervals(each, groups, percentiles(rarest(sets)), **how) for each in (its, gain))
    auc = measures.get("auc")
    found = Beside(METADATA, measures=measures, gain=gains)
    return found if auc is None or np.isnan(auc.value) else replace(found, auc=auc.value, low=auc.low, high=auc.high)


def _said(wanted: Asked, matched: Matched, cache_dir: CacheDir) -> Numbers | str:
    """Return what metadata say of the rows of a table, or why nothing."""
    assert wanted.target is not None
    number = {row["sample_id"]: place for place, row in enumerate(wanted.rows)}
    train = [
        place
        for place, row in enumerate(wanted.rows)
        if row["split"] == "train" and row["kept"] and row["truth"] is not None
    ]
    truth = np.asarray([wanted.rows[place]["truth"] for place in train], dtype=float)
    survival = wanted.target.kind == "survival"
    if len(set(truth.tolist())) < 2 or (survival and not (truth > 0).any()):
        return "train has no two of what is predicted"
    chosen = np.asarray([*train, *(number[sample] for sample in matched.samples)], dtype=np.int64)
    known = np.arange(len(chosen)) < len(train)
    builds = builds_of(list(wanted.names), wanted.config, cache_dir)
    columns = columns_of(told_traits(Rows(builds, chosen)), known)
    if not columns.shape[1]:
        return "all rows have the same metadata"
    return learned(wanted.target, columns[known], truth, columns[~known])
