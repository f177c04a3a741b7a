"""Folds for nnU-Net: every case validates once, and nobody is on both sides or in test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from covid_datasets import OwnData, load_splits
from covid_datasets.cli import main
from covid_datasets.errors import UsageError
from covid_datasets.exports.nnunet import case_of, nnunet_splits
from tests.audits.conftest import as_png, ward

Ward = tuple[OwnData, Path]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """Return a ward of 30 people with two pictures each, and the cache that it is built in."""
    folder = tmp_path_factory.mktemp("people")
    return ward(folder / "ward", folder / "cache", as_png, people=30), folder / "cache"


def test_every_case_validates_once_and_nobody_is_on_both_sides(people: Ward) -> None:
    own, cache = people
    rows = load_splits(own, cache_dir=cache).to_pylist()
    group_of = {case_of(row["sample_id"]): row["group"] for row in rows}
    kept = {case_of(row["sample_id"]) for row in rows if row["split"] != "test"}
    held_out = {row["group"] for row in rows if row["split"] == "test"}
    found = nnunet_splits(own, cache_dir=cache)
    assert len(found) == 5
    assert sorted(case for fold in found for case in fold["val"]) == sorted(kept)
    for fold in found:
        assert fold.keys() == {"train", "val"}
        assert set(fold["train"]) | set(fold["val"]) == kept
        train, val = ({group_of[case] for case in fold[name]} for name in ("train", "val"))
        assert not train & val
        assert not (train | val) & held_out


def test_the_command_writes_what_nnunet_reads(people: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, cache = people
    file = tmp_path / "splits_final.json"
    command = ["splits", str(own), "--patient-level", "1", "--cache-dir", str(cache), "--nnunet", str(file)]
    assert main(command) == 0
    assert json.loads(file.read_text(encoding="utf-8")) == nnunet_splits(own, cache_dir=cache)
    assert "5 folds" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folds"] == 5


def test_too_few_people_for_so_many_folds(people: Ward) -> None:
    own, cache = people
    with pytest.raises(UsageError, match="found too few for 30"):
        nnunet_splits(own, folds=30, cache_dir=cache)
