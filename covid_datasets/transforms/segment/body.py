"""The body in a slice: a frame around it, what is inside of its skin, how wide it is, and where its middle is."""

from __future__ import annotations

import numpy as np

from covid_datasets.transforms.segment.coarse import filled, islands, opened, sizes

DEEP = 0.15
"""Of the side of a picture: a lung that lies at its border reaches further in, and air below a table does not."""


def frame(bright: np.ndarray) -> np.ndarray:
    """Find a bright frame around a picture: bright lines at its border, and air behind them."""
    out = np.zeros(bright.shape, bool)
    for turn in range(4):
        seen, into = np.rot90(bright, turn), np.rot90(out, turn)
        lines = seen.mean(axis=1)
        wide = int(np.argmin(lines > 0.95))
        if 0 < wide < len(lines) // 4 and lines[wide : wide + 2].min() < 0.5:
            into[: wide + (lines[wide] > 0.5)] = True
    return out


def filled_within(mask: np.ndarray, cut: int) -> np.ndarray:
    """Fill holes of a picture that has a seam around it, but for air around the body.

    That reaches a corner, or from the left to the right, or is flat.
    """
    numbers, count = islands(filled(mask) & ~mask)
    seam = np.ones(mask.shape, bool)
    seam[:, cut + 1 : -cut - 1, cut + 1 : -cut - 1] = False
    outside = sizes(numbers, count) < DEEP * min(mask.shape[1:]) * sizes(numbers, count, seam)
    first, last = slice(2 * cut), slice(-2 * cut, None)
    for rows, columns in ((first, first), (first, last), (last, first), (last, last)):
        outside[numbers[:, rows, columns]] = True
    outside[np.intersect1d(numbers[:, :, cut], numbers[:, :, -cut - 1])] = True
    outside[0] = True
    found: np.ndarray = mask | ~outside[numbers]
    return found


def widest(bright: np.ndarray) -> int:
    """Count the columns of a typical slice's body, so that a few odd slices do not decide."""
    counts = (opened(bright, 1).sum(axis=1) > 0).sum(axis=1)
    return int(np.median(counts[counts > 0])) if (counts > 0).any() else 0


def middles(body: np.ndarray) -> np.ndarray:
    """Find the middle column of each slice's body; that of all slices where a slice has none."""
    counts = body.sum(axis=1).astype(np.float64)
    columns = np.arange(body.shape[2])
    total = counts.sum(axis=1)
    whole = (counts.sum(axis=0) * columns).sum() / max(total.sum(), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = (counts * columns).sum(axis=1) / total
    found: np.ndarray = np.where(total > 0, own, whole)
    return found


def mirrored(mask: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Mirror each slice at the middle of its body."""
    columns = np.rint(2 * middle[:, None] - np.arange(mask.shape[2])[None, :]).astype(np.int64)
    inside = (columns >= 0) & (columns < mask.shape[2])
    taken = np.take_along_axis(mask, np.clip(columns, 0, mask.shape[2] - 1)[:, None, :], axis=2)
    found: np.ndarray = taken & inside[:, None, :]
    return found
