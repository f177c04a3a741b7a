"""Whole groups into parts of wanted shares, so that the parts are alike: in labels, outcomes, and sizes of groups.

All arithmetic is in whole numbers, and everything is sorted before it is counted. So neither the machine nor the order
of rows changes where a group goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from covid_datasets.splits.assign import hash_fraction
from covid_datasets.splits.census import Census, Trait, Whole

Marks = NDArray[np.bool_]

_SCALE = 1 << 20
"""A trait weighs this much divided by how much there is of it: ten rows more or less matter where there are twenty."""
_WEIGHTS = {"rows": 16, "size": 1}
"""How much a kind of trait matters; what is not named here counts 4, and what counts 1 need not be in every part."""
_SWAPPED = 10_000
"""Kinds of groups times parts up to which exchanges are tried too; with more to choose from, moves are enough."""
_KEPT = 3_000
"""Kinds of groups of which it is kept what each two have in common."""
_NO_SWAP = (0, 0, 0, 0, 0)
_NEVER = np.iinfo(np.int64).max


def enough(shares: Sequence[int]) -> int:
    """Count the groups that a trait needs to be in every part: one for each, and half a one's worth in the smallest.

    >>> enough((8, 1, 1)), enough((1, 1, 1))
    (5, 3)
    """
    return max(len(shares), -(-sum(shares) // (2 * min(shares))))


def place(
    groups: Census | Mapping[str, Mapping[Trait, int]],
    shares: Sequence[int],
    salt: str,
    fixed: Mapping[str, int] = MappingProxyType({}),
    *,
    shuffled: bool = False,
) -> dict[str, int]:
    """Give each group the number of its part; those in ``fixed`` have theirs already.

    Each part should hold its share of each trait, in rows and in groups; the sum of the squared differences, each
    relative to how much there is, is made small: first kind by kind, then by moving and exchanging groups while that
    helps. A trait of enough groups (one for each part, and enough for half a group in the smallest) is in every part.
    Groups of one kind differ in nothing that is counted; among them a salted hash decides. Kinds come one after the
    other by their size, or where they are ``shuffled`` by the salt, so that another salt gives other parts throughout.

    >>> groups = {f"p{number}": {("rows",): 1} for number in range(10)}
    >>> sorted(place(groups, (8, 1, 1), "salt").values())
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    census = groups if isinstance(groups, Census) else Census.of(groups)
    if not census.keys:
        return {}
    # Traits and kinds are sorted, so that the order of rows and groups changes nothing.
    columns = sorted(range(len(census.traits)), key=lambda number: repr(census.traits[number]))
    names = [census.traits[number] for number in columns]
    amounts = np.ascontiguousarray(census.amounts[:, columns])
    alike: dict[bytes, list[int]] = defaultdict(list)
    for number, row in enumerate(amounts):
        alike[row.tobytes()].append(number)
    rows = np.frombuffer(b"".join(alike), dtype=np.int64).reshape(len(alike), -1)
    told = [repr(_kind(names, row)) for row in rows]
    rank = [hash_fraction(kind, salt) for kind in told] if shuffled else (-rows.max(axis=1, initial=0)).tolist()
    order = sorted(range(len(told)), key=lambda kind: (rank[kind], told[kind]))
    rows, members = rows[order], list(alike.values())
    kinds = [[census.keys[number] for number in members[kind]] for kind in order]
    weights = np.asarray([_WEIGHTS.get(str(trait[0]), 4) for trait in names] * 2, dtype=np.int64)
    free = [[key for key in keys if key not in fixed] for keys in kinds]
    held = np.zeros((len(kinds), len(shares)), dtype=np.int64)
    for number, keys in enumerate(kinds if fixed else ()):
        for key in keys:
            if key in fixed:
                held[number, fixed[key]] += 1
    counts = _Balance(rows, weights, shares, held, np.asarray([len(keys) for keys in free])).solve()
    chosen = {key: fixed[key] for keys in kinds for key in keys if key in fixed} if fixed else {}
    for keys, row in zip(free, counts.tolist(), strict=True):
        parts = [part for part, count in enumerate(row) for _ in range(count)]
        ranked = keys if len(set(parts)) < 2 else sorted(keys, key=lambda key: (hash_fraction(key, salt), key))
        chosen |= zip(ranked, parts, strict=True)
    return chosen


def _kind(names: Sequence[Trait], row: Whole) -> tuple[tuple[Trait, int], ...]:
    return tuple(sorted(((names[at], int(row[at])) for at in np.flatnonzero(row).tolist()), key=repr))


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
        self.swaps: dict[tuple[int, int], tuple[int, int, int, int, int]] = {}  # the best of two parts, while it holds
        self.counts = np.zeros_like(fixed)  # of each kind in each part, of those that are free to go anywhere
        self.have = fixed.T @ self.amounts
        total = (fixed.sum(axis=1) + free) @ self.amounts
        self.aims = self.shares[:, None] * total
        # Small enough that no sum below passes 64 bits, whatever the sizes.
        most = 8 * self.whole**2 * max(int((weights * total).sum()), 1)
        self.weights = min(_SCALE, (1 << 62) // most) * weights // np.maximum(total, 1)
        self.alone = 2 * self.whole**2 * ((self.amounts**2) @ self.weights)
        self.needed = (total >= enough(shares)) & (weights > 1) & (np.arange(total.size) >= rows.shape[1])

    @cached_property
    def _shared(self) -> Whole | None:
        """What two kinds have in common, as `_in_common`; ``None`` where there are too many to keep it."""
        return None if len(self.amounts) > _KEPT else self._in_common(slice(None), slice(None))

    def _in_common(self, kinds: slice | Whole, others: slice | Whole) -> Whole:
        """What an exchange of two kinds costs less than two moves, because they have it in common."""
        found: Whole = 4 * self.whole**2 * ((self.amounts[kinds] * self.weights) @ self.amounts[others].T)
        return found

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
        touched = set(np.flatnonzero(counts).tolist())
        self.swaps = {pair: found for pair, found in self.swaps.items() if touched.isdisjoint(pair)}

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

    def _loses(self, part: int, given: Whole, taken: Whole) -> Marks | None:
        """Whether a part that gives one kind and takes another loses the last of what it must have, if any does."""
        last = self.needed & (self.have[part] == 1)
        has = np.minimum(self.amounts[:, last], 1)
        return has[given] @ (1 - has[taken]).T > 0 if last.any() else None

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
        for pair in combinations(range(len(self.shares)), 2):
            if pair not in self.swaps:
                self.swaps[pair] = self._best_swap(pull, *pair)
        change, kind, other_kind, one, other = min(self.swaps.values(), default=_NO_SWAP)
        if change < 0:
            self._put(kind, self._one(other) - self._one(one))
            self._put(other_kind, self._one(one) - self._one(other))
        return change < 0

    def _best_swap(self, pull: Whole, one: int, other: int) -> tuple[int, int, int, int, int]:
        """Find the exchange between two parts that helps most: its change of the cost, the kinds, and the parts."""
        ours, theirs = np.flatnonzero(self.counts[:, one]), np.flatnonzero(self.counts[:, other])
        if not (ours.size and theirs.size):
            return _NO_SWAP
        step = pull[:, other] - pull[:, one]
        own = (self.alone + step)[ours]
        shared = self._in_common(ours, theirs) if self._shared is None else self._shared.take(ours, 0).take(theirs, 1)
        rest = (self.alone - step)[theirs] - shared
        for loses in (self._loses(one, ours, theirs), _turned(self._loses(other, theirs, ours))):
            if loses is not None:
                rest = np.where(loses, -own[:, None], rest)
        at = rest.argmin(axis=1)
        cost = own + rest[np.arange(len(ours)), at]
        first = int(cost.argmin())
        return min(_NO_SWAP, (int(cost[first]), int(ours[first]), int(theirs[at[first]]), one, other))


def _turned(marks: Marks | None) -> Marks | None:
    return None if marks is None else marks.T


def _least(cost: Whole) -> tuple[int, int]:
    row, column = np.unravel_index(int(cost.argmin()), cost.shape)
    return int(row), int(column)
