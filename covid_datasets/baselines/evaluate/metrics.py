"""What predictions are worth, each measure as one function of truth, prediction and weight of each row.

Weights are how often a row counts: a bootstrap draws rows by changing them, and nothing else. Where a measure says
nothing, because there is no row that it is about, it is no number (``nan``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.traits.auc import Pairs

Numbers = NDArray[np.float64]
Classes = NDArray[np.int64]


def rankings(truth: Classes, probabilities: Numbers) -> list[Pairs]:
    """Sort rows by the probability of each class, against all rows that are not of it: what `mean_auc` averages.

    Of two classes it is the second one alone, for the first one's area is the same. A class without any row, or with
    all of them, has no area and is left out.
    """
    count = probabilities.shape[1]
    asked = [number for number in range(count) if 0 < int((truth == number).sum()) < len(truth)]
    one = np.zeros(len(truth))
    return [
        Pairs.of(probabilities[:, each], truth == each, one)
        for each in (asked[1:] if count == len(asked) == 2 else asked)
    ]


def mean_auc(ranked: Sequence[Pairs], weights: Numbers) -> float:
    """Average the area under the ROC curve of each class against the rest, each class alike; a tie is half a pair.

    >>> ranked = rankings(np.asarray([0, 0, 1, 1]), np.asarray([[0.9, 0.1], [0.6, 0.4], [0.65, 0.35], [0.2, 0.8]]))
    >>> mean_auc(ranked, np.ones(4))
    0.75
    """
    return sum(each.auc(weights) for each in ranked) / len(ranked) if ranked else float("nan")


def confusion(truth: Classes, predicted: Classes, classes: int, weights: Numbers) -> Numbers:
    """Count rows: a line for each true class, a column for each predicted one.

    >>> confusion(np.asarray([0, 1, 1]), np.asarray([0, 0, 1]), 2, np.ones(3)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    counts: Numbers = np.bincount(truth * classes + predicted, weights, classes * classes).astype(float)
    return counts.reshape(classes, classes)


def accuracy(counts: Numbers) -> float:
    """Return the share of rows on the diagonal of a confusion matrix."""
    total = float(counts.sum())
    return float(np.trace(counts)) / total if total else float("nan")


def f1(counts: Numbers, positive: int | None = None) -> float:
    """Return the F1 score of one class, or the mean over all classes that occur in a confusion matrix.

    >>> round(f1(np.asarray([[1.0, 0.0], [1.0, 1.0]]), positive=1), 3)
    0.667
    """
    occurring = counts.sum(0) + counts.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = 2 * np.diag(counts) / occurring
    if positive is not None:
        return float(scores[positive])
    return float(scores[occurring > 0].mean()) if (occurring > 0).any() else float("nan")


def recalls(counts: Numbers) -> Numbers:
    """Return the share of each class that is found: of two classes specificity and sensitivity."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Numbers = np.diag(counts) / counts.sum(1)
    return found


@dataclass(frozen=True, eq=False)
class Curve:
    """Rows sorted by the score of one class from the highest on, to be cut anywhere between two different scores."""

    order: NDArray[np.int64]
    ends: NDArray[np.int64]
    positive: NDArray[np.bool_]

    @classmethod
    def of(cls, positive: NDArray[np.bool_], scores: Numbers) -> Curve:
        """Sort rows; who has one score is on one side of every threshold."""
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)[: len(order)])
        return cls(order, ends, positive)

    def sensitivities(self, specificities: Sequence[float], weights: Numbers) -> list[float]:
        """Return the best sensitivity of all thresholds that are at least so specific, for each specificity.

        >>> curve = Curve.of(np.asarray([False, False, True, True]), np.asarray([0.1, 0.4, 0.35, 0.8]))
        >>> curve.sensitivities([1.0, 0.5], np.ones(4))
        [0.5, 1.0]
        """
        sorted_weights, has = weights[self.order], self.positive[self.order]
        hits = np.cumsum(sorted_weights * has)[self.ends]
        alarms = np.cumsum(sorted_weights * ~has)[self.ends]
        if not len(hits) or not hits[-1] or not alarms[-1]:
            return [float("nan")] * len(specificities)
        bounds = (1 - np.asarray(specificities)) * alarms[-1] + 1e-9
        before = np.searchsorted(alarms, bounds, side="right")
        found: list[float] = (np.append(0.0, hits)[before] / hits[-1]).tolist()
        return found


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about one confidence: from where to where, how many, how sure on average, how often right."""

    low: float
    high: float
    rows: float
    confidence: float
    share: float


def reliability(confidence: Numbers, right: NDArray[np.bool_], weights: Numbers, bins: int = 10) -> list[Bin]:
    """Sort predictions into bins of equal width by their confidence; a bin without a row is not listed.

    >>> for each in reliability(np.asarray([0.1, 0.9, 0.95]), np.asarray([False, True, False]), np.ones(3), bins=2):
    ...     print(each)
    Bin(low=0.0, high=0.5, rows=1.0, confidence=0.1, share=0.0)
    Bin(low=0.5, high=1.0, rows=2.0, confidence=0.925, share=0.5)
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    rows = np.bincount(place, weights, bins)
    sure = np.bincount(place, weights * confidence, bins)
    hits = np.bincount(place, weights * right, bins)
    return [
        Bin(float(edges[k]), float(edges[k + 1]), float(rows[k]), float(sure[k] / rows[k]), float(hits[k] / rows[k]))
        for k in np.flatnonzero(rows).tolist()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: how far confidence and share are apart, over all rows."""
    total = sum(each.rows for each in bins)
    return sum(each.rows * abs(each.confidence - each.share) for each in bins) / total if total else float("nan")


def confidences(truth: Classes, probabilities: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Say how sure each prediction is and whether it is right.

    Of two classes it is the probability of the second one, and whether it is so; of more that of the class predicted.
    """
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], truth == 1
    predicted = probabilities.argmax(1)
    return probabilities[np.arange(len(truth)), predicted], predicted == truth
