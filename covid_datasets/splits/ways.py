"""The sixteen ways to show one picture: mirrored, upside down, transposed, inverted, and what follows from these.

A hash holds the signs of frequencies, in four classes by their parities. To mirror or invert a picture turns all signs
of some classes, so of a hash these eight ways cost nothing; to transpose it puts the signs in another order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covid_datasets.measure.looks import pack, unpack

Words = NDArray[np.uint64]
"""Hashes as four numbers of 64 bits, one for each class."""

INVERTED, MIRRORED, UPSIDE_DOWN = 1, 2, 4
"""Bits of the number of a way."""
_TURNED = np.asarray(
    [
        [bool(way & INVERTED) ^ (bool(way & UPSIDE_DOWN) & row) ^ (bool(way & MIRRORED) & column)
         for row in (False, True) for column in (False, True)]
        for way in range(8)
    ]
)  # fmt: skip
"""Which classes a way turns the signs of."""
_FULL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def turned(hashes: Words, way: int) -> Words:
    """Return what the hashes would be, were the pictures shown in another way.

    >>> one = np.zeros((1, 4), np.uint64)
    >>> bool((turned(turned(one, MIRRORED), MIRRORED) == one).all())
    True
    """
    return hashes ^ np.where(_TURNED[way], _FULL, np.uint64(0))


def transposed(hashes: Words) -> Words:
    """Return the hashes of the pictures with rows for columns."""
    signs = unpack(np.ascontiguousarray(hashes).view(np.uint8))
    return pack(np.ascontiguousarray(signs.transpose(0, 2, 1))).view(np.uint64)


def nearest(first: Words, second: Words, all_ways: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Compare hashes pair by pair: bits that differ, and the way to show the second for which fewest do."""
    differing = np.bitwise_count(first ^ second).astype(np.int64)
    if not all_ways:
        return differing.sum(axis=1), np.zeros(len(differing), np.int64)
    distances = differing @ np.where(_TURNED, -1, 1).T + 64 * _TURNED.sum(axis=1)
    ways = distances.argmin(axis=1)
    return distances[np.arange(len(ways)), ways], ways


def shown(picture: NDArray[np.float64], way: int) -> NDArray[np.float64]:
    """Show the local contrast of a picture in another way."""
    if way & UPSIDE_DOWN:
        picture = picture[..., ::-1, :]
    if way & MIRRORED:
        picture = picture[..., ::-1]
    return -picture if way & INVERTED else picture


def described(transposed: bool, way: int) -> list[str]:
    """Say in words how a copy is shown.

    >>> described(False, MIRRORED | INVERTED), described(True, MIRRORED)
    (['mirrored', 'inverted'], ['a quarter turn'])
    """
    mirrored, upside_down = bool(way & MIRRORED), bool(way & UPSIDE_DOWN)
    if transposed:
        words = ["a quarter turn" if mirrored != upside_down else "mirrored and a quarter turn"]
    elif mirrored and upside_down:
        words = ["half a turn"]
    else:
        words = ["mirrored"] * mirrored + ["upside down"] * upside_down
    return words + ["inverted"] * bool(way & INVERTED)
