"""What is counted of the groups of a split, so that its parts are alike in it: labels, outcomes, sizes of groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=Hashable)
Trait = tuple[object, ...]
"""Something that rows have and of which every part should hold its share: ``("label", "cohen", "covid19")``."""

Whole = NDArray[np.int64]


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
    alike, sorts = each_once(rows)
    return count(*each_once(keys), list(map(traits_of, alike)), sorts)


def count(keys: Sequence[str], members: Whole, held: Sequence[Sequence[Trait]], sorts: Whole) -> Census:
    """Count as `take_census` does, where it is known by numbers of which key and of which kind each row is."""
    counts = np.bincount(members * len(held) + sorts, minlength=len(keys) * len(held)).reshape(len(keys), -1)
    found = {trait: number for number, trait in enumerate(dict.fromkeys(trait for of in held for trait in of))}
    has = np.zeros((len(held), len(found)), dtype=np.int64)
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
    return Census(keys, names, np.hstack(columns))


def each_once(values: Iterable[T]) -> tuple[list[T], Whole]:
    """List each value once, and number where they are."""
    every = list(values)
    numbers = {value: number for number, value in enumerate(dict.fromkeys(every))}
    return list(numbers), np.fromiter(map(numbers.__getitem__, every), np.int64, len(every))


def describe(keys: Sequence[str], sources: Sequence[str], held: Sequence[Sequence[Trait]]) -> dict[str, Counter[Trait]]:
    """Count what each group has: the rows of each source, their other traits, and its size, as `take_census` does.

    >>> describe(["p", "p", "q"], ["s"] * 3, [[], [], []])["p"][("size", "s", 2)]
    2
    """
    rows = ((("rows", source), *others) for source, others in zip(sources, held, strict=True))
    return take_census(keys, rows).told()
