"""What the lists of a split tell by themselves: rows, people and files of each part, and what lies in several parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from covid_datasets.audits.ledger.lists import Row
from covid_datasets.catalog.ledger import Entry, filled
from covid_datasets.catalog.published import Identities
from covid_datasets.splits.groups import Link, components

SHOWN = 5
"""Examples of each kind that are kept."""
PATIENT, NAME, PROVEN = "patient", "name", "proven"
"""Kinds of evidence that every entry has: one person, one file listed twice, and what our catalog has proof of."""
_PROOF = ("picture:", "patient:", "figure:")
"""Ties that say that rows show one picture or one person; those of others, such as an article's, say that they may."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a split: rows, different names, known people, rows of nobody known, rows of each label."""

    split: str
    rows: int
    names: int
    patients: int
    unknown: int
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Torn:
    """What one kind of evidence says: how many groups there are, and which lie in more than one part.

    ``between`` counts the groups that two parts share, ``rows`` the rows of all groups that lie in more than one.
    """

    kind: str
    groups: int
    straddling: int
    rows: int
    between: Mapping[str, int]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """The audit of one variant, or of the split where there are none; ``contradictions`` are names with two labels."""

    variant: str
    parts: tuple[Part, ...]
    torn: tuple[Torn, ...]
    contradictions: int
    contradicting: tuple[str, ...]


def weigh(entry: Entry, rows: Sequence[Row], identities: Mapping[str, Identities]) -> tuple[Variant, ...]:
    """Audit each variant of an entry by the rows of its lists."""
    variants: dict[str, list[Row]] = {}
    for row in rows:
        variants.setdefault(row.get("variant", ""), []).append(row)
    return tuple(_weigh(entry, variant, variants[variant], identities) for variant in sorted(variants))


def _weigh(entry: Entry, variant: str, rows: Sequence[Row], identities: Mapping[str, Identities]) -> Variant:
    names = [row["name"] for row in rows]
    torn = [_torn(PATIENT, [row.get("patient", "") for row in rows], rows), _torn(NAME, names, rows)]
    torn += [_torn(kind, [row.get(kind, "") for row in rows], rows) for kind in entry.groups]
    if any(identities.values()):
        torn.append(_torn(PROVEN, _proven(entry, rows, identities), rows))
    contradicting = list(_contradicting(rows))
    return Variant(variant, tuple(_parts(rows)), tuple(torn), len(contradicting), tuple(contradicting[:SHOWN]))


def _parts(rows: Sequence[Row]) -> Iterator[Part]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row["split"], []).append(row)
    for split, members in sorted(parts.items(), key=lambda part: _order(part[0])):
        people = [row.get("patient", "") for row in members]
        labels = Counter(row["label"] for row in members if row.get("label"))
        names = {row["name"] for row in members}
        yield Part(
            split, len(members), len(names), len({*people} - {""}), people.count(""), dict(sorted(labels.items()))
        )


def _order(split: str) -> tuple[int, str]:
    """Sort as people read: train, validation, test, then all others."""
    known = ("train", "validation", "val", "test")
    return (known.index(split) if split in known else len(known), split)


def _torn(kind: str, keys: Sequence[str], rows: Sequence[Row]) -> Torn:
    """Count the groups of rows with one key, and those that lie in several parts; an empty key is no group."""
    members: dict[str, list[Row]] = {}
    for key, row in zip(keys, rows, strict=True):
        if key:
            members.setdefault(key, []).append(row)
    between: Counter[str] = Counter()
    straddling: dict[str, Counter[str]] = {}
    for key, group in members.items():
        spread = Counter(row["split"] for row in group)
        if len(spread) > 1:
            straddling[key] = spread
            between.update(" and ".join(pair) for pair in combinations(sorted(spread, key=_order), 2))
    shown = sorted(straddling)[:SHOWN]
    examples = tuple(_example(key, straddling[key], members[key]) for key in shown)
    count = sum(spread.total() for spread in straddling.values())
    return Torn(kind, len(members), len(straddling), count, dict(sorted(between.items())), examples)


def _example(key: str, spread: Mapping[str, int], rows: Sequence[Row]) -> str:
    """Say where the rows of a group lie, with one name of each part."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["split"], row["name"])
    where = ", ".join(f"{split} {spread[split]:,} ({first[split]})" for split in sorted(spread, key=_order))
    return f"{key}: {where}"


def _proven(entry: Entry, rows: Sequence[Row], identities: Mapping[str, Identities]) -> list[str]:
    """Name the group of each row that shares a proven tie with another row, by its smallest tie."""
    ties = [
        [
            tie
            for sample in entry.samples
            for tie in identities[sample.source].get(filled(sample.id, row), ((), ()))[0]
            if tie.startswith(_PROOF)
        ]
        for row in rows
    ]
    first: dict[str, int] = {}
    links = [
        Link("tie", first[tie], number, tie)
        for number, held in enumerate(ties)
        for tie in held
        if first.setdefault(tie, number) != number
    ]
    roots = components(len(rows), links)
    shared = Counter(roots)
    named: dict[int, str] = {}
    for root, held in zip(roots, ties, strict=True):
        for tie in held:
            named[root] = min(named.get(root, tie), tie)
    return [named.get(root, "") if shared[root] > 1 else "" for root in roots]


def _contradicting(rows: Iterable[Row]) -> Iterator[str]:
    """Yield each name whose rows do not have one label."""
    labels: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.get("label"):
            labels.setdefault(row["name"], {})[row["label"]] = None
    for name, said in sorted(labels.items()):
        if len(said) > 1:
            yield f"{name}: {' and '.join(sorted(said))}"
