"""The split without what leaks: as few rows go as possible, and those of a training set before those of a test set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from covid_datasets.audits.bonds import Bond
from covid_datasets.audits.sample import Sample, protection


@dataclass(frozen=True, slots=True)
class Removed:
    """A row that has to go, and the row of another part that stays and because of which it goes."""

    row: int
    because: int
    bond: Bond


def removals(samples: Sequence[Sample], bonds: Sequence[Bond]) -> list[Removed]:
    """Choose the rows that go so that no bond leads from one part of the split to another.

    The parts are gone through from the test set, of which nothing goes, to the training set; of parts that mean
    nothing to us, the smaller one stays whole. A row goes when it is bound to one of an earlier part that stays.
    """
    sizes = Counter(sample.split for sample in samples)
    order = sorted(sizes, key=lambda split: (-protection(split), sizes[split], split))
    rows: dict[str, list[int]] = {split: [] for split in order}
    for row, sample in enumerate(samples):
        rows[sample.split].append(row)
    sides: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, bond in enumerate(bonds):
        for side, members in enumerate((bond.first, bond.second)):
            for row in members:
                sides[row].append((number, side))
    staying: dict[tuple[int, int], int] = {}
    found: list[Removed] = []
    for split in order:
        kept = []
        for row in rows[split]:
            met = ((number, staying.get((number, 1 - side))) for number, side in sides[row])
            number, other = next(((number, other) for number, other in met if other is not None), (0, None))
            if other is None:
                kept.append(row)
            else:
                found.append(Removed(row, other, bonds[number]))
        for row in kept:
            for place in sides[row]:
                staying.setdefault(place, row)
    return sorted(found, key=lambda each: each.row)
