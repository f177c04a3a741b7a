"""Rows of a CSV as typed columns: pieces, versions that lack a column, and whatever is odd."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import IO, Any

import pytest

from covid_datasets.errors import ColumnMissingError, DamagedFileError
from covid_datasets.raw.tree import RawTree
from covid_datasets.read import typed
from covid_datasets.read.typed import TableForm, typed_rows
from covid_datasets.schema import Notice

COLUMNS = {"id": "string", "count": "int64", "share": "float64", "on": "date32", "is": "bool"}
HEADER = "id,count,share,on,is\n"


def read(folder: Path, text: str, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    lines = options.pop("lines", None)
    found = list(typed_rows(RawTree.of_folder(folder), "t.csv", TableForm(**{"columns": COLUMNS, **options}), lines))
    rows: list[dict[str, Any]] = []
    for columns in (item for item in found if not isinstance(item, Notice)):
        rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return rows, [str(item) for item in found if isinstance(item, Notice)]


def test_cells_become_values(tmp_path: Path) -> None:
    rows, told = read(tmp_path, HEADER + "007,3,0.5,2020-03-01,TRUE\n, 4.0 ,-,,false\n", unknown=("-",))
    assert rows == [
        {"id": "007", "count": 3, "share": 0.5, "on": date(2020, 3, 1), "is": True},
        {"id": None, "count": 4, "share": None, "on": None, "is": False},
    ]
    assert told == []


def test_what_is_none_is_null_and_told_once_a_kind(tmp_path: Path) -> None:
    rows, told = read(tmp_path, HEADER + "a,many,x,yesterday,perhaps\nb,few,1,2020-03-01,TRUE\n")
    assert [row["count"] for row in rows] == [None, None]
    assert [line for line in told if "2 cells are null here, the first is count 'many'" in line]
    assert len(told) == 4


def test_pieces_are_small_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "BATCH_ROWS", 2)
    rows, told = read(tmp_path, HEADER + "".join(f"{n},{n},,,\n" for n in (1, 2, 3, 2, 1)), key=("id",))
    assert [row["count"] for row in rows] == [1, 2, 3, 2, 1]
    assert [line for line in told if "2 rows have the id of an earlier one; all are kept" in line]


def test_no_more_than_a_piece_is_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed, "BATCH_ROWS", 100)
    data = (HEADER + "abcdefgh,1,,,\n" * 300_000).encode()
    taken = 0

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal taken
            found = super().read(size)
            taken += len(found)
            return found

    class OneFile:
        def has(self, path: str) -> bool:
            return True

        def read(self, path: str) -> bytes:
            raise AssertionError("a table is read as a stream")

        def open(self, path: str) -> IO[bytes]:
            return Counted(data)

    rows = typed_rows(OneFile(), "t.csv", TableForm(columns=COLUMNS))
    next(rows)
    assert taken < len(data) + (3 << 20), "once for its encoding, and then the first piece"


def test_other_names_and_versions(tmp_path: Path) -> None:
    rows, told = read(
        tmp_path, "ID,n,more\na,1,z\n", columns={"id": "string", "count": "int32", "is": "bool"},
        names={"id": "ID"}, rename={"n": "count"}, optional=("is",), left_out=("more",),
    )  # fmt: skip
    assert rows == [{"id": "a", "count": 1, "is": None}]
    assert len(told) == 1
    assert "is: unknown in all rows" in told[0]
    _, told = read(tmp_path, "ID\n1\n1\nx\n", columns={"id": "int32"}, names={"id": "ID"}, key=("id",))
    assert [line for line in told if "1 rows have the ID of an earlier one" in line]
    assert [line for line in told if "the first is ID 'x'" in line], "the publisher's name, which its reader can find"
    _, told = read(tmp_path, HEADER.replace("is\n", "is,wave\n") + "a,1,,,,2\n")
    assert [line for line in told if "not in the dataset: wave" in line]


def test_a_part_of_its_lines(tmp_path: Path) -> None:
    text = HEADER + "".join(f"{n},{n},,,\n" for n in range(5))
    assert [row["count"] for row in read(tmp_path, text, lines=range(3, 5))[0]] == [1, 2]


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissingError, match="expected a column 'count'"):
        read(tmp_path, "id,total,share,on,is\n1,1,1,,\n")
    with pytest.raises(DamagedFileError, match=r"t\.csv: expected rows, found only a header"):
        read(tmp_path, HEADER)
