"""Infection by a region adjacency graph, in the five steps that COVID-ARC shows.

Lungs; pixels above a threshold; regions of neighbouring pixels with like values; those that the graph joins and that
are dense on the whole; those of them that are hyper-dense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covid_datasets.extras import need
from covid_datasets.transforms.segment.coarse import sizes

JOINED = 0.35
"""Of the way from one threshold to the other, regions whose means differ by less are joined."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What each step leaves: pixels above the threshold, numbers of joined regions, infected and hyper-dense ones."""

    binary: np.ndarray
    joined: np.ndarray
    infected: np.ndarray
    dense: np.ndarray


def regions(values: np.ndarray, lung: np.ndarray, threshold: float, hyperdense: float, size: int) -> Regions:
    """Join neighbouring regions of like values, and keep those that are dense on the whole.

    Args:
        values: Slices, rows and columns.
        lung: Where to look.
        threshold: Above it is what may be infected.
        hyperdense: Above it is what is hyper-dense.
        size: Rows and columns of the squares that regions begin with.

    >>> values = np.zeros((1, 8, 8))
    >>> values[0, :4, :4] = 10
    >>> found = regions(values, np.ones((1, 8, 8), bool), 5, 9, 4)
    >>> int(found.infected.sum()), int(found.dense.sum()), len(np.unique(found.joined))
    (16, 16, 2)
    """
    need("scipy")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    binary = lung & (values > threshold)
    parts, count = _parts(values, lung, binary, threshold, hyperdense, size)
    area = np.maximum(sizes(parts, count), 1)
    means = sizes(parts, count, values) / area
    first, second = _neighbours(parts)
    like = np.abs(means[first] - means[second]) < JOINED * (hyperdense - threshold)
    like &= (means[first] > threshold) == (means[second] > threshold)
    graph = coo_array(
        (np.ones(np.count_nonzero(like), np.bool_), (first[like], second[like])), shape=(count + 1, count + 1)
    )
    joins, label = connected_components(graph, directed=False)
    total = np.maximum(np.bincount(label, area, joins), 1)
    mean = np.bincount(label, means * area, joins) / total
    infected, dense = mean > threshold, mean > hyperdense
    infected[label[0]] = dense[label[0]] = False
    joined = label[parts].astype(np.int32)
    return Regions(binary, joined, infected[joined] & lung, dense[joined] & lung)


def _parts(
    values: np.ndarray, lung: np.ndarray, binary: np.ndarray, threshold: float, hyperdense: float, size: int
) -> tuple[np.ndarray, int]:
    """Cut lungs into squares, and each square where values pass one of three levels: the nodes of the graph."""
    level = binary.astype(np.uint8)
    level += lung & (values > (threshold + hyperdense) / 2)
    level += lung & (values > hyperdense)
    slices, rows, columns = values.shape
    wide, high = -(-columns // size), -(-rows // size)
    square = (np.arange(rows) // size)[:, None] * wide + (np.arange(columns) // size)[None, :]
    number = (np.arange(slices)[:, None, None] * (high * wide) + square[None]) * 4 + level
    used = np.zeros(slices * high * wide * 4, bool)
    used[number[lung]] = True
    names = np.cumsum(used, dtype=np.int32)
    return np.where(lung, names[number], 0), int(names[-1])


def _neighbours(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List each pair of regions that touch within a slice, once."""
    found = []
    for axis in (1, 2):
        one = parts[:, :-1] if axis == 1 else parts[:, :, :-1]
        other = parts[:, 1:] if axis == 1 else parts[:, :, 1:]
        touch = (one != other) & (one > 0) & (other > 0)
        found.append(one[touch].astype(np.int64) << 32 | other[touch])
    pairs = np.unique(np.concatenate(found))
    return pairs >> 32, pairs & 0xFFFFFFFF
