"""Do two pictures show the same? Points that correspond, one mapping for all of them, and a look at both laid together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.features import Features, Numbers, vision
from covid_datasets.audits.ways import ORDERS

RATIO = 0.85
"""How much nearer the best partner of a point must be than the second best."""
OFF = 2.0
"""Pixels of what is shown by which a partner may be off."""
LEAST_POINTS = 6
_TRIES = 1000
_STRETCHED = 3.0
"""A copy is not squeezed by more than this."""
_MOST_SCALE = 8.0
_BLUR = 1.0
_MIN_SHARE = 0.03
"""Share of the second picture on which the first one must lie at least."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What speaks for it that two pictures show the same.

    Attributes:
        way: How the second one was changed: "", "mirrored", "inverted", "mirrored and inverted".
        points: Points of both that one mapping lays on each other.
        spread: How widely these lie: the smaller share that they span of the common part, by height or width.
        likeness: The correlation of both where they overlap once they are laid on each other.
        share: How much of the smaller one is covered by the other.
    """

    way: str
    points: int
    spread: float
    likeness: float
    share: float

    @property
    def holds(self) -> bool:
        """Tell whether this is proof.

        Many points alone are not: printed boxes with numbers and the frame of a scanner's screen give up to 82 of them
        in pictures of different people. They lie close together, or what lies between them is another picture.
        """
        return self.points >= 12 and self.spread >= 0.1 and self.likeness >= 0.7 + 0.2 * (self.points < 30)

    def __str__(self) -> str:
        """Say it in the evidence of a pair."""
        how = f"{self.way}, " if self.way else ""
        return f"registered: {how}{self.points} points, correlation {self.likeness:.3f}"


def proof(first: Features, second: Features, way: str = "") -> Proof | None:
    """Lay one picture on another; nothing where no mapping is found."""
    pairs = _partners(first.descriptors[:, ORDERS[way]], second.descriptors)
    if len(pairs) < LEAST_POINTS:
        return None
    cv = vision()
    one, other = first.points[pairs[:, 0]], second.points[pairs[:, 1]]
    cv.setRNGSeed(0)
    mapping, within = cv.estimateAffine2D(
        one, other, ransacReprojThreshold=OFF, maxIters=_TRIES, confidence=0.999, refineIters=10
    )
    if mapping is None or not _plausible(mapping):
        return None
    kept = within.ravel().astype(bool)
    likeness, share, common = _laid(first.shown, second.shown, mapping, "inverted" in way)
    return Proof(way, _distinct(other[kept]), _spread(other[kept], common), likeness, share)


def _partners(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pair the points that are each other's best, and clearly so."""
    if min(len(one), len(other)) < LEAST_POINTS:
        return np.empty((0, 2), np.int64)
    like = (one.astype(np.float32) @ other.astype(np.float32).T) / 255.0**2
    best = like.argmax(axis=1)
    rows = np.arange(len(one))
    mutual = like.argmax(axis=0)[best] == rows
    first = like[rows, best]
    like[rows, best] = -1.0
    far = np.sqrt(np.maximum(2 - 2 * np.stack([first, like.max(axis=1)]), 0.0))
    clear = far[0] < RATIO * far[1]
    return np.stack([rows, best], axis=1)[mutual & clear]


def _plausible(mapping: Any) -> bool:
    """Refuse mappings that squeeze a picture to a line or a dot: any few points have one of these."""
    large, small = np.linalg.svd(np.asarray(mapping)[:, :2], compute_uv=False)
    return bool(0 < large < _STRETCHED * small and large < _MOST_SCALE and small > 1 / _MOST_SCALE)


def _distinct(points: Numbers) -> int:
    """Count places, since one place has a point for each of its directions."""
    return len(np.unique(np.rint(points), axis=0))


def _spread(points: Numbers, common: tuple[float, float]) -> float:
    if len(points) < 2:
        return 0.0
    spans = np.percentile(points, 95, axis=0) - np.percentile(points, 5, axis=0)
    return float((spans / np.maximum(common, 1.0)).min())


def _laid(
    first: NDArray[np.uint8], second: NDArray[np.uint8], mapping: Any, inverted: bool
) -> tuple[float, float, tuple[float, float]]:
    """Correlate two pictures laid on each other; also how much of the smaller is covered, and the overlap's size."""
    cv = vision()
    height, width = second.shape
    shown = 255 - first if inverted else first
    laid = cv.GaussianBlur(cv.warpAffine(shown, mapping, (width, height), flags=cv.INTER_AREA), (0, 0), _BLUR)
    covered = cv.warpAffine(np.full_like(first, 255), mapping, (width, height)) > 250
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    if covered.mean() < _MIN_SHARE:
        return 0.0, 0.0, (0.0, 0.0)
    below = cv.GaussianBlur(second, (0, 0), _BLUR)
    one, other = (each[covered].astype(np.float64) for each in (laid, below))
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    area = abs(np.linalg.det(np.asarray(mapping)[:, :2])) * first.size
    share = covered.sum() / min(area, covered.size)
    size = (float(np.ptp(columns)), float(np.ptp(rows)))
    return float((one * other).sum() / scale) if scale else 0.0, float(min(share, 1.0)), size
