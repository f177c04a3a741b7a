"""Cells become values, or nothing and a notice: no cell is guessed, and none is lost without a word."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.read.cells import Cells, Columns, count, fips, number, time, whole
from covid_datasets.vocabulary import CLINICAL

READERS = {
    "text": lambda cells: cells.text("x"),
    "one of": lambda cells: cells.one_of("x", {"f": "F"}),
    "number": lambda cells: cells.number("x", -5, 5),
    "days": lambda cells: cells.days("x"),
    "age": lambda cells: cells.age("x"),
    "clinical": lambda cells: cells.clinical({"x": "temperature_c"}).get("temperature_c"),
    "finding": lambda cells: cells.finding("x"),
    "doi": lambda cells: cells.doi("x"),
    "date": lambda cells: cells.date("x"),
}
CELL = st.one_of(st.text(max_size=12), st.from_regex(r"[-+]?[0-9]{0,4}\.?[0-9]{0,3}(e[0-9])?", fullmatch=True))


def cells_of(text: str, unknown: tuple[str, ...] = ()) -> Cells:
    return Cells({"x": text}, "a.png", unknown)


@pytest.mark.parametrize("kind", READERS)
@given(text=CELL)
def test_a_cell_is_a_value_or_told_or_empty(kind: str, text: str) -> None:
    cells = cells_of(text)
    found = READERS[kind](cells)
    if found is None and text.strip():
        assert [notice.where for notice in cells.notices] == ["a.png"] or kind == "finding"
    else:
        assert cells.notices == []
    assert not any(notice.dropped for notice in cells.notices), "the row stays"


@pytest.mark.parametrize("kind", READERS)
def test_what_the_source_calls_unknown_is_not_odd(kind: str) -> None:
    for text in ("", "  ", "?", " ? "):
        cells = cells_of(text, unknown=("?",))
        assert (READERS[kind](cells), cells.notices, cells.flags) == (None, [], [])


@given(CELL)
def test_numbers_are_finite_and_within_their_range(text: str) -> None:
    found = cells_of(text).number("x", -5, 5)
    assert found is None or (math.isfinite(found) and -5 <= found <= 5 and found == float(text))
    age = cells_of(text).age("x")
    assert age is None or (0 <= age <= 120 and re.fullmatch(r"\d{1,3}(\.\d+)?", text.strip()))


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1_0", "٣", "0x10", "1e400", "20 years", "--1", "1,5"])
def test_words_that_python_takes_for_numbers_are_none(text: str) -> None:
    cells = cells_of(text)
    assert cells.number("x") is None
    assert [notice.what for notice in cells.notices] == [f"x is {text!r}, expected a number; left unknown"]


@pytest.mark.parametrize("name", [name for name, measure in CLINICAL.items() if measure.type == "float64"])
def test_a_clinical_value_is_within_what_a_living_person_may_have(name: str) -> None:
    measure = CLINICAL[name]
    assert measure.low < measure.high < math.inf
    cells = Cells({"low": str(measure.low), "beyond": str(measure.high * 2 + 1)}, "a.png")
    assert cells.clinical({"low": name}) == {name: measure.low}
    assert cells.clinical({"beyond": name, "none": name}) == {}
    assert [notice.kind for notice in cells.notices] == ["impossible value"]


def test_answers_are_the_sources_own_words() -> None:
    cells = Cells({"icu": "Y", "tube": "yes"}, "a.png")
    assert cells.clinical({"icu": "in_icu", "tube": "intubated"}, {"Y": True, "N": False}) == {"in_icu": True}
    assert [notice.what for notice in cells.notices] == ["tube is 'yes', expected Y or N; left unknown"]


@pytest.mark.parametrize(
    ("text", "found"), [("2020-02-30", None), ("2020-02-29", "2020-02-29"), ("2020-3", None), ("2020", "2020")]
)
def test_a_date_is_one_of_the_calendar(text: str, found: str | None) -> None:
    assert cells_of(text).date("x") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("February 6, 2020", "2020-02-06"), ("Feb 6, 2020", "2020-02-06"), ("12 March 2020", "2020-03-12"),
        ("March 2003", "2003-03"), ("2004", "2004"), ("2004-12", "2004-12"), ("03/09/20", "2020-03-09"),
        ("3/7/2020", "2020-03-07"), ("11/27/98", "1998-11-27"), ("2/29/2020", "2020-02-29"),
        ("2/29/2019", None), ("13/1/2020", None), ("January 12", None), ("March 20", None), ("Smarch 3, 2020", None),
        ("1/2/3", None), ("२०२०", None), ("2020-03-31-01", None), ("March 6 2020 or 2021", None), ("0000", None),
        ("9" * 5000, None), ("/" * 5000, None), ("-" * 5000, None), ("March " * 5000, None),
    ],
)  # fmt: skip
def test_a_date_is_as_precise_as_people_wrote_it(text: str, found: str | None) -> None:
    cells = cells_of(text)
    assert cells.date("x", month_first=True) == found
    assert [notice.kind for notice in cells.notices] == ([] if found else ["impossible value"])


def test_the_order_of_day_and_month_is_not_guessed() -> None:
    assert cells_of("03/09/20").date("x") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("June 22, 2020", "2020-06-22"),
        ("June 2020", "2020-06"),
        ("2020", "2020"),
        ("June 23, 2020", None),
        ("2021", None),
    ],
)
def test_a_date_after_its_own_table_is_impossible(text: str, found: str | None) -> None:
    cells = cells_of(text)
    assert cells.date("x", latest="2020-06-22") == found
    assert cells.flags == ([] if found else ["impossible_date"])


def test_days_are_whole() -> None:
    assert [cells_of(text).days("x") for text in ("3", "-3.0", "2.5", "40000")] == [3, -3, None, None]


def test_a_finding_that_nobody_knows_is_flagged() -> None:
    cells = cells_of("Moon dust")
    assert (cells.finding("x"), cells.flags) == (None, ["unknown_finding"])


def test_times_come_with_and_without_seconds() -> None:
    texts = ("2021-01-15 17:22", "2021-01-15 17:22:00", "2021-01-15T17:22:00", "1/15/2021 17:22", "1/15/21 17:22")
    assert {time(text).isoformat() for text in texts} == {"2021-01-15T17:22:00"}


@given(st.lists(CELL))
def test_a_column_is_as_long_as_its_cells(texts: list[str]) -> None:
    for convert in (whole, count, number, fips, time, str):
        columns = Columns()
        values = columns.values(convert, texts, "x")
        assert len(values) == len(texts)
        odd = sum(value is None and bool(text.strip()) for value, text in zip(values, texts, strict=True))
        told = sum(int(notice.what.split()[0].replace(",", "")) for notice in columns.notices("t.csv"))
        assert odd == told
    assert list(Columns().counts(texts, "x")) == Columns().values(count, texts, "x")
