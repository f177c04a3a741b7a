"""A raw tree that a test writes is the same bytes whenever it is written: catalogs of tests say its digests."""

from __future__ import annotations

import datetime
import io
import time
from typing import Any

import openpyxl
import pytest

from tests.sources import workbook

SHEETS: dict[str, list[list[Any]]] = {
    "one": [["name", "day"], ["a", datetime.date(2020, 3, 9)], [], ["b", None]],
    "two": [[], ["x"]],
}


def test_a_workbook_says_nothing_of_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Later:
            return cls(2031, 5, 6, 7, 8, 9, tzinfo=tz)

    now = workbook(SHEETS)
    monkeypatch.setattr(datetime, "datetime", Later)
    monkeypatch.setattr(time, "time", lambda: 1.9e9)
    assert workbook(SHEETS) == now
    book = openpyxl.load_workbook(io.BytesIO(now))
    cells = {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}
    assert cells["two"] == [[None], ["x"]]
    assert [row[0] for row in cells["one"]] == ["name", "a", None, "b"]
