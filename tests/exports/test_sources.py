"""Every kind of source in every format, opened by what its users have: volumes, videos, DICOM, tables, odd pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets.exports.export import export
from tests.exports.outside import needs_outside, outside
from tests.small import SmallSources

KINDS = [
    ("phantom", "small"),
    ("covid_ct", None),
    ("mosmed", "volumes"),
    ("mosmed", "slices"),
    ("pocus", "videos"),
    ("midrc_ricord_1a", None),
    ("jhu_csse", "time_series"),
]
FOLDER = """
import json, sys
import datasets
found = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2])
rows = {name: len(split) for name, split in found.items()}
features = {name: str(kind) for name, kind in next(iter(found.values())).features.items()}
first = [split.with_format("arrow")[0].to_pylist()[0] for split in found.values()]
kept = [{name: value for name, value in row.items() if isinstance(value, (str, int, bool))} for row in first]
print(json.dumps({"rows": rows, "features": features, "first": kept}))
"""
TARS = """
import glob, hashlib, json, sys
import webdataset

def digest(key, value):
    return json.loads(value) if key == "json" else hashlib.sha256(value).hexdigest()

found = {}
for split in sys.argv[2:]:
    tars = sorted(glob.glob(f"{sys.argv[1]}/{split}-*.tar"))
    rows = webdataset.WebDataset(tars, shardshuffle=False, empty_check=False)
    found[split] = []
    for row in rows:
        files = {key: digest(key, value) for key, value in row.items() if isinstance(value, bytes)}
        found[split].append(files | {"__key__": row["__key__"]})
print(json.dumps(found))
"""


@pytest.fixture(params=KINDS, ids=["-".join(filter(None, kind)) for kind in KINDS])
def loaded(request: pytest.FixtureRequest, small: SmallSources) -> Any:
    name, config = request.param
    built = small.build(name, config=config)
    return covid_datasets.load_dataset(
        name, built.config, cache_dir=small.cache, data_dir=small.tree(name), allow_missing=True
    )


@needs_outside
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hugging_face_opens_the_folder(loaded: Any, tmp_path: Path) -> None:
    export(loaded, "hf", tmp_path / "out")
    found = outside(FOLDER, tmp_path / "out", tmp_path / "cache")
    assert found["rows"] == {name: len(split) for name, split in loaded.items() if len(split)}
    features = next(iter(loaded.values())).features
    assert found["features"] == {name: str(kind) for name, kind in features.items()}
    kept = [split.with_format("arrow")[0].to_pylist()[0] for split in loaded.values() if len(split)]
    for row, stored in zip(found["first"], kept, strict=True):
        assert row == {name: value for name, value in stored.items() if isinstance(value, str | int | bool)}


@needs_outside
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_webdataset_reads_the_tars(loaded: Any, tmp_path: Path) -> None:
    export(loaded, "webdataset", tmp_path / "out", shard_bytes=100_000)
    found = outside(TARS, tmp_path / "out", *loaded)
    for name, split in loaded.items():
        stored = split.with_format("arrow")[:].to_pylist()
        assert len(found[name]) == len(stored)
        assert len({sample["__key__"] for sample in found[name]}) == len(stored)
        for sample, row in zip(found[name], stored, strict=True):
            assert sample["json"].get("sample_id") == row.get("sample_id")
            assert sample["json"].get("label") == row.get("label")
            assert ("cls" in sample) == (row.get("label") is not None)
            files = [key for key in sample if not key.startswith("__") and key not in ("json", "cls")]
            shown = next((row[column] for column in ("image", "volume", "video") if row.get(column)), None)
            if shown is not None:
                assert row["sha256"] in {sample[key] for key in files}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_csv_names_files_with_the_stored_bytes(loaded: Any, tmp_path: Path) -> None:
    export(loaded, "folder", tmp_path / "out")
    for name, split in loaded.items():
        rows = read_csv(tmp_path / "out" / f"{name}.csv")
        stored = split.with_format("arrow")[:].to_pylist()
        assert len(rows) == len(stored)
        for row, kept in zip(rows, stored, strict=True):
            for column in ("image", "volume", "video"):
                if kept.get(column):
                    assert (tmp_path / "out" / row["path"]).read_bytes() == kept[column]["bytes"]
            for mask, value in (kept.get("masks") or {}).items():
                if value:
                    assert (tmp_path / "out" / row[f"masks.{mask}"]).read_bytes() == value["bytes"]


def read_csv(path: Path) -> list[dict[str, str]]:
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
