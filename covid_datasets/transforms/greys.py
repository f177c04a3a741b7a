"""Grey levels of CT pictures whose Hounsfield units were lost, brought to one stated reference.

Which window a picture was saved with is unknown, but two things in it are known: air in the lungs and soft tissue.
They are found by percentiles inside the body, and mapped to the greys that they have in a window that is stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.windows import window_range

AIR, TISSUE = -850.0, 40.0
"""Hounsfield units of aerated lung and of soft tissue: what the two greys are taken for."""
AIR_PERCENTILE, TISSUE_PERCENTILE = 25.0, 50.0
"""Of what is dark inside the body, and of what is bright."""
_LEAST_DARK = 0.05
_LEAST_APART = 30.0
_MOST_CUT = 0.5
_SOFT, _BETWEEN = 0.17, 0.125
"""A radiograph climbs less than this share of the way from air to tissue in a 128th of its width, where it is half way,
and more than this share of its body is between the two. Chosen on COVID-CT against films of Cohen's and of Hannover."""


@dataclass(frozen=True, slots=True)
class Greys:
    """What was found in a picture, in its own greys, and how it was mapped.

    Attributes:
        air: The grey of aerated lung.
        tissue: The grey of soft tissue.
        factor: What greys were multiplied by.
        added: What was added then.
        cut: The share of the body that is black or white already, so that its values are lost for good.
    """

    air: float
    tissue: float
    factor: float
    added: float
    cut: float


def normalised(values: np.ndarray, window: object = "wide") -> tuple[np.ndarray, Greys]:
    """Bring a CT picture of unknown window to the greys of a window, as bytes.

    Hounsfield units that are known need none of this: `covid_datasets.transforms.windows.windowed` shows them exactly.
    A picture without lungs is refused, because nothing in it tells which grey is air, and so is a radiograph. Where
    most of the lung is dense, what is least so is taken for air, and lesions look thinner than they are.

    >>> slice_ = np.zeros((60, 80), np.uint8)
    >>> slice_[10:50, 10:70], slice_[20:40, 20:35], slice_[20:40, 45:60] = 205, 80, 80
    >>> done, greys = normalised(slice_)
    >>> greys.air, greys.tissue, int(done[12, 12]), int(done[30, 30])
    (80.0, 205.0, 189, 27)
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8 or values.ndim != 2 or 0 in values.shape:
        found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise UsageError(f"picture: expected grey bytes (uint8), rows × columns, found {found}")
    low, high = window_range(window)
    body, bright = body_of(values)
    dark = body & ~bright
    if dark.sum() < _LEAST_DARK * max(int(body.sum()), 1):
        raise UsageError("picture: expected a CT slice with lungs, found a body without any that are darker than it")
    if (values[dark] == 0).mean() > _MOST_CUT:
        raise UsageError("picture: expected lungs of some grey, found black ones: its window cut their values off")
    air = float(np.percentile(values[dark], AIR_PERCENTILE))
    tissue = float(np.percentile(values[body & bright], TISSUE_PERCENTILE))
    if tissue - air < _LEAST_APART:
        raise UsageError(f"picture: expected lungs darker than soft tissue, found greys of {air:g} and {tissue:g}")
    if _is_soft((values.astype(np.float32) - air) / (tissue - air), body):
        raise UsageError("picture: expected a CT slice, found borders of the lungs as soft as those of a radiograph")
    scale = 255 / (high - low)
    factor = (TISSUE - AIR) * scale / (tissue - air)
    added = (TISSUE - low) * scale - factor * tissue
    done = np.clip(np.rint(values * factor + added), 0, 255).astype(np.uint8)
    cut = float(np.isin(values[body], (0, 255)).mean())
    return done, Greys(air, tissue, round(factor, 6), round(added, 6), round(cut, 6))


def _is_soft(way: np.ndarray, body: np.ndarray) -> bool:
    """Tell whether values between air and tissue are many, and not those of sharp borders."""
    step = max(1, round(min(way.shape) / 128))
    rows, columns = (side // step for side in way.shape)
    coarse = way[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))
    inside = body[::step, ::step][:rows, :columns]
    if min(rows, columns) < 2:
        return False
    half = inside & (np.abs(coarse - 0.5) < 0.15)
    between = (inside & (np.abs(coarse - 0.5) < 0.2)).sum() / max(int(inside.sum()), 1)
    return bool(between > _BETWEEN and np.median(np.hypot(*np.gradient(coarse))[half]) < _SOFT)


def body_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what lies inside the body, lungs included, and what is bright; both as truth values.

    A pixel is inside that has something bright on all four sides. Bright is what is above Otsu's threshold.
    """
    bright = values > _otsu(values)
    inside = np.ones(values.shape, bool)
    for axis in (0, 1):
        before = np.maximum.accumulate(bright, axis=axis)
        after = np.flip(np.maximum.accumulate(np.flip(bright, axis), axis=axis), axis)
        inside &= before & after
    return inside, bright


def _otsu(values: np.ndarray) -> int:
    """Return the grey that parts dark from bright so that both are as uniform as possible."""
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    mass = (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return int(np.nan_to_num(between).argmax())
