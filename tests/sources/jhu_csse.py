"""A small JHU CSSE: the wide tables, the lookup table and a report of each header, with the dirt of the real ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

HOST = "raw.githubusercontent.com/CSSEGISandData/COVID-19/4360e50239b4eb6b22f3a1759323748f36752177"
DATA = "csse_covid_19_data"
SERIES = f"{DATA}/csse_covid_19_time_series/time_series_covid19"
REPORTS = f"{DATA}/csse_covid_19_daily_reports"
LOOKUP = f"{DATA}/UID_ISO_FIPS_LookUp_Table.csv"
DAYS = [date(2020, 1, 22) + timedelta(number) for number in range(6)]
SHORT = [f"{day.month}/{day.day}/{day:%y}" for day in DAYS]
LONG = [f"{day.month}/{day.day}/{day:%Y}" for day in DAYS]  # one stored version of the recovered file has these

GLOBAL = "Province/State,Country/Region,Lat,Long"
US = "UID,iso2,iso3,code3,FIPS,Admin2,Province_State,Country_Region,Lat,Long_,Combined_Key"

LOOKUP_ROWS = """\
UID,iso2,iso3,code3,FIPS,Admin2,Province_State,Country_Region,Lat,Long_,Combined_Key,Population
12,DZ,DZA,12,,,,Algeria,28.0339,1.6596,Algeria,43851043
124,CA,CAN,124,,,,Canada,60.0,-95.0,Canada,38246108
12401,CA,CAN,124,,,Alberta,Canada,53.9333,-116.5765,"Alberta, Canada",4442879
12402,CA,CAN,124,,,Ontario,Canada,51.2538,-85.3232,"Ontario, Canada",14826276
156,CN,CHN,156,,,,China,30.5928,114.3055,China,1411778724
15611,CN,CHN,156,,,Hubei,China,30.9756,112.2707,"Hubei, China",58500000
384,CI,CIV,384,,,,Cote d'Ivoire,7.54,-5.5471,Cote d'Ivoire,26378275
9999,,,,,,,Diamond Princess,,,Diamond Princess,
410,KR,KOR,410,,,,"Korea, South",35.907757,127.766922,"Korea, South",51269183
826,GB,GBR,826,,,,United Kingdom,55.3781,-3.436,United Kingdom,67886004
840,US,USA,840,,,,US,40.0,-100.0,US,329466283
16,AS,ASM,16,60,,American Samoa,US,-14.271,-170.132,"American Samoa, US",55641
84001001,US,USA,840,01001,Autauga,Alabama,US,32.53952745,-86.64408227,"Autauga, Alabama, US",55869
"""

CONFIRMED = f"""\
{GLOBAL},{",".join(SHORT)}
,Algeria,28.0339,1.6596,0,12,12,65,24,65
Alberta,Canada,53.9333,-116.5765,0,0,1,2,2,3
Ontario,Canada,51.2538,-85.3232,0,0,1,3,5,8
Hubei,China,30.9756,112.2707,444,444,549,761,1058,1423
,Cote d'Ivoire,7.54,-5.5471,0,0,0,0,0,1
,Diamond Princess,,,0,0,0,0,0,0
,"Korea, South",35.907757,127.766922,1,1,2,2,3,4
,US,40.0,-100.0,1,1,2,2,5,5
"""
DEATHS = CONFIRMED.replace("444,444,549,761,1058,1423", "17,17,24,40,52,76")
RECOVERED = f"""\
{GLOBAL},{",".join(LONG)}
,Algeria,28.0339,1.6596,0,0,8,12,12,32
,Canada,56.1304,-106.3468,0,0,0,0,1,1
Hubei,China,30.9756,112.2707,28,28,31,32,42,45
,"Korea, South",35.907757,127.766922,,,,,,
,US,40.0,-100.0,0,0,0,0,,
"""
CONFIRMED_US = f"""\
{US},{",".join(SHORT)}
16,AS,ASM,16,60.0,,American Samoa,US,-14.271,-170.132,"American Samoa, US",0,0,0,0,0,0
63072001,PR,PRI,630,72001.0,Adjuntas,Puerto Rico,US,18.180117000000006,-66.754367,"Adjuntas, Puerto Rico, US",0,0,0,1,1,2
84001001,US,USA,840,1001.0,Autauga,Alabama,US,32.53952745,-86.64408227,"Autauga, Alabama, US",0,1,2,3,2,4
84001003,US,USA,840,1003.0,Baldwin,Alabama,US,30.72774991,-87.72207058,"Baldwin, Alabama, US",0,0,1,1,1,1
84053033,US,USA,840,53033.0,King,Washington,US,47.49137892,-121.8346131,"King, Washington, US",1,1,1,1,2,2
"""
DEATHS_US = CONFIRMED_US.replace("Combined_Key,", "Combined_Key,Population,").replace(', US",', ', US",1000,')

REPORTS_BY_NAME = {
    # The first header, with a byte order mark; nothing counted is an empty cell.
    "01-22-2020": """\
\ufeffProvince/State,Country/Region,Last Update,Confirmed,Deaths,Recovered
Hubei,Mainland China,1/22/2020 17:00,444,17,28
Gansu,Mainland China,1/22/2020 17:00,,,
Washington,US,1/22/2020 17:00,1,,
,South Korea,1/22/2020 17:00,1,,
""",
    "02-02-2020": """\
Province/State,Country/Region,Last Update,Confirmed,Deaths,Recovered
Hubei,Mainland China,2020-02-02T23:43:02,11177,350,295
,UK,2020-02-01T01:52:00,2,0,0
"Seattle, WA",US,2020-02-01T19:43:03,1,0,0
""",
    "03-01-2020": """\
Province/State,Country/Region,Last Update,Confirmed,Deaths,Recovered,Latitude,Longitude
Hubei,Mainland China,2020-03-01T10:13:19,66907,2761,31536,30.9756,112.2707
,South Korea,2020-03-01T23:43:03,3736,17,30,36.0000,128.0000
""",
    "03-23-2020": """\
FIPS,Admin2,Province_State,Country_Region,Last_Update,Lat,Long_,Confirmed,Deaths,Recovered,Active,Combined_Key
45001,Abbeville,South Carolina,US,2020-03-23 23:19:34,34.22333378,-82.46170658,1,0,0,0,"Abbeville, South Carolina, US"
1001,Autauga,Alabama,US,3/23/20 23:19,32.53952745,-86.64408227,0,0,0,-3,"Autauga, Alabama, US"
,,,"Korea, South",2020-03-23 23:19:21,36,128,8961,111,3166,5684,"Korea, South"
""",
    "07-01-2020": """\
FIPS,Admin2,Province_State,Country_Region,Last_Update,Lat,Long_,Confirmed,Deaths,Recovered,Active,Combined_Key,Incidence_Rate,Case-Fatality_Ratio
45001,Abbeville,South Carolina,US,2020-07-02 04:33:46,34.22333378,-82.46170658,113,0,0,113,"Abbeville, South Carolina, US",460.7167611203979,0.0
""",
    "12-07-2020": """\
FIPS,Admin2,Province_State,Country_Region,Last_Update,Lat,Long_,Confirmed,Deaths,Recovered,Active,Combined_Key,Incident_Rate,Case_Fatality_Ratio
,,,Algeria,2020-12-08 05:28:22,28.0339,1.6596,88825,2527,57648,28650,Algeria,202.56029894842365,2.844919786096256
60.0,,American Samoa,US,2020-12-08 05:28:22,-14.271,-170.132,0,0,,0,"American Samoa, US",0.0,
""",
}


STATES = f"{REPORTS}_us"
STATE = "Province_State,Country_Region,Last_Update,Lat,Long_,Confirmed,Deaths,Recovered,Active,FIPS,Incident_Rate"
STATES_BY_NAME = {
    "04-12-2020": f"""\
{STATE},People_Tested,People_Hospitalized,Mortality_Rate,UID,ISO3,Testing_Rate,Hospitalization_Rate
Alabama,US,2020-04-12 23:18:15,32.3182,-86.9023,3667,93,,3470,1,75.98802021,62029,437,2.610159978,84000001,USA,1265.07,12.26
Recovered,US,2020-04-12 23:18:15,,,0,0,32988,-32988,,,,,,84070001,USA,,
""",
    "11-09-2020": f"""\
{STATE},Total_Test_Results,People_Hospitalized,Case_Fatality_Ratio,UID,ISO3,Testing_Rate,Hospitalization_Rate
Alabama,US,2020-11-10 05:42:01,32.3182,-86.9023,206523,3084,84471.0,117302.0,1.0,4178.03,2421044.0,,1.50,84000001,USA,49376.9,
""",
    "08-09-2021": f"""\
{STATE},Total_Test_Results,People_Hospitalized,Case_Fatality_Ratio,UID,ISO3,Testing_Rate,Hospitalization_Rate,\
Cases_28_Days,Deaths_28_Days
Alabama,US,2021-08-10 04:30:48,32.3182,-86.9023,612086,11625,,,1.0,12483.4,5081696.0,,1.89,84000001.0,USA,103640.7,,52604,222
""",
}
ERRATA = f"{DATA}/csse_covid_19_time_series/Errata.csv"
ERRATA_ROWS = """\
Update Date,File,Location,Field Updated,Old,New,Comments
4/7/2020,time_series_covid19_confirmed_US.csv,"DC, US",3/21/2020,0,98,New York Times
09/02/2021,time_series_covid19_deaths_global.csv,France,04/01/20;04/02/20,0;5,1;6,
"""


def files() -> dict[str, str]:
    """Return the text of every file by its path."""
    return {
        LOOKUP: LOOKUP_ROWS,
        ERRATA: ERRATA_ROWS,
        f"{SERIES}_confirmed_global.csv": CONFIRMED,
        f"{SERIES}_deaths_global.csv": DEATHS,
        f"{SERIES}_recovered_global.csv": RECOVERED,
        f"{SERIES}_confirmed_US.csv": CONFIRMED_US,
        f"{SERIES}_deaths_US.csv": DEATHS_US,
    }


def reports() -> dict[str, str]:
    """Return the text of some daily reports by their path."""
    states = {f"{STATES}/{name}.csv": text for name, text in STATES_BY_NAME.items()}
    return {f"{REPORTS}/{name}.csv": text for name, text in REPORTS_BY_NAME.items()} | states


def write_files(folder: Path, found: dict[str, str]) -> None:
    """Write files of a tree."""
    for path, text in found.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="")


def write_unpacked(folder: Path) -> None:
    """Write the tree as upstream lays it out, with some of its daily reports."""
    write_files(folder, files() | reports())


def write_archives(folder: Path) -> None:
    """Write what upstream serves: plain files."""
    write_files(folder / HOST, files() | reports())


_REPORT = """\
name = "{name}"
path = "{folder}/{file}.csv"
copies = [{{ url = "https://{host}/{folder}/{file}.csv" }}]
"""
_DAYS = """\
name = "{name}"
path = "{folder}/%m-%d-%Y.csv"
days = ["{first}", "2023-03-09"]
copies = [{{ url = "https://{host}/{folder}/%m-%d-%Y.csv" }}]
"""


def _small(prefix: str, folder: str, first: str, names: Iterable[str]) -> tuple[str, str]:
    """Return the template of a card that has a report a day, and resources for a few of them."""
    few = [_REPORT.format(name=f"{prefix}{name}", file=name, folder=folder, host=HOST) for name in names]
    name = folder.rpartition("/")[2].removeprefix("csse_covid_19_")
    return _DAYS.format(name=name, folder=folder, first=first, host=HOST), "\n[[resources]]\n".join(few)


SMALL = dict(
    [
        _small("", REPORTS, "2020-01-22", REPORTS_BY_NAME),
        _small("us-", STATES, "2020-04-12", STATES_BY_NAME),
        ('resources = ["daily_reports", "lookup"]', f"resources = {[*REPORTS_BY_NAME, 'lookup']}"),
        ('resources = ["daily_reports_us"]', f"resources = {[f'us-{name}' for name in STATES_BY_NAME]}"),
    ]
)
"""A report of each header instead of one a day."""

EXPECTED = (
    {"date": date(2020, 1, 26), "country": "Algeria", "province": None, "confirmed": 24, "deaths": 24, "revised": True},
    {
        "date": date(2020, 1, 22),
        "country": "China",
        "province": "Hubei",
        "uid": 15611,
        "confirmed": 444,
        "recovered": 28,
    },
    {"date": date(2020, 1, 23), "level": "us", "county": "Autauga", "fips": "01001", "confirmed": 1, "recovered": None},
)
UNTOLD = {
    f"{LOOKUP}: duplicate row": "the rows of one place say the same",
}
write = write_unpacked
