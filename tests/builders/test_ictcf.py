"""iCTCF: names with blanks, numbers with gaps, and patients of whom nobody says anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.small import SmallSources
from tests.sources import chest
from tests.sources import ictcf as source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("ictcf", RawTree.of_folder(tree))


def chosen(records: dict[str, Record], patient: int) -> list[str]:
    return [
        record.source_row["chosen"] for _, record in sorted(records.items()) if record.patient == f"Patient {patient}"
    ]


def test_who_is_in_no_list_is_unlabelled_and_not_negative(tree: Path) -> None:
    records, _ = of(tree)
    labels = {record.patient: (record.label, record.sex, record.age) for record in records.values()}
    assert labels == {
        "Patient 1": ("covid19", "M", 81),
        "Patient 2": (None, None, None),
        "Patient 4": ("covid19", "F", 53),
    }


def test_chosen_slices_are_told_with_both_ends_of_a_range(tree: Path) -> None:
    records, notices = of(tree)
    assert chosen(records, 1) == ["False", "True", "True", "True"], "1:3"
    assert chosen(records, 2) == ["unknown"] * 3
    assert [notice.where for notice in notices if notice.kind == "fewer slices than chosen"] == ["Patient 4/CT"]


def test_a_patient_of_the_list_without_slices_is_told(tree: Path) -> None:
    told = [notice.what for notice in of(tree)[1] if notice.kind == "patient without slices"]
    assert told == ["1 of 3 patients have no slice here, such as Patient 1521"]


def test_slices_are_in_the_order_of_names_and_the_middle_one_is_typical(tree: Path) -> None:
    records, _ = of(tree)
    one = [record for _, record in sorted(records.items()) if record.patient == "Patient 1"]
    assert [record.part_index for record in one] == [0, 1, 2, 3]
    assert [record.typical for record in one] == [False, False, True, False]


def test_a_second_folder_of_a_patient_is_told(tree: Path) -> None:
    (tree / "Patient 1/Lung").mkdir()
    (tree / "Patient 1/Lung/IMG-0001-00001.jpg").write_bytes(chest(5999, kind="JPEG"))
    records, notices = of(tree)
    assert records["Patient 1/Lung/IMG-0001-00001.jpg"].series == "Patient 1/Lung"
    assert {notice.where for notice in notices if notice.kind == "several folders"} == {
        "Patient 1/CT",
        "Patient 1/Lung",
    }


def test_numbers_that_are_not_served_leave_a_build_of_the_others(small: SmallSources) -> None:
    built = small.build("ictcf", "served")
    assert built.rows == sum(source.COUNTS.values())
    assert "Patient%203.zip" in built.report() or "ct-3" in built.report()
