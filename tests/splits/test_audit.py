"""The audit of a split: what leaks is counted, and shown by example."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.catalog.published import SPLITS
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.assign import assign
from covid_datasets.splits.audit import AuditReport, audit_links
from covid_datasets.splits.groups import Link
from covid_datasets.splits.index import Index

# Patient a lies in train and test; b and c are one person, tied by an article; d's film is e's, byte by byte.
ROWS = [
    ("a", "s/a1", "train", "covid19", [], "01"),
    ("a", "s/a2", "test", "covid19", [], "02"),
    ("a", "s/a3", "test", "covid19", [], "03"),
    ("b", "s/b1", "train", "covid19", ["s/article:x"], "04"),
    ("c", "s/c1", "validation", "no_finding", ["s/article:x"], "05"),
    ("d", "s/d1", "train", "covid19", [], "06"),
    ("e", "s/e1", "test", "no_finding", [], "06"),
    ("f", "s/f1", "train", "no_finding", [], "07"),
    ("f", "s/f2", "train", "no_finding", [], "08"),
    ("f", "s/f3", None, "no_finding", [], "09"),
]


@pytest.fixture(scope="module")
def index() -> Index:
    names = ("patient_id", "sample_id", "official_split", "label", "ties", "sha256")
    rows = [dict(zip(names, row, strict=True)) | {"row": number} for number, row in enumerate(ROWS)]
    return Index(pa.Table.from_pylist(rows, schema=INDEX_SCHEMA))


def audited(index: Index, splits: list[str | None]) -> AuditReport:
    return audit_links("s", "official", splits, index.texts("sample_id"), index.strings("label"), index.links)


def test_a_leaking_split_is_told_with_counts_rows_and_examples(index: Index) -> None:
    report = audited(index, index.strings("official_split"))
    assert report.leaks
    assert report.rows == {"test": 3, "train": 5, "validation": 1}
    found = {finding.kind: finding for finding in report.findings}
    assert [(kind, each.groups, each.straddling, each.leaking_rows) for kind, each in found.items()] == [
        ("patient", 2, 1, 3),
        ("tie", 1, 1, 2),
        ("same bytes", 1, 1, 2),
        ("same pixels", 0, 0, 0),
        ("near-duplicate", 0, 0, 0),
        ("resemblance", 0, 0, 0),
    ]
    assert found["patient"].examples == ("a: test 2, train 1 (s/a1, …)",)
    assert found["tie"].examples == ("s/article:x: train 1, validation 1 (s/b1, …)",)
    assert report.contradictions == ("s/d1 (covid19) and s/e1 (no_finding): same bytes",)


def test_people_read_it_and_machines_too(index: Index) -> None:
    report = audited(index, index.strings("official_split"))
    text = str(report)
    assert text.splitlines()[0] == "s, scheme 'official' (test 3, train 5, validation 1): LEAKS"
    assert "  patient           1 of 2 groups straddle splits (3 rows)\n      a: test 2, train 1 (s/a1, …)" in text
    assert "contradictory labels: s/d1 (covid19) and s/e1 (no_finding): same bytes" in text
    assert report.to_json()["leaks"] is True
    assert report.to_json()["findings"][0]["leaking_rows"] == 3


def test_our_split_of_the_same_rows_does_not_leak(index: Index) -> None:
    report = audited(index, list(assign(index.groups, index.texts("patient_id"), {"a": "test", "b": "train"})))
    assert not report.leaks
    assert "no leak found" in str(report)
    assert not any(finding.examples for finding in report.findings)


def test_few_of_many_leaks_are_shown_and_all_are_counted() -> None:
    links = [Link("patient", 2 * number, 2 * number + 1, f"p{number}") for number in range(50)]
    names = [f"s/{number}" for number in range(100)]
    report = audit_links("s", "official", ["train", "test"] * 50, names, [None] * 100, links)
    assert report.findings[0].straddling == 50
    assert report.findings[0].leaking_rows == 100
    assert len(report.findings[0].examples) == 5


links = st.lists(st.builds(Link, st.just("tie"), st.integers(0, 9), st.integers(0, 9), st.just("k")), max_size=15)


@given(links, st.lists(st.sampled_from([*SPLITS, None]), min_size=10, max_size=10))
def test_a_split_leaks_exactly_where_two_linked_rows_lie_apart(found: list[Link], splits: list[str | None]) -> None:
    report = audit_links("s", "x", splits, [str(row) for row in range(10)], [None] * 10, found)
    groups = connected(found)
    apart = any(len({splits[row] for row in group} - {None}) > 1 for group in groups)
    assert report.leaks == apart


def connected(found: list[Link]) -> list[set[int]]:
    groups = [{row} for row in range(10)]
    for link in found:
        joined = [group for group in groups if group & {link.first, link.second}]
        groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return groups
