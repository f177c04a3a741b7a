"""A small set of what reopening joins: the workbook with its five lines of header, two tables of counties, and cases."""

from datetime import date, datetime
from pathlib import Path
from urllib.parse import unquote

from covid_datasets.catalog.cards import load_card
from covid_datasets.fetch.places import place
from tests.sources import workbook

CUSP = "COVID-19 US state policy database 3_30_2022.xlsx"
COUNTIES = "data/interventions.csv"
KEYSTONE = "complete_npis_inherited_policies.csv"
CASES = "csse_covid_19_data/csse_covid_19_time_series/time_series_covid19_confirmed_US.csv"
LOOKUP = "csse_covid_19_data/UID_ISO_FIPS_LookUp_Table.csv"

CUSP_DAYS = {
    "CLREST": (datetime(2020, 3, 19), datetime(2020, 3, 16)),
    "ENDREST": (datetime(2020, 5, 11), 0),
    "CLRST2": (0, datetime(2020, 11, 13)),
    "FM_ALL": (datetime(2020, 7, 16), "^"),
}
PLACES = "UID,iso2,iso3,code3,FIPS,Admin2,Province_State,Country_Region,Lat,Long_,Combined_Key"
COUNTED = ("4/27/20", "5/11/20", "5/25/20")
FILES = {
    COUNTIES: """\
FIPS,STATE,AREA_NAME,stay at home,>50 gatherings,>500 gatherings,public schools,restaurant dine-in,entertainment/gym,\
federal guidelines,foreign travel ban,stay at home rollback,>50 gatherings rollback,>500 gatherings rollback,\
restaurant dine-in rollback,entertainment/gym rollback
0,US,united states,,,,,,,,,,,,,
01000,AL,alabama,737519,737504,737497,737500,737503,737512,737500,737495,737545,NA,NA,737556,737556
01001,AL,autauga county,737519,737504,737497,737500,737503,737512,737500,737495,737545,737570,737571,737556,737557
""",
    KEYSTONE: """\
fips,county,state,npi,start_date,end_date,citation,note,re-opening_note,re-opening_citation
1,,Alabama,closing_of_public_venues,3/28/2020,5/11/2020,http://x,"5/11 restaurants, limited",,
1001,Autauga,Alabama,gathering_size_10_0,3/28/2020,,,,,
1001,Autauga,Alabama,school closure,,5/29/2020,,,,
1001,Autauga,Alabama,lockdown,,,,,,
""",
    LOOKUP: f"""\
{PLACES},Population
84000001,US,USA,840,1,,Alabama,US,32.3182,-86.9023,"Alabama, US",4903185
84000050,US,USA,840,50,,Vermont,US,44.0459,-72.7107,"Vermont, US",623989
84001001,US,USA,840,1001,Autauga,Alabama,US,32.53952745,-86.64408227,"Autauga, Alabama, US",55869
12,DZ,DZA,12,,,,Algeria,28.0339,1.6596,Algeria,43851043
""",
    CASES: f"""\
{PLACES},{",".join(COUNTED)}
84001001,US,USA,840,1001.0,Autauga,Alabama,US,32.53952745,-86.64408227,"Autauga, Alabama, US",37,103,159
84080001,US,USA,840,80001.0,Out of AL,Alabama,US,0.0,0.0,"Out of AL, Alabama, US",0,1,2
84050001,US,USA,840,50001.0,Addison,Vermont,US,44.0,-73.1,"Addison, Vermont, US",59,60,61
""",
}


def write_cusp(path: Path) -> None:
    """Write the workbook: five lines of header, and states; the name of its sheet ends with a blank."""
    known = load_card("reopening").facts["cusp"]
    ends = [name for name in known if name.startswith("END") or name in ("CURFEWEND", "OPNCLDCR", "CASOPEN")]
    lines: list[list[object]] = [
        ["STATE", "POSTCODE", "FIPS", *known],
        ["State", "State Abbreviation", "FIPS Code", *known.values()],
        ["category", "n/a", "n/a", *["physical_distance_closures"] * len(known)],
        ["type", "note", "note", *["end" if name in ends else "start" for name in known]],
        ["unit", "text", "attribute", *["date"] * len(known)],
    ]
    for at, state in enumerate((("Alabama", "AL", 1), ("Vermont", "VT", 50))):
        lines.append([*state, *[CUSP_DAYS.get(name, (0, 0))[at] for name in known]])
    path.write_bytes(workbook({"State policy changes ": lines, "Details": [["of this database"]]}))


def write_unpacked(folder: Path) -> None:
    """Write the files of four repositories."""
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="")
    write_cusp(folder / CUSP)


def write_archives(folder: Path) -> None:
    """Write what is served: each file under its address."""
    write_unpacked(folder / "tree")
    for resource in load_card("reopening").resources:
        target = folder / place(resource.copies[0].url)
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "tree" / unquote(resource.path)).replace(target)


EXPECTED = (
    {
        "table": "cusp",
        "level": "state",
        "fips": "01",
        "state": "Alabama",
        "policy": "restaurants",
        "policy_raw": "ENDREST",
        "event": "ends",
        "date": date(2020, 5, 11),
        "population": 4903185,
        "confirmed_before": 37,
        "confirmed": 104,
        "confirmed_after": 161,
    },
    {
        "table": "county_summaries",
        "fips": "01001",
        "county": "Autauga",
        "policy": "restaurants",
        "event": "ends",
        "date": date(2020, 5, 11),
        "confirmed_after": 159,
    },
    {"table": "keystone", "fips": "01001", "policy": "schools", "event": "ends", "date": date(2020, 5, 29)},
)
write = write_unpacked
