"""Which pictures are worth a proof: those that have many rare words in common.

A word is a descriptor out of the collection; each point of a picture is written as its nearest word. Words come in
fours, as `ORDERS` reorders them: how a picture would be written if it were mirrored or inverted needs no second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.features import Features
from covid_datasets.audits.ways import ORDERS

BASE_WORDS = 1024
_POINTS_A_WORD = 8
"""Points of the collection for each word at least: if each had its own, no two pictures had any in common."""
_BLOCK = 128
_SEED = 0


def ranked(
    views: Sequence[Features], owners: Sequence[int], most: int, pool: Executor
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rank what each view may be a copy of: for each, the ``most`` views most like it, and the number of the way.

    Each view is compared with every other one as it is, mirrored and inverted, and the most alike comes first, however
    it was changed. -1 stands where there are no more. Views of one owner are not compared.
    """
    words = _words([each.descriptors for each in views])
    if not len(words):
        return (np.full((len(views), 0), -1, np.int32),) * 2
    counts = pool.map(partial(_counted, words=words), (each.descriptors for each in views))
    bags = _weighed(np.stack(list(counts)))
    places = np.asarray(owners)
    ways = [_reordered(number, len(words)) for number in range(len(ORDERS))]
    most = min(most, len(ways) * len(views))

    def best(start: int) -> NDArray[np.int32]:
        block = slice(start, start + _BLOCK)
        like = np.stack([bags[block][:, way] @ bags.T for way in ways], axis=1)
        like[np.broadcast_to(places[block, None, None] == places, like.shape)] = 0.0
        like = like.reshape(len(like), -1)
        nearest = np.sort(np.argpartition(-like, most - 1, axis=1)[:, :most], axis=1)
        values = np.take_along_axis(like, nearest, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(np.where(values > 0, nearest, -1).astype(np.int32), order, axis=1)

    found = np.concatenate(list(pool.map(best, range(0, len(views), _BLOCK))))
    return np.where(found < 0, -1, found % len(views)), np.where(found < 0, -1, found // len(views))


def _words(descriptors: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Take some descriptors of the collection as words, and what each would be in a picture that was changed."""
    ends = np.cumsum([len(each) for each in descriptors], dtype=np.int64)
    count = int(ends[-1]) if len(ends) else 0
    size = min(BASE_WORDS, -(-count // _POINTS_A_WORD))
    chosen = np.sort(np.random.default_rng(_SEED).choice(count, size, replace=False))
    pictures = np.searchsorted(ends, chosen, side="right")
    base = [descriptors[picture][at - ends[picture]] for picture, at in zip(pictures, chosen, strict=True)]
    if not base:
        return np.empty((0, 0), np.float32)
    return np.concatenate([np.stack(base)[:, order] for order in ORDERS.values()]).astype(np.float32)


def _counted(descriptors: NDArray[np.uint8], words: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Count how often each word is written."""
    written = (descriptors.astype(np.float32) @ words.T).argmax(axis=1) if len(descriptors) else np.empty(0, np.int64)
    return np.bincount(written, minlength=len(words)).astype(np.uint16)


def _reordered(way: int, count: int) -> NDArray[np.int64]:
    """Say as which word each is read in a picture that was changed: what is mirrored twice is as it was.

    >>> _reordered(1, 8).tolist()
    [2, 3, 0, 1, 6, 7, 4, 5]
    """
    ways = np.arange(len(ORDERS)) ^ way
    return np.concatenate(np.arange(count).reshape(len(ORDERS), -1)[ways])


def _weighed(counts: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Weigh words by how rare they are, and bring every picture to one length."""
    present = (counts > 0).sum(axis=0)
    rare = np.log(len(counts) / np.maximum(present, 1)) + 1e-3
    bags: NDArray[np.float32] = np.sqrt(counts, dtype=np.float32) * rare.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", bags, bags))[:, None]
    bags /= np.maximum(lengths, 1e-9)
    return bags
