"""COVID-19-NY-SBU: each config fetches its part alone, films made of others are told, and the table keeps its dates."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydicom")

from covid_datasets.builders.covid19_ny_sbu import _SODIUM, _TABLE

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import chosen, read_listing
from covid_datasets.contribute.listing import write_listing
from covid_datasets.errors import CatalogError
from tests.small import SmallSources
from tests.sources.covid19_ny_sbu import (
    AXIAL,
    CORONAL,
    DOUBTED,
    FIRST,
    ITS_COPY,
    KIDNEY,
    LISTING,
    PELVIS,
    PROCESSED,
    PROJECTION,
    SAMPLED,
    THIRD,
)

NAME = "covid19_ny_sbu"
Rows = dict[str, dict[str, Any]]

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


def test_each_config_fetches_no_more_than_its_part() -> None:
    parts = {part.name: chosen(LISTING, part.only) for part in load_card(NAME).resources if part.listing}
    told = {
        name: (
            len(found),
            sum(one.files for one in found.values()),
            round(sum(one.bytes for one in found.values()) / 1e9, 1),
            len({one.study for one in found.values()}),
        )
        for name, found in parts.items()
    }
    assert told == {
        "films": (13_643, 13_643, 208.8, 6_550),
        "first_films": (5_905, 5_905, 90.3, 5_849),
        "sample": (27, 27, 0.4, 14),
        "all_films": (14_132, 14_132, 216.2, 6_740),
        "chest_ct": (2_392, 338_731, 180.0, 368),
        "ct": (3_730, 539_413, 292.7, 617),
    }
    chest = {one.row["StudyDescription"] for one in parts["chest_ct"].values()}
    rest = {one.row["StudyDescription"] for one in parts["ct"].values()} - chest
    assert all("CHEST" in what for what in chest)
    assert not any("CHEST" in what for what in rest)
    left = [one for one in read_listing(LISTING).values() if one.row["Modality"] not in ("CT", "CR", "DX")]
    assert len(left) == 48 + 20 + 12 + 7 + 1


def test_a_packed_listing_says_what_a_plain_one_says(tmp_path: Path) -> None:
    rows = [series.row for series in list(read_listing(LISTING).values())[:50]]
    for name in ("a.tsv", "a.tsv.gz", "b.tsv.gz"):
        write_listing(rows, tmp_path / name)
    assert dict(read_listing("a.tsv", tmp_path)) == dict(read_listing("a.tsv.gz", tmp_path))
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes(), "no date and no name in it"
    packed = (tmp_path / "a.tsv.gz").read_bytes()
    for number, spoilt in enumerate((packed[:-20], packed[:100] + b"\0\0\0" + packed[103:], b"no gzip", b"")):
        (tmp_path / f"{number}.tsv.gz").write_bytes(spoilt)
        with pytest.raises(CatalogError, match=rf"{number}\.tsv\.gz"):
            read_listing(f"{number}.tsv.gz", tmp_path)


def rows_of(alone: SmallSources, config: str) -> Rows:
    alone.build(NAME, config=config)
    names = {series.series: folder for folder, series in read_listing(LISTING).items()}
    loaded = load_dataset(
        NAME, config, "all", framework="numpy", cache_dir=alone.cache, offline=True, allow_missing=True
    )
    return {names[row["series_id"].partition("/")[2]]: row for row in loaded}


def test_a_film_that_was_made_of_another_one_is_told_or_flagged(alone: SmallSources) -> None:
    assert set(rows_of(alone, "films")) == {FIRST, SAMPLED, THIRD, DOUBTED}
    notices = alone.build(NAME, config="films").manifest()["notices"]
    told = [notice for notice in notices if notice["kind"] == "film made of another one"]
    assert {notice["where"].partition("/")[0] for notice in told} == {PROCESSED, ITS_COPY}
    every = rows_of(alone, "all_films")
    assert {folder: every[folder]["flags"] for folder in (FIRST, PROCESSED, KIDNEY)} == {
        FIRST: [], PROCESSED: ["refers_to_another_film"], KIDNEY: ["not_the_chest"],
    }  # fmt: skip
    other = json.loads(every[PROCESSED]["source_row"])["ReferencedSOPInstanceUID"]
    assert other == json.loads(every[FIRST]["source_row"])["SOPInstanceUID"]


def test_what_is_known_of_people(alone: SmallSources) -> None:
    found = rows_of(alone, "films")
    row = found[FIRST]
    assert (row["sex"], row["age"], row["outcome"], row["survival"], row["smoking"]) == (
        "M", 53.0, "died", False, "former",
    )  # fmt: skip
    assert row["comorbidities"] == ["hypertension", "obesity", "heart_failure"]
    assert row["treatments"] == ["mechanical_ventilation", "dialysis", "anticoagulant"]
    assert (row["clinical"]["went_icu"], row["clinical"]["intubated"], row["clinical"]["temperature_c"]) == (
        True, True, 36.8,
    )  # fmt: skip
    assert row["clinical"]["heart_rate_per_min"] is None, "6 is told"
    assert (found[SAMPLED]["sex"], found[SAMPLED]["symptoms"]) == ("F", None), "NA: DICOM knows, nobody was asked"
    assert (found[THIRD]["symptoms"], found[THIRD]["treatments"]) == (["cough", "fever"], None)
    assert (found[DOUBTED]["sex"], found[DOUBTED]["flags"]) == (None, ["sex_contradicts"])
    told = {notice["kind"]: notice["what"] for notice in alone.build(NAME).manifest()["notices"]}
    assert told["sex in two ways"] == "F in the table, M in DICOM: unknown here"
    assert "heart_rate" in told["impossible value"] or "Heart rate" in told["impossible value"]
    assert row["date"] is None, "dates were moved to 1900 and 1901"
    assert json.loads(row["source_row"])["StudyDate"] == "1901-01-10"


def test_slices_are_those_of_the_chest(alone: SmallSources) -> None:
    names = {series.series: folder for folder, series in read_listing(LISTING).items()}
    alone.build(NAME, config="slices")
    loaded = load_dataset(
        NAME, "slices", "all", framework="numpy", cache_dir=alone.cache, offline=True, allow_missing=True
    )
    views = {(names[row["series_id"].partition("/")[2]], row["view"], *row["flags"]) for row in loaded}
    assert views == {(AXIAL, "axial"), (CORONAL, "coronal"), (PROJECTION, "coronal", "projection")}
    assert PELVIS not in {folder for folder, *_ in views}


def test_the_table_keeps_its_types_and_its_century(alone: SmallSources) -> None:
    alone.build(NAME, config="patients")
    rows = list(
        load_dataset(
            NAME, "patients", "all", framework="numpy", cache_dir=alone.cache, offline=True, allow_missing=True
        )
    )
    by_id = {row["to_patient_id"]: row for row in rows}
    assert len(rows) == 7
    row = by_id["A000801"]
    assert (row["was_ventilated"], row["is_icu"], row["invasive_vent_days"], row["kidney_transplant"]) == (
        True, True, 12, None,
    )  # fmt: skip
    assert row["76282-3_Heart rate.beat-to-beat by EKG"] == 6.0, "the table is what its publisher wrote"
    assert (row["visit_start_datetime"], by_id["A206095"]["visit_start_datetime"]) == (
        date(1901, 1, 1), date(1900, 12, 28),
    )  # fmt: skip
    assert row[_SODIUM] == 138.0
    assert len(row) == 130, "the doubled column is left out"
    kinds = {notice["kind"] for notice in alone.build(NAME, config="patients").manifest()["notices"]}
    assert "unknown column" not in kinds


def test_nothing_but_the_table_is_fetched_for_the_table(alone: SmallSources, tmp_path: Path) -> None:
    served = shutil.copytree(alone.tree(NAME, "served"), tmp_path / "served")
    for path in served.rglob("*.dcm"):
        path.unlink()
    built = build_dataset(NAME, "patients", mirror=str(served), cache_dir=tmp_path, num_proc=1)
    assert built.rows == 7
    assert not built.incomplete
    assert (served / "raw.githubusercontent.com").exists()
    assert _TABLE in {path.name for path in served.rglob("*.csv")}


def test_series_of_other_modalities_are_told_once_each(alone: SmallSources, tmp_path: Path) -> None:
    """The collection has 88 series of no config, with thousands of files; whoever has all of it reads the report."""
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    for series, count in (("MR_1.2.3", 30), ("PT_1.2.4", 200), ("SR_1.2.5", 1)):
        (tree / series).mkdir()
        for number in range(count):
            (tree / series / f"1-{number:03}.dcm").write_bytes(b"\0" * 128 + b"DICM")
    built = build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    told = [notice for notice in built.manifest()["notices"] if notice["kind"] == "extra file"]
    assert [(notice["where"], notice["count"]) for notice in told] == [
        (f"{tree}/MR_1.2.3", 30), (f"{tree}/PT_1.2.4", 200), (f"{tree}/SR_1.2.5/1-000.dcm", 1),
    ]  # fmt: skip
    assert "1-000.dcm to 1-029.dcm" in told[0]["what"]
    assert "extra file (231)" in built.report()
    assert built.fingerprint == alone.build(NAME).fingerprint
