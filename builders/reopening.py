"""Reopening of US states and counties: what three tables of policies date, with the cases before and after each day.

Longer than most because it reads three layouts of hand-kept tables and joins two more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Columns, day, fips, whole
from covid_datasets.read.rows import rows_by
from covid_datasets.read.tables import read_csv, read_xlsx
from covid_datasets.read.wide import counts_on
from covid_datasets.schema import Notice, RawFiles, RawReader, Record, Rows

LOOKUP = "csse_covid_19_data/UID_ISO_FIPS_LookUp_Table.csv"
CASES = "csse_covid_19_data/csse_covid_19_time_series/time_series_covid19_confirmed_US.csv"
CUSP = "COVID-19 US state policy database 3_30_2022.xlsx"
COUNTIES, KEYSTONE = "data/interventions.csv", "complete_npis_inherited_policies.csv"
BEFORE_AFTER = (("confirmed_before", -14), ("confirmed", 0), ("confirmed_after", 14))
"""Column -> days from the event, as the analysis takes them."""
HEADER_LINES = 4
"""Labels, categories, types and units stand below the names of the workbook's columns."""
TOLD = "UID iso2 iso3 code3 FIPS Admin2 Province_State Country_Region Lat Long_ Combined_Key".split()
Found = Iterator[dict[str, Any] | Notice]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each table of policies."""
    for path in sorted(TABLES):
        if raw.has(path):
            yield Record(sample_id=path, rows=Rows(path, event_rows, (path,), (path, LOOKUP, CASES)))
        else:
            yield Notice("missing file", path, "none of its policies is here", dropped=True, lost=True)


def event_rows(raw: RawReader, path: str) -> Iterator[Mapping[str, Any] | Notice]:
    """List what a table dates, and look up the population of its place and the cases around that day."""
    events: list[dict[str, Any]] = []
    for item in TABLES[path](raw):
        if isinstance(item, Notice):
            yield item
        else:
            events.append(item)
    table = read_csv(raw, LOOKUP, required=("FIPS", "Admin2", "Province_State", "Country_Region", "Population"))
    american = [row for row in table.rows if row["Country_Region"] == "US" and row["FIPS"].strip()]
    odd = Columns()
    places, notices = rows_by(american, lambda row: odd.value(fips, row["FIPS"], "FIPS") or "", LOOKUP)
    yield from (*table.notices, *notices)
    wanted: dict[str, set[date]] = defaultdict(set)
    for event in events:
        wanted[event["fips"]] |= {event["date"] + timedelta(after) for _, after in BEFORE_AFTER}
    states = {row["Province_State"]: code for code, (row, *_) in places.items() if len(code) == 2}

    def of(row: Mapping[str, str]) -> set[str]:
        return {odd.value(fips, row["FIPS"], "FIPS") or "", states.get(row["Province_State"], "")}

    cases, notices = counts_on(raw, CASES, wanted, of, told=TOLD, required=("UID", "FIPS", "Province_State"))
    yield from notices
    if strangers := [event["fips"] for event in events if event["fips"] not in places]:
        what = f"{len(strangers)} events of {', '.join(sorted(set(strangers)))[:200]} have no population"
        yield Notice("place not in the lookup table", path, what)
    for event in events:
        place = places.get(event["fips"], [{}])[0]
        event |= {"state": place.get("Province_State") or None, "county": place.get("Admin2") or None}
        event["level"] = "state" if len(event["fips"]) == 2 else "county"
        event["population"] = odd.value(whole, place.get("Population", ""), "Population")
        event |= {name: cases.get((event["fips"], event["date"] + timedelta(after))) for name, after in BEFORE_AFTER}
    again = len(events) - len({(e["fips"], e["policy_raw"], e["event"], e["round"], e["date"]) for e in events})
    if again:
        yield Notice("row listed twice", path, f"{again:,} events are there twice; all are kept", count=again)
    if events:
        yield {name: [event[name] for event in events] for name in events[0]}
    yield from odd.notices(path)


def _cusp(raw: RawReader) -> Found:
    """Read the workbook, a column a policy and a line a state."""
    known = load_card("reopening").facts["cusp"]
    table = read_xlsx(raw, CUSP, required=("STATE", "POSTCODE", "FIPS", *known))
    yield from table.notices
    types: Mapping[str, str] = next((row for row in table.rows if row["STATE"] == "type"), {})
    rows = [row for row in table.rows if row["FIPS"].strip().isdigit()]
    if not rows or not types or len(table.rows) - len(rows) != HEADER_LINES:
        what = f"expected {HEADER_LINES} lines below the names, one of them of types, and then states; found others"
        yield Notice("unknown layout", CUSP, what, lost=not rows or not types)
    for name, policy in known.items() if types else ():
        kind = types.get(name, "").strip()
        if kind not in ("start", "end"):
            yield Notice("unknown value", f"{CUSP}: {name}", f"type is {kind!r}, expected start or end", dropped=True)
            continue
        what, _, number = policy.partition(" x")
        dated = ((row["FIPS"], row[name].partition("T")[0]) for row in rows if row[name].strip() not in ("", "0"))
        yield from _events("cusp", what, name, "begins" if kind == "start" else "ends", dated, day, int(number or 1))


def _counties(raw: RawReader) -> Found:
    """Read the table of counties, whose days are numbers that Python's calendar gives them."""
    known = load_card("reopening").facts["county_summaries"]
    table = read_csv(raw, COUNTIES, required=("FIPS", *known))
    places, notices = rows_by(table.rows, lambda row: row["FIPS"].strip(), COUNTIES)
    yield from (*table.notices, *notices)
    for column, policy in known.items():
        dated = (
            (code.removesuffix("000") if len(code) == 5 else code, row[column])
            for code, (row, *_) in places.items() if row[column].strip() not in ("", "NA")
        )  # fmt: skip
        yield from _events(
            "county_summaries", policy, column, "ends" if "rollback" in column else "begins", dated, _ordinal
        )


def _keystone(raw: RawReader) -> Found:
    """Read the table of policies, a row each."""
    known = load_card("reopening").facts["keystone"]
    table = read_csv(raw, KEYSTONE, required=("fips", "npi", "start_date", "end_date"))
    yield from table.notices
    for name in sorted({row["npi"] for row in table.rows} - known.keys()):
        yield Notice("unknown value", KEYSTONE, f"npi is {name!r}, which the card does not list; it is kept")
    for name in dict.fromkeys(row["npi"] for row in table.rows):
        for column, event in (("start_date", "begins"), ("end_date", "ends")):
            dated = ((row["fips"], row[column]) for row in table.rows if row["npi"] == name and row[column].strip())
            yield from _events("keystone", known.get(name, name), name, event, dated, day)


TABLES: Mapping[str, Callable[[RawReader], Found]] = {CUSP: _cusp, COUNTIES: _counties, KEYSTONE: _keystone}


def _events(
    table: str, policy: str, name: str, event: str, dated: Iterable[tuple[str, str]], parse: Callable[[str], date],
    number: int = 1,
) -> Found:  # fmt: skip
    odd = Columns()
    for code, text in dated:
        place, on = odd.value(fips, code, "FIPS"), odd.value(parse, text, name)
        if place and on:
            yield {"table": table, "fips": place, "policy": policy, "policy_raw": name, "event": event,
                   "round": number, "date": on}  # fmt: skip
    for notice in odd.notices(f"{table}: {name}"):
        yield Notice(notice.kind, notice.where, f"{notice.what}; its event is left out", dropped=True)


def _ordinal(text: str) -> date:
    if not 700_000 < (number := whole(text)) < 800_000:
        raise ValueError("not a day that is counted from the year 1")
    return date.fromordinal(number)
