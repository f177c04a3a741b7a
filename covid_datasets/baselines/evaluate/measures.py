"""All measures of one set of predictions, for any weights of its rows; and of several sets, averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.graded import Graded, Lived
from covid_datasets.baselines.evaluate.metrics import (
    Curve,
    accuracy,
    calibration_error,
    confidences,
    confusion,
    f1,
    mean_auc,
    rankings,
    recalls,
    reliability,
)
from covid_datasets.baselines.evaluate.rows import Matched, rarest

LABEL = "label "
"""Before the name of a label: the share of its rows that is found."""
SOURCE = "source "
"""Before the name of a source: the share of its rows that is right."""
SPECIFICITIES = (0.8, 0.9, 0.95)
"""At which sensitivity is measured, of two classes."""
_SENSITIVITIES = tuple(f"sensitivity at {each:.0%} specificity" for each in SPECIFICITIES)
RESAMPLES = 1000
"""How often groups are drawn."""


class Measures:
    """What predictions of some rows are worth, sorted once, so that a thousand draws are quick."""

    def __init__(self, matched: Matched) -> None:
        """Prepare them."""
        self.truth, self.probabilities = matched.truth, matched.probabilities
        self.classes = matched.classes
        self.predicted = self.probabilities.argmax(1)
        self._ranked = rankings(self.truth, self.probabilities)
        self._two = len(self.classes) == 2
        self._curve = Curve.of(self.truth == 1, self.probabilities[:, 1]) if self._two else None
        self._sure = confidences(self.truth, self.probabilities)
        sources = np.asarray(matched.sources)
        self._sources = {name: sources == name for name in np.unique(sources).tolist()}
        self._occurring = [number for number in range(len(self.classes)) if (self.truth == number).any()]

    def __call__(self, weights: Numbers) -> dict[str, float]:
        """Measure, given how often each row counts."""
        counts = self.confusion(weights)
        found = {
            "auc": mean_auc(self._ranked, weights),
            "accuracy": accuracy(counts),
            "f1": f1(counts, 1 if self._two else None),
            "ece": calibration_error(reliability(*self._sure, weights)),
        }
        if self._curve is not None:
            found |= zip(_SENSITIVITIES, self._curve.sensitivities(SPECIFICITIES, weights), strict=True)
        shares = recalls(counts)
        found |= {f"{LABEL}{self.classes[number]}": float(shares[number]) for number in self._occurring}
        right = (self.predicted == self.truth) * weights
        for name, of in self._sources.items():
            total = float(weights[of].sum())
            found[f"{SOURCE}{name}"] = float(right[of].sum()) / total if total else float("nan")
        return found

    def confusion(self, weights: Numbers) -> Numbers:
        """Count rows by true and predicted class."""
        return confusion(self.truth, self.predicted, len(self.classes), weights)

    def bins(self, weights: Numbers) -> list[dict[str, float]]:
        """Return the bins of reliability as plain data."""
        return [
            {"low": each.low, "high": each.high, "rows": each.rows, "confidence": each.confidence, "share": each.share}
            for each in reliability(*self._sure, weights)
        ]


def measures_of(matched: Matched) -> Callable[[Numbers], dict[str, float]]:
    """Return what measures one set of predictions, given the weights of its rows: what decides comes first."""
    if matched.target is None:
        return Measures(matched)
    if matched.target.kind == "survival":
        return Lived(matched.truth, matched.probabilities[:, 0], matched.patients)
    graded = Graded(matched)
    if matched.target.kind == "regression":
        return graded
    classes = Measures(matched)
    return lambda weights: graded(weights) | classes(weights)


def measured(sets: Sequence[Matched], seed: int) -> dict[str, Interval]:
    """Measure several sets of predictions: their means, with intervals.

    Sets may be of the same rows, as of several seeds, or of others, as of several folds. A group is drawn for all of
    them at once, so the interval of a mean is one over groups. What one set alone has, such as a source, is of it.
    """
    groups = [group for one in sets for group in one.groups]
    return intervals(means_of(sets), groups, percentiles(rarest(sets)), resamples=RESAMPLES, seed=seed)


def means_of(sets: Sequence[Matched]) -> Callable[[Numbers], dict[str, float]]:
    """Return what measures several sets, given the weights of the rows of all of them, one set after the other."""
    each = [measures_of(one) for one in sets]
    stops = np.cumsum([len(one.truth) for one in sets])[:-1]

    def mean(weights: Numbers) -> dict[str, float]:
        return _mean([of(part) for of, part in zip(each, np.split(weights, stops), strict=True)])

    return mean


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in found for name in each)
    values = {name: [each[name] for each in found if name in each] for name in names}
    return {name: sum(of) / len(of) for name, of in values.items()}
