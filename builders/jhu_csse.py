"""Johns Hopkins CSSE: cumulative counts by place and day, as wide tables (a column a day) and as daily reports.

Longer than most because it is two layouts, and because three years of hand-kept files have five headers, three ways
to write a time, and counts of which each that is no count is told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Cells, day, number, time, whole
from covid_datasets.read.tables import read_csv, scan_csv
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows

DATA = "csse_covid_19_data"
LOOKUP = f"{DATA}/UID_ISO_FIPS_LookUp_Table.csv"
REPORTS = f"{DATA}/csse_covid_19_daily_reports"
SERIES = {
    level: {
        count: f"{DATA}/csse_covid_19_time_series/time_series_covid19_{count}_{ending}.csv"
        for count in ("confirmed", "deaths", "recovered")[:counts]
    }
    for level, ending, counts in (("global", "global", 3), ("us", "US", 2))
}
NAMES = {
    "Province/State": "Province_State",
    "Country/Region": "Country_Region",
    "Last Update": "Last_Update",
    "Latitude": "Lat",
    "Longitude": "Long_",
    "Long": "Long_",
    "Incidence_Rate": "Incident_Rate",
    "Case-Fatality_Ratio": "Case_Fatality_Ratio",
}
"""Names of columns in older headers -> those of the last one."""
COUNTRIES = {"Mainland China": "China", "South Korea": "Korea, South", "UK": "United Kingdom"}
"""Names of countries in early reports -> those of the lookup table, where that has them."""
GROUPS = {"global": "Country_Region", "us": "Province_State"}
"""Level -> the column of which each value is a record."""
PLACE = ("Country_Region", "Province_State", "Admin2")
TOLD = (*PLACE, "UID", "iso2", "iso3", "code3", "FIPS", "Lat", "Long_", "Combined_Key", "Population")
REPORTED = (
    *(*PLACE, "FIPS", "Last_Update", "Lat", "Long_", "Confirmed", "Deaths", "Recovered", "Active", "Combined_Key"),
    *("Incident_Rate", "Case_Fatality_Ratio"),
)
ROW_BYTES = 130
"""About what a row takes when stored."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a wide table: what its row says of it, and the line that it has in the file of each count."""

    told: Mapping[str, str]
    lines: tuple[tuple[str, int], ...]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record per country and US state, or, of the daily reports, one per day."""
    countries: dict[tuple[str, ...], Mapping[str, str]] = {}
    if raw.has(LOOKUP):
        table = read_csv(raw, LOOKUP, required=(*TOLD[:6], "Population"))
        countries = {tuple(row[name].strip() for name in PLACE): row for row in table.rows}
        yield from table.notices
    else:
        yield Notice("missing file", LOOKUP, "places of the world have no codes and no population", lost=True)
    if raw.options.get("daily"):
        yield from _days(raw, {place[0] for place in countries})
    else:
        yield from _series(raw, "global", countries)
        yield from _series(raw, "us", {})


def _series(
    raw: RawFiles, level: str, lookup: Mapping[tuple[str, ...], Mapping[str, str]]
) -> Iterator[Record | Notice]:
    """Go through the places of the wide tables; of the counts, only where they are."""
    places: dict[tuple[str, ...], Place] = {}
    group = PLACE.index(GROUPS[level])
    present = {count: path for count, path in SERIES[level].items() if raw.has(path)}
    longest = 1
    for count, path in SERIES[level].items():
        if count not in present:
            yield Notice("missing file", path, f"{count} is null for level {level!r}", dropped=True, lost=True)
            continue
        scan = scan_csv(raw, path, required=(*PLACE[: 3 if level == "us" else 2], "Lat", "Long_"), rename=NAMES)
        days, told = _days_of(scan.names, path)
        yield from told
        longest = max(longest, len(days))
        named = [(name, scan.names.index(name)) for name in TOLD if name in scan.names]
        for line, cells in scan.rows:
            row = {name: cells[at].strip() for name, at in named}
            key = tuple(row.get(name, "") for name in (*PLACE, "UID"))
            if not key[group]:
                yield Notice("row without a place", f"{path} line {line}", f"expected a {PLACE[group]}", dropped=True)
                continue
            before = places.get(key, Place({}, ()))
            if count in dict(before.lines):
                yield Notice(
                    "place listed twice", f"{path} line {line}", f"the first row of {key} is kept", dropped=True
                )
                continue
            places[key] = Place(row | _said(before.told), (*before.lines, (count, line)))
        yield from scan.notices
    for key, place in sorted(places.items()):
        if lacking := sorted(present.keys() - dict(place.lines).keys()):
            yield Notice("place not in every file", _name(key[:3]), f"{' and '.join(lacking)} are null")
        if lookup and key[:3] not in lookup:
            yield Notice("place not in the lookup table", _name(key[:3]), "it has no codes and no population")
        elif lookup:
            places[key] = replace(place, told={**lookup[key[:3]], **_said(place.told)})
    for name, keys in groupby(sorted(places, key=lambda key: (key[group], key)), key=lambda key: key[group]):
        members = tuple(places[key] for key in keys)
        size = len(members) * longest * ROW_BYTES
        arguments = (level, tuple(present.items()), members)
        path = f"{level}/{name}"
        yield Record(sample_id=path, rows=Rows(path, series_rows, arguments, tuple(present.values()), size))


def series_rows(
    raw: RawReader, level: str, files: Sequence[tuple[str, str]], places: Sequence[Place]
) -> Iterator[Mapping[str, Any] | Notice]:
    """Turn the rows of some places, a column a day, into a row a day."""
    scans = {}
    for count, path in files:
        lines = {line for place in places for counted, line in place.lines if counted == count}
        scan = scan_csv(raw, path, required=(), rename=NAMES, lines=lines)
        scans[count] = (_days_of(scan.names, path)[0], dict(scan.rows))
    days = sorted({of for columns, _ in scans.values() for of in columns})
    falls: dict[str, int] = defaultdict(int)
    for place in places:
        odd = Cells()
        columns: dict[str, Any] = {"date": days, "level": level, **_place(place.told, odd)}
        revised = [False] * len(days)
        for count, line in place.lines:
            at, rows = scans[count]
            columns[count] = odd.counts([rows[line][at[of]] if of in at else "" for of in days], count)
            for index in _falls(columns[count]):
                revised[index] = True
                falls[count] += 1
        yield columns | {"revised": revised}
        yield from odd.notices(f"{level}/{_name([place.told.get(name, '') for name in PLACE])}")
    if falls:
        where = f"{level}/{places[0].told[GROUPS[level]]}"
        what = ", ".join(f"{count} on {number}" for count, number in sorted(falls.items()))
        yield Notice("cumulative count goes down", where, f"{what} days in {len(places)} places; kept, revised is true")


def _place(told: Mapping[str, str], odd: Cells) -> dict[str, Any]:
    return {
        "country": told["Country_Region"] or None,
        "province": told.get("Province_State") or None,
        "county": told.get("Admin2") or None,
        "iso2": told.get("iso2") or None,
        "iso3": told.get("iso3") or None,
        "uid": odd.value(whole, told.get("UID", ""), "UID"),
        "fips": odd.value(_fips, told.get("FIPS", ""), "FIPS"),
        "lat": odd.value(number, told.get("Lat", ""), "Lat"),
        "lon": odd.value(number, told.get("Long_", ""), "Long_"),
        "population": odd.value(whole, told.get("Population", ""), "Population"),
    }


def _days(raw: RawFiles, known: set[str]) -> Iterator[Record | Notice]:
    """Go through the daily reports; their own name says the day."""
    renamed = tuple((old, new) for old, new in COUNTRIES.items() if new in known)
    for path in raw.paths(f"{REPORTS}/*.csv"):
        name = re.fullmatch(r"(\d\d)-(\d\d)-(\d{4})\.csv", path.removeprefix(f"{REPORTS}/"))
        try:
            of = day("/".join(name.groups()) if name else path)
        except ValueError:
            yield Notice("file name is no day", path, "expected MM-DD-YYYY.csv", dropped=True)
            continue
        yield Record(sample_id=of.isoformat(), rows=Rows(path, report_rows, (path, of, renamed), (path,)))


def report_rows(
    raw: RawReader, path: str, of: date, renamed: Sequence[tuple[str, str]]
) -> Iterator[Mapping[str, Any] | Notice]:
    """Read the report of a day; columns that its header does not have yet are null."""
    scan = scan_csv(raw, path, required=(*PLACE[:2], "Last_Update", "Confirmed", "Deaths", "Recovered"), rename=NAMES)
    found = [cells for _, cells in scan.rows]
    yield from scan.notices
    if not found:
        raise DamagedFileError(f"{path}: expected rows, found only a header")
    if unknown := sorted(set(scan.names) - set(REPORTED)):
        yield Notice("unknown column", path, f"not in the dataset: {', '.join(unknown)}", dropped=True)
    odd, names, blank = Cells(), dict(renamed), [""] * len(found)
    columns = dict(zip(scan.names, zip(*found, strict=True), strict=True))
    cells = {name: [cell.strip() for cell in columns.get(name, blank)] for name in REPORTED}
    yield {
        "date": [of] * len(found),
        "country": [names.get(name, name) or None for name in cells["Country_Region"]],
        "country_raw": [name or None for name in cells["Country_Region"]],
        "province": [name or None for name in cells["Province_State"]],
        "county": [name or None for name in cells["Admin2"]],
        "fips": odd.values(_fips, cells["FIPS"], "FIPS"),
        "lat": odd.values(number, cells["Lat"], "Lat"),
        "lon": odd.values(number, cells["Long_"], "Long_"),
        "last_update": odd.values(time, cells["Last_Update"], "Last_Update"),
        "confirmed": odd.counts(cells["Confirmed"], "Confirmed"),
        "deaths": odd.counts(cells["Deaths"], "Deaths"),
        "recovered": odd.counts(cells["Recovered"], "Recovered"),
        "active": odd.values(whole, cells["Active"], "Active"),
        "incident_rate": odd.values(number, cells["Incident_Rate"], "Incident_Rate"),
        "case_fatality_ratio": odd.values(number, cells["Case_Fatality_Ratio"], "Case_Fatality_Ratio"),
    }
    yield from odd.notices(path)


def _days_of(names: Sequence[str], path: str) -> tuple[dict[date, int], list[Notice]]:
    """Find the column of each day, as 1/22/20 or 1/22/2020, and tell of columns that are neither a day nor known."""
    days: dict[date, int] = {}
    notices = []
    for at, name in enumerate(names):
        if name in TOLD:
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


def _falls(values: Sequence[int | None]) -> Iterator[int]:
    """Find where a count is lower than the last known one before."""
    last = 0
    for index, value in enumerate(values):
        if value is not None:
            if value < last:
                yield index
            last = value


def _said(row: Mapping[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if cell}


def _fips(text: str) -> str:
    """Undo what spreadsheets do to codes: 60.0 is state or territory 60, 1001 is county 01001."""
    code = whole(text)
    if not 0 < code <= 99999:
        raise ValueError("not a FIPS code")
    return f"{code:02d}" if code < 100 else f"{code:05d}"


def _name(key: Sequence[str]) -> str:
    return ", ".join(filter(None, key))
