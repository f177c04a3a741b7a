"""Whole groups into the parts of a scheme: in shares, by source, by time. What each of them costs is told."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from covid_datasets.catalog.published import SPLITS
from covid_datasets.errors import UsageError
from covid_datasets.splits.assign import assign, is_everybody
from covid_datasets.splits.census import Whole
from covid_datasets.splits.index import Index
from covid_datasets.splits.place import place

TRAIN, VALIDATION, TEST = SPLITS
NOBODY = -1
"""The part of those of whom nobody knows which rows show one person: there is nothing to hold out."""
_DAYS = {4: ("-01-01", "-12-31"), 7: ("-01", "-31"), 10: ("", "")}
"""Length of a date, as precise as its source says it -> its first and its last day."""


@dataclass(frozen=True, slots=True)
class Division:
    """The split of each row (``None``: in none), and what a user should know about how it was made."""

    splits: Sequence[str | None]
    notes: tuple[str, ...] = ()


def in_shares(index: Index, shares: Sequence[int], salt: str, *, shuffled: bool = False) -> tuple[Whole, str]:
    """Give each row the number of its part, the same that it has where its source is divided alone.

    Each source is placed as if no other were there. Where groups of several are one, because they show one person or
    picture, that part takes all of it which has most of its rows already, the first of several; the text tells how
    many rows are elsewhere for that.
    """
    parts = np.full(index.table.num_rows, NOBODY)
    alone = list(index.by_source())
    for rows, source in alone:
        placed = place(source.census().without(is_everybody), shares, salt, shuffled=shuffled)
        parts[rows] = [placed.get(key, NOBODY) for key in source.group_ids]
    if len(alone) < 2:
        return parts, ""
    _, groups = np.unique(np.asarray(index.groups), return_inverse=True)
    voting = parts != NOBODY
    votes = np.bincount(groups[voting] * len(shares) + parts[voting], minlength=(groups.max() + 1) * len(shares))
    votes = votes.reshape(-1, len(shares))
    joint = np.where(votes.any(axis=1), votes.argmax(axis=1), NOBODY)[groups]
    moved = Counter(source for source, differs in zip(index.sources, joint != parts, strict=True) if differs)
    text = "rows that are elsewhere than where their source is loaded alone, because another one shows the same person "
    return joint, f"{text}or picture: {_counts(moved)}" if moved else ""


def row_by_row(index: Index, shares: Sequence[int], salt: str) -> Whole:
    """Deal rows one by one, whoever they show: of each source and label every part has its share, by a salted hash."""
    order: dict[tuple[str, str | None], list[tuple[bytes, int]]] = {}
    columns = (index.sources, index.strings("label"), index.texts("sample_id"))
    for row, (source, label, sample) in enumerate(zip(*columns, strict=True)):
        drawn = hashlib.sha256(f"{salt}/{sample}".encode()).digest()
        order.setdefault((source, label), []).append((drawn, row))
    ends = np.cumsum(shares) / sum(shares)
    parts = np.zeros(index.table.num_rows, dtype=np.int64)
    for drawn_rows in order.values():
        rows = [row for _, row in sorted(drawn_rows)]
        middles = (np.arange(len(rows)) + 0.5) / len(rows)
        parts[rows] = np.searchsorted(ends, middles, side="right")
    return parts


def leave_out(index: Index, sources: Sequence[str], published: Mapping[str, str]) -> Division:
    """Test on all of some sources; whom or what these show too is in no split, so that it is not trained on."""
    default = assign(index.groups, index.units, published, index.places)
    held = {group for group, source in zip(index.groups, index.sources, strict=True) if source in sources}
    found: list[str | None] = []
    for source, group, split in zip(index.sources, index.groups, default, strict=True):
        rest = None if group in held else (VALIDATION if split == VALIDATION else TRAIN)
        found.append(TEST if source in sources else rest)
    left = Counter(source for source, split in zip(index.sources, found, strict=True) if split is None)
    said = [
        f"test is all of {', '.join(sources)}; validation is that of the others' scheme 'patient', train their rest"
    ]
    if left:
        said.append(f"rows in no split, because they show people or pictures of the test set: {_counts(left)}")
    return Division(found, tuple(said))


def by_time(index: Index, dates: Sequence[str | None], cuts: Sequence[str], shares: Sequence[int]) -> Division:
    """Train on what is from before the first day of ``cuts``, test on what is from the last one or after it.

    Where there are no cuts, they are the days at which the dated rows have their ``shares``. A person goes where their
    last row goes; their earlier rows are in no split, and neither are rows whose date is unknown or says too little.
    """
    undated = [name for name in dict.fromkeys(index.sources) if name not in _dated(index, dates)]
    if undated:
        raise UsageError(
            f"scheme 'temporal': expected dates, found none in the column date of {', '.join(undated)}: a source that "
            "gives days since an event (offset_days), or moves its dates so that nobody is recognised, has no order "
            "in time; leave it out of the list, or use scheme='patient'"
        )
    cuts = list(cuts) or _cuts_at(dates, shares)
    names = SPLITS if len(cuts) > 1 else (TRAIN, TEST)
    own = [_period(day, cuts) for day in dates]
    last: dict[int, int] = {}
    for group, period in zip(index.groups, own, strict=True):
        if period is not None:
            last[group] = max(last.get(group, period), period)
    found = [
        names[period] if period is not None and period == last[group] else None
        for group, period in zip(index.groups, own, strict=True)
    ]
    unknown = own.count(None)
    earlier = found.count(None) - unknown
    said = [
        f"by the column date: {names[0]} is before {cuts[0]}"
        + "".join(f", {name} from {cut} on" for name, cut in zip(names[1:], cuts, strict=True))
    ]
    if unknown:
        said.append(f"rows in no split, because nobody knows on which side of a cut they are: {unknown:,}")
    if earlier:
        said.append(f"rows in no split, because later ones of the same group are in a later one: {earlier:,}")
    return Division(found, tuple(said))


def _dated(index: Index, dates: Sequence[str | None]) -> set[str]:
    return {source for source, day in zip(index.sources, dates, strict=True) if day is not None}


def _cuts_at(dates: Sequence[str | None], shares: Sequence[int]) -> list[str]:
    """Find the days at which each part has its share of the rows of which the day is known."""
    days = sorted(day for day in dates if day is not None and _days(day)[0] == _days(day)[1])
    ends = np.cumsum(shares)[:-1] * len(days) // sum(shares)
    cuts = [days[end] for end in ends.tolist()] if days else []
    if len(set(cuts)) < len(ends) or cuts[0] == days[0]:
        raise UsageError(
            f"scheme 'temporal': expected days enough for {len(shares)} parts in shares of "
            f"{'/'.join(map(str, shares))}, found {len(set(days))} in {len(days):,} rows; name the days: "
            "temporal(2020-04-01)"
        )
    return cuts


def _period(day: str | None, cuts: Sequence[str]) -> int | None:
    """Tell how many cuts a date has passed; ``None`` where it says too little."""
    if day is None:
        return None
    first, last = (sum(bound >= cut for cut in cuts) for bound in _days(day))
    return first if first == last else None


def _days(day: str) -> tuple[str, str]:
    """Return the first and the last day that a date may mean.

    >>> _days("2020-03"), _days("2020-03-31")
    (('2020-03-01', '2020-03-31'), ('2020-03-31', '2020-03-31'))
    """
    first, last = _DAYS[len(day)]
    return day + first, day + last


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
