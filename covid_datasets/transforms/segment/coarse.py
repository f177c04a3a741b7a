"""A coarser grid within slices and back again, and shapes that grow and shrink on it.

Everything here works on whole volumes at once, slice by slice: no structure reaches into the next slice, because slices
may be far apart.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from covid_datasets.extras import need

SLAB = 16
"""Slices that are worked on at once, so that what lies in between needs little memory."""


def slabs(slices: int) -> Iterator[slice]:
    """Cut a volume into a few slices each.

    >>> list(slabs(20))
    [slice(0, 16, None), slice(16, 20, None)]
    """
    return (slice(first, min(first + SLAB, slices)) for first in range(0, slices, SLAB))


def in_slabs(slices: int, work: Callable[[slice], Any]) -> list[Any]:
    """Do something for each slab, on all cores: NumPy lets go of the interpreter while it calculates."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as threads:
        return list(threads.map(work, slabs(slices)))


def coarser(voxels: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of ``factor`` pixels, as 32-bit numbers; rows and columns beyond the last whole one are left out.

    >>> coarser(np.arange(16.0).reshape(1, 4, 4), 2).tolist()
    [[[2.5, 4.5], [10.5, 12.5]]]
    """
    slices, rows, columns = voxels.shape
    if factor == 1:
        return voxels.astype(np.float32)
    rows, columns = rows // factor, columns // factor
    out = np.empty((slices, rows, columns), np.float32)

    def work(slab: slice) -> None:
        part = voxels[slab, : rows * factor, : columns * factor]
        total = np.zeros((part.shape[0], rows, part.shape[2]), np.float32)
        for row in range(factor):
            total += part[:, row::factor]
        np.copyto(out[slab], total[:, :, ::factor])
        for column in range(1, factor):
            out[slab] += total[:, :, column::factor]
        out[slab] *= 1.0 / factor**2

    in_slabs(slices, work)
    return out


def finer(mask: np.ndarray, factor: int, shape: tuple[int, ...]) -> np.ndarray:
    """Give each pixel of the fine grid the value of the coarse one that it lies in; the border goes on outside.

    >>> finer(np.array([[[1, 2]]]), 2, (1, 2, 5)).tolist()
    [[[1, 1, 2, 2, 2], [1, 1, 2, 2, 2]]]
    """
    if mask.shape[1:] == shape[-2:] and factor == 1:
        return mask
    rows = np.minimum(np.arange(shape[-2]) // factor, mask.shape[1] - 1)
    wide = np.repeat(mask, factor, axis=2)
    missing = shape[-1] - wide.shape[2]
    if missing > 0:
        wide = np.concatenate([wide, np.repeat(wide[:, :, -1:], missing, axis=2)], axis=2)
    out: np.ndarray = wide.take(rows, axis=1)
    return out


def grown(mask: np.ndarray, radius: int) -> np.ndarray:
    """Let a mask grow by a disc within each slice.

    >>> grown(np.array([[[0, 0, 0], [0, 1, 0], [0, 0, 0]]], bool), 1).astype(int).tolist()
    [[[0, 1, 0], [1, 1, 1], [0, 1, 0]]]
    """
    if radius < 1:
        return mask
    if len(mask) > SLAB:  # one mask for each pixel of the radius is made: of a few slices at once
        out = np.empty_like(mask)

        def work(slab: slice) -> None:
            out[slab] = grown(mask[slab], radius)

        in_slabs(len(mask), work)
        return out
    across = [mask]
    for _ in range(radius):
        before = across[-1]
        wider = before.copy()
        wider[:, :, 1:] |= before[:, :, :-1]
        wider[:, :, :-1] |= before[:, :, 1:]
        across.append(wider)
    out = across[radius].copy()
    for row in range(1, radius + 1):
        part = across[round((radius**2 - row**2) ** 0.5)]
        out[:, row:] |= part[:, :-row]
        out[:, :-row] |= part[:, row:]
    return out


def shrunk(mask: np.ndarray, radius: int) -> np.ndarray:
    """Let a mask shrink by a disc within each slice; the border of the picture takes nothing away."""
    return ~grown(~mask, radius)


def opened(mask: np.ndarray, radius: int) -> np.ndarray:
    """Take away what is thinner than a disc."""
    return grown(shrunk(mask, radius), radius)


def closed(mask: np.ndarray, radius: int) -> np.ndarray:
    """Fill what is narrower than a disc."""
    return shrunk(grown(mask, radius), radius)


def islands(mask: np.ndarray, *, through: bool = False) -> tuple[np.ndarray, int]:
    """Number what hangs together, within each slice or ``through`` slices too, and count it.

    >>> islands(np.array([[[1, 0, 1]], [[1, 0, 0]]], bool))[1], islands(np.ones((2, 1, 1), bool), through=True)[1]
    (3, 1)
    """
    need("scipy")
    from scipy import ndimage

    cross = np.zeros((3, 3, 3), bool)
    cross[1, 1, :] = cross[1, :, 1] = True
    cross[:, 1, 1] |= through
    numbers = np.empty(mask.shape, np.int32)
    count = int(ndimage.label(mask, cross, output=numbers))
    return numbers, count


def sizes(numbers: np.ndarray, count: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count the voxels of each island, or add up weights in them; that of number 0 is the rest."""
    return np.bincount(numbers.ravel(), None if weights is None else weights.ravel(), count + 1)


def filled(mask: np.ndarray, most: float = np.inf) -> np.ndarray:
    """Fill holes in each slice that have at most so many pixels.

    >>> filled(np.array([[[1, 1, 1], [1, 0, 1], [1, 1, 1]]], bool)).all()
    np.True_
    """
    numbers, count = islands(~mask)
    keep = sizes(numbers, count) <= most
    for edge in (numbers[:, 0], numbers[:, -1], numbers[:, :, 0], numbers[:, :, -1]):
        keep[np.unique(edge)] = False
    keep[0] = False
    out: np.ndarray = mask | keep[numbers]
    return out


def box_of(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice, slice]:
    """Give the smallest box that a mask fits into; an empty mask has an empty box.

    >>> box_of(np.eye(3, dtype=bool)[None])
    (slice(0, 1, None), slice(0, 3, None), slice(0, 3, None))
    """
    found = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        there = np.flatnonzero(mask.any(axis=others))
        wide = margin if axis else 0
        first = max(int(there[0]) - wide, 0) if len(there) else 0
        found.append(slice(first, min(int(there[-1]) + 1 + wide, mask.shape[axis]) if len(there) else 0))
    return found[0], found[1], found[2]
