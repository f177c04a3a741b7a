"""Rows that count days from an event without a date, put to things whose dates a publisher moved by one offset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

Event = tuple[int, str]
"""A day, and what was done on it."""


def places_of(rows: Sequence[Event], dated: Mapping[str, Event]) -> dict[str, list[int]] | None:
    """Find of which thing each row of a person may be: name -> numbers of the rows that fit.

    The days of rows and of things differ by one offset, which is the only one under which every row is of a thing of
    its own. ``None`` where no offset fits, or several do: then nobody can tell.

    >>> dated = {"x": (734521, "film"), "y": (734523, "film"), "z": (734523, "CT")}
    >>> places_of([(-1, "film"), (1, "film"), (1, "CT")], dated)
    {'x': [0], 'y': [1], 'z': [2]}
    >>> places_of([(0, "film")], dated) is None
    True
    """
    things = Counter(dated.values())
    fit = [
        offset
        for offset in {day - rows[0][0] for day, _ in things}
        if Counter((day + offset, what) for day, what in rows) <= things
    ] if rows else []  # fmt: skip
    if len(fit) != 1:
        return None
    moved = [(day + fit[0], what) for day, what in rows]
    return {name: [number for number, event in enumerate(moved) if event == own] for name, own in dated.items()}
