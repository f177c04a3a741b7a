"""In which order the rows of an epoch come: a function of their number, the seed and the epoch, and of nothing else.

No library's generator is asked, because those may change from version to version; keys of a mixing function are sorted
instead. So an epoch is the same on every machine, for any number of workers and ranks, for as long as this file is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.chosen import UNLABELLED
from covid_datasets.transforms.joint.numbers import keys

Shuffle = bool | Literal["blocks"]
WINDOW_BLOCKS = 8
"""Blocks among whose rows ``shuffle="blocks"`` mixes at a time."""


def permutation(count: int, *seeds: int) -> np.ndarray:
    """Return the numbers below ``count`` in an order that looks random.

    >>> sorted(permutation(5, 0, 0).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(keys(count, *seeds), kind="stable")


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What makes up an epoch, and in which order.

    Attributes:
        count: How many rows there are.
        shuffle: Whether they are mixed: all among all, or within windows of ``"blocks"`` of neighbours.
        seed: Another one gives other orders.
        labels: Of each row; where given, every class that occurs is drawn equally often. Rows without are left out.
        groups: Of each row; with ``per_group``, no more than so many rows of each come in an epoch, in turns.
        per_group: See there.
        block: Rows of a block.
        places: Where each row lies on the disk among all; neighbours in a block are those there.
    """

    count: int
    shuffle: Shuffle = True
    seed: int = 0
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    per_group: int | None = None
    block: int = 1
    places: np.ndarray | None = None

    def rows(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch, in order.

        >>> Order(4, shuffle=False).rows(0).tolist(), sorted(Order(4).rows(7).tolist())
        ([0, 1, 2, 3], [0, 1, 2, 3])
        """
        found = np.arange(self.count)
        if self.per_group is not None and self.groups is not None:
            found = self._some_of_each(found, self.groups, self.per_group, epoch)
        if self.labels is not None:
            found = self._balanced(found, self.labels, epoch)
        if self.shuffle == "blocks":
            return self._in_blocks(found, epoch)
        return found[permutation(len(found), self.seed, epoch)] if self.shuffle else found

    def _some_of_each(self, rows: np.ndarray, groups: np.ndarray, most: int, epoch: int) -> np.ndarray:
        """Take the next ``most`` rows of each group, which has an order of its own and starts again at its end."""
        mixed = rows[permutation(len(rows), self.seed, -1)]
        by_group = mixed[np.argsort(groups[mixed], kind="stable")]
        _, starts, sizes = np.unique(groups[by_group], return_index=True, return_counts=True)
        taken = np.minimum(sizes, most)
        inside = np.arange(int(taken.sum())) - np.repeat(np.cumsum(taken) - taken, taken)
        turn = (inside + np.repeat(epoch * most % sizes, taken)) % np.repeat(sizes, taken)
        return np.sort(by_group[np.repeat(starts, taken) + turn])

    def _balanced(self, rows: np.ndarray, labels: np.ndarray, epoch: int) -> np.ndarray:
        """Draw each class equally often, as many rows as have a label; no row twice before each of its class once."""
        rows = rows[labels[rows] != UNLABELLED]
        classes = np.unique(labels[rows])
        drawn = []
        for number, label in enumerate(classes.tolist()):
            members = rows[labels[rows] == label]
            wanted = len(rows) // len(classes) + (number < len(rows) % len(classes))
            rounds = range(-(-wanted // len(members)))
            turns = [members[permutation(len(members), self.seed, epoch, label, turn)] for turn in rounds]
            drawn.append(np.concatenate(turns or [members])[:wanted])
        return np.sort(np.concatenate(drawn)) if drawn else rows

    def _in_blocks(self, rows: np.ndarray, epoch: int) -> np.ndarray:
        """Mix the blocks, and then the rows within each window of some of them."""
        if self.places is not None:
            rows = rows[np.argsort(self.places[rows], kind="stable")]
        blocks = [rows[at : at + self.block] for at in range(0, len(rows), self.block)]
        mixed = [blocks[number] for number in permutation(len(blocks), self.seed, epoch).tolist()]
        windows = [np.concatenate(mixed[at : at + WINDOW_BLOCKS]) for at in range(0, len(mixed), WINDOW_BLOCKS)]
        ordered = [each[permutation(len(each), self.seed, epoch, number)] for number, each in enumerate(windows)]
        return np.concatenate(ordered) if ordered else rows


def check_order(order: Order, names: tuple[str, ...] = ()) -> None:
    """Refuse what gives no epoch."""
    if order.shuffle not in (True, False, "blocks"):
        raise UsageError(f"shuffle: expected True, False or 'blocks', found {order.shuffle!r}")
    if not isinstance(order.seed, int) or isinstance(order.seed, bool):
        raise UsageError(f"seed: expected a whole number, found {order.seed!r}")
    if order.per_group is not None and (
        not isinstance(order.per_group, int) or isinstance(order.per_group, bool) or order.per_group < 1
    ):
        raise UsageError(f"per_group: expected a whole number, 1 or more, found {order.per_group!r}")
    if order.per_group is not None and order.groups is None:
        raise UsageError("per_group: expected rows whose groups are known; load the column 'group_id' as well")
    if order.labels is not None and not (order.labels != UNLABELLED).any():
        raise UsageError(f"balance: expected rows with labels, found none among {order.count:,}")
