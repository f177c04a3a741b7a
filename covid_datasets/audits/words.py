"""Which pictures are worth a proof: those that have many rare words in common.

A word is a descriptor out of the collection; each point of a picture is written as its nearest word. Words come in fours,
as `ORDERS` reorders them: so how a picture would be written if it were mirrored or inverted needs no second look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.features import Features
from covid_datasets.audits.ways import ORDERS

BASE_WORDS = 1024
PARTNERS = 8
"""Pictures that are proposed for each picture and way, the most alike first."""
_BLOCK = 512
_SEED = 0


def candidates(pictures: Sequence[Features]) -> Iterator[tuple[int, int, str]]:
    """Propose pairs of pictures, each with the way in which the first was changed; a pair once for each way."""
    told = [number for number, each in enumerate(pictures) if len(each.descriptors)]
    if len(told) < 2:
        return
    words = _words([pictures[number].descriptors for number in told])
    written = [_written(pictures[number].descriptors, words) for number in told]
    bags = _weighed(np.stack([np.bincount(each, minlength=len(words)) for each in written]))
    seen: set[tuple[int, int, str]] = set()
    for place, way in enumerate(ORDERS):
        turned = bags[:, _reordered(place, len(words))]
        for start in range(0, len(told), _BLOCK):
            like = turned[start : start + _BLOCK] @ bags.T
            block = np.arange(len(like))
            like[block, start + block] = -1.0  # a picture is not its own copy
            best = np.argpartition(-like, min(PARTNERS, len(told) - 1) - 1, axis=1)[:, :PARTNERS]
            for row, partners in enumerate(best):
                for partner in partners:
                    first, second = sorted((told[start + row], told[int(partner)]))
                    if first != second and (first, second, way) not in seen:
                        seen.add((first, second, way))
                        yield first, second, way


def _words(descriptors: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Take some descriptors of the collection as words, and what each would be in a picture that was changed."""
    chance = np.random.default_rng(_SEED)
    counts = np.asarray([len(each) for each in descriptors])
    chosen = np.sort(chance.choice(counts.sum(), min(BASE_WORDS, int(counts.sum())), replace=False))
    ends = np.cumsum(counts)
    pictures = np.searchsorted(ends, chosen, side="right")
    base = np.stack([descriptors[picture][at - ends[picture]] for picture, at in zip(pictures, chosen, strict=True)])
    return np.concatenate([base[:, order] for order in ORDERS.values()]).astype(np.float32)


def _written(descriptors: NDArray[np.uint8], words: NDArray[np.float32]) -> NDArray[np.int64]:
    nearest: NDArray[np.int64] = (descriptors.astype(np.float32) @ words.T).argmax(axis=1)
    return nearest


def _reordered(way: int, count: int) -> NDArray[np.int64]:
    """Say as which word each is read in a picture that was changed: what is mirrored twice is as it was.

    >>> _reordered(1, 8).tolist()
    [2, 3, 0, 1, 6, 7, 4, 5]
    """
    ways = np.arange(len(ORDERS)) ^ way
    return np.arange(count).reshape(len(ORDERS), -1)[ways].ravel()


def _weighed(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weigh words by how rare they are, and bring every picture to one length."""
    present = (counts > 0).sum(axis=0)
    rare = np.log(len(counts) / np.maximum(present, 1)) + 1e-3
    bags = np.sqrt(counts).astype(np.float32) * rare.astype(np.float32)
    lengths = np.sqrt((bags**2).sum(axis=1, keepdims=True))
    weighed: NDArray[np.float32] = bags / np.maximum(lengths, 1e-9)
    return weighed
