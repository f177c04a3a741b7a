"""Which pictures are worth a proof: those that have many rare words in common.

A word is a descriptor out of the collection; each point of a picture is written as its nearest word. Words come in
fours, as `ORDERS` reorders them: how a picture would be written if it were mirrored or inverted needs no second look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.features import Features
from covid_datasets.audits.ways import ORDERS

BASE_WORDS = 1024
_BLOCK = 256
_SEED = 0


def ranked(views: Sequence[Features], owners: Sequence[int], most: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Yield, for each way in which a view may have been changed, the views most like each, the most alike first.

    A row has at most ``most`` numbers of views; -1 stands where there are no more. Views of one owner are not compared.
    """
    words = _words([each.descriptors for each in views])
    if not len(words):
        return
    bags = _weighed(np.stack([_counted(each.descriptors, words) for each in views]))
    places = np.asarray(owners)
    most = min(most, len(views))
    for number, way in enumerate(ORDERS):
        turned = bags[:, _reordered(number, len(words))]
        best = np.full((len(views), most), -1, np.int64)
        for start in range(0, len(views), _BLOCK):
            block = slice(start, start + _BLOCK)
            like = turned[block] @ bags.T
            like[places[block, None] == places[None]] = 0.0
            order = np.argsort(-like, axis=1, kind="stable")[:, :most]
            best[block] = np.where(np.take_along_axis(like, order, axis=1) > 0, order, -1)
        yield way, best


def _words(descriptors: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Take some descriptors of the collection as words, and what each would be in a picture that was changed."""
    ends = np.cumsum([len(each) for each in descriptors], dtype=np.int64)
    count = int(ends[-1]) if len(ends) else 0
    chosen = np.sort(np.random.default_rng(_SEED).choice(count, min(BASE_WORDS, count), replace=False))
    pictures = np.searchsorted(ends, chosen, side="right")
    base = [descriptors[picture][at - ends[picture]] for picture, at in zip(pictures, chosen, strict=True)]
    if not base:
        return np.empty((0, 0), np.float32)
    return np.concatenate([np.stack(base)[:, order] for order in ORDERS.values()]).astype(np.float32)


def _counted(descriptors: NDArray[np.uint8], words: NDArray[np.float32]) -> NDArray[np.int64]:
    """Count how often each word is written."""
    written = (descriptors.astype(np.float32) @ words.T).argmax(axis=1) if len(descriptors) else np.empty(0, np.int64)
    counts: NDArray[np.int64] = np.bincount(written, minlength=len(words))
    return counts


def _reordered(way: int, count: int) -> NDArray[np.int64]:
    """Say as which word each is read in a picture that was changed: what is mirrored twice is as it was.

    >>> _reordered(1, 8).tolist()
    [2, 3, 0, 1, 6, 7, 4, 5]
    """
    ways = np.arange(len(ORDERS)) ^ way
    return np.concatenate(np.arange(count).reshape(len(ORDERS), -1)[ways])


def _weighed(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weigh words by how rare they are, and bring every picture to one length."""
    present = (counts > 0).sum(axis=0)
    rare = np.log(len(counts) / np.maximum(present, 1)) + 1e-3
    bags = np.sqrt(counts).astype(np.float32) * rare.astype(np.float32)
    lengths = np.sqrt((bags**2).sum(axis=1, keepdims=True))
    weighed: NDArray[np.float32] = bags / np.maximum(lengths, 1e-9)
    return weighed
