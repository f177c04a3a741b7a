"""Folders of cases that users fill by hand: what is a case, a figure, a stack, and whose credit is whose."""

from __future__ import annotations

import re
from pathlib import Path

from covid_datasets.raw.tree import RawTree
from covid_datasets.read.cases import LONGEST, Case, read_cases, records_of_case
from covid_datasets.schema import Notice, Record
from tests.sources import chest

HEADERS = ("url", "age", "credit")
NAME = r"case-([a-z0-9-]+)"


def tree(folder: Path, files: dict[str, bytes]) -> RawTree:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return RawTree.of_folder(folder)


def cases_of(raw: RawTree, *, stacks: bool = True) -> tuple[dict[str, Case], list[Notice]]:
    found = list(read_cases(raw, NAME, HEADERS, stacks=stacks))
    cases = {item.id: item for item in found if isinstance(item, Case)}
    return cases, [item for item in found if isinstance(item, Notice)]


def rows_of(case: Case) -> dict[str, Record]:
    found = records_of_case(case, case.cells, re.compile(r"/cases/([a-z0-9-]+)"))
    return {item.sample_id: item for item in found if isinstance(item, Record)}


def test_a_folder_in_a_case_is_a_stack_only_where_the_site_has_stacks(tmp_path: Path) -> None:
    files = {
        "case-1/case.txt": b"x",
        "case-1/CT a/1.png": b"1",
        "case-1/CT a/deep/2.png": b"2",
        "case-1/CT a/n.doc": b"3",
    }
    raw = tree(tmp_path, files)
    cases, notices = cases_of(raw)
    assert cases["1"].stacks == {"CT a": ("case-1/CT a/1.png",)}, "no deeper, and nothing but pictures"
    assert notices == []
    cases, notices = cases_of(raw, stacks=False)
    assert cases["1"].stacks == {}
    assert [(notice.kind, notice.dropped) for notice in notices] == [("text without a figure", True)]


def test_a_stack_without_a_text_is_kept_and_told(tmp_path: Path) -> None:
    cases, notices = cases_of(tree(tmp_path, {"case-1/CT/1.png": b"1"}))
    assert [notice.kind for notice in notices] == ["text missing"]
    assert len(rows_of(cases["1"])) == 1


def test_slices_are_in_the_order_of_their_numbers_and_one_is_typical(tmp_path: Path) -> None:
    numbers = [3, 0, 10**30, 20, 100, 7]
    case = cases_of(tree(tmp_path, {f"case-1/CT/im{number}.png": b"1" for number in numbers}))[0]["1"]
    rows = sorted(rows_of(case).values(), key=lambda row: row.part_index or 0)
    assert [Path(row.sample_id).stem for row in rows][:5] == ["im0", "im3", "im7", "im20", "im100"]
    assert [row.part_index for row in rows] == list(range(len(numbers)))
    assert [row.typical for row in rows] == [False, False, False, True, False, False]
    assert {row.series for row in rows} == {"case-1/CT"}


def test_the_credit_of_a_figure_wins_over_that_of_the_case(tmp_path: Path) -> None:
    note = b"credit: A\nCREDIT B.PNG: B\ncredit gone.png: nobody's\nThe text.\n"
    raw = tree(tmp_path, {"case-1/case.txt": note, "case-1/a.png": chest(1), "case-1/b.png": chest(2)})
    case = cases_of(raw)[0]["1"]
    rows = rows_of(case)
    assert {path: row.source_row["credit"] for path, row in rows.items()} == {"case-1/a.png": "A", "case-1/b.png": "B"}
    assert case.note.text == "credit gone.png: nobody's\nThe text.", "of no figure that is here, so it is text"


def test_a_path_that_nobody_can_have_is_no_case() -> None:
    class Listed(RawTree):
        def sizes(self) -> dict[str, int]:
            return {f"case-{'a' * LONGEST}/1.png": 1, f"case-{'a' * LONGEST}/CT/1.png": 1, "1.png": 1}

    assert cases_of(Listed(())) == ({}, [])
