"""Groups of rows to train, validation and test: published assignments win, the rest goes by a salted hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from covid_datasets.catalog.published import SPLITS

TABLE_SPLIT = "train"
"""The one split of a source without images: its rows are places and days, and no people to keep apart."""
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
SALT = "covid_datasets/patient/1"
"""Changing the salt moves every patient that is not in a published file; it never changes."""

_SHARED = "person:"


def everybody(dataset: str) -> str:
    """Name the group of all rows of a source of which nobody knows which show one person.

    >>> everybody("cohen")
    'cohen/*'
    """
    return f"{dataset}/*"


def is_everybody(key: str | None) -> bool:
    """Tell whether a patient or tie stands for all of a source whom nobody knows.

    >>> is_everybody("cohen/*"), is_everybody("cohen/12"), is_everybody(None)
    (True, False, False)
    """
    return key is not None and key.endswith("/*")


def shared_id(ids: str, patient: str) -> str:
    """Name a person whom several sources know by one id, as the tie that all of these sources' rows have.

    >>> shared_id("volume-covid19-A", "0003")
    'person:volume-covid19-A/0003'
    """
    return f"{_SHARED}{ids}/{patient}"


def is_shared(tie: str) -> bool:
    """Tell whether a tie names a person whom several sources know by one id: it holds across them.

    >>> is_shared(shared_id("midrc-ricord", "SITE2-1")), is_shared("case:7")
    (True, False)
    """
    return tie.startswith(_SHARED)


def places(units: Sequence[str], ties: Iterable[Sequence[str]]) -> list[str]:
    """Name what decides the place of each row: the person whom other sources know too, else its unit.

    So one person is in one split, also where one source is loaded without the other.

    >>> places(["a/1", "a/2"], [["person:x/1", "a/study:7"], []])
    ['person:x/1', 'a/2']
    """
    pairs = zip(units, ties, strict=True)
    return [next((tie for tie in row if is_shared(tie)), unit) for unit, row in pairs]


def assign(
    groups: Sequence[int], units: Sequence[str], published: Mapping[str, str], keys: Sequence[str] | None = None
) -> list[str]:
    """Give every row the split of its group; ``units`` name its patient, or what stands for an unknown one.

    Where nothing is published, the least of the group's ``keys`` decides, which are its units where none are given.
    All of a source as one group is train, for want of anything to hold out; a row of it that shows somebody who is
    known goes where that one goes, and decides nothing. A group of which published splits disagree, because new
    evidence joined two, goes whole to the test set before validation before train: a published test set never loses a
    row.

    >>> assign([0, 0, 2], ["d/1", "d/2", "d/3"], {"d/2": "test", "d/3": "train"})
    ['test', 'test', 'train']
    >>> assign([0, 0, 2], ["d/1", "a/*", "a/*"], {"d/1": "validation"})
    ['validation', 'validation', 'train']
    """
    votes: dict[int, set[str]] = {}
    least: dict[int, str] = {}
    rows = dict.fromkeys(zip(groups, units, keys or units, strict=True))
    known = {group for group, unit, _ in rows if not is_everybody(unit)}
    for group, unit, key in rows:
        if is_everybody(unit) and group in known:
            continue
        least[group] = min(least.get(group, key), key)
        if split := vote(unit, published):
            votes.setdefault(group, set()).add(split)
    chosen = {group: _decide(votes.get(group, set()), key) for group, key in least.items()}
    return [chosen[group] for group in groups]


def vote(unit: str, published: Mapping[str, str]) -> str | None:
    """Return the split in which a patient, or what stands for an unknown one, must be; ``None`` where any will do.

    >>> vote("d/1", {"d/1": "test"}), vote("d/2", {}), vote(everybody("d"), {})
    ('test', None, 'train')
    """
    return published.get(unit, SPLITS[0] if is_everybody(unit) else None)


def _decide(votes: set[str], key: str) -> str:
    for split in reversed(SPLITS):
        if split in votes:
            return split
    place = hash_fraction(key, SALT)
    for split in SPLITS:
        place -= SHARES[split]
        if place < 0:
            return split
    return SPLITS[0]


def hash_fraction(key: str, salt: str) -> float:
    """Map a key to a number in [0, 1), the same on every machine and for ever.

    >>> round(hash_fraction("covid_ct/Patient 1", SALT), 6) == round(hash_fraction("covid_ct/Patient 1", SALT), 6)
    True
    """
    digest = hashlib.sha256(f"{salt}\n{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64
