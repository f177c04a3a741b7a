"""Case counts as their users see them, and what becomes of files that are not as they should be."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, catalogs, load_dataset, make_mirror, verify
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.cli import main
from covid_datasets.errors import (
    ColumnMissingError,
    CovidDatasetsError,
    DamagedFileError,
    IncompleteSourceError,
    UsageError,
)
from covid_datasets.prepare.result import Built
from tests.small import shrink
from tests.sources import jhu_csse as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")

Change = Callable[[dict[str, str]], None]
CONFIRMED = f"{source.SERIES}_confirmed_global.csv"
CONFIRMED_US = f"{source.SERIES}_confirmed_US.csv"
RECOVERED = f"{source.SERIES}_recovered_global.csv"


def report(name: str) -> str:
    return f"{source.REPORTS}/{name}.csv"


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    """Build a tree of which some files are changed."""

    def build(change: Change = lambda files: None, config: str = "time_series", **options: Any) -> Built:
        raw = tmp_path / "raw"
        shutil.rmtree(raw, ignore_errors=True)
        files = source.files() | source.reports()
        change(files)
        source.write_files(raw, files)
        return build_dataset("jhu_csse", config, data_dir=raw, cache_dir=tmp_path / "cache", num_proc=1, **options)

    return build


@pytest.fixture
def six_days(tmp_path: Path) -> Iterator[None]:
    """Use a catalog whose daily reports are those that the small tree has."""
    folder = tmp_path / "catalog"
    shutil.copytree(catalog_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    card = folder / "jhu_csse.toml"
    text = card.read_text(encoding="utf-8")
    templates, names = "", []
    for number, name in enumerate(source.REPORTS_BY_NAME):
        day = datetime.strptime(name, "%m-%d-%Y").date()
        names.append(f"report_{number}")
        template = text[text.rindex("[[resources]]") :].replace('"daily_reports"', f'"{names[-1]}"')
        templates += re.sub(r"days = .*", f'days = ["{day}", "{day}"]', template) + "\n"
    text = text[: text.rindex("[[resources]]")] + templates
    listed = ", ".join(f'"{name}"' for name in [*names, "lookup"])
    text = re.sub(r'resources = \["daily_reports",.*', f"resources = [{listed}]", text)
    text = text.replace('days = ["2020-04-12", "2023-03-09"]', 'days = ["2020-04-12", "2020-04-12"]')
    card.write_text(text, encoding="utf-8")
    real = catalogs.__path__
    catalogs.__path__ = [str(folder)]
    yield
    catalogs.__path__ = real


def rows(built: Built, **view: Any) -> list[dict[str, Any]]:
    options: dict[str, Any] = {
        "cache_dir": built.path.parents[4],
        "framework": "numpy",
        "split": "train",
        "allow_missing": True,
    }
    return list(load_dataset("jhu_csse", built.config, **options, **view))


def told(built: Built, kind: str) -> dict[str, str]:
    return {notice["where"]: notice["what"] for notice in built.manifest()["notices"] if notice["kind"] == kind}


# --- time series ---------------------------------------------------------------------------------------------------


def test_a_place_and_day_is_a_row(build: Callable[..., Built]) -> None:
    built = build()
    assert built.rows == (9 + 5) * 6
    assert rows(built, province="Hubei", date="2020-01-27") == [
        {
            "date": date(2020, 1, 27),
            "level": "global",
            "country": "China",
            "province": "Hubei",
            "county": None,
            "iso2": "CN",
            "iso3": "CHN",
            "uid": 15611,
            "fips": None,
            "lat": 30.9756,
            "lon": 112.2707,
            "population": 58500000,
            "confirmed": 1423,
            "deaths": 76,
            "recovered": 45,
            "revised": False,
        }
    ]


def test_fips_are_text(build: Callable[..., Built]) -> None:
    found = {(row["province"], row["county"]): row["fips"] for row in rows(build(), level="us")}
    assert found == {
        ("Alabama", "Autauga"): "01001",
        ("Alabama", "Baldwin"): "01003",
        ("American Samoa", None): "60",
        ("Puerto Rico", "Adjuntas"): "72001",
        ("Washington", "King"): "53033",
    }


def test_days_of_two_and_four_digit_years_are_the_same(build: Callable[..., Built]) -> None:
    algeria = rows(build(), country="Algeria")
    assert [row["date"] for row in algeria] == source.DAYS
    assert [row["recovered"] for row in algeria] == [0, 0, 8, 12, 12, 32]


def test_a_count_that_falls_is_kept_and_marked(build: Callable[..., Built]) -> None:
    built = build()
    algeria = rows(built, country="Algeria")
    assert [row["confirmed"] for row in algeria] == [0, 12, 12, 65, 24, 65]
    assert [row["revised"] for row in algeria] == [False, False, False, False, True, False]
    assert "confirmed on 1, deaths on 1 days in 1 places" in told(built, "cumulative count goes down")["global/Algeria"]


def test_what_was_given_up_is_null_and_what_is_elsewhere_is_told(build: Callable[..., Built]) -> None:
    built = build()
    assert {row["recovered"] for row in rows(built, country="Korea, South")} == {None}
    assert [row["recovered"] for row in rows(built, country="US", level="global")] == [0, 0, 0, 0, None, None]
    assert {row["recovered"] for row in rows(built, level="us")} == {None}
    absent = told(built, "place not in every file")
    assert absent["Canada"] == "confirmed and deaths are null"
    assert absent["Canada, Alberta"] == "recovered are null"


def test_both_levels_hold_the_united_states(build: Callable[..., Built]) -> None:
    found = rows(build(), country="US", date="2020-01-22")
    assert [(row["level"], row["province"]) for row in found][:2] == [("global", None), ("us", "Alabama")]


def test_hugging_face_gives_dates(build: Callable[..., Built]) -> None:
    pytest.importorskip("datasets")
    built = build()
    train = load_dataset("jhu_csse", split="train", cache_dir=built.path.parents[4])
    assert train[0]["date"] == date(2020, 1, 22)
    assert train.features["date"].dtype == "date32"


def test_pandas_gives_times(build: Callable[..., Built]) -> None:
    pytest.importorskip("pandas")
    built = build()
    frame = load_dataset("jhu_csse", split="train", framework="pandas", cache_dir=built.path.parents[4])
    assert frame["date"].dtype.kind == "M"
    assert frame.groupby("level")["confirmed"].sum().to_dict() == {"global": 4912, "us": 28}


def test_the_command_line_builds_it(
    build: Callable[..., Built], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = build()
    argv = ["build", "jhu_csse", "--data-dir", str(tmp_path / "raw"), "--cache-dir", str(tmp_path / "cache")]
    assert main(argv) == 0
    assert "84; 0 dropped" in capsys.readouterr().out
    assert main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["fingerprint"], found["columns"]["date"]) == (built.fingerprint, "date32")
    assert main(["verify", "jhu_csse", "--cache-dir", str(tmp_path / "cache")]) == 0
    assert main(["splits", "jhu_csse", "--cache-dir", str(tmp_path / "cache")]) == UsageError.exit_code
    assert "a table without images and patients" in capsys.readouterr().err


# --- time series that are not as they should be ----------------------------------------------------------------------


def edit(path: str, old: str, new: str) -> Change:
    def change(files: dict[str, str]) -> None:
        assert old in files[path]
        files[path] = files[path].replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda files: files.pop(CONFIRMED), IncompleteSourceError, "confirmed_global.csv"),
        (edit(CONFIRMED, "Country/Region", "Land"), ColumnMissingError, "confirmed_global.csv: expected a column"),
        (edit(CONFIRMED_US, "Province_State", "State"), ColumnMissingError, "expected a column 'Province_State'"),
        (lambda files: files.update({RECOVERED: ""}), IncompleteSourceError, "recovered_global.csv: expected content"),
        (
            lambda files: files.update({RECOVERED: source.GLOBAL + "\n"}),
            DamagedFileError,
            "expected a column for each day, as 1/22/20, found Country/Region, Lat, Long",
        ),
    ],
)
def test_files_that_cannot_be_read(
    build: Callable[..., Built], change: Change, error: type[CovidDatasetsError], message: str
) -> None:
    with pytest.raises(error, match=message.replace("Country/Region", "Country_Region").replace("Long", "Long_")):
        build(change)


def test_a_missing_file_is_null_where_that_is_allowed(build: Callable[..., Built]) -> None:
    built = build(lambda files: files.pop(RECOVERED), allow_missing=True)
    assert built.incomplete
    assert built.rows == (8 + 5) * 6, "Canada as a whole is only in that file"
    assert {row["recovered"] for row in rows(built)} == {None}
    assert told(built, "missing file") == {RECOVERED: "recovered is null for level 'global'"}


def test_files_of_the_other_config_are_not_extra_and_others_are(build: Callable[..., Built]) -> None:
    notebook = f"{source.DATA}/csse_covid_19_time_series/covid-19 plot.ipynb"
    built = build(lambda files: files.update({notebook: "{}"}))
    assert [where.endswith(notebook) for where in told(built, "extra file")] == [True]


def test_a_broken_row_is_dropped_and_named(build: Callable[..., Built]) -> None:
    built = build(edit(CONFIRMED, ",Algeria,28.0339,1.6596,0,12,12,65,24,65", ",Algeria,28.0339"))
    assert list(told(built, "broken row")) == [f"{CONFIRMED} line 2"]
    assert {row["confirmed"] for row in rows(built, country="Algeria")} == {None}
    assert built.dropped == 1


def test_days_that_are_none_and_days_twice(build: Callable[..., Built]) -> None:
    built = build(edit(CONFIRMED, "1/23/20,1/24/20", "13/45/20,1/22/20"))
    assert told(built, "column is no day") == {CONFIRMED: "'13/45/20': expected a day as 1/22/20"}
    assert "the first column is kept" in told(built, "day is there twice")[CONFIRMED]
    algeria = rows(built, country="Algeria")
    assert [row["confirmed"] for row in algeria] == [0, None, None, 65, 24, 65]
    assert len(algeria) == 6


@pytest.mark.parametrize(
    ("cell", "kind"), [("-12", "negative count"), ("n/a", "not a whole number"), ("1.5", "not a whole number")]
)
def test_counts_that_are_none(build: Callable[..., Built], cell: str, kind: str) -> None:
    built = build(edit(CONFIRMED, "1.6596,0,12", f"1.6596,0,{cell}"))
    assert [row["confirmed"] for row in rows(built, country="Algeria")] == [0, None, 12, 65, 24, 65]
    assert told(built, kind) == {"global/Algeria": f"1 cells are null here, the first is confirmed {cell!r}"}


def test_counts_as_spreadsheets_write_them(build: Callable[..., Built]) -> None:
    built = build(edit(CONFIRMED, "1.6596,0,12", "1.6596,0,12.0"))
    assert built.fingerprint == build().fingerprint


def test_a_place_twice_is_told(build: Callable[..., Built]) -> None:
    row = ",Algeria,28.0339,1.6596,0,12,12,65,24,65\n"
    built = build(edit(CONFIRMED, row, row + row.replace("12", "99")))
    assert list(told(built, "place listed twice")) == [f"{CONFIRMED} line 3"]
    assert built.fingerprint == build().fingerprint


def test_a_row_of_no_place_is_told(build: Callable[..., Built]) -> None:
    built = build(edit(CONFIRMED, ",Algeria,28.0339", ",,28.0339"))
    assert told(built, "row without a place") == {f"{CONFIRMED} line 2": "expected a Country_Region"}


def test_places_and_codes_that_are_none(build: Callable[..., Built]) -> None:
    def change(files: dict[str, str]) -> None:
        edit(CONFIRMED_US, "1001.0,Autauga", "1001.5,Autauga")(files)
        edit(f"{source.SERIES}_deaths_US.csv", "1001.0,Autauga", "1001.5,Autauga")(files)
        files[CONFIRMED] += "Nowhere,Utopia,ninety,0.0,1,1,1,1,1,1\n"

    built = build(change)
    assert {row["fips"] for row in rows(built, county="Autauga")} == {None}
    utopia = rows(built, country="Utopia")[0]
    assert (utopia["lat"], utopia["lon"], utopia["iso3"], utopia["population"]) == (None, 0.0, None, None)
    assert "first is FIPS '1001.5'" in told(built, "not a whole number")["us/US, Alabama, Autauga"]
    assert "Utopia, Nowhere" in told(built, "place not in the lookup table")


def test_text_that_is_not_utf8(build: Callable[..., Built], tmp_path: Path) -> None:
    build()
    path = tmp_path / "raw" / CONFIRMED
    path.write_bytes(path.read_bytes().replace(b"Alberta", "Québec".encode("cp1252")))
    built = build_dataset("jhu_csse", data_dir=tmp_path / "raw", cache_dir=tmp_path / "cache", num_proc=1)
    assert {row["province"] for row in rows(built, country="Canada")} == {None, "Alberta", "Ontario", "Québec"}
    assert CONFIRMED in told(built, "text not UTF-8")


# --- daily reports ---------------------------------------------------------------------------------------------------


@pytest.fixture
def daily(build: Callable[..., Built], six_days: None) -> Callable[..., Built]:
    return lambda change=lambda files: None, **options: build(change, "daily_reports", **options)


def test_five_headers_are_one_table(daily: Callable[..., Built]) -> None:
    built = daily()
    assert (built.rows, built.incomplete, dict(built.splits)) == (15, False, {"train": 15})
    first, early, late = (rows(built, date=day)[0] for day in ("2020-01-22", "2020-03-01", "2020-07-01"))
    assert (first["confirmed"], first["lat"], first["active"]) == (444, None, None)
    assert (early["confirmed"], early["lat"], early["fips"]) == (66907, 30.9756, None)
    assert (late["fips"], late["county"], late["incident_rate"]) == ("45001", "Abbeville", 460.7167611203979)
    assert [row["case_fatality_ratio"] for row in rows(built, date="2020-12-07")] == [2.844919786096256, None]
    assert verify(built.path).ok


def test_times_of_every_form(daily: Callable[..., Built]) -> None:
    found = {row["last_update"] for row in rows(daily())}
    assert {
        datetime(2020, 1, 22, 17),
        datetime(2020, 2, 2, 23, 43, 2),
        datetime(2020, 3, 23, 23, 19),
        datetime(2020, 7, 2, 4, 33, 46),
    } <= found


def test_old_names_of_countries(daily: Callable[..., Built]) -> None:
    found = {row["country_raw"]: row["country"] for row in rows(daily())}
    assert found == {
        "Mainland China": "China",
        "South Korea": "Korea, South",
        "UK": "United Kingdom",
        "Korea, South": "Korea, South",
        "Algeria": "Algeria",
        "US": "US",
    }


def test_a_name_stays_where_the_lookup_table_does_not_have_the_new_one(daily: Callable[..., Built]) -> None:
    built = daily(edit(source.LOOKUP, "United Kingdom,55.3781", "Great Britain,55.3781"))
    assert {row["country"] for row in rows(built, country_raw="UK")} == {"UK"}


def test_counts_that_nobody_gave_are_null_and_derived_ones_as_stated(daily: Callable[..., Built]) -> None:
    built = daily()
    gansu = rows(built, province="Gansu")[0]
    assert (gansu["confirmed"], gansu["deaths"], gansu["recovered"]) == (None, None, None)
    assert [row["active"] for row in rows(built, province="Alabama")] == [-3]


def test_a_missing_day_is_named(daily: Callable[..., Built]) -> None:
    with pytest.raises(IncompleteSourceError, match="1 of 7 files are missing.*") as caught:
        daily(lambda files: files.pop(report("03-01-2020")))
    assert report("03-01-2020") in str(caught.value)
    built = daily(lambda files: files.pop(report("03-01-2020")), allow_missing=True)
    assert built.incomplete
    assert list(told(built, "file not served")) == [report("03-01-2020")]


@pytest.mark.parametrize("text", ["", "Province/State,Country/Region,Last Update,Confirmed,Deaths,Recovered\n"])
def test_a_report_without_rows_is_a_loss(daily: Callable[..., Built], text: str) -> None:
    with pytest.raises(IncompleteSourceError, match="03-01-2020.csv: (damaged file|expected content, found 0 bytes)"):
        daily(lambda files: files.update({report("03-01-2020"): text}))


def test_a_column_that_is_gone(daily: Callable[..., Built]) -> None:
    with pytest.raises(ColumnMissingError, match="07-01-2020.csv: expected a column 'Deaths'"):
        daily(edit(report("07-01-2020"), ",Deaths,", ",Died,"))


def test_a_new_column_and_odd_cells_are_told(daily: Callable[..., Built]) -> None:
    def change(files: dict[str, str]) -> None:
        edit(report("07-01-2020"), "Case-Fatality_Ratio", "Wave")(files)
        edit(report("03-01-2020"), "2020-03-01T10:13:19,66907", "yesterday,many")(files)

    built = daily(change)
    assert told(built, "unknown column") == {report("07-01-2020"): "not in the dataset: Wave"}
    assert told(built, "not a time")[report("03-01-2020")].endswith("Last_Update 'yesterday'")
    assert told(built, "not a whole number")[report("03-01-2020")].endswith("Confirmed 'many'")


def test_a_broken_row_of_a_report_is_named(daily: Callable[..., Built]) -> None:
    built = daily(edit(report("03-01-2020"), ",South Korea,2020-03-01T23:43:03,3736,17,30,36.0000,128.0000", "x,y"))
    assert list(told(built, "broken row")) == [f"{report('03-01-2020')} line 3"]
    assert (built.rows, built.dropped) == (14, 1)


# --- reports of states, and plain tables -----------------------------------------------------------------------------


@pytest.fixture
def states(build: Callable[..., Built], tmp_path: Path) -> Iterator[Callable[..., Built]]:
    """Build the reports of states that the small tree has."""
    folder = tmp_path / "catalog"
    shutil.copytree(catalog_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    shrink(folder / "jhu_csse.toml", source.SMALL)
    real = catalogs.__path__
    catalogs.__path__ = [str(folder)]
    yield lambda change=lambda files: None: build(change, "daily_reports_us")
    catalogs.__path__ = real


def test_three_headers_of_reports_on_states_are_one_table(states: Callable[..., Built]) -> None:
    built = states()
    tested = [(row["people_tested"], row["total_test_results"]) for row in rows(built, province="Alabama")]
    assert tested == [(62029, None), (None, 2421044), (None, 5081696)]
    assert [row["case_fatality_ratio"] for row in rows(built, province="Alabama")] == [2.610159978, 1.5, 1.89]
    assert [row["cases_28_days"] for row in rows(built, province="Alabama")] == [None, None, 52604]
    assert {row["fips"] for row in rows(built, province="Alabama")} == {"01"}
    nowhere = rows(built, province="Recovered")[0]
    assert (nowhere["recovered"], nowhere["active"], nowhere["fips"]) == (32988, -32988, None)
    assert not told(built, "column missing"), "that older reports lack columns is known"


def test_a_report_on_states_does_not_stand_in_for_one_on_the_world(
    daily: Callable[..., Built], six_days: None, tmp_path: Path
) -> None:
    states = f"{source.STATES}/04-12-2020.csv"
    folder = Path(catalogs.__path__[0])
    card = folder / "jhu_csse.toml"
    text = card.read_text(encoding="utf-8").replace('["2020-03-01", "2020-03-01"]', '["2020-04-12", "2020-04-12"]')
    card.write_text(text, encoding="utf-8")
    built = daily(lambda files: files.pop(report("03-01-2020")), allow_missing=True)
    assert (tmp_path / "raw" / states).exists()
    assert built.rows == 13, "a report is missing, and that on states of its day is none of these"
    assert list(told(built, "file not served")) == [report("04-12-2020")]


def test_a_place_that_a_report_has_twice_is_told(states: Callable[..., Built]) -> None:
    path = f"{source.STATES}/11-09-2020.csv"
    row = source.STATES_BY_NAME["11-09-2020"].splitlines()[1]
    built = states(lambda files: files.update({path: f"{files[path]}{row}\n"}))
    assert list(told(built, "row listed twice")) == [path]
    assert built.rows == 5


def test_errata_are_told_and_not_applied(build: Callable[..., Built]) -> None:
    built = build(config="errata")
    assert [(row["location"], row["field"], row["old"], row["new"]) for row in rows(built)] == [
        ("DC, US", "3/21/2020", 0, 98),
        ("France", "04/01/20;04/02/20", None, None),
    ]
    assert told(built, "not a whole number")[source.ERRATA] == "2 cells are null here, the first is Old '0;5'"


def test_the_lookup_table_is_a_config(build: Callable[..., Built]) -> None:
    found = {row["combined_key"]: (row["uid"], row["fips"], row["population"]) for row in rows(build(config="lookup"))}
    assert found["Autauga, Alabama, US"] == (84001001, "01001", 55869)
    assert found["American Samoa, US"] == (16, "60", 55641)
    assert found["Diamond Princess"] == (9999, None, None)


# --- the card --------------------------------------------------------------------------------------------------------


def test_a_report_for_each_day() -> None:
    resources = load_card("jhu_csse").choice(config="daily_reports").resources
    assert len(resources) == 1143 + 1
    assert resources[1].path == report("01-22-2020")
    assert resources[-1].path == report("03-09-2023")
    assert resources[-1].copies[0].url == f"https://{source.HOST}/{report('03-09-2023')}"


def test_a_mirror_holds_every_config(six_days: None, tmp_path: Path) -> None:
    served = tmp_path / "served"
    source.write_archives(served)
    written = make_mirror(["jhu_csse"], tmp_path / "mirror", mirror=str(served), cache_dir=tmp_path / "c1")
    assert len(written) == 6 + 6 + 2, "the tables, reports of the world, the errata and one report of states"
    for config in ("time_series", "daily_reports"):
        built = build_dataset(
            "jhu_csse", config, mirror=str(tmp_path / "mirror"), cache_dir=tmp_path / "c2", num_proc=1
        )
        assert built.rows > 0
