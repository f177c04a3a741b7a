"""Do two looks show one picture? They are laid over each other, as exactly as their thumbnails allow, and correlated.

Look-alikes, such as neighbouring slices of other people, agree in outlines and less in what is inside. So a copy must
agree in all of the picture, and more so without the quarter of it that agrees least: there may be text, or a box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from covid_datasets.measure.looks import SIDE, WHOLE, Frame, local_contrast, resampling
from covid_datasets.splits.groups import correlations
from covid_datasets.splits.ways import shown

Picture = NDArray[np.float64]
"""The local contrast of a thumbnail, in whole numbers."""

SURE_DISTANCE, SURE_LIKENESS = 40, 0.89
"""Bits that hashes of whole pictures may differ in, and correlation that three quarters of both reach as they are,
where they are one picture: so much is left after its contrast was equalised."""
MIN_LIKENESS = 0.95
"""Correlation that three quarters reach, of other pictures and of cuts, once one is laid over the other exactly."""
MIN_RESEMBLANCE = 0.65
"""Correlation of whole pictures as they are that may be of one scan. Of 2,481 slices of 120 people of whom labels alone
are known it joins none of different labels; by 0.6 it would."""
_MIN_WHOLE = 0.84
"""Correlation that all of both must reach."""
_MIN_HOPE = 0.70
"""Correlation before they are laid over each other exactly, below which that is not tried."""
_STEPS = (12, 6, 3)
"""How far edges are moved to lay one over the other, in `UNITS`."""
_MOVES = tuple((low, high) for low in (-1, 0, 1) for high in (-1, 0, 1))
_RIM = 4
"""Pixels at the edges that are left out: their contrast depends on what a cut took away."""
_SEEN = SIDE - 2 * _RIM
_TILE = _SEEN // 4
_LEFT_OUT = 4
"""Tiles of 16 that need not agree."""
_SCALE = 64 * 64
"""What resampling by rows and columns multiplies values by."""


def picture(thumb: bytes) -> Picture:
    """Return the local contrast of a thumbnail."""
    return local_contrast(np.frombuffer(thumb, np.uint8).reshape(SIDE, SIDE))


def likenesses(
    firsts: Sequence[Picture], seconds: Sequence[Picture], frames: Sequence[Frame], distances: Sequence[int]
) -> NDArray[np.float64]:
    """Tell pair by pair how much what a frame shows of the first is like the second; 0 where it is not the same.

    >>> film = np.random.default_rng(0).integers(-40, 40, (SIDE, SIDE)).astype(float)
    >>> likenesses([film, film], [film, film[::-1]], [WHOLE] * 2, [0, 50])
    array([1., 0.])
    """
    found = np.zeros(len(firsts))
    if not len(firsts):
        return found
    other = _inner(np.stack(seconds))
    seen = _seen(np.stack(firsts), frames)
    whole = _alike(seen, other)
    for number in np.flatnonzero(whole >= _MIN_HOPE).tolist():
        likeness = _trimmed(seen[number], other[number])
        sure = distances[number] <= SURE_DISTANCE and frames[number] == WHOLE
        least = SURE_LIKENESS if sure else MIN_LIKENESS
        if whole[number] < _MIN_WHOLE or likeness < least:
            laid, least = _register(firsts[number], other[number], frames[number]), MIN_LIKENESS
            whole[number], likeness = _alike(laid[None], other[number][None])[0], _trimmed(laid, other[number])
        if whole[number] >= _MIN_WHOLE and likeness >= least:
            found[number] = likeness
    return found


def alike(firsts: Sequence[Picture], seconds: Sequence[Picture]) -> NDArray[np.float64]:
    """Correlate pictures as they are, pair by pair."""
    return _alike(*(_inner(np.stack(side)) for side in (firsts, seconds)))


def _seen(pictures: Picture, frames: Sequence[Frame]) -> Picture:
    rows = np.stack([resampling(*frame[2:]) for frame in frames])
    columns = np.stack([resampling(*frame[:2]).T for frame in frames])
    seen: Picture = np.rint(rows @ pictures @ columns / _SCALE)
    return _inner(seen)


def _inner(pictures: Picture) -> Picture:
    return pictures[..., _RIM:-_RIM, _RIM:-_RIM]


def _alike(first: Picture, second: Picture) -> NDArray[np.float64]:
    return correlations(first.reshape(len(first), -1), second.reshape(len(second), -1))


def _register(first: Picture, second: Picture, frame: Frame) -> Picture:
    """Move the edges of a frame until what it shows of the first is as much like the second as it gets."""
    left, right, top, bottom = frame
    for step in _STEPS:
        left, right = _along(resampling(top, bottom) @ first, second, left, right, step)
        top, bottom = _along(resampling(left, right) @ first.T, second.T, top, bottom, step)
    laid: Picture = _seen(first[None], [(left, right, top, bottom)])[0]
    return laid


def _along(half: Picture, second: Picture, low: int, high: int, step: int) -> tuple[int, int]:
    """Move two opposite edges by a step, if that helps; ``half`` is what the frame shows of the other side."""
    places = [(low, high), *((low + one * step, high + other * step) for one, other in _MOVES if one or other)]
    seen = _inner(np.rint(half @ np.stack([resampling(*place).T for place in places]) / _SCALE))
    return places[int(_alike(seen, np.broadcast_to(second, seen.shape)).argmax())]


def _trimmed(first: Picture, second: Picture) -> float:
    """Correlate two pictures without the tiles that agree least."""
    one, other = (_tiles(_SEEN * _SEEN * each - each.sum()) for each in (first, second))
    common, ours, theirs = (one * other).sum(1), (one * one).sum(1), (other * other).sum(1)
    agree = common / np.sqrt((ours + 1) * (theirs + 1))
    kept = np.argsort(agree, kind="stable")[_LEFT_OUT:]
    return float(common[kept].sum() / np.sqrt((ours[kept].sum() + 1) * (theirs[kept].sum() + 1)))


def _tiles(image: Picture) -> Picture:
    return image.reshape(4, _TILE, 4, _TILE).transpose(0, 2, 1, 3).reshape(16, -1)


def ways_to_see(
    first: NDArray[np.int8], second: NDArray[np.int8], transposed: bool, way: int
) -> tuple[Picture, Picture]:
    """Show both so that they should be the same."""
    ours, theirs = first.astype(np.float64), second.astype(np.float64)
    return (ours.T if transposed else ours), shown(theirs, way)
