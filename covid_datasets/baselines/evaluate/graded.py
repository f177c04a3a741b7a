"""How well numbers tell how ill somebody is, or who lives longer; each measure for any weights of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covid_datasets.audits.traits.auc import Pairs
from covid_datasets.baselines.evaluate.bootstrap import Numbers
from covid_datasets.baselines.evaluate.rows import Matched

REACHED = "auc at least "
"""Before a level or a number: how often who has reached it gets the higher score than who has not."""

_BOTH = ("true", "false")
"""Levels of a question, of which nobody reaches one."""


def quadratic_kappa(truth: Numbers, said: Numbers, weights: Numbers) -> float:
    """Return the kappa with quadratic weights, of levels by their numbers or of any numbers.

    It is one less what is disagreed, squared, for each that chance alone would: 2 cov / (var + var + (mean - mean)²),
    which of numbers is known as Lin's concordance correlation.

    >>> quadratic_kappa(np.asarray([0.0, 1.0, 2.0]), np.asarray([0.0, 1.0, 2.0]), np.ones(3))
    1.0
    >>> quadratic_kappa(np.asarray([0.0, 1.0, 2.0]), np.ones(3), np.ones(3))
    0.0
    """
    total = float(weights.sum())
    if not total:
        return float("nan")
    means = float(weights @ truth) / total, float(weights @ said) / total
    apart = float(weights @ ((truth - means[0]) ** 2 + (said - means[1]) ** 2)) / total + (means[0] - means[1]) ** 2
    together = 2 * float(weights @ ((truth - means[0]) * (said - means[1]))) / total
    return together / apart if apart > 1e-12 else float("nan")


@dataclass(frozen=True, eq=False)
class Ranks:
    """Values sorted once, so that their ranks among rows of any weight are quick; equal ones share theirs."""

    level: np.ndarray

    @classmethod
    def of(cls, values: Numbers) -> Ranks:
        """Sort values."""
        return cls(np.unique(values, return_inverse=True)[1].reshape(-1))

    def __call__(self, weights: Numbers) -> Numbers:
        """Return the rank of each row."""
        counts = np.bincount(self.level, weights)
        found: Numbers = (np.cumsum(counts) - counts / 2)[self.level]
        return found


def correlation(first: Numbers, second: Numbers, weights: Numbers) -> float:
    """Return Pearson's correlation; of ranks it is Spearman's. Of what does not vary it is no number.

    >>> round(correlation(np.asarray([1.0, 2, 3]), np.asarray([1.0, 3, 2]), np.ones(3)), 3)
    0.5
    """
    total = float(weights.sum())
    if not total:
        return float("nan")
    one, other = (values - float(weights @ values) / total for values in (first, second))
    spread = float(weights @ one**2) * float(weights @ other**2)
    return float(weights @ (one * other)) / spread**0.5 if spread > 1e-12 else float("nan")


class Graded:
    """What levels or numbers are worth that are predicted of some rows."""

    def __init__(self, matched: Matched) -> None:
        """Prepare them."""
        target, told = matched.target, matched.probabilities
        assert target is not None
        self.truth = matched.truth.astype(float)
        ordinal = target.kind == "ordinal"
        numbers = np.arange(told.shape[1])
        self.said = told.argmax(1).astype(float) if ordinal else told[:, 0]
        expected = told @ numbers if ordinal else told[:, 0]
        self._ranks = Ranks.of(self.truth), Ranks.of(np.round(expected, 9))
        steps: list[float] = numbers[1:].tolist() if ordinal else list(target.steps)
        named = target.levels[1:] if ordinal else [f"{step:g}" for step in steps]
        names = [f"auc that {target.column} is {name}" if name in _BOTH else REACHED + name for name in named]
        scores = [told[:, int(step) :].sum(1) if ordinal else told[:, 0] for step in steps]
        self._reached = {
            name: Pairs.of(np.round(score, 9), self.truth >= step, np.zeros(len(self.truth)))
            for name, step, score in zip(names, steps, scores, strict=True)
        }
        self._levels = [self.truth == level for level in numbers.tolist() if (self.truth == level).any()]
        self._ordinal = ordinal

    def __call__(self, weights: Numbers) -> dict[str, float]:
        """Measure, given how often each row counts."""
        off, total = np.abs(self.said - self.truth) * weights, float(weights.sum())
        one, other = (ranks(weights) for ranks in self._ranks)
        found = {
            "quadratic kappa": quadratic_kappa(self.truth, self.said, weights),
            "rank correlation": correlation(one, other, weights),
            "mae": float(off.sum()) / total if total else float("nan"),
        }
        if self._ordinal:
            there = [(float(off[rows].sum()), float(weights[rows].sum())) for rows in self._levels]
            each = [wrong / count for wrong, count in there if count]
            found["mae, levels alike"] = sum(each) / len(each) if each else float("nan")
        return found | {name: pairs.auc(weights) for name, pairs in self._reached.items()}


class Lived:
    """How often, of two people, who dies first has the higher risk (Harrell's C).

    A pair counts where it is known who died first: one died, and the other one was known to live on that day. Images
    of one person are no pair, for it is people that should be told apart. A tie of risks is half a pair.
    """

    def __init__(self, truth: Numbers, risks: Numbers, people: Sequence[str]) -> None:
        """Take signed days, see `Target`, the risk of each row, and whose image it is."""
        days, numbers = np.abs(truth), np.unique(np.asarray(people, dtype=str), return_inverse=True)[1].reshape(-1)
        self.died = np.flatnonzero(truth > 0)
        rows = self.died[:, None]
        later = (days > days[rows]) | ((days == days[rows]) & (truth < 0))
        self.pairs = (later & (numbers != numbers[rows])).astype(float)
        higher = (risks[rows] > risks) + (risks[rows] == risks) / 2
        self.right = self.pairs * higher

    def __call__(self, weights: Numbers) -> dict[str, float]:
        """Measure, given how often each row counts."""
        ours = weights[self.died]
        pairs = float(ours @ (self.pairs @ weights))
        return {"concordance": float(ours @ (self.right @ weights)) / pairs if pairs else float("nan")}
