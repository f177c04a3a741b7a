"""Whole groups into parts of wanted shares, so that the parts are alike: in labels, outcomes, and sizes of groups.

All arithmetic is in whole numbers, and everything is sorted before it is counted. So neither the machine nor the order
of rows changes where a group goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from covid_datasets.splits.assign import hash_fraction

Trait = tuple[object, ...]
"""Something that rows have and of which every part should hold its share: ``("label", "cohen", "covid19")``."""

Whole = NDArray[np.int64]
Marks = NDArray[np.bool_]

_SCALE = 1 << 20
"""A trait weighs this much divided by how much there is of it: ten rows more or less matter where there are twenty."""
_WEIGHTS = {"rows": 16, "size": 1}
"""How much a kind of trait matters; what is not named here counts 4, and what counts 1 need not be in every part."""
_SWAPPED = 10_000
"""Kinds of groups times parts up to which exchanges are tried too; with more to choose from, moves are enough."""
_NEVER = np.iinfo(np.int64).max


def traits(source: str, label: object, modality: object, survival: object) -> list[Trait]:
    """List what is counted of a row beside its source: label and modality together, and how it ended, where known.

    >>> traits("s", "covid19", "CT", None)
    [('label', 's', 'covid19', 'CT')]
    """
    outcome: list[Trait] = [] if survival is None else [("survival", source, survival)]
    return [("label", source, label, modality), *outcome]


def describe(keys: Sequence[str], sources: Sequence[str], held: Sequence[Sequence[Trait]]) -> dict[str, Counter[Trait]]:
    """Count, for each group, the rows that have a trait; being of a source is one, and the size of the group another.

    ``keys`` names the group of each row, ``held`` lists its other traits. Sizes are told apart by powers of two: 1,
    2 and 3, 4 to 7, and so on.

    >>> describe(["p", "p", "q"], ["s"] * 3, [[], [], []])["p"][("size", "s", 2)]
    2
    """
    found: dict[str, Counter[Trait]] = defaultdict(Counter)
    sizes: Counter[tuple[str, str]] = Counter()
    for key, source, others in zip(keys, sources, held, strict=True):
        found[key].update([("rows", source), *others])
        sizes[key, source] += 1
    for (key, source), size in sizes.items():
        found[key]["size", source, size.bit_length()] = size
    return dict(found)


def place(
    groups: Mapping[str, Mapping[Trait, int]],
    shares: Sequence[int],
    salt: str,
    fixed: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, int]:
    """Give each group the number of its part; those in ``fixed`` have theirs already.

    Each part should hold its share of each trait, in rows and in groups; the sum of the squared differences, each
    relative to how much there is, is made small: first kind by kind, then by moving and exchanging groups while that
    helps. A trait of enough groups (one for each part, and enough for half a group in the smallest) is in every part.
    Groups of one kind differ in nothing that is counted; among them a salted hash decides.

    >>> groups = {f"p{number}": {("rows",): 1} for number in range(10)}
    >>> sorted(place(groups, (8, 1, 1), "salt").values())
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    if not groups:
        return {}
    kinds: dict[tuple[tuple[Trait, int], ...], list[str]] = defaultdict(list)
    for key in groups:
        kinds[tuple(sorted(groups[key].items(), key=repr))].append(key)
    order = sorted(kinds, key=lambda kind: (-max((amount for _, amount in kind), default=0), repr(kind)))
    traits = {
        trait: number for number, trait in enumerate(sorted({trait for kind in order for trait, _ in kind}, key=repr))
    }
    rows = np.zeros((len(order), len(traits)), dtype=np.int64)
    for number, kind in enumerate(order):
        for trait, amount in kind:
            rows[number, traits[trait]] = amount
    weights = np.asarray([_WEIGHTS.get(str(trait[0]), 4) for trait in traits] * 2, dtype=np.int64)
    free = [[key for key in kinds[kind] if key not in fixed] for kind in order]
    held = np.zeros((len(order), len(shares)), dtype=np.int64)
    for number, kind in enumerate(order):
        for key in kinds[kind]:
            if key in fixed:
                held[number, fixed[key]] += 1
    counts = _Balance(rows, weights, shares, held, np.asarray([len(keys) for keys in free])).solve()
    chosen = {key: part for key, part in fixed.items() if key in groups}
    for keys, row in zip(free, counts.tolist(), strict=True):
        parts = [part for part, count in enumerate(row) for _ in range(count)]
        ranked = sorted(keys, key=lambda key: (hash_fraction(key, salt), key))
        chosen |= zip(ranked, parts, strict=True)
    return chosen


class _Balance:
    """How many groups of each kind go into each part.

    The cost that is made small is the sum, over traits and parts, of a weight times the square of what the part has too
    much or too little. Moving one group from one part to another changes it by the difference of their `_pull` and by
    `alone`, what the move itself costs between equal parts.
    """

    def __init__(self, rows: Whole, weights: Whole, shares: Sequence[int], fixed: Whole, free: Whole) -> None:
        self.amounts = np.hstack([rows, np.minimum(rows, 1)])  # of each kind, in rows and in groups
        self.shares = np.asarray(shares, dtype=np.int64)
        self.whole = int(self.shares.sum())
        self.free = free
        self.counts = np.zeros_like(fixed)  # of each kind in each part, of those that are free to go anywhere
        self.have = fixed.T @ self.amounts
        total = (fixed.sum(axis=1) + free) @ self.amounts
        self.aims = self.shares[:, None] * total
        # Small enough that no sum below passes 64 bits, whatever the sizes.
        most = 8 * int(weights.max()) * self.whole**2 * max(int(total.max()), 1) * total.size
        self.weights = min(_SCALE, (1 << 62) // most) * weights // np.maximum(total, 1)
        self.alone = 2 * self.whole**2 * ((self.amounts**2) @ self.weights)
        enough = max(len(shares), -(-self.whole // (2 * int(self.shares.min()))))
        self.needed = (total >= enough) & (weights > 1) & (np.arange(total.size) >= rows.shape[1])

    def solve(self) -> Whole:
        """Fill the parts, see that each has what it must have, and improve while something helps."""
        for kind, count in enumerate(self.free.tolist()):
            self._put(kind, count * self.shares // self.whole)
        for kind in range(len(self.free)):
            for _ in range(int(self.free[kind] - self.counts[kind].sum())):
                self._put(kind, self._one(int(self._pull(slice(kind, kind + 1)).argmin())))
        self._fill()
        while self._move() or self._swap():
            pass
        return self.counts

    def _one(self, part: int) -> Whole:
        one: Whole = np.eye(len(self.shares), dtype=np.int64)[part]
        return one

    def _put(self, kind: int, counts: Whole) -> None:
        self.counts[kind] += counts
        self.have += counts[:, None] * self.amounts[kind]

    def _pull(self, kinds: slice = slice(None)) -> Whole:
        """How unwelcome one more group of each kind is in each part."""
        excess = self.whole * self.have - self.aims
        pull: Whole = 2 * self.whole * ((self.amounts[kinds] * self.weights) @ excess.T)
        return pull

    def _movable(self) -> Marks:
        """Of which kinds a part can give one away without losing the last of what it must have."""
        last = (self.needed & (self.have == 1)).astype(np.int64)
        movable: Marks = (self.counts > 0) & (np.minimum(self.amounts, 1) @ last.T == 0)
        return movable

    def _loses(self, part: int, given: Whole, taken: Whole) -> Marks:
        """Whether a part that gives one kind and takes another loses the last of what it must have."""
        last = self.needed & (self.have[part] == 1)
        has = np.minimum(self.amounts[:, last], 1)
        loses: Marks = has[given] @ (1 - has[taken]).T > 0
        return loses

    def _fill(self) -> None:
        """Bring every trait of enough groups into every part, each time by the cheapest move."""
        for target, trait in np.argwhere(self.needed & (self.have == 0)).tolist():
            able = self._movable() & (self.amounts[:, trait] > 0)[:, None]
            if self.have[target, trait] == 0 and able.any():
                pull = self._pull()
                kind, source = _least(np.where(able, pull[:, [target]] - pull + self.alone[:, None], _NEVER))
                self._put(kind, self._one(target) - self._one(source))

    def _move(self) -> bool:
        """Do the move that helps most, if one helps."""
        pull = self._pull()
        cost = np.where(self._movable(), pull.min(axis=1, keepdims=True) - pull + self.alone[:, None], 0)
        kind, source = _least(cost)
        if cost[kind, source] >= 0:
            return False
        self._put(kind, self._one(int(pull[kind].argmin())) - self._one(source))
        return True

    def _swap(self) -> bool:
        """Do the exchange of two groups that helps most, if one helps."""
        if len(self.amounts) * len(self.shares) > _SWAPPED:
            return False
        pull = self._pull()
        best = (0, 0, 0, 0, 0)
        for one, other in combinations(range(len(self.shares)), 2):
            ours, theirs = np.flatnonzero(self.counts[:, one]), np.flatnonzero(self.counts[:, other])
            if ours.size and theirs.size:
                step = pull[:, other] - pull[:, one]
                shared = (self.amounts[ours] * self.weights) @ self.amounts[theirs].T
                cost = (step + self.alone)[ours, None] + (self.alone - step)[theirs] - 4 * self.whole**2 * shared
                cost[self._loses(one, ours, theirs) | self._loses(other, theirs, ours).T] = 0
                first, second = _least(cost)
                best = min(best, (int(cost[first, second]), int(ours[first]), int(theirs[second]), one, other))
        change, kind, other_kind, one, other = best
        if change < 0:
            self._put(kind, self._one(other) - self._one(one))
            self._put(other_kind, self._one(one) - self._one(other))
        return change < 0


def _least(cost: Whole) -> tuple[int, int]:
    row, column = np.unravel_index(int(cost.argmin()), cost.shape)
    return int(row), int(column)
