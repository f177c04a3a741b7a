"""`covid_datasets.tfds`: every source under its name in TensorFlow Datasets, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset, info, load_dataset
from covid_datasets.catalog.cards import house_names
from covid_datasets.exports.semver import semvers

ROOT = Path(__file__).resolve().parent.parent
needs_tfds = pytest.mark.skipif(find_spec("tensorflow_datasets") is None, reason="needs the extra tf")
IMPORT = """
import json, os, sys
import tensorflow_datasets as tfds
import covid_datasets.tfds
tfds.disable_progress_bar()
"""


def run(code: str, cache: Path, **variables: str) -> Any:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COVID_DATASETS_CACHE": str(cache), "NO_GCE_CHECK": "true"}
    environment |= {"HOME": str(cache), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"} | variables
    done = subprocess.run(
        [sys.executable, "-c", IMPORT + code], env=environment, capture_output=True, text=True, check=False, cwd=cache
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


@needs_tfds
def test_load_builds_once_and_gives_our_rows_and_splits(tmp_path: Path) -> None:
    code = """
train, about = tfds.load("phantom/small:1.0.0", split="train", with_info=True)
before = {entry.path: entry.stat().st_mtime_ns for entry in os.scandir(about.data_dir)}
pairs = tfds.load("phantom/small", split="test", as_supervised=True)
after = {entry.path: entry.stat().st_mtime_ns for entry in os.scandir(about.data_dir)}
print(json.dumps({
    "ids": [row["sample_id"].decode() for row in tfds.as_numpy(train)],
    "labels": [int(label) for _, label in tfds.as_numpy(pairs)],
    "splits": {name: split.num_examples for name, split in about.splits.items()},
    "full_name": about.full_name, "data_dir": str(about.data_dir), "same": before == after,
    "supervised": list(about.supervised_keys), "citation": about.citation,
}))
"""
    found = run(code, tmp_path)
    ours = load_dataset("phantom", "small", framework="numpy", cache_dir=tmp_path)
    assert found["ids"] == [row["sample_id"] for row in ours["train"]]
    assert found["labels"] == [-1 if row["label"] is None else row["label"] for row in ours["test"]]
    assert found["splits"] == {name: len(rows) for name, rows in ours.items()}
    assert found["full_name"] == "phantom/small/1.0.0"
    assert found["data_dir"] == str(tmp_path / "tfds" / "phantom" / "small" / "1.0.0")
    assert found["same"]
    assert found["supervised"] == ["image", "label"]


@needs_tfds
def test_an_export_of_another_build_is_made_anew(tmp_path: Path) -> None:
    code = """
from pathlib import Path
builder = tfds.builder("phantom/small")
builder.download_and_prepare()
manifest = Path(builder.data_dir) / "manifest.json"
good = manifest.read_text()
manifest.write_text(good.replace(json.loads(good)["export"]["fingerprint"], "0" * 64))
builder = tfds.builder("phantom/small")
builder.download_and_prepare()
rows = sum(1 for _ in builder.as_dataset(split="train"))
print(json.dumps([manifest.read_text() == good, rows == builder.info.splits["train"].num_examples]))
"""
    assert run(code, tmp_path) == [True, True]


@needs_tfds
def test_every_source_version_and_config_has_a_name_there(tmp_path: Path) -> None:
    code = """
found = {}
for name, builder in covid_datasets.tfds.BUILDERS.items():
    assert name in tfds.list_builders(with_community_datasets=False)
    for config in builder.builder_configs:
        for version in [str(builder.VERSION), *map(str, builder.SUPPORTED_VERSIONS)]:
            made = tfds.builder(f"{name}/{config}:{version}")
            found[f"{name}/{config}:{version}"] = made._source
    default = tfds.builder(name)
    found[name] = [default.builder_config.name, str(default.version), default._source]
print(json.dumps(found))
"""
    found = run(code, tmp_path)
    assert not list((tmp_path / "tfds").rglob("*")), "nothing is built before it is asked for"
    for name in house_names():
        card = info(name)
        assert len(semvers(card)) == len(card.versions), f"{name}: two versions have the same three numbers"
        if not (card.has_data and card.versions):
            assert name not in found
            continue
        first, *_ = semvers(card)
        assert found[name] == [next(iter(card.configs)), first, f"{name}@{card.default_version}"]
        for config in card.configs:
            for version, ours in semvers(card).items():
                assert found[f"{name}/{config}:{version}"] == f"{name}@{ours}"


@needs_tfds
def test_what_is_wrong_is_said_in_our_words(tmp_path: Path) -> None:
    code = """
found = []
for name, options in (("midrc_ricord_1a", {}), ("phantom/small", {"file_format": "parquet"})):
    try:
        tfds.load(name, download=True, download_and_prepare_kwargs=options)
    except Exception as error:
        found.append([type(error).__name__, str(error)])
print(json.dumps(found))
"""
    (offline, _), (usage, text) = run(code, tmp_path, COVID_DATASETS_OFFLINE="1")
    assert offline in ("AccessRequired", "OfflineError")
    assert (usage, "expected one of tfrecord, array_record" in text) == ("UsageError", True)


def test_importing_the_package_loads_no_tensorflow(tmp_path: Path) -> None:
    build_dataset("phantom", "small", cache_dir=tmp_path)
    code = (
        "import covid_datasets, sys; rows = covid_datasets.load_dataset('phantom', 'small', framework='numpy');"
        f"covid_datasets.export(rows, 'tfrecord', {str(tmp_path / 'out')!r});"
        "print([name for name in sys.modules if name.partition('.')[0] in ('tensorflow', 'tensorflow_datasets')])"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COVID_DATASETS_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
