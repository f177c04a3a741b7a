"""Cells of text to typed values: what is none becomes null and a notice, never a guess."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from covid_datasets.schema import Notice

TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%y %H:%M")
DAYS = ("%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d")
_WHOLE = re.compile(r"\s*-?[0-9]+(\.0*)?\s*")
_NUMBER = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?\s*")


class Cells:
    """Turns cells into values and remembers those that are none of the wanted kind.

    >>> cells = Cells()
    >>> cells.values(count, ["3", "", "3.0", "-1"], "deaths")
    [3, None, 3, None]
    >>> [notice.what for notice in cells.notices("counts.csv")]
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
        """Convert a column."""
        return [self.value(convert, text, column) for text in texts]

    def counts(self, texts: Sequence[str], column: str) -> Sequence[int | None]:
        """Convert a column of counts; in almost all there is nothing odd, and that is quick."""
        try:
            plain = list(map(int, texts))
        except ValueError:
            return self.values(count, texts, column)
        return plain if min(plain, default=0) >= 0 else self.values(count, texts, column)

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


def count(text: str) -> int:
    """Read a whole number of 0 or more."""
    if (value := whole(text)) < 0:
        raise ValueError("negative count")
    return value


def number(text: str) -> float:
    """Read a number; ``nan`` and ``inf`` are none."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return float(text)


def time(text: str) -> datetime:
    """Read a time in one of `TIMES`."""
    return _parsed(text.strip(), TIMES, "not a time")


def day(text: str) -> date:
    """Read a day in one of `DAYS`: month first, as American files have it.

    >>> day("1/22/20") == day("1/22/2020") == day("2020-01-22")
    True
    """
    return _parsed(text.strip(), DAYS, "not a day").date()


@lru_cache(maxsize=8192)
def _parsed(text: str, forms: tuple[str, ...], wrong: str) -> datetime:
    for form in forms:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(wrong)
