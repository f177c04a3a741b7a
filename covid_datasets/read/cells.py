"""Cells of text to typed values: what is none becomes null and a notice, never a guess.

A converter is a function that turns one text into a value, or raises a `ValueError` that says what the text is not:
`whole`, `count`, `number`, `day`, `time`, or one of a builder's own. `Cells` reads one row with them, for sources whose
rows are samples; `Columns` reads whole columns, for tables that are nothing but rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from math import inf
from typing import Any, TypeVar

from covid_datasets.catalog.taxonomy import UnknownFindingError, classify
from covid_datasets.read.dates import stated_date
from covid_datasets.schema import Notice
from covid_datasets.vocabulary import CLINICAL

T = TypeVar("T")

OLDEST = 120.0
LONGEST_DAYS = 36_500
TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M")
DAYS = ("%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d")
_WHOLE = re.compile(r"\s*-?[0-9]+(\.0*)?\s*")
_NUMBER = re.compile(r"\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*")
_YEARS = re.compile(r"[0-9]{1,3}(\.[0-9]+)?")
_DOI = re.compile(r"10\.[0-9.]{1,20}/\S+")


class Cells:
    """The cells of one row as values; what a cell cannot be is null, and ``notices`` tell of it.

    A builder that calls these for every cell it uses says everything odd about a row, and needs no check of its own.
    Words are those of the source alone: one list of spellings for all would hide what contradicts in one of them.

    >>> cells = Cells({"sex": "f", "age": "230", "finding": "COVID-19", "t": "37.5"}, "images/a.png", unknown=("?",))
    >>> cells.one_of("sex", {"f": "F", "m": "M"}), cells.age("age"), cells.finding("finding"), cells.text("view")
    ('F', None, 'covid19', None)
    >>> cells.clinical({"t": "temperature_c"})
    {'temperature_c': 37.5}
    >>> [f"{notice.where}: {notice.what}" for notice in cells.notices]
    ["images/a.png: age is '230', expected a number from 0 to 120; left unknown"]

    Attributes:
        row: The row, by column.
        where: What notices name: the file that the row describes, or its place in a table.
        unknown: What the source writes where nobody knows, besides an empty cell.
        flags: Flags that the cells give; a builder adds those of its own.
        notices: What is odd, to be yielded before the record.
    """

    def __init__(self, row: Mapping[str, str], where: str, unknown: Collection[str] = ()) -> None:
        self.row = row
        self.where = where
        self.unknown = {"", *unknown}
        self.flags: list[str] = []
        self.notices: list[Notice] = []

    def doubt(self, kind: str, what: str) -> None:
        """Tell of something odd in this row."""
        self.notices.append(Notice(kind, self.where, what))

    def text(self, column: str) -> str | None:
        """Take a cell without blanks around it; null where it is unknown or the table has no such column."""
        found = self.row.get(column, "").strip()
        return None if found in self.unknown else found

    def value(self, column: str, convert: Callable[[str], T]) -> T | None:
        """Convert a cell; null where it is unknown, or the converter says that it is none."""
        found = self.text(column)
        try:
            return None if found is None else convert(found)
        except ValueError as error:
            self.doubt("impossible value", f"{column} is {found!r}, {error}; left unknown")
            return None

    def one_of(self, column: str, choices: Mapping[str, T]) -> T | None:
        """Look a cell up; null where it is none of the words that the source is known to use."""
        found = self.text(column)
        if found is not None and found not in choices:
            expected = " or ".join(filter(None, choices))
            self.doubt("unknown value", f"{column} is {found!r}, expected {expected}; left unknown")
        return None if found is None else choices.get(found)

    def number(self, column: str, low: float = -inf, high: float = inf) -> float | None:
        """Read a number within a range."""
        return self.value(column, lambda text: _within(text, low, high, _NUMBER))

    def days(self, column: str, most: int = LONGEST_DAYS) -> int | None:
        """Read a whole number of days, forwards or back."""
        found = self.number(column, -most, most)
        if found is not None and not found.is_integer():
            self.doubt("impossible value", f"{column} is {self.text(column)!r}, expected whole days; left unknown")
            return None
        return None if found is None else int(found)

    def age(self, column: str, low: float = 0) -> float | None:
        """Read an age in years, as people write it: ``1e2`` is none."""
        return self.value(column, lambda text: _within(text, low, OLDEST, _YEARS))

    def clinical(self, columns: Mapping[str, str], answers: Mapping[str, bool] | None = None) -> dict[str, Any]:
        """Read the clinical values that are known, by names of `vocabulary.CLINICAL`, whose ranges hold.

        Args:
            columns: Column -> name.
            answers: What yes and no are called.
        """
        found: dict[str, bool | float | None] = {}
        for column, name in columns.items():
            measure = CLINICAL[name]
            if measure.type == "bool":
                found[name] = self.one_of(column, answers or {})
            else:
                found[name] = self.number(column, measure.low, measure.high)
        return {name: value for name, value in found.items() if value is not None}

    def finding(self, column: str) -> str | None:
        """Find the class of a finding; one that the taxonomy has never seen is flagged ``unknown_finding``."""
        try:
            return classify(self.text(column) or "")
        except UnknownFindingError as error:
            self.flags.append("unknown_finding")
            self.doubt("unknown finding", str(error))
            return None

    def country(self, column: str) -> str | None:
        """Take what stands behind the last comma of a place.

        >>> Cells({"location": "Taoyuan General Hospital, Taoyuan, Taiwan"}, "a.png").country("location")
        'Taiwan'
        """
        return (self.text(column) or "").rpartition(",")[2].strip() or None

    def doi(self, column: str) -> str | None:
        """Find a DOI, as it is or in an address.

        >>> Cells({"doi": "https://doi.org/10.1186/cc5668"}, "a.png").doi("doi")
        '10.1186/cc5668'
        """
        found = self.text(column)
        match = _DOI.search(found or "")
        if found is not None and match is None:
            self.doubt("unknown value", f"{column} is {found!r}, expected a DOI; left unknown")
        return match[0] if match else None

    def date(self, column: str, *, month_first: bool = False, latest: str = "") -> str | None:
        """Read a day as 2020-03-31, or a month or a year where the source says no more.

        One after ``latest``, the day on which the table itself was published, is impossible: it is flagged
        ``impossible_date``, and the row keeps its text.

        >>> cells = Cells({"date": "September 10, 2020"}, "images/a.png")
        >>> cells.date("date"), cells.date("date", latest="2020-06-22"), cells.flags
        ('2020-09-10', None, ['impossible_date'])
        """

        def parsed(text: str) -> str:
            found = stated_date(text, month_first=month_first)
            if latest and found > latest[: len(found)]:
                self.flags.append("impossible_date")
                raise ValueError(f"which is after {latest}, when this was published")
            return found

        return self.value(column, parsed)


class Columns:
    """Turns columns of cells into columns of values, and tells in one notice a kind of those that are none.

    >>> columns = Columns()
    >>> columns.values(count, ["3", "", "3.0", "-1"], "deaths")
    [3, None, 3, None]
    >>> [notice.what for notice in columns.notices("counts.csv")]
    ["1 cells are null here, the first is deaths '-1'"]
    """

    def __init__(self) -> None:
        self._odd: dict[str, list[str]] = defaultdict(list)

    def value(self, convert: Callable[[str], Any], text: str, column: str) -> Any:
        """Convert one cell; null where it is empty or not what its column should hold."""
        try:
            return convert(text) if text.strip() else None
        except ValueError as error:
            self._odd[str(error)].append(f"{column} {text!r}")
            return None

    def values(self, convert: Callable[[str], Any], texts: Sequence[str], column: str) -> list[Any]:
        """Convert a column; ``str`` takes the texts as they are, without blanks around them."""
        if convert is str:
            return [text.strip() or None for text in texts]
        return [self.value(convert, text, column) for text in texts]

    def counts(self, texts: Sequence[str], column: str) -> Sequence[int | None]:
        """Convert a column of counts; in almost all there is nothing odd, and that is quick."""
        joined = "".join(texts)
        if all(texts) and joined.isascii() and joined.isdigit():
            return list(map(int, texts))
        return self.values(count, texts, column)

    def notices(self, where: str) -> Iterator[Notice]:
        """Tell of each sort of odd cell."""
        for kind, cells in sorted(self._odd.items()):
            yield Notice(kind, where, f"{len(cells):,} cells are null here, the first is {cells[0]}")


def whole(text: str) -> int:
    """Read a whole number, also where a spreadsheet wrote it as ``60.0``."""
    if text.isascii() and text.isdigit():
        return int(text)
    if not _WHOLE.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text.partition(".")[0])


def ranges(text: str, between: str) -> list[int]:
    """Read numbers and ranges of numbers, with the sign that stands between them.

    >>> ranges("0;11;24-26", ";")
    [0, 11, 24, 25, 26]
    """
    found: list[int] = []
    for part in text.split(between):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not ((first + last).isascii() and first.isdigit() and last.isdigit() and len(first + last) <= 12):
            raise ValueError(f"expected numbers and ranges such as 3{between}5-7")
        found += range(int(first), int(last) + 1)
    return found


def count(text: str) -> int:
    """Read a whole number of 0 or more."""
    if (value := whole(text)) < 0:
        raise ValueError("negative count")
    return value


def number(text: str) -> float:
    """Read a number; ``nan`` and ``inf`` are none."""
    if not _NUMBER.fullmatch(text) or (value := float(text)) in (inf, -inf):
        raise ValueError("not a number")
    return value


def fips(text: str) -> str:
    """Undo what spreadsheets do to codes of states and counties: 60.0 is territory 60, 1001 is county 01001.

    >>> fips("60.0"), fips("1001")
    ('60', '01001')
    """
    code = whole(text)
    if not 0 < code <= 99999:
        raise ValueError("not a FIPS code")
    return f"{code:02d}" if code < 100 else f"{code:05d}"


def time(text: str) -> datetime:
    """Read a time in one of `TIMES`."""
    return _parsed(text.strip(), TIMES, "not a time")


def day(text: str) -> date:
    """Read a day in one of `DAYS`: month first, as American files have it.

    >>> day("1/22/20") == day("1/22/2020") == day("2020-01-22")
    True
    """
    return _parsed(text.strip(), DAYS, "not a day").date()


def _within(text: str, low: float, high: float, form: re.Pattern[str]) -> float:
    if form.fullmatch(text) and low <= (value := float(text)) <= high and value not in (inf, -inf):
        return value
    limits = f" from {low:,g} to {high:,g}" if (low, high) != (-inf, inf) else ""
    raise ValueError(f"expected a number{limits}")


@lru_cache(maxsize=8192)
def _parsed(text: str, forms: tuple[str, ...], wrong: str) -> datetime:
    for form in forms:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(wrong)
