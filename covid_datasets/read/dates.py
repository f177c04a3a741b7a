"""Dates as people write them, as precise as they are: a day, a month, or only a year."""

from __future__ import annotations

from datetime import date

MONTHS = {
    name: number
    for number, long in enumerate(
        "january february march april may june july august september october november december".split(), start=1
    )
    for name in (long, long[:3])
}
LONGEST = 40


def stated_date(text: str, *, month_first: bool = False) -> str:
    """Read a date as 2020-03-31, or as 2020-03 or 2020 where it says no more; a `ValueError` where it is none.

    Nothing is guessed: a month without a year is no date, and neither is ``3/7/2020`` where nobody knows which of its
    numbers is the month.

    Args:
        text: ``2020-03-31``, ``2020-03``, ``2020``, ``March 31, 2020``, ``31 Mar 2020``, ``March 2020``, ``3/31/20``.
        month_first: Whether it is known that dates with slashes begin with the month.

    >>> [stated_date(text) for text in ("2004", "March 2003", "12 March 2020", "Feb 6, 2020", "2020-03-31")]
    ['2004', '2003-03', '2020-03-12', '2020-02-06', '2020-03-31']
    >>> stated_date("3/7/2020", month_first=True)
    '2020-03-07'
    """
    parts = text[: LONGEST + 1].replace(",", " ").lower().split()
    slashed = text.split("/") if text.count("/") == 2 and len(text) <= LONGEST else []
    match parts:
        case [only] if only.count("-") <= 2 and not slashed:
            if (found := _written(*only.split("-"))) == only:
                return found
        case [month, day, year] if month in MONTHS:
            return _written(year, str(MONTHS[month]), day)
        case [day, month, year] if month in MONTHS:
            return _written(year, str(MONTHS[month]), day)
        case [month, year] if month in MONTHS:
            return _written(year, str(MONTHS[month]))
        case _ if slashed and month_first:
            month, day, year = slashed
            return _written(f"{19 if year >= '69' else 20}{year}" if len(year) == 2 else year, month, day)
    raise ValueError(_EXPECTED)


_EXPECTED = "expected a date as 2020-03-31, March 31, 2020, 2020-03 or 2020"


def _written(year: str, month: str = "", day: str = "") -> str:
    given = [part for part in (year, month, day) if part]
    if len(year) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in given):
        raise ValueError(_EXPECTED)
    found = date(int(year), int(month or 1), int(day or 1))  # raises a ValueError for a day that no calendar has
    return found.isoformat()[: (0, 4, 7, 10)[len(given)]]
