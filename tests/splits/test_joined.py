"""Groups over several builds start from what each build found alone, and are those that all evidence together gives."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.measure.looks import SIDE
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.assign import everybody
from covid_datasets.splits.index import Index

HASHES = {name: hashlib.sha256(name.encode()).digest() for name in "xyz"}
THUMBS = {name: hashlib.shake_128(name.encode()).digest(SIDE * SIDE) for name in "xyz"}
PICTURE = st.sampled_from("xyz")
PATIENT = st.sampled_from(["1", "2", "*", "*"])
"""``*`` stands for all whom nobody knows."""
ROW = st.tuples(PATIENT, PICTURE, st.sampled_from([0, 30, 60]), st.sampled_from([(), (), (), (), (), (), ("page",)]))
BUILD = st.lists(ROW, min_size=1, max_size=7)


def table_of(source: str, rows: list[Any]) -> pa.Table:
    """Write an index; a number says how many bits of a hash are turned: 0 and 60 look alike only by way of 30."""
    found = []
    for number, (patient, picture, bits, ties) in enumerate(rows):
        hashes = int.from_bytes(HASHES[picture], "big") ^ ((1 << bits) - 1)
        known = {"patient_id": f"{source}/{patient}", "patient_known": True}
        unknown = {"patient_id": everybody(source), "patient_known": False}
        found.append({
            "row": number, "sample_id": f"{source}/{number}", "ties": [f"{tie}:1" for tie in ties],
            "label": "covid19", "modality": "CXR", "blank": False,
            "sha256": f"{source}{number}", "pixel_hash": f"{source}{number}",
            "looks": [{"part": "whole", "thumb": THUMBS[picture], "hashes": hashes.to_bytes(32, "big")}],
            **(unknown if patient == "*" else known),
        })  # fmt: skip
    return pa.Table.from_pylist(found, schema=INDEX_SCHEMA)


def finished(table: pa.Table) -> pa.Table:
    """Add the groups that a build finds alone, as it stores them."""
    index = Index(table)
    names = index.texts("sample_id")
    return table.append_column("group", pa.array([names[group] for group in index.groups]))


def parted(index: Index) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(index.groups):
        groups.setdefault(group, []).append(row)
    return sorted(groups.values())


@given(st.lists(BUILD, min_size=2, max_size=3))
@settings(max_examples=100, deadline=None)
def test_joined_groups_are_those_of_all_evidence(builds: list[list[Any]]) -> None:
    tables = [table_of("abc"[number], rows) for number, rows in enumerate(builds)]
    whole = Index(pa.concat_tables(tables))
    joined = Index(pa.concat_tables(map(finished, tables)), tuple(map(len, tables)))
    assert parted(joined) == parted(whole)
    assert joined.group_ids == whole.group_ids


def test_a_film_that_is_known_elsewhere_goes_alone() -> None:
    strangers = table_of("a", [("*", "x", 0, ()), ("*", "y", 0, ()), ("*", "z", 0, ())])
    known = table_of("b", [("1", "x", 5, ()), ("2", "y", 60, ())])
    joined = Index(pa.concat_tables([finished(strangers), finished(known)]), (3, 2))
    assert parted(joined) == [[0, 3], [1, 2], [4]]
    assert joined.group_ids == ["b/1", "a/*", "a/*", "b/1", "b/2"]


def test_what_looks_like_it_in_its_own_source_goes_with_it() -> None:
    """The second stranger looks like the known film, and the first only like the second."""
    strangers = table_of("a", [("*", "x", 0, ()), ("*", "x", 30, ()), ("*", "y", 0, ())])
    known = table_of("b", [("1", "x", 60, ())])
    joined = Index(pa.concat_tables([finished(strangers), finished(known)]), (3, 1))
    assert parted(joined) == [[0, 1, 3], [2]]
