"""What binds rows of a split: one patient, one file, one picture. All of it is gathered here, whatever splits say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from covid_datasets.audits.looks import Look
from covid_datasets.audits.quick import look_alikes, score_of
from covid_datasets.audits.sample import Sample
from covid_datasets.splits.groups import Link

Kind = Literal["patient", "group", "tie", "same file", "same bytes", "same pixels", "near-duplicate", "registered"]
KINDS: tuple[Kind, ...] = (
    "patient",
    "group",
    "tie",
    "same file",
    "same bytes",
    "same pixels",
    "near-duplicate",
    "registered",
)
OF_PICTURES: tuple[Kind, ...] = KINDS[3:]
"""Kinds that say that two rows show one picture."""


@dataclass(frozen=True, slots=True)
class Bond:
    """Evidence that all rows of ``first`` belong with all of ``second``.

    Where both are the same rows, these are one group; else they are the copies of two pictures that look alike.
    """

    kind: Kind
    first: tuple[int, ...]
    second: tuple[int, ...]
    evidence: str
    score: float | None = None

    @property
    def rows(self) -> tuple[int, ...]:
        """All rows that it binds."""
        return self.first if self.first == self.second else self.first + self.second

    def pairs(self, values: Sequence[object]) -> Iterator[tuple[int, int]]:
        """Yield pairs of rows whose values differ: every row that has a partner with another value is in one.

        There are fewer pairs than rows, however many copies there are.

        >>> list(Bond("patient", (0, 1, 2, 3), (0, 1, 2, 3), "p").pairs(["train", "train", "train", "test"]))
        [(0, 3), (1, 3), (2, 3)]
        """
        seen: set[tuple[int, int]] = set()
        for rows, others in ((self.first, self.second), (self.second, self.first)):
            partners: dict[object, int] = {}
            for other in others:
                partners.setdefault(values[other], other)
            for row in rows:
                partner = next((other for value, other in partners.items() if value != values[row]), None)
                if partner is not None:
                    seen.add((min(row, partner), max(row, partner)))
        yield from sorted(seen)


def bonds_of(samples: Sequence[Sample], looks: Sequence[Look | None], near: Sequence[Link] | None = None) -> list[Bond]:
    """Find every bond of the quick level: what samples and headers say, equal bytes and pixels, and looks.

    ``near`` are the pairs of rows that look alike, where that was found before.
    """
    found = [*_groups("patient", [who or "" for who in people(samples, looks)]), *_groups_of_ties(samples)]
    found += _groups("group", [sample.group or "" for sample in samples])
    # A row without a picture can still name the same file as another one, or have the hash that its table tells.
    hashes = [look.measured.sha256 if look else sample.sha256 for sample, look in zip(samples, looks, strict=True)]
    unseen = ["" if key else sample.name for sample, key in zip(samples, hashes, strict=True)]
    telling = ["" if look and look.blank else key for look, key in zip(looks, hashes, strict=True)]
    found += [*_groups("same file", unseen), *_groups("same bytes", telling, "sha256 ", 1.0)]
    return found + _pictures_alike(looks, near)


def people(samples: Sequence[Sample], looks: Sequence[Look | None]) -> list[str | None]:
    """Name the patient of each row: as the table says, else as the header of its DICOM file does."""
    pairs = zip(samples, looks, strict=True)
    return [sample.patient or (look.patient if look else None) or None for sample, look in pairs]


def _pictures_alike(looks: Sequence[Look | None], near: Sequence[Link] | None) -> list[Bond]:
    """Find equal pixels under different bytes, and what looks alike under different pixels."""
    pixels = [(look.measured.pixel_hash or "") if look and not look.blank else "" for look in looks]
    found = [
        bond
        for bond in _groups("same pixels", pixels, "pixel hash ", 1.0)
        if len({_bytes(looks[row]) for row in bond.rows}) > 1
    ]
    copies = copies_of(looks)
    if near is None:
        pictures = [looks[rows[0]] for rows in copies]
        links = look_alikes([look.measured for look in pictures if look is not None])
        near = [replace(link, first=copies[link.first][0], second=copies[link.second][0]) for link in links]
    by_row = {rows[0]: rows for rows in copies}
    for link in near:
        one, other = by_row.get(link.first), by_row.get(link.second)
        if one and other and not _neighbours(looks[link.first], looks[link.second]):
            found.append(Bond("near-duplicate", one, other, link.key, score_of(link)))
    return found


def copies_of(looks: Sequence[Look | None]) -> list[tuple[int, ...]]:
    """Put together the rows of each different picture that could be decoded."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, look in enumerate(looks):
        if look is not None and look.measured.pixel_hash:
            rows[look.measured.pixel_hash].append(row)
    return [tuple(each) for each in rows.values()]


def _groups(kind: Kind, keys: Sequence[str], said: str = "", score: float | None = None) -> Iterator[Bond]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key:
            rows[key].append(row)
    yield from (Bond(kind, tuple(each), tuple(each), said + key, score) for key, each in rows.items() if len(each) > 1)


def _groups_of_ties(samples: Sequence[Sample]) -> Iterator[Bond]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, sample in enumerate(samples):
        for tie in dict.fromkeys(sample.ties):
            rows[tie].append(row)
    yield from (Bond("tie", tuple(each), tuple(each), tie) for tie, each in rows.items() if len(each) > 1)


def _bytes(look: Look | None) -> str:
    return look.measured.sha256 if look else ""


def _neighbours(one: Look | None, other: Look | None) -> bool:
    """Tell whether two pictures are slices of one series: that they look alike is no evidence of anything."""
    return bool(one and other and one.series and one.series == other.series)
