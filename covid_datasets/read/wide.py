"""Wide tables of counts: a row a place, a column a day, as case counts are published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Columns, count, day
from covid_datasets.read.tables import scan_csv
from covid_datasets.schema import Notice, RawReader


@dataclass(frozen=True, slots=True)
class Place:
    """A row of wide tables: what it says of its place, and the line that it has in the table of each count."""

    told: Mapping[str, str]
    lines: tuple[tuple[str, int], ...]


def read_places(
    raw: RawReader,
    tables: Mapping[str, str],
    key: Sequence[str],
    *,
    told: Sequence[str],
    required: Sequence[str],
    rename: Mapping[str, str],
) -> tuple[dict[tuple[str, ...], Place], int, list[Notice]]:
    """Go through the wide tables of some counts, and join the rows of each place; no count is read yet.

    Args:
        raw: The files.
        tables: Count -> path of its table.
        key: The columns that tell places apart; a row without the first one is dropped and told.
        told: All columns that tell of a place, as far as a table has them.
        required: The columns that every table must have.
        rename: Names of columns in older headers -> those of ``told``.

    Returns:
        The places by key, the number of days of the longest table, and what is odd.
    """
    places: dict[tuple[str, ...], Place] = {}
    longest, notices = 1, []
    for counted, path in tables.items():
        scan = scan_csv(raw, path, required=required, rename=rename)
        days, odd = days_of(scan.names, told, path)
        longest = max(longest, len(days))
        named = [(name, scan.names.index(name)) for name in told if name in scan.names]
        notices += odd
        for line, cells in scan.rows:
            row = {name: cells[at].strip() for name, at in named}
            of = tuple(row.get(name, "") for name in key)
            where, before = f"{path} line {line}", places.get(of, Place({}, ()))
            if not of[0]:
                notices.append(Notice("row without a place", where, f"expected a {key[0]}", dropped=True))
            elif counted in dict(before.lines):
                notices.append(Notice("place listed twice", where, f"the first row of {of} is kept", dropped=True))
            else:
                said = {name: cell for name, cell in before.told.items() if cell}
                places[of] = Place(row | said, (*before.lines, (counted, line)))
        notices += scan.notices
    return places, longest, notices


def days_of(names: Sequence[str], told: Collection[str], path: str) -> tuple[dict[date, int], list[Notice]]:
    """Find the column of each day, as 1/22/20 or 1/22/2020, beside those that tell of the place.

    Columns that are neither are told, and so is a day that is there twice, whose first column counts.

    >>> days_of(["Country", "1/22/20", "1/23/2020"], {"Country"}, "deaths.csv")
    ({datetime.date(2020, 1, 22): 1, datetime.date(2020, 1, 23): 2}, [])
    """
    days: dict[date, int] = {}
    notices = []
    for at, name in enumerate(names):
        if name in told:
            continue
        try:
            of = day(name.partition(" (column ")[0])  # a name that is there twice has its place behind it
        except ValueError:
            notices.append(Notice("column is no day", path, f"{name!r}: expected a day as 1/22/20", dropped=True))
            continue
        if of in days:
            notices.append(Notice("day is there twice", path, f"{name!r}: the first column is kept", dropped=True))
        else:
            days[of] = at
    if not days:
        raise DamagedFileError(f"{path}: expected a column for each day, as 1/22/20, found {', '.join(names[-3:])}")
    return days, notices


def counts_on(
    raw: RawReader,
    path: str,
    wanted: Mapping[str, Collection[date]],
    of: Callable[[Mapping[str, str]], Iterable[str]],
    *,
    told: Sequence[str],
    required: Sequence[str],
) -> tuple[dict[tuple[str, date], int], list[Notice]]:
    """Take the counts of places on some days; of what several rows belong to, such as a state, their sum.

    Args:
        raw: The files.
        path: The wide table.
        wanted: Place -> the days on which its count is wanted.
        of: From what a row tells to the places that it is counted for.
        told: All columns that tell of a place.
        required: The columns that the table must have; the first tells rows apart, and of two the first counts.
    """
    scan = scan_csv(raw, path, required=required)
    days, notices = days_of(scan.names, told, path)
    named = [(name, scan.names.index(name)) for name in told if name in scan.names]
    odd, seen, counts = Columns(), set[str](), dict[tuple[str, date], int]()
    for line, cells in scan.rows:
        row = {name: cells[at].strip() for name, at in named}
        if row[required[0]] in seen:
            notices.append(Notice("place listed twice", f"{path} line {line}", "the first row is kept", dropped=True))
            continue
        seen.add(row[required[0]])
        for place in set(of(row)):
            for on in wanted.get(place, ()):
                value = odd.value(count, cells[days[on]], f"{on:%m/%d/%y}") if on in days else None
                if value is not None:
                    counts[place, on] = counts.get((place, on), 0) + value
    if not seen:
        raise DamagedFileError(f"{path}: expected rows, found only a header")
    return counts, [*notices, *scan.notices, *odd.notices(path)]


def falls(values: Sequence[int | None]) -> Iterator[int]:
    """Find where a cumulative count is lower than the last known one before it.

    >>> list(falls([1, 3, None, 2, 2]))
    [3]
    """
    last = 0
    for index, value in enumerate(values):
        if value is not None:
            if value < last:
                yield index
            last = value
