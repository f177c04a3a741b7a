"""A split that is kept in a file: the older one wins, whoever comes later and whatever ties are found."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets import about_splits, load_dataset, load_splits
from covid_datasets.catalog.published import SPLITS
from covid_datasets.cli import main
from covid_datasets.errors import UsageError
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import divide, scheme_splits
from tests.small import SmallSources

rows = st.lists(st.tuples(st.integers(0, 40), st.lists(st.integers(0, 9), max_size=2)), min_size=1, max_size=40)


def index_of(found: Sequence[tuple[int, list[int]]], prefix: str = "m") -> Index:
    told = [
        {"row": row, "sample_id": f"own.x/{prefix}{patient}/{row}", "patient_id": f"own.x/{prefix}{patient}",
         "patient_known": True, "ties": [f"page:{tie}" for tie in ties]}
        for row, (patient, ties) in enumerate(found)
    ]  # fmt: skip
    return Index(pa.Table.from_pylist(told, schema=INDEX_SCHEMA))


def written(path: Path, index: Index, name: str = "patient_id") -> str:
    splits = scheme_splits(index, ["own.x"], "patient")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([name, "split"])
        writer.writerows(zip(index.strings(name), splits, strict=True))
    return str(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, rows, st.sampled_from(["a", "z"]))
def test_growth_and_ties_move_nobody_who_is_listed_but_towards_the_test_set(
    tmp_path: Path, old: Any, more: Any, prefix: str
) -> None:
    before = index_of(old)
    scheme = written(tmp_path / "mine.csv", before)
    was = dict(zip(before.units, scheme_splits(before, ["own.x"], "patient"), strict=True))
    grown = Index(pa.concat_tables([index_of(more, prefix).table, before.table]))
    now = scheme_splits(grown, ["own.x"], scheme)
    for unit, group, split in zip(grown.units, grown.groups, now, strict=True):
        members = {each for each, other in zip(grown.units, grown.groups, strict=True) if other == group}
        votes = {was[each] for each in members & was.keys()}
        assert len(votes) != 1 or {split} == votes, "who is new goes where the older ones are"
        if unit in was:
            assert split is not None
            assert SPLITS.index(split) >= SPLITS.index(was[unit])


def test_tying_new_people_to_old_ones_moves_none(tmp_path: Path) -> None:
    """By the hash alone, some 90 of 500 move; the list keeps all."""
    before = index_of([(number, [number]) for number in range(500)])
    table = index_of([(number, [number]) for number in range(500)], "a").table
    table = table.set_column(1, "sample_id", pa.array([f"own.x/new/{row}" for row in range(500)]))
    grown = Index(pa.concat_tables([before.table, table]))
    was = scheme_splits(before, ["own.x"], "patient")
    hashed = scheme_splits(grown, ["own.x"], "patient")[:500]
    assert sum(one != other for one, other in zip(was, hashed, strict=True)) > 50
    kept = scheme_splits(grown, ["own.x"], written(tmp_path / "mine.csv", before))[:500]
    assert kept == was


def test_what_is_printed_is_what_is_read(small: SmallSources, tmp_path: Path, capsys: Any) -> None:
    small.build("cohen")
    place = ["--cache-dir", str(small.cache)]
    assert main(["splits", "cohen", *place, "--scheme", "patient(50/25/25, seed=2)", "--csv"]) == 0
    mine = tmp_path / "mine.csv"
    mine.write_text(capsys.readouterr().out, encoding="utf-8")
    first = load_splits("cohen", "patient(50/25/25, seed=2)", cache_dir=small.cache)
    again = load_splits("cohen", str(mine), cache_dir=small.cache)
    assert again.column("split") == first.column("split")
    assert about_splits(again)["digest"] == about_splits(first)["digest"]
    how: dict[str, Any] = {"cache_dir": small.cache, "allow_missing": True, "offline": True, "framework": "numpy"}
    test = load_dataset("cohen", split="test", scheme=str(mine), **how)
    wanted = [row["sample_id"] for row in first.to_pylist() if row["split"] == "test"]
    assert sorted(row["sample_id"] for row in test) == sorted(wanted)
    mine.write_text(mine.read_text(encoding="utf-8").replace(",test,", ",train,"), encoding="utf-8")
    with pytest.raises(UsageError, match="expected one of train, validation, found 'test'"):
        load_dataset("cohen", split="test", scheme=str(mine), **how)  # and no kept split of the older file


def test_who_is_elsewhere_than_listed_is_counted(tmp_path: Path) -> None:
    index = index_of([(1, [1]), (2, [1]), (3, [])])
    path = tmp_path / "mine.csv"
    path.write_text("patient_id,split\nown.x/m1,train\nown.x/m2,test\n", encoding="utf-8")
    division = divide(index, ["own.x"], str(path))
    assert division.splits[:2] == ["test", "test"]
    assert division.notes == (
        f"2 of 3 rows are listed in {path}; whoever belongs to them follows",
        "rows that are elsewhere than listed, because what joins them was found since: 1",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the columns sample_id .* found none"),
        ("name,split\na,train\n", "found name, split"),
        ("patient_id,split\na,trian\n", "line 2: .*one of train, validation, test, found 'a' and 'trian'"),
        ("patient_id,split\n,train\n", "line 2"),
        ("patient_id,split\na,train\na,test\n", "line 3: expected a in one split, found train and test"),
        ("patient_id,split\nelse/1,train\n", "expected names as own.x/m1/0 or own.x/m1, found else/1"),
        ("patient_id,split\na\n", "names as"),
        ("\0\n", "scheme"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        divide(index_of([(1, [])]), ["own.x"], str(path))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found no such file; 'covid-datasets splits ID --csv > mine.csv' writes one"):
        divide(index_of([(1, [])]), ["own.x"], str(tmp_path / "none.csv"))
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "latin.csv").write_bytes(b"patient_id,split\n\xe4,train\n")
    for name in ("folder.csv", "latin.csv"):
        with pytest.raises(UsageError, match=r"expected a CSV file in UTF-8, found: \w+Error"):
            divide(index_of([(1, [])]), ["own.x"], str(tmp_path / name))
