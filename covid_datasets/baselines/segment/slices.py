"""Slices as a network sees them: grey, square and small, with their neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

HOUNSFIELD = (-1200.0, 250.0)
"""What is black and white of Hounsfield units, where a network does not see them as views of datasets do."""
CLIPPED = 0.5
"""Percent of grey levels that may be darker than black, and brighter than white."""
SLAB = 16
"""Slices that are made smaller at once."""


def limits(voxels: np.ndarray, hounsfield: bool) -> tuple[float, float]:
    """Say which values are black and white.

    >>> limits(np.array([[[-1024, 3000]]]), True), limits(np.zeros((1, 8, 8)), False)
    ((-1200.0, 250.0), (0.0, 1e-06))
    """
    if hounsfield:
        return HOUNSFIELD
    low, high = np.percentile(voxels[:, ::4, ::4], [CLIPPED, 100 - CLIPPED]).tolist()
    return low, max(high, low + 1e-6)


def shown(voxels: np.ndarray, hounsfield: bool, side: int) -> Any:
    """Make slices as a network sees them: black is -1 and white is 1; a few at once, so that little memory is needed.

    >>> shown(np.full((20, 64, 48), 250, np.int16), True, 16).shape
    torch.Size([20, 16, 16])
    """
    low, high = limits(voxels, hounsfield)
    parts = []
    for at in range(0, len(voxels), SLAB):
        part = torch.from_numpy(voxels[at : at + SLAB].astype(np.float32))
        parts.append(smaller(((part - low) * (2 / (high - low)) - 1).clamp_(-1, 1), side))
    return torch.cat(parts)


def smaller(planes: Any, side: int, *, stretched: bool = False) -> Any:
    """Fit planes of a tensor into a square, their proportions kept and black beside them, or ``stretched`` to it."""
    rows, columns = (1, 1) if stretched else planes.shape[-2:]
    longest = max(rows, columns)
    size = max(round(side * rows / longest), 1), max(round(side * columns / longest), 1)
    planes = functional.interpolate(planes[:, None], size, mode="bilinear", antialias=True)[:, 0]
    down, across = side - size[0], side - size[1]
    return functional.pad(planes, (across // 2, across - across // 2, down // 2, down - down // 2), value=-1.0)


def larger(planes: Any, like: tuple[int, int], shape: tuple[int, int]) -> Any:
    """Bring what a network says of planes back to rows and columns of the slice; proportions were ``like``."""
    (rows, columns), side = like, planes.shape[-1]
    longest = max(rows, columns)
    size = max(round(side * rows / longest), 1), max(round(side * columns / longest), 1)
    down, across = (side - size[0]) // 2, (side - size[1]) // 2
    planes = planes[..., down : down + size[0], across : across + size[1]]
    return functional.interpolate(planes, shape, mode="bilinear", align_corners=False)


def neighbours(number: np.ndarray, count: int, slices: int) -> np.ndarray:
    """Give the slices that are seen with each: where there is none further on, the last one again.

    >>> neighbours(np.array([0, 1]), 2, 3).tolist()
    [[0, 0, 1], [0, 1, 1]]
    """
    reach = slices // 2
    return np.clip(number[:, None] + np.arange(-reach, reach + 1), 0, count - 1)
