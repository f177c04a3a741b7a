"""Rows find their files, splits and rows of other tables; whatever is left over is told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.raw.tree import RawTree
from covid_datasets.read.rows import contradictions, not_in, read_splits, rows_by
from covid_datasets.read.wide import falls

ROWS = st.lists(st.fixed_dictionaries({"id": st.sampled_from(["", "1", "2", "3"]), "sex": st.sampled_from("FM")}))


@given(ROWS, st.none() | st.sets(st.sampled_from("123")))
def test_every_row_is_in_a_group_or_told(rows: list[dict[str, str]], known: set[str] | None) -> None:
    groups, notices = rows_by(rows, lambda row: row["id"], "data.csv", known=known)
    assert sum(map(len, groups.values())) + sum(notice.dropped for notice in notices) == len(rows)
    assert all(row["id"] == key for key, group in groups.items() for row in group)
    assert known is None or set(groups) <= known
    twins = {notice.where: notice.count for notice in notices if notice.kind == "row listed twice"}
    assert twins == {key: len(group) - 1 for key, group in groups.items() if len(group) > 1}


def test_the_second_table_of_a_join_tells_its_twins_and_orphans() -> None:
    scores = [{"file": "a", "score": "1"}, {"file": "a", "score": "2"}, {"file": "z", "score": "3"}, {"file": ""}]
    found, notices = rows_by(scores, lambda row: row["file"], "scores.csv", known={"a", "b"})
    assert {key: [row["score"] for row in group] for key, group in found.items()} == {"a": ["1", "2"]}
    assert [(notice.kind, notice.where, notice.dropped) for notice in notices] == [
        ("row of nothing known", "z", True),
        ("broken row", "scores.csv", True),
        ("row listed twice", "a", False),
    ]
    assert "differ in score ('1', '2')" in notices[-1].what


@given(ROWS)
def test_who_is_said_to_be_two_things_is_told_once(rows: list[dict[str, str]]) -> None:
    told = [notice.where for notice in contradictions(rows, "id", "sex", "patient with several sexes")]
    assert told == [who for who in "123" if len({row["sex"] for row in rows if row["id"] == who}) > 1]


def test_files_that_no_row_names_are_dropped_or_kept_as_said() -> None:
    files = ["b.png", "a.png"]
    assert [(n.where, n.dropped) for n in not_in("data.csv", files, {"b.png"})] == [("a.png", True)]
    (kept,) = not_in("data.csv", files, {"b.png"}, kept="kept without a label")
    assert (kept.dropped, kept.what) == (False, "kept without a label")


def test_lists_of_a_split(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a.png\n\n b.png \n")
    (tmp_path / "test.txt").write_text("b.png\nc.png\n")
    lists = {"train.txt": "train", "test.txt": "test", "val.txt": "validation"}
    splits, notices = read_splits(RawTree.of_folder(tmp_path), lists, lambda path, name: f"images/{name}")
    assert splits == {"images/a.png": "train", "images/b.png": "train", "images/c.png": "test"}
    assert [(notice.kind, notice.where) for notice in notices] == [
        ("listed in two splits", "images/b.png"),
        ("split list missing", "val.txt"),
    ]


@given(st.lists(st.none() | st.integers(0, 5)))
def test_counts_that_go_down(values: list[int | None]) -> None:
    found = set(falls(values))
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    assert found == {at for (_, before), (at, value) in pairwise(known) if value < before}
