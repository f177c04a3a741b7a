"""COVID-19-AR: what is no slice is not fetched, rows of the workbook find their studies, units are told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pytest

pytest.importorskip("pydicom")

from covid_datasets.builders.covid19_ar import _LISTING, _WORKBOOK

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import chosen, read_listing
from covid_datasets.prepare.result import Built
from tests.small import SmallSources
from tests.sources.covid19_ar import (
    ABDOMEN,
    AXIAL,
    BESIDE_CT,
    CORONAL,
    INVERTED,
    LATER,
    LATERAL,
    OF_THAT,
    OTHER_TWIN,
    PROJECTION,
    SCOUT,
    TWIN,
)

NAME = "covid19_ar"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
Rows = dict[str, list[dict[str, Any]]]

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


def test_configs_fetch_films_or_slices_and_no_pictures() -> None:
    listing = read_listing(_LISTING)
    parts = {part.name: chosen(_LISTING, part.only) for part in load_card(NAME).resources if part.listing}
    assert {name: (len(found), sum(one.files for one in found.values())) for name, found in parts.items()} == {
        "films": (262, 262),
        "ct": (172, 28_409),
    }
    left = [series for folder, series in listing.items() if not any(folder in found for found in parts.values())]
    assert {series.row["SOPClassUID"] for series in left} == {SECONDARY_CAPTURE}
    assert (len(left), sum(series.files for series in left)) == (27, 3_264)
    body = [one.row["BodyPartExamined"] for found in parts.values() for one in found.values()]
    assert sum(bool(part) and "CHEST" not in part and part != "THORAX" for part in body) == 14 + 6


def rows_of(cache: Path, config: str | None = None) -> Rows:
    names = {series.series: folder for folder, series in read_listing(_LISTING).items()}
    found: Rows = {}
    for row in load_dataset(NAME, config, "all", framework="numpy", cache_dir=cache, offline=True, allow_missing=True):
        found.setdefault(names[row["series_id"].partition("/")[2]], []).append(row)
    return found


@pytest.fixture(scope="module")
def films(alone: SmallSources) -> Rows:
    alone.build(NAME)
    return rows_of(alone.cache)


def test_what_is_known_of_people(films: Rows) -> None:
    row = films[LATER][0]
    assert (row["sex"], row["age"], row["race"], row["outcome"], row["survival"]) == ("M", 44.0, "black", "died", False)
    assert row["comorbidities"] == ["diabetes", "cancer"]
    clinical = {name: value for name, value in row["clinical"].items() if value is not None}
    assert clinical == {"bmi_kg_per_m2": 33.3, "went_icu": True, "weight_kg": 86.2, "height_cm": 165.1}
    nothing = films[TWIN][0]
    assert nothing["clinical"]["weight_kg"] is None, "NULL is no number, and told of nowhere"
    assert (nothing["comorbidities"], nothing["outcome"], nothing["survival"]) == ([], None, True)
    assert films[ABDOMEN][0]["treatments"] == ["dialysis"]
    assert films[ABDOMEN][0]["flags"] == ["not_the_chest"]
    assert films[OF_THAT][0]["flags"] == []
    assert films[BESIDE_CT][0]["age"] == 91.0


def test_rows_of_the_workbook_find_their_studies(films: Rows, alone: SmallSources) -> None:
    said = {folder: (found[0]["offset_days"], found[0]["caption"]) for folder, found in films.items()}
    assert said[INVERTED] == said[LATERAL] == (-1, "patchy  opacities")
    assert said[LATER] == (1, "Worse")
    assert said[TWIN] == said[OTHER_TWIN] == (20, None), (
        "two of one day and kind: the day is known, the findings are not"
    )
    assert said[BESIDE_CT] == (5, "Low volumes")
    kinds = [notice["kind"] for notice in alone.build(NAME).manifest()["notices"]]
    assert kinds.count("studies that cannot be told apart") == 2


def test_views_and_grey_are_those_of_the_file_or_of_the_listing(films: Rows) -> None:
    assert {folder: films[folder][0]["view"] for folder in (INVERTED, LATERAL, LATER, OF_THAT)} == {
        INVERTED: "PA", LATERAL: "lateral", LATER: "AP", OF_THAT: "AP",
    }  # fmt: skip
    assert "inverted" in films[INVERTED][0]["value_range"]


def test_slices_have_planes_and_projections_are_flagged(alone: SmallSources) -> None:
    built = alone.build(NAME, config="slices")
    found = rows_of(alone.cache, "slices")
    assert {folder: {row["view"] for row in rows} for folder, rows in found.items()} == {
        AXIAL: {"axial"}, CORONAL: {"coronal"}, PROJECTION: {"coronal"},
    }  # fmt: skip
    assert {tuple(row["flags"]) for row in found[PROJECTION]} == {("projection",)}
    assert found[AXIAL][0]["caption"] == "Ground glass"
    assert json.loads(found[AXIAL][0]["source_row"])["RACE"] == "BLACK OR AFRICAN AMERICAN"
    scouts = [notice["where"] for notice in built.manifest()["notices"] if notice["kind"] == "localizer"]
    assert len(scouts) == 2
    assert all(where.startswith(SCOUT) for where in scouts)


def changed(alone: SmallSources, folder: Path, sheet: str, cell: str, value: object) -> Path:
    tree = shutil.copytree(alone.tree(NAME), folder / "tree")
    book = openpyxl.load_workbook(tree / _WORKBOOK)
    book[sheet][cell] = value
    book.save(tree / _WORKBOOK)
    return Path(tree)


def told(built: Built) -> list[str]:
    return [f"{notice['kind']}: {notice['where']}: {notice['what']}" for notice in built.manifest()["notices"]]


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "expected"),
    [
        ("Patient Data", "H3", "65", "LATEST HEIGHT is '65', expected feet and inches"),
        ("Patient Data", "G3", 9000, "LATEST WEIGHT is '9000', expected a number"),
        ("Patient Data", "AB3", "N", "COVID TEST POSITIVE is 'N', expected Y"),
        ("Patient Data", "A3", "COVID-19-AR-1", "has no COVID-19-AR-16406513"),
        ("Imaging Studies", "B3", 3, "COVID-19-AR-16406513: 3 rows do not tell of which of 3 studies they are"),
        ("Imaging Studies", "B3", "soon", "COVID-19-AR-16406513: 3 rows do not tell"),
        ("Imaging Studies", "A3", "COVID-19-AR-1", "COVID-19-AR-1: a row of .* is of nothing that is known"),
    ],
)  # fmt: skip
def test_what_the_workbook_cannot_mean_is_told(
    alone: SmallSources, tmp_path: Path, sheet: str, cell: str, value: object, expected: str
) -> None:
    tree = changed(alone, tmp_path, sheet, cell, value)
    built = build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert built.rows == alone.build(NAME).rows
    assert any(re.search(expected, line) for line in told(built)), told(built)
