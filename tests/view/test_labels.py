"""What a source says, and the class that it becomes: counted in a build, else as far as the card knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from covid_datasets import build_dataset, label_table
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.cli import main
from covid_datasets.errors import UnknownDatasetError, UsageError


def test_a_build_is_counted_pair_by_pair(tmp_path: Path) -> None:
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    rows = label_table("phantom", "small", cache_dir=tmp_path).to_pylist()
    assert {row["known_from"] for row in rows} == {"build"}
    assert all(row["label_raw"] for row in rows)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["label"]] = counts.get(row["label"], 0) + row["rows"]
    assert counts == dict(built.labels)
    assert len({(row["label_raw"], row["label"]) for row in rows}) == len(rows)


def test_without_a_build_the_card_says_what_it_knows(tmp_path: Path) -> None:
    rows = label_table(["stoic", "covidx"], cache_dir=tmp_path).to_pylist()
    assert [(row["label"], row["rows"]) for row in rows if row["dataset"] == "stoic"] == [
        ("covid19", 1205),
        ("not_covid19", 795),
    ]
    words = {row["label_raw"]: row["label"] for row in rows if row["dataset"] == "covidx" and row["label_raw"]}
    assert words["COVID-19"] == "covid19"
    assert set(words.values()) <= {*label_names()}
    assert {row["known_from"] for row in rows} == {"card"}


def test_a_second_name_has_the_labels_of_the_source(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="loading cohen@2020-06-22"):
        rows = label_table("kaggle_covid_chest_xray", cache_dir=tmp_path).to_pylist()
    assert rows == label_table("cohen", cache_dir=tmp_path).to_pylist()
    assert rows


def test_what_has_no_labels_has_no_rows(tmp_path: Path) -> None:
    assert label_table(["losangeles", "jhu_csse"], cache_dir=tmp_path).num_rows == 0


@pytest.mark.parametrize(("name", "error"), [("phantm", UnknownDatasetError), ([], UsageError)])
def test_what_is_asked_for_wrongly_is_told(name: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        label_table(name)  # type: ignore[arg-type]


def test_the_command_shows_the_table_and_the_words_of_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["info", "covid_ct", "losangeles", "--labels", "--cache-dir", str(tmp_path)]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["dataset", "label_raw", "label", "rows", "known_from"]
    assert "covid_ct: by its card alone" in out
    assert main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == label_table(["covid_ct", "losangeles"], cache_dir=tmp_path).to_pylist()
    assert set(found["said"]) == {"covid_ct", "losangeles"}
