"""What differs between two builds: which samples came, went, changed or moved to another split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from covid_datasets.splits.index import Index
from covid_datasets.view.report.counts import Counted
from covid_datasets.view.report.described import Described

SHOWN = 50
"""Samples of one kind that are listed."""
_MEANING = {
    "gone": "only in the first",
    "new": "only in the second",
    "other content": "in both, and the file is another one",
    "other facts": "in both with the same file, of which something else is told",
    "other label": "in both, with another label",
    "other split": "in both, in another split",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Samples that differ in one way; ``shown`` are the first ones, each with what it was and what it is."""

    kind: str
    meaning: str
    count: int
    shown: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between a first and a second build; ``counts`` has value -> rows in the first, in the second."""

    first: Described
    second: Described
    differences: tuple[Difference, ...]
    counts: Mapping[str, Mapping[str, tuple[int, int]]]

    @property
    def is_same(self) -> bool:
        """Tell whether both have the same rows in the same splits."""
        return self.first.built.fingerprint == self.second.built.fingerprint

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "first": {"name": self.first.name, "fingerprint": self.first.built.fingerprint},
            "second": {"name": self.second.name, "fingerprint": self.second.built.fingerprint},
            "same": self.is_same,
            "differences": [
                {
                    "kind": each.kind,
                    "count": each.count,
                    "shown": [{"sample_id": name, "first": first, "second": then} for name, first, then in each.shown],
                }
                for each in self.differences
            ],
            "counts": {
                name: {value: {"first": first, "second": second} for value, (first, second) in rows.items()}
                for name, rows in self.counts.items()
            },
        }


def change_of(first: Described, second: Described) -> Change:
    """Compare two builds sample by sample, and count by count."""
    before, after = _rows(first), _rows(second)
    found: dict[str, list[tuple[str, str, str]]] = {kind: [] for kind in _MEANING}
    for name in sorted(before.keys() | after.keys()):
        for kind, was, is_now in _differing(before.get(name), after.get(name)):
            found[kind].append((name, was, is_now))
    differences = tuple(
        Difference(kind, _MEANING[kind], len(listed), tuple(listed[:SHOWN])) for kind, listed in found.items() if listed
    )
    counts = {"rows": {"all": (first.built.rows, second.built.rows)}, "split": _beside(*map(_splits, (first, second)))}
    others = {each.name: each for each in second.counts}
    for each in first.counts:
        if beside := _beside(_totals(each), _totals(others.get(each.name))):
            counts[each.name] = beside
    return Change(first, second, differences, counts)


Row = tuple[str, str, str, str]
"""Split, label, SHA-256 of the file and of all that is stored of a sample."""


def _rows(of: Described) -> dict[str, Row]:
    index = Index.read(of.built.path)
    columns = (index.strings(name) for name in ("split", "label", "sha256", "row_sha256"))
    return {
        name: (split or "", label or "", file or "", row or "")
        for name, split, label, file, row in zip(index.texts("sample_id"), *columns, strict=True)
    }


def _differing(was: Row | None, is_now: Row | None) -> Iterator[tuple[str, str, str]]:
    if was is None or is_now is None:
        there = was or is_now or ("", "", "", "")
        yield ("new", "", there[0]) if was is None else ("gone", there[0], "")
        return
    if was[2] != is_now[2]:
        yield "other content", was[2][:16], is_now[2][:16]
    if was[1] != is_now[1]:
        yield "other label", was[1], is_now[1]
    if was[:3] == is_now[:3] and was[3] != is_now[3]:
        yield "other facts", was[3][:16], is_now[3][:16]
    if was[0] != is_now[0]:
        yield "other split", was[0], is_now[0]


def _splits(of: Described) -> dict[str, int]:
    return dict(of.built.splits)


def _totals(counted: Counted | None) -> dict[str, int]:
    return {} if counted is None else {value: counted.total(value) for value in counted.values}


def _beside(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {value: (first.get(value, 0), second.get(value, 0)) for value in [*first, *(second.keys() - first.keys())]}
