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
from covid_datasets.read.cells import Columns, day, fips
from covid_datasets.read.cells import count as whole_count
from covid_datasets.read.tables import read_csv, scan_csv
from covid_datasets.read.typed import TableForm, typed_columns, typed_rows
from covid_datasets.read.wide import Place, days_of, falls, read_places
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows

LOOKUP = "csse_covid_19_data/UID_ISO_FIPS_LookUp_Table.csv"
GROUPS = {"global": "Country_Region", "us": "Province_State"}
"""Level -> the column of which each value is a record."""
NAMES = ("Country_Region", "Province_State", "Admin2")
TOLD = (*NAMES, "UID", "iso2", "iso3", "code3", "FIPS", "Lat", "Long_", "Combined_Key", "Population")
Lookup = Mapping[tuple[str, ...], Mapping[str, str]]
Found = Iterator[Mapping[str, Any] | Notice]
COUNTS = {"confirmed": "Confirmed", "deaths": "Deaths", "recovered": "Recovered"}
ROW_BYTES = 130
"""About what a row takes when stored."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record per country and US state, of daily reports one per day, and of other tables one."""
    reports, table = str(raw.options.get("reports", "")), str(raw.options.get("table", ""))
    if table:
        yield Record(sample_id=raw.config, rows=Rows(table, table_rows, (raw.config, table), (table,)))
    elif raw.config == "daily_reports_us":  # their only country has one name
        yield from _reports(raw, reports, {})
    else:
        countries: Lookup = {}
        if raw.has(LOOKUP):
            lookup = read_csv(raw, LOOKUP, required=(*TOLD[:6], "Population"))
            countries = {tuple(row[name].strip() for name in NAMES): row for row in lookup.rows}
            yield from lookup.notices
        else:
            yield Notice("missing file", LOOKUP, "places of the world have no codes and no population", lost=True)
        yield from _reports(raw, reports, countries) if reports else _series(raw, "global", countries)
        yield from () if reports else _series(raw, "us", {})


def _series(raw: RawFiles, level: str, lookup: Lookup) -> Iterator[Record | Notice]:
    """Go through the places of the wide tables; of the counts, only where they are."""
    facts, group = load_card("jhu_csse").facts, NAMES.index(GROUPS[level])
    present = {count: path for count, path in facts[level].items() if raw.has(path)}
    for count in sorted(facts[level].keys() - present.keys()):
        yield Notice(
            "missing file", facts[level][count], f"{count} is null for level {level!r}", dropped=True, lost=True
        )
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
    scans, form = {}, _form("time_series", without=("level", *COUNTS, "revised"))
    for count, path in files:
        lines = {line for place in places for counted, line in place.lines if counted == count}
        scan = scan_csv(raw, path, required=(), rename=load_card("jhu_csse").facts["renamed"], lines=lines)
        scans[count] = (days_of(scan.names, TOLD, path)[0], dict(scan.rows))
    days = sorted({of for columns, _ in scans.values() for of in columns})
    fallen: dict[str, int] = defaultdict(int)
    for place in places:
        odd, revised = Columns(), [False] * len(days)
        told = typed_columns({name: [cell] for name, cell in place.told.items()}, form, odd, 1)
        columns: dict[str, Any] = {"date": days, "level": level} | {name: cell for name, (cell,) in told.items()}
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


def _reports(raw: RawFiles, folder: str, lookup: Lookup) -> Iterator[Record | Notice]:
    """Go through the daily reports; their own name says the day."""
    known = {country for country, *_ in lookup}
    countries = tuple((old, new) for old, new in load_card("jhu_csse").facts["countries"].items() if new in known)
    for path in raw.paths(f"{folder}/*.csv"):
        name = re.fullmatch(r"(\d\d)-(\d\d)-(\d{4})\.csv", path.removeprefix(f"{folder}/"))
        try:
            of = day("/".join(name.groups()) if name else path)
        except ValueError:
            yield Notice("file name is no day", path, "expected MM-DD-YYYY.csv", dropped=True)
            continue
        yield Record(sample_id=of.isoformat(), rows=Rows(path, report_rows, (raw.config, path, of, countries), (path,)))


def report_rows(raw: RawReader, config: str, path: str, of: date, countries: Sequence[tuple[str, str]]) -> Found:
    """Read the report of a day; columns that its header does not have yet are null."""
    renamed = dict(countries)
    for item in typed_rows(raw, path, _form(config, key=("province", "county", "country", "country_raw"))):
        if not isinstance(item, Notice):
            raw_names = item.get("country_raw")
            country = {"country": [renamed.get(name, name) for name in raw_names]} if raw_names else {}
            yield item | country | {"date": of}
        elif item.kind != "column missing":
            yield item


def table_rows(raw: RawReader, config: str, path: str) -> Found:
    """Read a table as it is."""
    yield from typed_rows(raw, path, _form(config, key=("uid",)))


def _form(config: str, key: Sequence[str] = (), without: Sequence[str] = ()) -> TableForm:
    card = load_card("jhu_csse")
    columns = dict(card.choice(config=config).columns)
    for name in ("date", *without, "country" if "country_raw" in columns else ""):
        columns.pop(name, None)
    later, left_out = (card.facts["later"], ("Combined_Key",)) if "last_update" in columns else ((), ())
    return TableForm(
        columns=columns, names=card.facts["names"], rename=card.facts["renamed"], optional=later, left_out=left_out,
        convert={"fips": fips, **dict.fromkeys(COUNTS, whole_count)},
        key=[name for name in key if name in columns] or list(columns),
    )  # fmt: skip


def _name(key: Sequence[str]) -> str:
    return ", ".join(filter(None, key))
