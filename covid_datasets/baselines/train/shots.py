"""A few images of each class, drawn by seed and each of somebody else: references, and labels of a new hospital."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.order import permutation


def groups_with(labels: np.ndarray, groups: np.ndarray, classes: Sequence[str]) -> dict[str, int]:
    """Count the groups of people that hold each class."""
    return {name: len(np.unique(groups[labels == number])) for number, name in enumerate(classes)}


def shots_of(
    labels: np.ndarray, groups: np.ndarray, classes: Sequence[str], count: int, seed: int
) -> tuple[np.ndarray, ...]:
    """Draw so many images of each class, no two of them, of whatever class, of one group of people.

    Raises:
        UsageError: There are fewer groups than that.

    >>> labels, groups = np.array([0, 0, 1, 1]), np.array([7, 7, 8, 9])
    >>> [len(each) for each in shots_of(labels, groups, ("rest", "covid19"), 1, seed=0)]
    [1, 1]
    >>> shots_of(labels, groups, ("rest", "covid19"), 2, seed=0)
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: shots: expected 2 images of rest, each of another group of people, found 1
    """
    order, taken = permutation(len(labels), seed), set[int]()
    there = groups_with(labels, groups, classes)
    rarest_first = sorted(range(len(classes)), key=lambda number: there[classes[number]])
    drawn: dict[int, list[int]] = {}
    for number in rarest_first:  # groups that hold several classes are not spent on one that has enough others
        drawn[number] = []
        for row in order[labels[order] == number].tolist():
            if len(drawn[number]) < count and int(groups[row]) not in taken:
                taken.add(int(groups[row]))
                drawn[number].append(row)
        if len(drawn[number]) < count:
            raise UsageError(
                f"shots: expected {count} images of {classes[number]}, each of another group of people, "
                f"found {len(drawn[number])}"
            )
    return tuple(np.array(drawn[number], np.int64) for number in range(len(classes)))
