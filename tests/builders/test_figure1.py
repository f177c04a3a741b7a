"""Figure 1: words for numbers, letters that count films of one person, and rows that name no file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from covid_datasets import build_dataset
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.small import SmallSources
from tests.sources import figure1 as source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("figure1", RawTree.of_folder(tree))


def test_a_letter_counts_films_of_one_person(tree: Path) -> None:
    records, _ = of(tree)
    assert {records[f"COVID-00003{letter}.jpg"].patient for letter in "ab"} == {"COVID-00003"}
    assert {record.patient for record in records.values()} >= {"COVID-00040", "COVID-00045"}


def test_nothing_stated_is_not_normal(tree: Path) -> None:
    records, _ = of(tree)
    assert (records["COVID-00042.jpg"].label, records["COVID-00042.jpg"].label_raw) == (None, None)
    assert (records["COVID-00028.jpg"].label, records["COVID-00034.jpg"].label) == ("no_finding", "pneumonia")


def test_words_for_numbers_are_null_told_and_kept(tree: Path) -> None:
    records, notices = of(tree)
    told = {notice.where: notice.what for notice in notices}
    assert records["COVID-00015a.png"].age is None
    assert "age is '67+'" in told["images/COVID-00015a.png"]
    assert records["COVID-00016.jpg"].clinical == {}
    assert "'low 90s'" in told["images/COVID-00016.jpg"]
    assert records["COVID-00016.jpg"].source_row["pO2 saturation"] == "low 90s"
    assert records["COVID-00003b.jpg"].clinical == {"temperature_c": 39.1, "po2_saturation_percent": 90.0}


def test_text_in_windows_1252(tree: Path) -> None:
    records, _ = of(tree)
    assert records["COVID-00003b.jpg"].source_row["notes"] == "The patient\u2019s film after intubation"


def test_a_file_that_is_absent_keeps_its_ending(small: SmallSources, tmp_path: Path) -> None:
    """Only the manifest can tell .png from .jpg, because no column says it."""
    shutil.copytree(small.tree("figure1"), tmp_path / "tree")
    (tmp_path / "tree/images/COVID-00045.png").unlink()
    with small.in_use():
        built = build_dataset(
            "figure1", data_dir=tmp_path / "tree", cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
        )
    told = " ".join(f"{note['where']} {note['what']}" for note in built.manifest()["notices"])
    assert "images/COVID-00045.png" in told
    assert "images/COVID-00045.jpg" not in told
