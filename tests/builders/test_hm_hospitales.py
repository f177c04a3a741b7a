"""What is special about CDSL: zeros and commas in its tables, Latin-1, and pictures whose path is four columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, load_dataset
from covid_datasets.errors import AccessRequired
from covid_datasets.prepare.result import Built
from tests.sources import hm_hospitales as source

pytestmark = pytest.mark.filterwarnings("ignore:.* (is INCOMPLETE|have no label)")


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Built]:
    def build(config: str = "films", change: Callable[[Path], object] = lambda folder: None) -> Built:
        folder = tmp_path / "physionet.org" / "files" / "covid-data-shared-learning" / "1.0.0"
        source.write_unpacked(folder)
        change(folder)
        return build_dataset(
            "hm_hospitales", config, data_dir=tmp_path / "physionet.org", cache_dir=tmp_path / "cache", num_proc=1,
            allow_missing=True,
        )  # fmt: skip

    return build


def rows(built: Built) -> list[dict[str, Any]]:
    options: dict[str, Any] = {"cache_dir": built.path.parents[4], "framework": "numpy", "allow_missing": True}
    found = load_dataset("hm_hospitales", built.config, **options)
    return [row for split in found.values() for row in split]


def told(built: Built) -> list[str]:
    return [f"{notice['where']}: {notice['what']}" for notice in built.manifest()["notices"]]


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="latin-1")
        assert old in text
        (folder / name).write_text(text.replace(old, new), encoding="latin-1")

    return change


def test_pictures_have_what_the_table_says_of_the_person(build: Callable[..., Built]) -> None:
    found = {row["sample_id"].removeprefix("hm_hospitales/"): row for row in rows(build())}
    film, slice_ = found["p1/11/111/1001.jpg"], found["p2/21/211/2001.jpg"]
    assert (film["sex"], film["age"], film["outcome"], film["survival"]) == ("M", 63.0, "discharged", True)
    assert (film["view"], film["clinical"]["went_icu"], film["series_id"]) == ("AP", True, None)
    assert (slice_["modality"], slice_["outcome"], slice_["survival"]) == ("CT", "died", False)
    assert slice_["clinical"]["went_icu"] is None, "N.A. is no day"
    assert slice_["clinical"]["heart_rate_per_min"] is None, "0 is missing"
    assert {row["series_id"] for row in found.values() if row["modality"] == "CT"} == {slice_["series_id"]}
    assert {row["label"] for row in found.values()} == {None}


def test_a_newborn_is_0_years_old(build: Callable[..., Built]) -> None:
    found = rows(build(change=edit("patient_01.csv", "\n1,63,", "\n1,0,")))
    assert {row["age"] for row in found if row["patient_id"] == "hm_hospitales/1"} == {0.0}


def test_tables_with_commas_zeros_and_latin_1(build: Callable[..., Built]) -> None:
    vitals = rows(build("vital_signs"))
    assert [(row["temp_ing"], row["bp_max_ing"], row["glu_ing"]) for row in vitals] == [
        (36.8, 121.0, None),
        (None,) * 3,
    ]
    assert vitals[0]["constants_ing_date"] == date(2020, 4, 2)
    people = build("patients")
    assert [(row["icu_days"], row["glu_last_emerg"]) for row in rows(people)[:2]] == [(6.0, None), (0.0, None)]
    assert [row["department_emerg"] for row in rows(people)] == ["Pediatría", "Medicina Interna", None]
    assert [line for line in told(people) if "read as Windows-1252" in line]


def test_a_column_that_nobody_here_has_seen_is_null_and_told(build: Callable[..., Built]) -> None:
    built = build("lab", edit("lab_06.csv", "ud_result", "unit"))
    assert {row["ud_result"] for row in rows(built)} == {None}
    assert "lab_06.csv: ud_result: unknown in all rows" in told(built)
    assert "lab_06.csv: not in the dataset: unit" in told(built)


def test_a_person_who_is_in_no_table_is_told(build: Callable[..., Built]) -> None:
    built = build(change=edit("patient_01.csv", "\n3,58,", "\n9,58,"))
    assert "IMAGES/p3/31/311/3001.jpg: patient_01.csv has no 3" in told(built)
    assert [row["age"] for row in rows(built) if row["patient_id"] == "hm_hospitales/3"] == [None]


def test_a_word_for_where_people_went_that_is_unknown(build: Callable[..., Built]) -> None:
    built = build(change=edit("patient_01.csv", "2020-04-20,Home", "2020-04-20,Elsewhere"))
    assert [line for line in told(built) if "destin_discharge is 'Elsewhere'" in line]
    assert {row["outcome"] for row in rows(built) if row["patient_id"] == "hm_hospitales/1"} == {None}


def test_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(AccessRequired, match="credentialed user of PhysioNet"):
        build_dataset("hm_hospitales", cache_dir=tmp_path)
