"""The publisher's files, byte for byte: DICOM, NIfTI, videos, pictures and tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets.exports.export import export
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
KINDS = [
    ("covid_ct", None, None),
    ("mosmed", "volumes", ".nii.gz"),
    ("mosmed", "slices", ".nii.gz"),
    ("stoic", "volumes", ".mha"),
    ("luna16", "volumes", (".mhd", ".raw")),
    ("pocus", "frames", None),
    ("midrc_ricord_1a", None, ".dcm"),
    ("jhu_csse", "time_series", ".csv"),
]


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "files.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("name", "config", "suffix"), KINDS)
def test_files_are_those_of_the_publisher(
    name: str, config: str | None, suffix: str | tuple[str, ...] | None, small: SmallSources, tmp_path: Path
) -> None:
    built = small.build(name, config=config)
    place: Any = {"cache_dir": small.cache, "data_dir": small.tree(name)}
    loaded = covid_datasets.load_dataset(name, built.config, allow_missing=True, **place)
    export(loaded, "originals", tmp_path / "out", **place)
    files = listed(tmp_path / "out")
    assert files
    assert {file["origin"] for file in files} == {"publisher"}
    for file in files:
        raw = small.tree(name) / file["path"].partition("/")[2]
        assert (tmp_path / "out" / file["path"]).read_bytes() == raw.read_bytes()
        assert suffix is None or file["path"].endswith(suffix) or "mask" in file["path"]
    records = {file["record"] for file in files}
    for split in loaded.values() if "sample_id" in loaded["train"].column_names else ():
        for sample in split["sample_id"]:
            assert sample in records or sample.rpartition("/")[0] in records


def test_only_the_files_of_the_rows(small: SmallSources, tmp_path: Path) -> None:
    built = small.build("covid_ct")
    place: Any = {"cache_dir": small.cache, "data_dir": small.tree("covid_ct")}
    rows = covid_datasets.load_dataset("covid_ct", built.config, split="train", allow_missing=True, **place).select(
        [1, 4]
    )
    export(rows, "originals", tmp_path / "out", **place)
    assert {file["record"] for file in listed(tmp_path / "out")} == set(rows["sample_id"])


def test_what_no_publisher_gave_is_as_stored(tmp_path: Path) -> None:
    loaded = covid_datasets.load_dataset("phantom", "small")
    export(loaded, "originals", tmp_path / "out")
    stored = {row["sample_id"]: row["image"]["bytes"] for row in loaded["test"].with_format("arrow")[:].to_pylist()}
    found = [file for file in listed(tmp_path / "out") if file["path"].startswith("stored/test/")]
    assert {file["origin"] for file in found} == {"stored"}
    assert {file["record"] for file in found} == stored.keys()
    for file in found:
        if "mask" not in file["path"]:
            assert (tmp_path / "out" / file["path"]).read_bytes() == stored[file["record"]]
