"""ArrayRecord: read by number, in an environment without us."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from covid_datasets import export, load_dataset
from covid_datasets.errors import MissingExtraError
from tests.exports.outside import needs_outside, outside

READ = """
import json, sys
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
found = {split: builder.as_data_source(split=split) for split in builder.info.splits}
assert "tensorflow" not in sys.modules
def seen(row):
    return [row["sample_id"].decode(), list(row["image"].shape), int(row["label"])]
backwards = {split: [seen(rows[number]) for number in reversed(range(len(rows)))] for split, rows in found.items()}
print(json.dumps(backwards))
"""


@needs_outside
@pytest.mark.skipif(find_spec("array_record") is None, reason="needs the extra array_record")
def test_rows_are_read_by_number_without_tensorflow(tmp_path: Path) -> None:
    rows = load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path)
    export(rows, "array_record", tmp_path / "out", shard_bytes=100_000)
    assert len(list((tmp_path / "out").glob("*-train.array_record-*"))) > 1
    found = outside(READ, tmp_path / "out")
    for split, ours in rows.items():
        expected = [[row["sample_id"], [*row["image"].shape, 1], row["label"]] for row in ours]
        assert found[split] == expected[::-1]


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.extras.find_spec", lambda name: None)
    rows = load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path)
    with pytest.raises(MissingExtraError, match=r"covid_datasets\[array_record\]"):
        export(rows, "array_record", tmp_path / "out")
