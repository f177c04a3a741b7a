"""What a leak is worth: the same simple models, in folds of rows, of patients, and of groups that no evidence joins.

A model that remembers pictures gains where copies of what it has seen are asked. How much, says the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.traits.auc import INTERVAL, Pairs
from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals
from covid_datasets.baselines.evaluate.report import plain
from covid_datasets.catalog.cards import Name
from covid_datasets.errors import UsageError
from covid_datasets.extras import need
from covid_datasets.load.splits import builds_of, load_splits
from covid_datasets.progress import progress
from covid_datasets.splits.index import Index

FOLDS = 5
WAYS = ("by group", "by patient", "by row")
"""What is kept together in a fold: what any evidence joins, one patient, nothing."""
RESAMPLES = 1000
Model = Callable[[Numbers, NDArray[np.int64], Numbers], Numbers]
"""Learns pictures and their classes, 0 and 1, and scores other pictures."""


@dataclass(frozen=True, slots=True)
class Leaks:
    """What simple models reach in three ways of making folds.

    Attributes:
        dataset: What was looked at, "id@version".
        config: Its config.
        fingerprint: Of the build.
        positive: The class that is scored, against all other ones.
        rows: Rows with a label.
        patients: Patients among them, as far as they are known.
        unknown: Rows of whom nobody knows the patient; each is by itself in folds by patient.
        groups: What no split of ours tears apart.
        seeds: With each the folds were made anew.
        torn: How many groups have rows in several folds, for each way, on average over the seeds.
        aucs: The AUC of each model in each way, averaged over the seeds.
        differences: What each way gains over another.
        each: The AUC of each seed.
    """

    dataset: str
    config: str
    fingerprint: str
    positive: str
    rows: int
    patients: int
    unknown: int
    groups: int
    seeds: tuple[int, ...]
    torn: Mapping[str, float]
    aucs: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Mapping[str, Interval]]
    each: Mapping[str, Mapping[str, Sequence[float]]]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        tables: dict[str, Any] = {
            name: {model: {way: plain(found) for way, found in of.items()} for model, of in getattr(self, name).items()}
            for name in ("aucs", "differences")
        }
        return asdict(self) | tables

    def __str__(self) -> str:
        """Say it for people."""
        lines = [f"{self.dataset}: {self.rows:,} rows, {self.patients:,} patients, {self.groups:,} groups"]
        for model in self.aucs:
            lines.append(model)
            lines += [f"  folds {way:<24}{found}" for way, found in self.aucs[model].items()]
            lines += [f"  {what:<30}{found}" for what, found in self.differences[model].items()]
        return "\n".join(lines)


def leaks(
    name: Name,
    config: str | None = None,
    *,
    positive: str = "covid19",
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    cache_dir: str | os.PathLike[str] | None = None,
) -> Leaks:
    """Measure simple models of the stored thumbnails of a build in folds by group, by patient and by row.

    Each row is predicted once for each seed and way; its score is compared with those of its own fold alone. Draws of
    groups take the same people in all three ways, so differences have an interval of their own. As folds learn from
    each other's rows, the percentiles are those of `confounding`, which are wider than 95 % of the draws.

    Args:
        name: A dataset that is built.
        config: Its config.
        positive: The class that is scored.
        seeds: With each the folds are made anew.
        cache_dir: Where the build is.

    >>> leaks("phantom", seeds=())
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: seeds: expected one or more, found none
    """
    if not seeds:
        raise UsageError("seeds: expected one or more, found none")
    need("sklearn")
    (built,) = builds_of(name, config, cache_dir)
    table = load_splits(name, config=config, cache_dir=cache_dir).to_pylist()
    kept = [row for row, each in enumerate(table) if each["label"] is not None]
    classes = np.asarray([int(table[row]["label"] == positive) for row in kept], dtype=np.int64)
    groups = [table[row]["group"] for row in kept]
    known = [table[row]["patient_known"] for row in kept]
    patients = [table[row]["patient_id" if told else "sample_id"] for row, told in zip(kept, known, strict=True)]
    _check(positive, classes, groups)
    pictures = _thumbnails(Index.read(built.path), kept)
    together = {"by group": groups, "by patient": patients, "by row": [str(row) for row in kept]}
    folds = {(way, seed): _folds(together[way], classes, seed) for way in WAYS for seed in seeds}
    aucs, differences, each = {}, {}, {}
    with progress("Learning", unit="rows") as display:
        display.add("rows", len(_MODELS) * len(folds) * len(classes))
        for model, learn in _MODELS.items():
            pairs: dict[str, list[Pairs]] = {way: [] for way in WAYS}
            for (way, _), fold in folds.items():
                scores = np.zeros(len(classes))
                for number in range(FOLDS):
                    test = fold == number
                    scores[test] = learn(pictures[~test], classes[~test], pictures[test])
                    display.advance("rows", int(test.sum()))
                pairs[way].append(Pairs.of(scores, classes == 1, fold))
            found = intervals(_measures(pairs), groups, INTERVAL, resamples=RESAMPLES, seed=0)
            aucs[model] = {way: found[way] for way in WAYS}
            differences[model] = {what: value for what, value in found.items() if what not in WAYS}
            ones = np.ones(len(classes))
            each[model] = {way: tuple(one.auc(ones) for one in of) for way, of in pairs.items()}
    return Leaks(
        dataset=f"{built.id}@{built.version}",
        config=built.config,
        fingerprint=built.fingerprint,
        positive=positive,
        rows=len(kept),
        patients=len({patient for patient, told in zip(patients, known, strict=True) if told}),
        unknown=known.count(False),
        groups=len(set(groups)),
        seeds=tuple(seeds),
        torn={way: float(np.mean([_torn(groups, folds[way, seed]) for seed in seeds])) for way in WAYS},
        aucs=aucs,
        differences=differences,
        each=each,
    )


def _check(positive: str, classes: NDArray[np.int64], groups: Sequence[str]) -> None:
    holding = [len({group for group, one in zip(groups, classes, strict=True) if one == value}) for value in (0, 1)]
    if min(holding) < FOLDS:
        raise UsageError(
            f"positive: expected {positive!r} and other labels in {FOLDS} groups or more, so that each fold has both, "
            f"found {holding[1]} with it and {holding[0]} without"
        )


def _thumbnails(index: Index, rows: Sequence[int]) -> Numbers:
    """Return the stored thumbnails as lines of numbers; of a picture that shows nothing all are nought."""
    thumbs = [np.frombuffer(index.thumb(row), np.uint8) / 255 for row in rows]
    side = max(len(each) for each in thumbs)
    return np.stack([each if len(each) else np.zeros(side) for each in thumbs])


def _folds(together: Sequence[str], classes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Give each row its fold, so that what belongs together is in one, and each has its share of both classes."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.full(len(classes), -1)
    dealer = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(dealer.split(classes, classes, together)):
        found[test] = number
    return found


def _torn(groups: Sequence[str], fold: NDArray[np.int64]) -> int:
    in_folds: dict[str, set[int]] = {}
    for group, number in zip(groups, fold.tolist(), strict=True):
        in_folds.setdefault(group, set()).add(number)
    return sum(len(folds) > 1 for folds in in_folds.values())


def _measures(pairs: Mapping[str, Sequence[Pairs]]) -> Callable[[Numbers], dict[str, float]]:
    def measure(weights: Numbers) -> dict[str, float]:
        found = {way: float(np.mean([each.auc(weights) for each in of])) for way, of in pairs.items()}
        for less, more in combinations(WAYS, 2):
            found[f"{more} less {less}"] = found[more] - found[less]
        return found

    return measure


def _regression(pictures: Numbers, classes: NDArray[np.int64], asked: Numbers) -> Numbers:
    from sklearn.linear_model import LogisticRegression

    learned = LogisticRegression(C=0.01, max_iter=500).fit(pictures, classes)
    scores: Numbers = learned.decision_function(asked)
    return scores


def _nearest(pictures: Numbers, classes: NDArray[np.int64], asked: Numbers) -> Numbers:
    """Score a picture by the class of the one that is most like it: what remembering alone is worth."""
    squares = (pictures**2).sum(1) - 2 * asked @ pictures.T
    scores: Numbers = classes[squares.argmin(1)].astype(float)
    return scores


_MODELS: dict[str, Model] = {
    "logistic regression of thumbnails": _regression,
    "nearest neighbour of thumbnails": _nearest,
}
