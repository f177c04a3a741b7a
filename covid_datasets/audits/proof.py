"""Do two pictures show the same? Points that correspond, one mapping for all, and a look at both laid together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.features import LONG, Features, Numbers, vision
from covid_datasets.audits.panels import Pixels
from covid_datasets.audits.ways import ORDERS

RATIO = 0.85
"""How much nearer the best partner of a point must be than the second best."""
OFF = 2.0
"""Pixels of what is shown by which a partner may be off."""
LEAST_POINTS = 12
"""Points of one mapping that are taken for more than chance."""
LEAST_SPREAD = 0.1
LEAST_TILES = 20
LEAST_AGREEING = 0.7
"""Different films in the window of one viewer agreed in 0.56 of their tiles at most, neighbouring slices in 0.88."""
MANY_POINTS = 100
"""So many neighbouring slices or phantoms never had in common."""
LEAST_OF_FEW = 0.9
"""What must agree where there are fewer."""
_TRIES = 1000
_STRETCHED = 3.0
"""A copy is not squeezed by more than this."""
_MOST_SCALE = 8.0
_BLUR = 1.0
_MIN_SHARE = 0.03
"""Share of the second picture on which the first one must lie at least."""
_TILE = 12
"""Pixels of what is shown: small against a lung, large against noise."""
_TEXTURE = 10.0
"""Deviation in grey of a tile in which something is to be seen."""
_ALIKE = 0.7
"""Correlation of two tiles that show the same."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What speaks for it that two pictures show the same.

    Attributes:
        way: How the second one was changed: "", "mirrored", "inverted", "mirrored and inverted".
        points: Points of both that one mapping lays on each other.
        spread: How widely these lie: the smaller share that they span of the common part, by height or width.
        likeness: The correlation of both where they overlap once they are laid on each other.
        tiles: Small squares of the common part in which something is to be seen.
        agreeing: The share of these that are alike by themselves.
    """

    way: str
    points: int
    spread: float
    likeness: float
    tiles: int
    agreeing: float

    @property
    def holds(self) -> bool:
        """Tell whether both show one picture.

        Points alone are no proof: printed boxes with numbers and the window of a viewer give up to 90 of them in
        pictures of different people. They lie close together, or what lies between them is another picture. Nor is
        the correlation, since dark lungs in bright chests resemble each other: what counts is each small part.
        """
        return self.resembles and (self.points >= MANY_POINTS or self.agreeing >= LEAST_OF_FEW)

    @property
    def resembles(self) -> bool:
        """Tell whether both show nearly one picture: it may be a neighbouring slice, the next film, or a poor copy."""
        return (
            self.points >= LEAST_POINTS
            and self.spread >= LEAST_SPREAD
            and self.tiles >= LEAST_TILES
            and self.agreeing >= LEAST_AGREEING
        )

    def __str__(self) -> str:
        """Say it in the evidence of a pair."""
        how = f"{self.way}, " if self.way else ""
        return (
            f"{how}{self.points} points, correlation {self.likeness:.3f}, "
            f"{self.agreeing * self.tiles:.0f} of {self.tiles} tiles alike"
        )


@dataclass(frozen=True, slots=True)
class _Laid:
    """Two pictures laid on each other: how wide and high their common part is, and what is seen there."""

    size: tuple[float, float]
    likeness: float
    tiles: int
    agreeing: float


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
    kept = other[within.ravel().astype(bool)]
    points = _distinct(kept)
    if points < LEAST_POINTS:
        return None
    laid = _laid(first.shown, second.shown, mapping, inverted="inverted" in way)
    if laid is None:
        return None
    return Proof(way, points, _spread(kept, laid.size), laid.likeness, laid.tiles, laid.agreeing)


def _partners(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pair the points that are each other's best, and clearly so."""
    if min(len(one), len(other)) < LEAST_POINTS:
        return np.empty((0, 2), np.int64)
    like = one.astype(np.float32) @ other.astype(np.float32).T
    best = like.argmax(axis=1)
    rows = np.flatnonzero(like.argmax(axis=0)[best] == np.arange(len(one)))
    best, like = best[rows], like[rows]
    places = np.arange(len(rows))
    first = like[places, best]
    like[places, best] = -1.0
    far = np.sqrt(np.maximum(2 - 2 * np.stack([first, like.max(axis=1)]) / LONG**2, 0.0))
    clear = far[0] < RATIO * far[1]
    pairs: NDArray[np.int64] = np.stack([rows, best], axis=1)[clear]
    return pairs


def _plausible(mapping: Any) -> bool:
    """Refuse mappings that squeeze a picture to a line or a dot: any few points have one of these."""
    large, small = np.linalg.svd(np.asarray(mapping)[:, :2], compute_uv=False)
    return bool(0 < large < _STRETCHED * small and large < _MOST_SCALE and small > 1 / _MOST_SCALE)


def _distinct(points: Numbers) -> int:
    """Count places, since one place has a point for each of its directions."""
    return len(np.unique(np.rint(points), axis=0))


def _spread(points: Numbers, common: tuple[float, float]) -> float:
    spans = np.percentile(points, 95, axis=0) - np.percentile(points, 5, axis=0)
    return float((spans / np.maximum(common, 1.0)).min())


def _laid(first: Pixels, second: Pixels, mapping: Any, *, inverted: bool) -> _Laid | None:
    """Compare two pictures where they overlap; nothing where they hardly do."""
    cv = vision()
    height, width = second.shape
    shown = 255 - first if inverted else first
    covered = cv.warpAffine(np.full_like(first, 255), mapping, (width, height)) > 250
    if covered.mean() < _MIN_SHARE:
        return None
    laid = cv.GaussianBlur(cv.warpAffine(shown, mapping, (width, height), flags=cv.INTER_AREA), (0, 0), _BLUR)
    below = cv.GaussianBlur(second, (0, 0), _BLUR)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    one, other = (each[covered].astype(np.float64)[None] for each in (laid, below))
    tiles = [_tiles(each[part].astype(np.float32)) for each in (laid, below, covered)]
    told = tiles[2].all(axis=1) & (np.maximum(tiles[0].std(axis=1), tiles[1].std(axis=1)) >= _TEXTURE)
    alike = _correlations(tiles[0][told], tiles[1][told]) >= _ALIKE
    return _Laid(
        size=(float(np.ptp(columns)), float(np.ptp(rows))),
        likeness=float(_correlations(one, other)[0]),
        tiles=len(alike),
        agreeing=float(alike.mean()) if len(alike) else 0.0,
    )


def _tiles(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut a picture into squares, a row for each."""
    rows, columns = (side // _TILE for side in pixels.shape)
    whole = pixels[: rows * _TILE, : columns * _TILE].reshape(rows, _TILE, columns, _TILE)
    return whole.transpose(0, 2, 1, 3).reshape(rows * columns, _TILE * _TILE)


def _correlations(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Correlate rows; 0 where one of them is flat."""
    one, other = (each - each.mean(axis=1, keepdims=True) for each in (first, second))
    scale = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
    found: NDArray[Any] = (one * other).sum(axis=1) / np.maximum(scale, 1e-9)
    return found
