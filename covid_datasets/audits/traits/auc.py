"""The area under the ROC curve as what it means, a share of pairs, and its interval over whole groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
"""How often groups are drawn anew to see how far an AUC depends on who happens to be in the data."""
INTERVAL = (0.5, 99.5)
"""Percentiles of the AUCs of all draws: the interval."""
SEED = 20200101


@dataclass(frozen=True, slots=True)
class Estimate:
    """An AUC and its 95 % interval."""

    auc: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows in the order of their scores, one class against the rest, each compared with those of its stratum alone.

    Scores of different models are on different scales, so of cross-validation each fold is a stratum.
    """

    levels: np.ndarray
    positive: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, positive: np.ndarray, strata: np.ndarray) -> Pairs:
        """Number the scores of each stratum from the lowest to the highest; equal ones have one number."""
        order = np.lexsort((scores, strata))
        another = np.append(True, np.diff(strata[order]) != 0)[: len(order)]
        higher = np.append(True, np.diff(scores[order]) != 0)[: len(order)]
        numbers = np.cumsum(another | higher) - 1
        levels = np.empty(len(order), np.int64)
        levels[order] = numbers
        return cls(levels, positive.astype(bool), numbers[another])

    def auc(self, weights: np.ndarray) -> float:
        """Return the share of pairs in which the row of the class has the higher score; a tie is half a pair.

        Each row counts as often as its weight says. Without any pair it is no number.
        """
        count = int(self.levels.max(initial=-1)) + 1
        ours = np.bincount(self.levels, weights * self.positive, count)
        theirs = np.bincount(self.levels, weights * ~self.positive, count)
        below = np.concatenate([[0.0], np.cumsum(theirs)])
        bounds = np.append(self.starts, count)
        before = np.repeat(below[self.starts], np.diff(bounds))
        higher = float((ours * (below[:-1] - before + theirs / 2)).sum())
        pairs = float(np.add.reduceat(ours, self.starts) @ np.add.reduceat(theirs, self.starts)) if count else 0.0
        return higher / pairs if pairs else float("nan")


def draws_of(groups: np.ndarray, resamples: int = RESAMPLES) -> np.ndarray:
    """Draw groups with replacement, as many as there are: how often each comes, one draw a line.

    Groups are numbers from 0. The draws are the same every time.
    """
    count = int(groups.max(initial=-1)) + 1
    random = np.random.default_rng(SEED)
    drawn = [np.bincount(random.integers(0, count, count), minlength=count) for _ in range(resamples if count else 0)]
    return np.asarray(drawn, dtype=np.uint16).reshape(len(drawn), count)


def estimate(pairs: Sequence[Pairs], groups: np.ndarray, draws: np.ndarray) -> Estimate | None:
    """Average the AUCs of several classes, and give the interval of that average over the draws of `draws_of`.

    Rows of one group are drawn together, for they do not count as so many observations. ``None`` where a class has no
    pair at all.

    >>> rows, group = np.asarray([0.1, 0.4, 0.35, 0.8]), np.arange(4)
    >>> pairs = Pairs.of(rows, np.asarray([False, False, True, True]), np.zeros(4))
    >>> estimate([pairs], group, draws_of(group)).auc
    0.75
    """
    whole = [each.auc(np.ones(len(groups))) for each in pairs]
    if not whole or np.isnan(whole).any():
        return None
    averages = [np.mean([each.auc(draw[groups]) for each in pairs]) for draw in draws]
    known = np.asarray(averages)[~np.isnan(averages)]  # a draw may have left out a whole class
    low, high = np.percentile(known, INTERVAL) if len(known) else (0.0, 1.0)
    return Estimate(float(np.mean(whole)), float(low), float(high))
