"""What is special about reopening: five lines of header, days as numbers, FIPS as text, and cases around a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from covid_datasets import build_dataset, load_dataset
from covid_datasets.prepare.result import Built
from tests.sources import reopening as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    def build(**changes: tuple[str, str]) -> Built:
        source.write_unpacked(tmp_path / "raw")
        for name, (old, new) in changes.items():
            path = tmp_path / "raw" / getattr(source, name)
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new), encoding="utf-8")
        return build_dataset(
            "reopening", data_dir=tmp_path / "raw", cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
        )

    return build


def rows(built: Built, **view: Any) -> list[dict[str, Any]]:
    options: dict[str, Any] = {"cache_dir": built.path.parents[4], "framework": "numpy", "allow_missing": True}
    return list(load_dataset("reopening", split="train", **options, **view))


def told(built: Built) -> list[str]:
    return [f"{notice['where']}: {notice['what']}" for notice in built.manifest()["notices"]]


def test_the_lines_below_the_names_of_the_workbook_are_no_states(build: Callable[..., Built]) -> None:
    built = build()
    found = [
        (row["fips"], row["policy"], row["event"], row["round"], str(row["date"])) for row in rows(built, table="cusp")
    ]
    assert sorted(found) == [
        ("01", "masks", "begins", 1, "2020-07-16"),
        ("01", "restaurants", "begins", 1, "2020-03-19"),
        ("01", "restaurants", "ends", 1, "2020-05-11"),
        ("50", "restaurants", "begins", 1, "2020-03-16"),
        ("50", "restaurants", "begins", 2, "2020-11-13"),
    ]
    assert "cusp: FM_ALL: 1 cells are null here, the first is FM_ALL '^'; its event is left out" in told(built)


def test_cases_of_a_state_are_those_of_all_its_rows(build: Callable[..., Built]) -> None:
    reopened = rows(build(), policy="restaurants", date="2020-05-11")
    counted = {
        (row["table"], row["fips"]): [row[name] for name in ("confirmed_before", "confirmed", "confirmed_after")]
        for row in reopened
    }
    assert counted == {
        ("cusp", "01"): [37, 104, 161],
        ("county_summaries", "01"): [37, 104, 161],
        ("county_summaries", "01001"): [37, 103, 159],
    }


def test_a_day_without_cases_is_null(build: Callable[..., Built]) -> None:
    mandate = rows(build(), policy="masks")[0]
    assert (mandate["confirmed_before"], mandate["confirmed"], mandate["confirmed_after"]) == (None, None, None)


def test_a_county_twice_in_the_cases_is_counted_once(build: Callable[..., Built]) -> None:
    line = next(line for line in source.FILES[source.CASES].splitlines() if "Autauga" in line)
    built = build(CASES=(line, f"{line}\n{line}"))
    assert [row["confirmed"] for row in rows(built, table="cusp", event="ends")] == [104]
    assert f"{source.CASES} line 3: the first row is kept" in told(built)


def test_days_as_numbers(build: Callable[..., Built]) -> None:
    found = {row["policy_raw"]: str(row["date"]) for row in rows(build(), table="county_summaries", fips="01001")}
    assert found["stay at home"] == "2020-04-04"
    assert found[">500 gatherings rollback"] == "2020-05-26"
    built = build(COUNTIES=("737571", "1590019200"))
    assert ">500 gatherings rollback" not in {row["policy_raw"] for row in rows(built)}
    assert [line for line in told(built) if "'1590019200'; its event is left out" in line]


def test_a_word_that_the_card_does_not_know_is_kept_and_told(build: Callable[..., Built]) -> None:
    built = build(KEYSTONE=("lockdown,,", "curfew,4/1/2020,"))
    assert [row["policy"] for row in rows(built, policy_raw="curfew")] == ["curfew"]
    assert f"{source.KEYSTONE}: npi is 'curfew', which the card does not list; it is kept" in told(built)


def test_a_place_that_nobody_knows_is_told(build: Callable[..., Built]) -> None:
    built = build(KEYSTONE=("1001,Autauga,Alabama,gathering", "1999,Nowhere,Alabama,gathering"))
    assert [(row["state"], row["population"]) for row in rows(built, fips="01999")] == [(None, None)]
    assert f"{source.KEYSTONE}: 1 events of 01999 have no population" in told(built)


def test_a_code_that_is_none_is_told(build: Callable[..., Built]) -> None:
    built = build(LOOKUP=("840,1001,", "840,10x1,"), CASES=("840,1001.0,", "840,?,"))
    assert {row["population"] for row in rows(built, fips="01001")} == {None}
    assert [row["confirmed"] for row in rows(built, table="cusp", event="ends")] == [104], "still one of its state"
    assert [line for line in told(built) if "it names nothing that it could be of" in line]
    assert [line for line in told(built) if "FIPS '10x1'" in line]


def test_a_workbook_of_another_layout_is_told(tmp_path: Path) -> None:
    source.write_unpacked(tmp_path / "raw")
    book = openpyxl.load_workbook(tmp_path / "raw" / source.CUSP)
    book.worksheets[0].delete_rows(4)
    book.save(tmp_path / "raw" / source.CUSP)
    built = build_dataset(
        "reopening", data_dir=tmp_path / "raw", cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
    )
    assert built.incomplete
    assert [line for line in told(built) if "expected 4 lines below the names" in line]
    assert {row["table"] for row in rows(built)} == {"county_summaries", "keystone"}
