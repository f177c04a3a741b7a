"""Actualmed: names with many dots, patients with two labels, and the day at the end of a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.sources import actualmed as source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("actualmed", RawTree.of_folder(tree))


def test_each_film_keeps_its_own_label(tree: Path) -> None:
    records, notices = of(tree)
    assert notices == []
    films = {name: record.label for name, record in records.items() if record.patient == "ANON191"}
    assert films == {source.CR_NEGATIVE: "not_covid19", source.DX: "covid19"}
    assert (records[source.CR_LATER].label, records[source.CR_LATER].label_raw) == (None, None)
    assert records[source.CR].label_raw == "No finding"


def test_the_day_is_at_the_end_of_the_notes(tree: Path) -> None:
    records, _ = of(tree)
    assert [records[name].date for name in (source.CR, source.CR_NEGATIVE, source.DX)] == [
        "2020-03-17",
        "2020-03-20",
        "2020-04-13",
    ]


@pytest.mark.parametrize("day", ["20200230", "", "soon"])
def test_a_note_without_a_day_is_told(tree: Path, day: str) -> None:
    table = tree / "metadata.csv"
    table.write_bytes(table.read_bytes().replace(b"(YYYYMMDD): 20200317", f"(YYYYMMDD): {day}".encode()))
    records, notices = of(tree)
    assert records[source.CR].date is None
    assert [notice.where for notice in notices] == [f"images/{source.CR}"]
    assert "expected 'date taken" in notices[0].what
