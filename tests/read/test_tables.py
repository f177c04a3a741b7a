"""Tables as sources ship them: dirty ones are read and reported, unusable ones are named."""

import io
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.errors import ColumnMissingError, CovidDatasetsError, DamagedFileError, IncompleteSourceError
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.tables import Table, read_csv, read_xlsx, scan_csv


class OneFile:
    """Raw files that are one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def has(self, path: str) -> bool:
        return path == "table"

    def read(self, path: str) -> bytes:
        return self.data


def csv_of(data: bytes | str, **options: str) -> Table:
    data = data.encode() if isinstance(data, str) else data
    return read_csv(OneFile(data), "table", required=("a", "b"), comment=options.get("comment", ""))


def kinds(table: Table) -> list[str]:
    return [notice.kind for notice in table.notices]


def test_values_are_untouched_and_header_is_stripped() -> None:
    table = csv_of("a, b,\n 1 , x,overflow\n2,?,\n")
    assert table.rows == [{"a": " 1 ", "b": " x", "unnamed 2": "overflow"}, {"a": "2", "b": "?", "unnamed 2": ""}]
    assert not table.notices


def test_rename_maps_older_headers() -> None:
    raw = OneFile(b"Patientid, filename\n1,x.png\n")
    table = read_csv(raw, "table", required=("patientid", "filename"), rename={"Patientid": "patientid"})
    assert table.rows == [{"patientid": "1", "filename": "x.png"}]


def test_broken_rows_are_reported_and_the_others_stay() -> None:
    table = csv_of("a,b\n1,2\nalone\n3,4,5\n6,7,,\n\n8,9\n")
    assert [row["a"] for row in table.rows] == ["1", "6", "8"]
    assert [(n.kind, n.where, n.dropped) for n in table.notices] == [
        ("broken row", "table line 3", True),
        ("broken row", "table line 4", True),
    ]


def test_a_quotation_mark_that_never_closes_loses_its_own_line_only() -> None:
    table = csv_of('a,b\n1,"one\n2,two\n3,"three\nlines"\n4,four\n')
    assert len(table.rows) == 3
    assert [row["a"] for row in table.rows] == ["2", "3", "4"]
    assert kinds(table) == ["broken row"]


def test_sloppy_quotation_marks_within_a_line_are_read() -> None:
    table = csv_of('a,b\n1,"a "quoted" word"\n2,5" pipe\n')
    assert [row["a"] for row in table.rows] == ["1", "2"]
    assert not table.notices


def test_cells_may_span_lines() -> None:
    table = csv_of('a,b\n1,"two\r\nlines, one cell"\n')
    assert table.rows == [{"a": "1", "b": "two\r\nlines, one cell"}]


def test_a_cell_beyond_all_bounds_is_a_broken_row() -> None:
    table = csv_of('a,b\n1,"' + "x" * 200_000 + '"\n2,3\n')
    assert [row["a"] for row in table.rows] == ["2"]
    assert kinds(table) == ["broken row"]


def test_text_that_is_not_utf8_is_read_and_reported() -> None:
    table = csv_of("a,b\n1,D’Ettorre\n".encode("cp1252"))
    assert table.rows == [{"a": "1", "b": "D’Ettorre"}]
    assert kinds(table) == ["text not UTF-8"]


def test_byte_order_mark_and_comment_lines_go() -> None:
    assert csv_of("\ufeff## by me,,\n## me,,\na,b\n1,## no comment\n", comment="##").rows == [
        {"a": "1", "b": "## no comment"}
    ]


def test_columns_of_one_name_are_both_kept() -> None:
    assert csv_of("a,b,a\n1,2,3\n").rows == [{"a": "1", "b": "2", "a (column 2)": "3"}]


def test_a_renamed_column_is_named_with_the_nearest() -> None:
    raw = OneFile(b"patientid,file_name\n1,x\n")
    with pytest.raises(
        ColumnMissingError, match=r"table: expected a column 'filename', found .*nearest is 'file_name'"
    ):
        read_csv(raw, "table", required=("patientid", "filename"))


@pytest.mark.parametrize("data", [b"", b"\n\n", b" , ,\n"])
def test_empty_csv(data: bytes) -> None:
    with pytest.raises(DamagedFileError, match="table"):
        csv_of(data)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(IncompleteSourceError, match="meta/list.csv"):
        read_csv(RawTree.of_folder(tmp_path), "meta/list.csv", required=())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_a_clear_error(data: bytes) -> None:
    try:
        table = csv_of(b"a,b\n" + data)
    except CovidDatasetsError:
        return
    assert all({"a", "b"} <= row.keys() for row in table.rows)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=8))
def test_csv_round_trip(rows: list[tuple[str, str]]) -> None:
    import csv

    out = io.StringIO()
    csv.writer(out).writerows([("a", "b"), *rows])
    wanted = [{"a": a, "b": b} for a, b in rows if a.strip() or b.strip()]
    if not any(ord(char) in range(0xD800, 0xE000) for row in rows for cell in row for char in cell):
        table = csv_of(out.getvalue())
        assert table.rows == wanted
        assert not table.notices


def workbook(*rows: tuple[object, ...], title: str = "positive_captions") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_xlsx_values_as_text() -> None:
    data = workbook(("a", "b ", "c"), (50, 0.5, None), ("x ", True, datetime(2020, 4, 28)), (None, None, None))
    table = read_xlsx(OneFile(data), "table", required=("a", "b"))
    assert table.rows == [{"a": "50", "b": "0.5", "c": ""}, {"a": "x ", "b": "True", "c": "2020-04-28T00:00:00"}]


def test_xlsx_lacks_a_column_or_a_sheet() -> None:
    data = workbook(("Filename",), ("x",))
    with pytest.raises(ColumnMissingError, match="'File name'.*nearest is 'Filename'"):
        read_xlsx(OneFile(data), "table", required=("File name",))
    with pytest.raises(ColumnMissingError, match="positive_captions"):
        read_xlsx(OneFile(data), "table", required=(), sheet="other")


@pytest.mark.parametrize("data", [b"", b"no zip", workbook(("a",))[:900], workbook()])
def test_damaged_xlsx(data: bytes) -> None:
    with pytest.raises(DamagedFileError, match="table"):
        read_xlsx(OneFile(data), "table", required=())


def test_an_xlsx_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.read.tables.MAX_WORKBOOK_BYTES", 1000)
    with pytest.raises(DamagedFileError, match="at most 1000 bytes"):
        read_xlsx(OneFile(workbook(("a",))), "table", required=())


def test_a_scan_gives_rows_with_their_lines_and_only_the_wanted_ones() -> None:
    data = b'a,b,c\n1,2,3\n\n"4\n4",5,6\n7,8\nx\n9,10,11\n'
    scan = scan_csv(OneFile(data), "table", required=("a", "b"))
    assert list(scan.rows) == [(2, ["1", "2", "3"]), (4, ["4\n4", "5", "6"]), (8, ["9", "10", "11"])]
    assert [notice.where for notice in scan.notices] == ["table line 6", "table line 7"]
    wanted = scan_csv(OneFile(data), "table", required=("a", "b"), lines={4, 8})
    assert list(wanted.rows) == [(4, ["4\n4", "5", "6"]), (8, ["9", "10", "11"])]
    assert wanted.names == ["a", "b", "c"]


def test_many_columns_are_named_quickly_and_twins_apart() -> None:
    header = ",".join(f"day {number % 9_000}" for number in range(10_000))
    scan = scan_csv(OneFile(f"{header}\n".encode()), "table", required=())
    assert len(set(scan.names)) == 10_000
    assert scan.names[9_500] == "day 500 (column 9500)"
