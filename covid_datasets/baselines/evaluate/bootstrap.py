"""Intervals over groups: how far a number depends on who happens to be in the data.

Rows of one group, such as the slices of a patient or the figures of an article, are drawn together, for they are not so
many observations. Groups are drawn with replacement, as many as there are, and the measure is taken of every draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEVEL = 0.95
"""What all intervals hold: 95 %."""
FEW = 0.5
"""Share of draws that must tell something, else there is no interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % interval.

    Attributes:
        value: Measured of all rows; no number (``nan``) where nothing can be said.
        low: ``None`` where no interval can be given: fewer than two groups, or too few draws that tell something.
        high: The same.
        degenerate: How many draws told nothing, because a class was left out. The interval is that of the others.
    """

    value: float
    low: float | None = None
    high: float | None = None
    degenerate: int = 0

    def __str__(self) -> str:
        """Say it as ``0.812 (0.730 to 0.880)``."""
        if np.isnan(self.value):
            return "nothing can be said"
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def drawn(groups: Sequence[object], resamples: int, seed: int) -> Iterator[Numbers]:
    """Yield how often each row counts in each draw of whole groups.

    >>> [int(each.sum()) for each in drawn(["a", "a", "b", "b"], 3, seed=0)]
    [4, 4, 4]
    """
    numbers = np.unique(np.asarray([str(each) for each in groups]), return_inverse=True)[1].reshape(-1)
    count = int(numbers.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    for _ in range(resamples if count else 0):
        yield np.bincount(random.integers(0, count, count), minlength=count)[numbers].astype(float)


def percentiles(groups: int) -> tuple[float, float] | None:
    """Return the percentiles of the draws that make a 95 % interval of so many groups; ``None`` of fewer than two.

    Draws of few groups differ less than such groups do, by the square root of (n - 1) / n, and their ends are nearer
    than those of Student's distribution: both is made good for (Hesterberg 2015, "expanded percentile interval").

    >>> [round(each, 2) for each in percentiles(10)], [round(each, 2) for each in percentiles(100_000)]
    ([0.86, 99.14], [2.5, 97.5])
    """
    if groups < 2:
        return None
    low = 100 * NormalDist().cdf(-students_t(groups - 1) * (groups / (groups - 1)) ** 0.5)
    return low, 100 - low


def intervals(
    measures: Callable[[Numbers], Mapping[str, float]],
    groups: Sequence[object],
    ends: tuple[float, float] | None,
    *,
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    """Take several measures of all rows and of every draw, and give the interval of each.

    Args:
        measures: Returns each measure, given how often every row counts.
        groups: The group of each row.
        ends: The percentiles of the draws that are the ends of the intervals, as `percentiles` gives them for the
            groups that have the rarest class; without them there is no interval.
        resamples: How often groups are drawn.
        seed: Of the draws; the same seed draws the same groups of the same rows.

    >>> values = np.asarray([0.0, 1.0, 1.0, 0.0, 1.0])
    >>> mean = lambda weights: {"mean": float(weights @ values / weights.sum())}
    >>> found = intervals(mean, list("abcde"), percentiles(5), resamples=1000, seed=0)
    >>> print(found["mean"])
    0.600 (0.000 to 1.000)
    """
    whole = measures(np.ones(len(groups)))
    found: dict[str, list[float]] = {name: [] for name in whole}
    for weights in drawn(groups, resamples, seed):
        for name, value in measures(weights).items():
            found[name].append(value)
    return {name: _interval(value, np.asarray(found[name]), ends) for name, value in whole.items()}


def _interval(value: float, draws: Numbers, ends: tuple[float, float] | None) -> Interval:
    told = draws[~np.isnan(draws)]
    missed = len(draws) - len(told)
    if np.isnan(value) or ends is None or not len(draws) or len(told) < FEW * len(draws):
        return Interval(float(value), degenerate=missed)
    low, high = np.percentile(told, ends)
    return Interval(float(value), float(low), float(high), missed)


_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""The 97.5th percentile of Student's distribution with 1 to 10 degrees of freedom."""


def students_t(freedom: int) -> float:
    """Return the 97.5th percentile of Student's distribution, right to three digits.

    >>> students_t(4), round(students_t(24), 3)
    (2.776, 2.064)
    """
    if freedom <= len(_T):
        return _T[freedom - 1]
    normal = NormalDist().inv_cdf((1 + LEVEL) / 2)
    first = (normal**3 + normal) / (4 * freedom)  # Cornish and Fisher's expansion
    second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / (96 * freedom**2)
    third = (3 * normal**7 + 19 * normal**5 + 17 * normal**3 - 15 * normal) / (384 * freedom**3)
    return normal + first + second + third
