"""A CSV that is cut gives the rows that it gives whole."""

from __future__ import annotations

import csv
import io
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.read import cuts as module
from covid_datasets.read.cuts import Cut, CutReader, cuts
from covid_datasets.read.tables import scan_csv

CELLS = st.text(st.sampled_from('ab ,"\n\ré'), max_size=6)


class OneFile:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def has(self, path: str) -> bool:
        return True

    def read(self, path: str) -> bytes:
        return self.data

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.data)


def written(rows: list[tuple[str, str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("one", "two"), *rows])
    return out.getvalue().encode()


def rows_of(data: bytes, found: list[Cut]) -> list[list[str]]:
    raw = OneFile(data)
    return [cells for cut in found for _, cells in scan_csv(CutReader(raw, cut), cut.name, required=("one",)).rows]


@given(st.lists(st.tuples(CELLS, CELLS), max_size=12), st.integers(1, 60))
def test_the_rows_are_the_same(rows: list[tuple[str, str]], size: int) -> None:
    data = written(rows)
    found = list(cuts(OneFile(data), "t.csv", size))
    assert [found[0].start, *(cut.end for cut in found[:-1])] == [cut.start for cut in found]
    assert found[-1].end == len(data)
    assert rows_of(data, found) == [cells for _, cells in scan_csv(OneFile(data), "t.csv", required=("one",)).rows]


def test_a_mark_that_nobody_closed_does_not_keep_the_rest_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_ROW", 100)
    data = b"one,two\n" + b'a"b,1\n' + b"c,2\n" * 200
    found = list(cuts(OneFile(data), "t.csv", 50))
    assert max(cut.end - cut.start for cut in found) < 200
    assert len(rows_of(data, found)) == 201


def test_a_table_without_rows_is_one_cut() -> None:
    assert list(cuts(OneFile(b"one,two\n"), "t.csv", 10)) == [Cut("t.csv", 8, 8, 8, 2)]


def test_it_says_where_it_begins() -> None:
    first, second = cuts(OneFile(b"one,two\na,1\nb,2\n"), "t.csv", 4)
    assert (first.name, second.name) == ("t.csv", "t.csv from line 3")


def test_a_read_takes_no_more_than_the_cut() -> None:
    data = b"one,two\n" + b"a,1\n" * 100_000
    second = list(cuts(OneFile(data), "t.csv", 1_000))[1]
    assert CutReader(OneFile(data), second).read("t.csv") == b"one,two\n" + b"a,1\n" * 250
