"""Parquet, opened by what its users have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import covid_datasets
from covid_datasets.exports.export import export
from tests.exports.outside import needs_outside, outside

READ = """
import json, sys
import datasets
rows = datasets.load_dataset("parquet", data_files={"train": f"{sys.argv[1]}/train-*.parquet"}, split="train")
first = rows[0]
print(json.dumps({
    "rows": len(rows), "kind": type(first["image"]).__name__, "size": first["image"].size,
    "mask": first["masks"]["lung"].size, "classes": rows.features["label"].names, "label": first["label"],
    "sample_id": first["sample_id"],
}))
"""


@pytest.fixture
def loaded() -> Any:
    return covid_datasets.load_dataset("phantom", "small")


@needs_outside
def test_plain_hugging_face_opens_it(loaded: Any, tmp_path: Path) -> None:
    export(loaded, "parquet", tmp_path / "out")
    found, first = outside(READ, tmp_path / "out"), loaded["train"][0]
    assert found["rows"] == len(loaded["train"])
    assert found["size"] == list(first["image"].size)
    assert found["mask"] == list(first["masks"]["lung"].size)
    assert found["classes"] == loaded["train"].features["label"].names
    assert (found["label"], found["sample_id"]) == (first["label"], first["sample_id"])


def test_bytes_are_those_of_the_build(loaded: Any, tmp_path: Path) -> None:
    export(loaded, "parquet", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "train-00000-of-00001.parquet")
    stored: pa.Table = loaded["train"].with_format("arrow")[:]
    assert table.column("image").to_pylist() == stored.column("image").to_pylist()
    assert table.column("label").to_pylist() == stored.column("label").to_pylist()


def test_a_small_shard_begins_the_next(loaded: Any, tmp_path: Path) -> None:
    done = export(loaded["train"], "parquet", tmp_path / "out", shard_bytes=1)
    shards = sorted(name for name in done.files if name.startswith("train-"))
    assert shards == ["train-00000-of-00001.parquet"]  # one batch, that is not torn
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["files"].keys() == done.files.keys()
