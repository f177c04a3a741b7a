"""Local binary patterns (Ojala, Pietikäinen and Mäenpää 2002): which neighbours of a pixel are brighter, counted.

They tell of texture and of nothing else, and need no training: what a network must beat to have seen more than that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""Rows and columns from a pixel to its eight neighbours, once around it."""
CELLS = 4
"""Patterns are counted in so many rows and columns of cells, so that it counts where they are."""


def _uniform() -> NDArray[np.int64]:
    """Number the patterns that change at most twice on the way around, from 0 on; all other ones share the last."""
    codes = np.arange(256)
    bits = codes[:, None] >> np.arange(8) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(1)
    numbers = np.cumsum(changes <= 2) - 1
    numbers[changes > 2] = (changes <= 2).sum()
    return numbers


UNIFORM = _uniform()
PATTERNS = int(UNIFORM.max()) + 1
"""58 patterns of their own, and one for all that are not uniform."""


def patterns(grey: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of the pattern around each pixel, but for those at the edge.

    >>> patterns(np.asarray([[9, 9, 9], [9, 5, 9], [9, 9, 9]], np.uint8)).tolist()
    [[57]]
    """
    height, width = grey.shape
    codes = np.zeros((height - 2, width - 2), np.uint8)
    for bit, (down, right) in enumerate(NEIGHBOURS):
        beside = grey[1 + down : height - 1 + down, 1 + right : width - 1 + right]
        codes |= (beside >= grey[1:-1, 1:-1]).astype(np.uint8) << bit
    found: NDArray[np.int64] = UNIFORM[codes]
    return found


def lbp_features(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the roots of the shares of each pattern in each cell; the distance of two such is Hellinger's.

    >>> features = lbp_features(np.zeros((64, 64), np.uint8))
    >>> features.shape, float((features.reshape(16, 59) ** 2).sum(1).max())
    ((944,), 1.0)
    """
    found = patterns(grey)
    cells = [cell for rows in np.array_split(found, CELLS) for cell in np.array_split(rows, CELLS, axis=1)]
    shares = [np.bincount(cell.reshape(-1), minlength=PATTERNS) / max(cell.size, 1) for cell in cells]
    return np.sqrt(np.concatenate(shares))
