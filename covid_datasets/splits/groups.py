"""Which rows may show one person: connected components over patients, ties, equal bytes, pixels and look."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from covid_datasets.splits.assign import is_everybody

MIN_CORRELATION = 0.95
"""Correlation of two 32x32 thumbnails by which looks bear out a name that two pictures have; see `crops`."""
_MIN_DEVIATION = 4
"""Flatter thumbnails say nothing about identity."""

Kind = Literal["patient", "tie", "same bytes", "same pixels", "near-duplicate", "resemblance"]


@dataclass(frozen=True, slots=True)
class Link:
    """Evidence that two rows belong together."""

    kind: Kind
    first: int
    second: int
    key: str


def components(count: int, links: Iterable[Link]) -> list[int]:
    """Number each row's component by its smallest row.

    >>> components(4, [Link("tie", 3, 1, "article:x")])
    [0, 1, 2, 1]
    """
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for link in links:
        first, second = root(link.first), root(link.second)
        parent[max(first, second)] = min(first, second)
    return [root(row) for row in range(count)]


def group_names(groups: Sequence[Hashable], units: Sequence[str]) -> list[str]:
    """Name each row's group by its smallest patient, so that the order of rows does not matter.

    >>> group_names([0, 0, 2, 3, 3], ["d/2", "d/1", "d/3", "e/4", "a/*"])
    ['d/1', 'd/1', 'd/3', 'e/4', 'e/4']
    """
    names: dict[Hashable, str] = {}
    for group, unit in dict.fromkeys(zip(groups, units, strict=True)):
        names[group] = min(names.get(group, unit), unit, key=lambda name: (is_everybody(name), name))
    return [names[group] for group in groups]


def links_by_patient(units: Sequence[str | None]) -> Iterator[Link]:
    """Link the rows of one patient, or of one group of unknown people that is narrower than all of a source."""
    return links_by_key("patient", [None if is_everybody(unit) else unit for unit in units])


def links_of_everybody(units: Sequence[str | None], links: Iterable[Link]) -> Iterator[Link]:
    """Link all of a source whom nobody knows, but for those of whom ``links`` tell something.

    A row that shows what a row of somebody else shows goes where that one goes. It takes nobody along: that all others
    are one group says that nothing is known of them, not that they are one person.

    >>> units = ["a/*", "a/*", "a/*", "b/7"]
    >>> [(link.first, link.second) for link in links_of_everybody(units, [Link("same pixels", 1, 3, "")])]
    [(0, 2)]
    """
    groups = components(len(units), links)
    bound = {group for group, unit in zip(groups, units, strict=True) if not is_everybody(unit)}
    return links_by_key(
        "patient", [None if group in bound else unit for group, unit in zip(groups, units, strict=True)]
    )


def links_by_key(kind: Kind, keys: Iterable[str | None]) -> Iterator[Link]:
    """Link each row to the first row with the same key; ``None`` and empty keys link nothing."""
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key and first.setdefault(key, row) != row:
            yield Link(kind, first[key], row, key)


def links_by_ties(ties: Iterable[Sequence[str]]) -> Iterator[Link]:
    """Link rows that share any tie but that of everybody, of which `links_of_everybody` makes what there is to make."""
    first: dict[str, int] = {}
    for row, keys in enumerate(ties):
        for key in keys:
            if not is_everybody(key) and first.setdefault(key, row) != row:
                yield Link("tie", first[key], row, key)


def correlation(first: bytes, second: bytes) -> float:
    """Correlate two thumbnails; 0 where one of them is flat.

    >>> correlation(bytes(range(0, 100, 10)), bytes(range(100, 200, 10)))
    1.0
    """
    one, other = (np.frombuffer(each, dtype=np.uint8)[None] for each in (first, second))
    return float(correlations(one, other)[0])


def correlations(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Correlate pictures pair by pair, each a row; in whole numbers, so that every machine finds the same pairs.

    >>> correlations(np.asarray([[0, 9, 90], [5, 5, 5]], np.uint8), np.asarray([[1, 10, 91], [5, 5, 9]], np.uint8))
    array([1., 0.])
    """
    size = first.shape[1]
    one, other = first.astype(np.float64), second.astype(np.float64)  # far below 2**53, so exact
    totals = one.sum(axis=1), other.sum(axis=1)
    spread = [
        size * (each * each).sum(axis=1) - total * total for each, total in zip((one, other), totals, strict=True)
    ]
    common = size * (one * other).sum(axis=1) - totals[0] * totals[1]
    flat = np.minimum(*spread) < max(_MIN_DEVIATION**2 * size**2, 1)
    found: NDArray[np.float64] = np.divide(
        common, np.sqrt(spread[0] * spread[1]), out=np.zeros(len(common)), where=~flat
    )
    return found
