"""MIDRC-RICORD-1C: votes become one answer, views and inversion are those of each file, and people of 1A are tied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pydicom")

from covid_datasets.builders.midrc_ricord_1c import _ANNOTATIONS, _LISTING

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.listing import read_listing
from covid_datasets.prepare.result import Built
from tests.small import SmallSources
from tests.sources.midrc_ricord_1c import (
    ADJUDICATED,
    AGREED,
    BREAST,
    IN_1A,
    INVALID,
    NO_AGE,
    TWO_VIEWS,
    UNLISTED,
    WITHDRAWN,
)

NAME = "midrc_ricord_1c"

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def built(alone: SmallSources) -> Built:
    return alone.build(NAME)


@pytest.fixture(scope="module")
def rows(alone: SmallSources, built: Built) -> Rows:
    loaded = load_dataset(NAME, split="all", framework="numpy", cache_dir=alone.cache, offline=True, allow_missing=True)
    found: Rows = {}
    names = {series.series: folder for folder, series in read_listing(_LISTING).items()}
    for row in loaded:
        found.setdefault(names[row["series_id"].partition("/")[2]], []).append(row)
    return found


def test_votes_become_one_answer(rows: Rows) -> None:
    said = {folder: (found[0]["label_raw"], found[0]["severity"]) for folder, found in rows.items()}
    assert said == {
        AGREED: ("Indeterminate Appearance", "Moderate Opacities (3-4 lung zones)"),
        ADJUDICATED: ("Typical Appearance", "Mild Opacities (1-2 lung zones)"),  # the grade is the readers', one blank
        BREAST: (None, None),  # Lion is not asked
        TWO_VIEWS: ("Negative for Pneumonia", "Negative for Pneumonia"),
        IN_1A: ("Atypical Appearance", "Mild Opacities (1-2 lung zones)"),  # Tiger's two classes count for none
        NO_AGE: (None, None),
        INVALID: ("Invalid Study", None),
    }
    assert {row["label"] for found in rows.values() for row in found} == {rows[AGREED][0]["label"]}
    row = json.loads(rows[ADJUDICATED][0]["source_row"])
    assert (row["class_by"], row["grade_by"]) == ("adjudication", "majority")
    assert row["votes"]["Dragon"] == ["Atypical Appearance", "Severe Opacities (>4 lung zones)"]
    assert "votes" not in json.loads(rows[NO_AGE][0]["source_row"])


def test_flags_say_what_is_wrong(rows: Rows) -> None:
    flags = {folder: found[0]["flags"] for folder, found in rows.items() if found[0]["flags"]}
    assert flags == {
        BREAST: ["readers_disagree", "body_part_contradicts"],
        INVALID: ["invalid_study", "body_part_contradicts"],
    }
    assert "readers call the study invalid" in rows[INVALID][0]["quality_reasons"]
    assert rows[INVALID][0]["quality"] != "good"


def test_every_file_has_a_view_of_its_own(rows: Rows) -> None:
    two = sorted(rows[TWO_VIEWS], key=lambda row: str(row["sample_id"]))
    assert [row["view"] for row in two] == ["PA", "lateral"]
    assert len({row["study_id"] for row in two}) == len({row["label_raw"] for row in two}) == 1
    assert {row["view"] for folder in rows.keys() - {TWO_VIEWS} for row in rows[folder]} == {"AP"}
    assert "inverted" in rows[ADJUDICATED][0]["value_range"]
    assert "inverted" not in rows[AGREED][0]["value_range"]
    assert (rows[AGREED][0]["age"], rows[NO_AGE][0]["age"]) == (55.0, None)


def test_studies_without_images_and_without_votes_are_told(built: Built) -> None:
    notices = built.manifest()["notices"]
    gone = [notice for notice in notices if notice["kind"] == "annotations of an unknown study"]
    assert {study for notice in gone for study in (WITHDRAWN, UNLISTED) if study in notice["what"]} == {
        WITHDRAWN, UNLISTED,
    }  # fmt: skip
    kinds = {notice["kind"] for notice in notices}
    assert {"study without annotations", "class left open", "grade left open", "reader with several answers"} <= kinds


def test_films_without_votes_are_films(alone: SmallSources, built: Built, tmp_path: Path) -> None:
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    (tree / _ANNOTATIONS).unlink()
    bare = build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True, offline=True)
    assert bare.rows == built.rows
    assert "votes" in {notice["where"] for notice in bare.manifest()["notices"]}
    loaded = load_dataset(NAME, split="all", framework="numpy", cache_dir=tmp_path, offline=True, allow_missing=True)
    assert {(row["label_raw"], row["severity"]) for row in loaded} == {(None, None)}


def test_a_lost_view_changes_no_other(alone: SmallSources, rows: Rows, tmp_path: Path) -> None:
    tree = shutil.copytree(alone.tree(NAME), tmp_path / "tree")
    first, _ = sorted((tree / TWO_VIEWS).glob("*.dcm"))
    first.unlink()
    build_dataset(NAME, data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    loaded = load_dataset(NAME, split="all", framework="numpy", cache_dir=tmp_path, offline=True, allow_missing=True)
    left = {row["sample_id"] for row in loaded}
    whole = {row["sample_id"] for found in rows.values() for row in found}
    assert left < whole
    assert len(whole - left) == 1


def test_loaded_with_1a_nobody_is_in_two_splits(alone: SmallSources) -> None:
    """The trees of both releases have two people in common, by CT there and by films here."""
    names = ["midrc_ricord_1a", NAME]
    for name in names:
        alone.build(name)
    loaded = load_dataset(names, framework="numpy", cache_dir=alone.cache, offline=True, allow_missing=True)
    seen: dict[str, set[tuple[str, str]]] = {}
    for split, rows in loaded.items():
        for row in rows:
            source, _, person = row["patient_id"].partition("/")
            seen.setdefault(person, set()).add((source, split))
    both = {person: found for person, found in seen.items() if len({source for source, _ in found}) > 1}
    assert set(both) == {"440808-000001", "SITE2-000001"}
    assert all(len({split for _, split in found}) == 1 for found in seen.values())
