"""Tables as sources ship them: dirty ones are read and reported, unusable ones are named."""

import csv
import io
import tracemalloc
import zipfile
from datetime import datetime
from pathlib import Path
from typing import IO, cast

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import ColumnMissingError, CovidDatasetsError, DamagedFileError, IncompleteSourceError
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.lines import CHUNK_BYTES
from covid_datasets.read.tables import Table, read_csv, read_xlsx, scan_csv


class OneFile:
    """Raw files that are one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def has(self, path: str) -> bool:
        return path == "table"

    def read(self, path: str) -> bytes:
        return self.data

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.read(path))


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
        assert [notice.kind for notice in table.notices] == ([] if wanted else ["table without rows"])


def test_a_wanted_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    table = read_csv(RawTree.of_folder(tmp_path), "list.csv", required=("a",), wanted=("b", "c"))
    assert [(notice.kind, notice.what) for notice in table.notices] == [("column missing", "c: unknown in all rows")]


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


# --- as a stream -------------------------------------------------------------------------------------------------


class Pieces(OneFile):
    """One file that is given in pieces of some size, and remembers how much of it was asked for at once."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self.size = size
        self.opened = 0
        self.most = 0

    def read(self, path: str) -> bytes:
        raise AssertionError("a table is read as a stream")

    def open(self, path: str) -> IO[bytes]:
        self.opened += 1
        return cast(IO[bytes], Trickle(self))


class Trickle(io.BytesIO):
    def __init__(self, file: Pieces) -> None:
        super().__init__(file.data)
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "nobody asks for all of it"
        self._file.most = max(self._file.most, size)
        return super().read(min(size, self._file.size))


def read_whole(data: bytes, lines: set[int] | None = None) -> tuple[list[tuple[int, list[str]]], list[tuple[str, str]]]:
    """Read a table as plainly as can be: all text in memory, each row with a parser of its own, as it was once done."""
    told = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        told.append(("text not UTF-8", "table"))
    numbered = list(io.StringIO(text, newline=""))
    header: list[str] = []
    rows = []
    start = 0
    while start < len(numbered):
        number = start + 1
        if header and lines is not None and number not in lines:
            start += 1
            continue
        cells, used = parse_whole(numbered[start:])
        named = max((at for at, name in enumerate(header, start=1) if name.strip()), default=0)
        blank = not any(map(str.strip, cells))
        if not used or (header and not blank and (len(cells) < named or any(map(str.strip, cells[len(header) :])))):
            told.append(("broken row", f"table line {number}"))
            start += 1
            continue
        start += used
        if not blank:
            header = header or cells
            rows.append((number, [*cells[: len(header)], *[""] * (len(header) - len(cells))]))
    return rows[1:], told


def parse_whole(rest: list[str]) -> tuple[list[str], int]:
    for strict in (True, False):
        reader = csv.reader(rest, strict=strict)
        try:
            cells = next(reader)
        except csv.Error:
            continue
        if strict or reader.line_num == 1:
            return cells, reader.line_num
    return [], 0


DIRT = st.lists(
    st.sampled_from(
        [b"a", b"b", b",", b",", b'"', b'"', b"\n", b"\n", b"\r\n", b"\r", b" ", b"\xc3\xa9", b"\xe9", b"\x00"]
    )
).map(b"".join)


@given(st.one_of(DIRT, st.binary(max_size=200)), st.integers(1, 9), st.none() | st.sets(st.integers(1, 12)))
@settings(max_examples=200, deadline=None)
def test_a_stream_gives_what_reading_it_whole_gives(data: bytes, size: int, lines: set[int] | None) -> None:
    data = b"a,b\n" + data
    scan = scan_csv(Pieces(data, size), "table", required=("a", "b"), lines=lines)
    rows = list(scan.rows)
    assert (rows, [(notice.kind, notice.where) for notice in scan.notices]) == read_whole(data, lines)


def test_no_more_of_a_large_table_is_in_memory_than_a_piece() -> None:
    data = b"a,b\n" + b"1,22222222\n" * 200_000
    file = Pieces(data, 1 << 30)
    tracemalloc.start()
    scan = scan_csv(file, "table", required=("a", "b"))
    count = sum(1 for _ in scan.rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, file.opened) == (200_000, 2), "once to find out how it is written, once to read it"
    assert file.most <= CHUNK_BYTES
    assert peak < len(data) + 6 * CHUNK_BYTES, "its own bytes, which this test holds, and some pieces"


def test_a_character_between_two_pieces_is_none_that_is_broken() -> None:
    data = "a,b\n1,é\n".encode()
    for size in range(1, len(data) + 1):
        scan = scan_csv(Pieces(data, size), "table", required=("a", "b"))
        assert (list(scan.rows), scan.notices) == ([(2, ["1", "é"])], [])


def test_the_place_of_the_first_broken_byte_is_told() -> None:
    data = b"\xef\xbb\xbfa,b\n1,\xe9\n"
    for size in range(1, len(data) + 1):
        (notice,) = scan_csv(Pieces(data, size), "table", required=()).notices
        assert notice.what == "byte 0xe9 at offset 9 is not UTF-8; read as Windows-1252"


def test_a_line_without_end_and_a_row_without_end_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.read.lines.LONGEST_LINE", 1_000)
    monkeypatch.setattr("covid_datasets.read.tables.LONGEST_ROW", 500)
    with pytest.raises(DamagedFileError, match=r"table line 3: expected at most 1,000 characters"):
        csv_of("a,b\n1,2\n" + "x" * 1_000)
    table = csv_of('a,b\n1,"' + "y\n" * 400 + '"\n3,4\n')
    assert table.rows == [{"a": "3", "b": "4"}]
    assert set(kinds(table)) == {"broken row"}


def test_a_table_in_an_archive_is_a_stream_too_and_damage_inside_is_said(tmp_path: Path) -> None:
    data = b"a,b\n" + b"".join(b"%d,%d\n" % (number, number * 7919 % 977) for number in range(50_000))
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table", data)
    raw = RawTree((TreeMount((str(tmp_path / "x.zip"),)),))
    assert sum(1 for _ in scan_csv(raw, "table", required=("a", "b")).rows) == 50_000
    broken = bytearray((tmp_path / "x.zip").read_bytes())
    broken[len(broken) // 2] ^= 0xFF
    (tmp_path / "y.zip").write_bytes(broken)
    with pytest.raises(DamagedFileError, match="table"):
        list(scan_csv(RawTree((TreeMount((str(tmp_path / "y.zip"),)),)), "table", required=("a", "b")).rows)


def test_a_workbook_with_one_far_cell_is_refused() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"], book.active["XFD1048576"] = "a", "x"
    out = io.BytesIO()
    book.save(out)
    assert len(out.getvalue()) < 6_000
    tracemalloc.start()
    with pytest.raises(DamagedFileError, match=r"at most 200,000 rows and 1,000,000 cells.*far away"):
        read_xlsx(OneFile(out.getvalue()), "table", required=())
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_blank_rows_and_cells_far_to_the_right_are_kept_apart() -> None:
    data = workbook(("a", "b"), (), (1, 2, None, "far"))
    assert read_xlsx(OneFile(data), "table", required=()).rows == [
        {"a": "1", "b": "2", "unnamed 2": "", "unnamed 3": "far"}
    ]
