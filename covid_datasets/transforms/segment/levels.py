"""Which values of a scan are air, lung and soft tissue: fixed in Hounsfield units, found where units were lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covid_datasets.errors import UsageError

AIR, TISSUE = -1000.0, 40.0
"""Hounsfield units of air and of muscle, liver and blood."""
SPLIT = 0.62
"""Of the way from lung to tissue, what is below is lung: -320 HU where lung is -900, the middle of a steep border."""
BINS = 256
LEAST_HU, MOST_HU = -985.0, -500.0
"""Hounsfield units of aerated lung: what lies below is air, what lies above has none in it, or units are wrong."""
PADDING = 0.02
"""A lowest value that more than this share of the voxels has exactly is filling around the scan, and not measured."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The values that a scan shows air, aerated lung and soft tissue with.

    ``air`` is ``None`` where nothing in the picture is known to be air. ``hounsfield`` says whether values are in
    Hounsfield units.
    """

    air: float | None
    lung: float
    tissue: float
    hounsfield: bool

    @property
    def split(self) -> float:
        """The value that separates lung from what is around it."""
        return self.lung + SPLIT * (self.tissue - self.lung)

    @property
    def gas(self) -> float | None:
        """The value below which there is gas and no lung, as in the trachea; ``None`` where they look alike."""
        if self.air is None or self.lung - self.air < 0.04 * (self.tissue - self.air):
            return None
        return self.air + 0.45 * (self.lung - self.air)

    def at(self, share: float) -> float:
        """Give the value that is this share of the way from lung to soft tissue."""
        return self.lung + share * (self.tissue - self.lung)


def is_hounsfield(voxels: np.ndarray, said: bool | None) -> bool:
    """Tell whether values are Hounsfield units: what is said, and where nothing is said, whether they look so.

    >>> is_hounsfield(np.array([-1000, 40]), None), is_hounsfield(np.array([0, 255]), None)
    (True, False)
    >>> is_hounsfield(np.array([0, 255]), True)
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: hounsfield: expected air near -1000 in Hounsfield units, found values from 0 ...
    """
    if said is not None and not isinstance(said, bool | np.bool_):
        raise UsageError(f"hounsfield: expected True, False or None, found {said!r}")
    low, high = float(voxels.min()), float(voxels.max())
    fits = low <= -500 and high > -500
    if said and not fits:
        raise UsageError(
            f"hounsfield: expected air near -1000 in Hounsfield units, found values from {low:g} to {high:g}. Next: "
            "subtract 1024 where they are stored with that offset, or say hounsfield=False for grey levels"
        )
    return fits if said is None else bool(said)


def first_split(coarse: np.ndarray, hounsfield: bool) -> float | None:
    """Separate dark from bright before lung and tissue are known; ``None`` where all is one value."""
    if hounsfield:
        return -320.0
    values = coarse[coarse > coarse.min()] if np.mean(coarse == coarse.min()) > PADDING else coarse.ravel()
    return otsu(values)


def otsu(values: np.ndarray) -> float | None:
    """Find the value that separates dark from bright best (Otsu); ``None`` where all are one.

    >>> round(otsu(np.array([0.0] * 50 + [10.0] * 50)), 1)
    5.0
    """
    if not len(values) or float(values.min()) == float(values.max()):
        return None
    counts, edges = np.histogram(values, BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (sums[:-1] / below[:-1] - (sums[-1] - sums[:-1]) / above[1:]) ** 2 * below[:-1] * above[1:]
    apart = np.nan_to_num(apart)
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-9))  # an empty stretch is cut in its middle
    return float(edges[1:-1][best].mean())


def mode(values: np.ndarray, low: float, high: float, least: float = 1.0) -> float | None:
    """Find the commonest value between two, in a smoothed histogram; ``None`` where there is none.

    With ``least`` below 1 it is the lowest peak that has at least this share of the highest one's height.

    >>> mode(np.array([2.0] * 5 + [8.0] * 9), 0.0, 10.0) > 5 > mode(np.array([2.0] * 5 + [8.0] * 9), 0.0, 10.0, 0.3)
    True
    """
    if not low < high:
        return None
    counts, edges = np.histogram(values, 128, (low, high))
    if not counts.any():
        return None
    smooth = np.convolve(counts, [1, 2, 3, 4, 3, 2, 1], "same")
    rising = np.concatenate([[True], smooth[1:] >= smooth[:-1]])
    falling = np.concatenate([smooth[:-1] > smooth[1:], [True]])
    peaks = np.flatnonzero(rising & falling & (smooth >= least * smooth.max()))
    best = int(peaks[0])
    return float((edges[best] + edges[best + 1]) / 2)
