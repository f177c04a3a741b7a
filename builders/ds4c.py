"""DS4C, South Korea: tables of persons, their routes, clusters of cases, and what was counted by day and place."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Columns
from covid_datasets.read.rows import Row, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.read.typed import TableForm, typed_columns, typed_rows
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows

PERSONS, ROUTES, CASES = "PatientInfo.csv", "PatientRoute.csv", "Case.csv"
OPTIONAL = ("global_num", "birth_year", "disease", "infection_order")
"""Columns that the last version of the persons gave up."""
KEYS = {
    PERSONS: ("patient_id",), ROUTES: ("patient_id", "date", "type", "latitude", "longitude"), CASES: ("case_id",),
    "Policy.csv": ("policy_id",), "Region.csv": ("code",), "SearchTrend.csv": ("date",), "Time.csv": ("date",),
    "SeoulFloating.csv": ("date", "hour", "birth_year", "sex", "city"), "TimeAge.csv": ("date", "age"),
    "TimeGender.csv": ("date", "sex"), "TimeProvince.csv": ("date", "province"), "Weather.csv": ("code", "date"),
}  # fmt: skip
"""Table -> what tells its rows apart."""
UNKNOWN = ("-",)
NO_STOP: Row = {}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield the one record of a config: all rows of its table, or of the three that are joined."""
    if not (path := str(raw.options.get("table", ""))):
        files = tuple(path for path in (PERSONS, ROUTES, CASES) if raw.has(path))
        yield Record(sample_id=raw.config, rows=Rows(PERSONS, joined, (raw.config,), files))
    else:
        yield Record(sample_id=raw.config, rows=Rows(path, table_rows, (path, raw.config), (path,)))


def table_rows(raw: RawReader, path: str, config: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Read one table as it is, with its cells as values."""
    columns = load_card("ds4c").choice(config=config).columns
    optional = OPTIONAL if path == PERSONS else ()
    form = TableForm(columns=columns, convert=_converters(), optional=optional, key=KEYS[path], unknown=UNKNOWN)
    yield from typed_rows(raw, path, form)


def joined(raw: RawReader, config: str) -> Iterator[Mapping[str, Any] | Notice]:
    """Join each person with the stops of their route, and with the cluster of their province and infection case."""
    columns = load_card("ds4c").choice(config=config).columns
    renamed = load_card("ds4c").facts["joined"]
    persons = read_csv(raw, PERSONS, required=[name for name in columns if name not in (*renamed, "stop")])
    by_id, notices = rows_by(persons.rows, lambda row: row["patient_id"], PERSONS)
    yield from (*persons.notices, *notices)
    clusters = read_csv(raw, CASES, required=(*_of(CASES, renamed), "province", "infection_case"))
    by_cluster, notices = rows_by(clusters.rows, lambda row: f"{row['province']}: {row['infection_case']}", CASES)
    yield from (*clusters.notices, *notices)
    stops: dict[str, list[Row]] = defaultdict(list)
    if raw.has(ROUTES):
        routes = read_csv(raw, ROUTES, required=("patient_id", *_of(ROUTES, renamed)))
        yield from (*routes.notices, *_odd_stops(routes.rows, by_id))
        for stop in routes.rows:
            stops[stop["patient_id"]].append(stop)
    else:
        yield Notice("no such table", ROUTES, "nobody has a route; the last version has no such table")
    rows: list[dict[str, str]] = []
    for person, (told, *_) in by_id.items():
        cluster: Row = by_cluster.get(f"{told['province']}: {told['infection_case']}", [{}])[0]
        for number, at in enumerate(stops[person] or [NO_STOP]):
            found = {"stop": str(number) if at else ""}
            for ours, theirs in renamed.items():
                table, _, column = theirs.partition(" ")
                found[ours] = (cluster if table == CASES else at).get(column, "")
            rows.append({**told, **found})
    odd = Columns()
    cells = {name: [row.get(name, "") for row in rows] for name in columns}
    yield typed_columns(cells, TableForm(columns=columns, convert=_converters(), unknown=UNKNOWN), odd, len(rows))
    yield from odd.notices(PERSONS)


def _of(table: str, renamed: Mapping[str, str]) -> list[str]:
    return [theirs.partition(" ")[2] for theirs in renamed.values() if theirs.startswith(f"{table} ")]


def _odd_stops(rows: list[dict[str, str]], persons: Mapping[str, Any]) -> Iterator[Notice]:
    strangers = Counter(row["patient_id"] for row in rows if row["patient_id"] not in persons)
    for person, count in sorted(strangers.items()):
        yield Notice("route of nobody", person or ROUTES, f"{count} stops of nobody in {PERSONS}", dropped=True)
    if twice := len(rows) - len({tuple(row.values()) for row in rows}):
        yield Notice("row listed twice", ROUTES, f"{twice:,} stops are there twice; all are kept", count=twice)


def _converters() -> dict[str, Any]:
    provinces = load_card("ds4c").facts["provinces"]
    return {"age": decade, "province": partial(_renamed, provinces), "route_province": partial(_renamed, provinces)}


def decade(text: str) -> str:
    """Read an age by tens of years; one in a version of the table lacks its letter."""
    if not (found := re.fullmatch(r"((?:10|[1-9])?0)s?", text.strip())):
        raise ValueError("not an age by tens of years, as 30s")
    return f"{found[1]}s"


def _renamed(provinces: Mapping[str, str], text: str) -> str:
    return provinces.get(text.strip(), text.strip())
