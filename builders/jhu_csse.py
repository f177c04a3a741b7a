"""Johns Hopkins CSSE: cumulative counts by place and day, as wide tables (a column a day) and as daily reports.

Longer than most because it is two layouts of hand-kept files, and each count that is none is told.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import DamagedFileError
from covid_datasets.read.cells import Columns, day, fips, number, time, whole
from covid_datasets.read.tables import read_csv, scan_csv
from covid_datasets.read.wide import Place, days_of, falls, read_places
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows

LOOKUP = "csse_covid_19_data/UID_ISO_FIPS_LookUp_Table.csv"
REPORTS = "csse_covid_19_data/csse_covid_19_daily_reports"
GROUPS = {"global": "Country_Region", "us": "Province_State"}
"""Level -> the column of which each value is a record."""
NAMES = ("Country_Region", "Province_State", "Admin2")
TOLD = (*NAMES, "UID", "iso2", "iso3", "code3", "FIPS", "Lat", "Long_", "Combined_Key", "Population")
PLACE: Mapping[str, tuple[str, Any]] = {
    "country": ("Country_Region", str), "province": ("Province_State", str), "county": ("Admin2", str),
    "iso2": ("iso2", str), "iso3": ("iso3", str), "uid": ("UID", whole), "fips": ("FIPS", fips),
    "lat": ("Lat", number), "lon": ("Long_", number), "population": ("Population", whole),
}  # fmt: skip
"""Column of a wide table of ours -> that of the publisher, and what is in its cells."""
REPORTED: Mapping[str, tuple[str, Any]] = {
    "country_raw": ("Country_Region", str), "province": ("Province_State", str), "county": ("Admin2", str),
    "fips": ("FIPS", fips), "lat": ("Lat", number), "lon": ("Long_", number), "last_update": ("Last_Update", time),
    "active": ("Active", whole), "incident_rate": ("Incident_Rate", number),
    "case_fatality_ratio": ("Case_Fatality_Ratio", number),
}  # fmt: skip
Lookup = Mapping[tuple[str, ...], Mapping[str, str]]
Found = Iterator[Mapping[str, Any] | Notice]
COUNTS = {"confirmed": "Confirmed", "deaths": "Deaths", "recovered": "Recovered"}
ROW_BYTES = 130
"""About what a row takes when stored."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record per country and US state, or, of the daily reports, one per day."""
    countries: Lookup = {}
    if raw.has(LOOKUP):
        table = read_csv(raw, LOOKUP, required=(*TOLD[:6], "Population"))
        countries = {tuple(row[name].strip() for name in NAMES): row for row in table.rows}
        yield from table.notices
    else:
        yield Notice("missing file", LOOKUP, "places of the world have no codes and no population")
    if raw.options.get("daily"):
        yield from _days(raw, {place[0] for place in countries})
    else:
        yield from _series(raw, "global", countries)
        yield from _series(raw, "us", {})


def _series(raw: RawFiles, level: str, lookup: Lookup) -> Iterator[Record | Notice]:
    """Go through the places of the wide tables; of the counts, only where they are."""
    facts, group = load_card("jhu_csse").facts, NAMES.index(GROUPS[level])
    present = {count: path for count, path in facts[level].items() if raw.has(path)}
    for count in sorted(facts[level].keys() - present.keys()):
        yield Notice("missing file", facts[level][count], f"{count} is null for level {level!r}", dropped=True)
    key = (GROUPS[level], *NAMES[:group], *NAMES[group + 1 :], "UID")
    required = (*NAMES[: 3 if level == "us" else 2], "Lat", "Long_")
    found, longest, notices = read_places(raw, present, key, told=TOLD, required=required, rename=facts["renamed"])
    yield from notices
    places = {tuple(place.told.get(name, "") for name in (*NAMES, "UID")): place for place in found.values()}
    for key, place in sorted(places.items()):
        if lacking := sorted(present.keys() - dict(place.lines).keys()):
            yield Notice("place not in every file", _name(key[:3]), f"{' and '.join(lacking)} are null")
        if lookup and key[:3] not in lookup:
            yield Notice("place not in the lookup table", _name(key[:3]), "it has no codes and no population")
        elif lookup:
            said = {name: cell for name, cell in place.told.items() if cell}
            places[key] = replace(place, told={**lookup[key[:3]], **said})
    for name, keys in groupby(sorted(places, key=lambda key: (key[group], key)), key=lambda key: key[group]):
        members = tuple(places[key] for key in keys)
        size = len(members) * longest * ROW_BYTES
        arguments = (level, tuple(present.items()), members)
        path = f"{level}/{name}"
        yield Record(sample_id=path, rows=Rows(path, series_rows, arguments, tuple(present.values()), size))


def series_rows(raw: RawReader, level: str, files: Sequence[tuple[str, str]], places: Sequence[Place]) -> Found:
    """Turn the rows of some places, a column a day, into a row a day."""
    scans = {}
    for count, path in files:
        lines = {line for place in places for counted, line in place.lines if counted == count}
        scan = scan_csv(raw, path, required=(), rename=load_card("jhu_csse").facts["renamed"], lines=lines)
        scans[count] = (days_of(scan.names, TOLD, path)[0], dict(scan.rows))
    days = sorted({of for columns, _ in scans.values() for of in columns})
    fallen: dict[str, int] = defaultdict(int)
    for place in places:
        odd, revised = Columns(), [False] * len(days)
        told = {ours: odd.value(convert, place.told.get(name, ""), name) for ours, (name, convert) in PLACE.items()}
        columns: dict[str, Any] = {"date": days, "level": level, **told}
        for count, line in place.lines:
            at, rows = scans[count]
            columns[count] = odd.counts([rows[line][at[of]] if of in at else "" for of in days], count)
            for index in falls(columns[count]):
                revised[index] = True
                fallen[count] += 1
        yield columns | {"revised": revised}
        yield from odd.notices(f"{level}/{_name([place.told.get(name, '') for name in NAMES])}")
    if fallen:
        where = f"{level}/{places[0].told[GROUPS[level]]}"
        what = ", ".join(f"{count} on {number}" for count, number in sorted(fallen.items()))
        yield Notice("cumulative count goes down", where, f"{what} days in {len(places)} places; kept, revised is true")


def _days(raw: RawFiles, known: set[str]) -> Iterator[Record | Notice]:
    """Go through the daily reports; their own name says the day."""
    renamed = tuple((old, new) for old, new in load_card("jhu_csse").facts["countries"].items() if new in known)
    for path in raw.paths(f"{REPORTS}/*.csv"):
        name = re.fullmatch(r"(\d\d)-(\d\d)-(\d{4})\.csv", path.removeprefix(f"{REPORTS}/"))
        try:
            of = day("/".join(name.groups()) if name else path)
        except ValueError:
            yield Notice("file name is no day", path, "expected MM-DD-YYYY.csv", dropped=True)
            continue
        yield Record(sample_id=of.isoformat(), rows=Rows(path, report_rows, (path, of, renamed), (path,)))


def report_rows(raw: RawReader, path: str, of: date, countries: Sequence[tuple[str, str]]) -> Found:
    """Read the report of a day; columns that its header does not have yet are null."""
    required = (*NAMES[:2], "Last_Update", *COUNTS.values())
    scan = scan_csv(raw, path, required=required, rename=load_card("jhu_csse").facts["renamed"])
    found = [cells for _, cells in scan.rows]
    yield from scan.notices
    if not found:
        raise DamagedFileError(f"{path}: expected rows, found only a header")
    known = {name for name, _ in REPORTED.values()} | {*COUNTS.values(), "Combined_Key"}
    if unknown := sorted(set(scan.names) - known):
        yield Notice("unknown column", path, f"not in the dataset: {', '.join(unknown)}", dropped=True)
    odd, names, blank = Columns(), dict(countries), [""] * len(found)
    cells = dict(zip(scan.names, zip(*found, strict=True), strict=True))
    columns: dict[str, Any] = {"date": [of] * len(found)}
    columns |= {ours: odd.values(convert, cells.get(name, blank), name) for ours, (name, convert) in REPORTED.items()}
    columns |= {ours: odd.counts(cells.get(name, blank), name) for ours, name in COUNTS.items()}
    yield columns | {"country": [names.get(name, name) for name in columns["country_raw"]]}
    yield from odd.notices(path)


def _name(key: Sequence[str]) -> str:
    return ", ".join(filter(None, key))
