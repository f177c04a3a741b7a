"""Whole groups into parts of wanted shares, so that the parts are alike: in labels, outcomes, and sizes of groups.

All arithmetic is in whole numbers, and everything is sorted before it is counted. So neither the machine nor the order
of rows changes where a group goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

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


def traits_of(row: tuple[str, object, object, object]) -> list[Trait]:
    """List all that is counted of a row of this source, label, modality and survival.

    >>> traits_of(("s", None, "CT", True))
    [('rows', 's'), ('label', 's', None, 'CT'), ('survival', 's', True)]
    """
    return [("rows", row[0]), *traits(*row)]


def traits(source: str, label: object, modality: object, survival: object) -> list[Trait]:
    """List what is counted of a row beside its source: label and modality together, and how it ended, where known.

    >>> traits("s", "covid19", "CT", None)
    [('label', 's', 'covid19', 'CT')]
    """
    outcome: list[Trait] = [] if survival is None else [("survival", source, survival)]
    return [("label", source, label, modality), *outcome]


@dataclass(frozen=True, slots=True)
class Census:
    """How much each group has of each trait: a row of ``amounts`` for each of the keys, a column for each trait."""

    keys: Sequence[str]
    traits: Sequence[Trait]
    amounts: Whole

    @classmethod
    def of(cls, groups: Mapping[str, Mapping[Trait, int]]) -> Census:
        """Take it from what is told group by group."""
        found = {trait: number for number, trait in enumerate({trait for held in groups.values() for trait in held})}
        amounts = np.zeros((len(groups), len(found)), dtype=np.int64)
        for row, held in enumerate(groups.values()):
            for trait, amount in held.items():
                amounts[row, found[trait]] = amount
        return cls(list(groups), list(found), amounts)

    def without(self, unwanted: Callable[[str], bool]) -> Census:
        """Leave out groups by their names, and what only they have."""
        if not any(map(unwanted, self.keys)):
            return self
        kept = [number for number, key in enumerate(self.keys) if not unwanted(key)]
        amounts = self.amounts[kept]
        held = np.flatnonzero(amounts.any(axis=0))
        return Census([self.keys[at] for at in kept], [self.traits[at] for at in held.tolist()], amounts[:, held])

    def told(self) -> dict[str, Counter[Trait]]:
        """Tell it group by group."""
        found = zip(self.keys, self.amounts, strict=True)
        return {key: Counter(dict(zip(self.traits, row.tolist(), strict=True))) + Counter() for key, row in found}


def take_census(
    keys: Iterable[str], rows: Iterable[Hashable], traits_of: Callable[[Any], Sequence[Trait]] = lambda row: row
) -> Census:
    """Count, for each group, the rows that have a trait; the size of the group in each source is a trait too.

    ``keys`` names the group of each row, and ``rows`` says of each what its traits follow from. They are asked for once
    of all rows that are alike, so that a million rows take a second. A trait ``("rows", source)`` says which source a
    row is of. Sizes are told apart by powers of two: 1, 2 and 3, 4 to 7, and so on.
    """
    numbers: dict[str, int] = {}
    alike: dict[Hashable, int] = {}
    members = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.int64)
    sorts = np.fromiter((alike.setdefault(row, len(alike)) for row in rows), np.int64)
    counts = np.bincount(members * len(alike) + sorts, minlength=len(numbers) * len(alike)).reshape(len(numbers), -1)
    held = [traits_of(row) for row in alike]
    found = {trait: number for number, trait in enumerate(dict.fromkeys(trait for of in held for trait in of))}
    has = np.zeros((len(alike), len(found)), dtype=np.int64)
    for sort, traits_held in enumerate(held):
        for trait in traits_held:
            has[sort, found[trait]] += 1
    amounts = counts @ has
    names, columns = list(found), [amounts]
    for trait, number in found.items():
        if trait[0] == "rows":
            bits = np.frexp(amounts[:, number])[1]
            for length in np.unique(bits[amounts[:, number] > 0]).tolist():
                names.append(("size", *trait[1:], length))
                columns.append(np.where(bits == length, amounts[:, number], 0)[:, None])
    return Census(list(numbers), names, np.hstack(columns))


def describe(keys: Sequence[str], sources: Sequence[str], held: Sequence[Sequence[Trait]]) -> dict[str, Counter[Trait]]:
    """Count what each group has: the rows of each source, their other traits, and its size, as `take_census` does.

    >>> describe(["p", "p", "q"], ["s"] * 3, [[], [], []])["p"][("size", "s", 2)]
    2
    """
    rows = ((("rows", source), *others) for source, others in zip(sources, held, strict=True))
    return take_census(keys, rows).told()


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
        self.counts = np.zeros_like(fixed)  # of each kind in each part, of those that are free to go anywhere
        self.have = fixed.T @ self.amounts
        total = (fixed.sum(axis=1) + free) @ self.amounts
        self.aims = self.shares[:, None] * total
        # Small enough that no sum below passes 64 bits, whatever the sizes.
        most = 8 * self.whole**2 * max(int((weights * total).sum()), 1)
        self.weights = min(_SCALE, (1 << 62) // most) * weights // np.maximum(total, 1)
        self.alone = 2 * self.whole**2 * ((self.amounts**2) @ self.weights)
        self.needed = (total >= enough(shares)) & (weights > 1) & (np.arange(total.size) >= rows.shape[1])

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
