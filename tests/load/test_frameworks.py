"""The same rows in every framework, and a clear word where one is not installed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.features import features_dict
from covid_datasets.load.dataset import load_dataset
from covid_datasets.schema import COLUMNS
from tests.small import SmallSources

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


def load(small: SmallSources, name: str, split: str | None = "all", **options: Any) -> Any:
    config = small.build(name).config
    return load_dataset(name, config, split, cache_dir=small.cache, allow_missing=True, offline=True, **options)


def loaded_features() -> Any:
    """Return the stored features, and the group that loading adds."""
    from datasets import Features, Value

    return Features({**Features.from_dict(features_dict()), "group_id": Value("string")})


@pytest.mark.parametrize("name", ["phantom", "cohen", "covid_ct"])
def test_numpy_rows(small: SmallSources, name: str) -> None:
    rows = load(small, name, framework="numpy")
    assert len(rows) == small.build(name).rows
    assert repr(rows) == f"NumpyRows({len(rows)} rows)"
    for row in rows:
        assert list(row) == [*COLUMNS, "group_id"]
        assert row["image"].dtype == np.uint8
        assert row["image"].shape[:2] == (row["height"], row["width"])
        for mask in row["masks"].values():
            assert mask is None or mask.shape == row["image"].shape[:2]
    assert rows[-1]["sample_id"] == rows[len(rows) - 1]["sample_id"]
    assert [row["sample_id"] for row in rows[1:4]] == [rows[number]["sample_id"] for number in (1, 2, 3)]
    for beyond in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError):
            rows[beyond]
    assert pickle.loads(pickle.dumps(rows))[0]["sample_id"] == rows[0]["sample_id"]


def test_palettes_become_what_they_look_like(small: SmallSources) -> None:
    (row,) = load(small, "cohen", framework="numpy", sample_id="cohen/fig-b.PNG")
    assert row["image"].ndim == 3


def test_hugging_face(small: SmallSources) -> None:
    datasets = pytest.importorskip("datasets")
    whole = load(small, "phantom", None)
    assert type(whole) is datasets.DatasetDict
    assert whole["train"].features == loaded_features()
    part = load(small, "phantom", "train[2:5]+test[:1]", modality=["CT", "CXR"])
    assert type(part) is datasets.Dataset
    wanted = load(small, "phantom", "train[2:5]+test[:1]", framework="numpy")
    assert part["sample_id"][:] == [row["sample_id"] for row in wanted]
    for row, other in zip(part, wanted, strict=True):
        assert np.array_equal(np.asarray(row["image"]), other["image"])
        assert part.features["label"].int2str(row["label"]) == label_names()[other["label"]]
    assert len(part.filter(lambda row: row["modality"] == "CT").map(lambda row: {"twice": row["width"] * 2})) > 0
    empty = load(small, "cohen", "validation", sample_id="cohen/nobody")
    assert (len(empty), empty.features) == (0, whole["train"].features)


def test_every_scheme_and_filter_keeps_the_features(small: SmallSources) -> None:
    datasets = pytest.importorskip("datasets")
    found = load(small, "phantom", None, scheme="fold-1-of-2", quality=["good", "questionable"])
    assert type(found) is datasets.DatasetDict
    assert set(found) == {"train", "test"}
    assert {repr(part.features) for part in found.values()} == {repr(loaded_features())}


@pytest.mark.parametrize("name", ["phantom", "cohen"])
def test_pandas(small: SmallSources, name: str) -> None:
    pd = pytest.importorskip("pandas")
    frame = load(small, name, framework="pandas")
    rows = load(small, name, framework="numpy")
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == [*COLUMNS, "group_id"]
    assert frame["sample_id"].tolist() == [row["sample_id"] for row in rows]
    assert frame["label"].cat.categories.tolist() == list(label_names())
    wanted = [None if row["label"] is None else label_names()[row["label"]] for row in rows]
    assert [None if pd.isna(label) else label for label in frame["label"]] == wanted
    assert frame["image"][0]["bytes"][:2] in (b"\x89P", b"\xff\xd8"), "images stay encoded"
    assert set(load(small, name, None, framework="pandas")) == {"train", "validation", "test"}


def test_torch(small: SmallSources) -> None:
    torch = pytest.importorskip("torch")
    data = load(small, "phantom", "train", framework="torch")
    wanted = load(small, "phantom", "train", framework="numpy")
    assert isinstance(data, torch.utils.data.Dataset)
    assert len(data) == len(wanted)
    for row, other in zip((data[number] for number in range(4)), wanted, strict=False):
        assert row["image"].dtype == torch.uint8
        assert row["image"].shape == (1, *other["image"].shape)
        assert np.array_equal(row["image"][0].numpy(), other["image"])
        assert row["masks"]["lung"].shape == row["image"].shape
        row["image"] += 1  # its own memory, so a transform may change it


def test_torch_in_workers(small: SmallSources) -> None:
    torch = pytest.importorskip("torch")
    data = load(small, "covid_ct", framework="torch")
    batches = torch.utils.data.DataLoader(data, batch_size=4, num_workers=2, collate_fn=list)
    rows = [row for batch in batches for row in batch]
    assert [row["sample_id"] for row in rows] == [data[number]["sample_id"] for number in range(len(data))]
    assert {row["image"].shape[0] for row in rows} == {1, 3, 4}, "channels first, as many as are stored"


@pytest.mark.parametrize(
    ("options", "module", "extra"),
    [
        ("framework='hf'", "datasets", "hf"),
        ("framework='hf', streaming=True", "datasets", "hf"),
        ("framework='pandas'", "pandas", "pandas"),
        ("framework='torch'", "torch", "torch"),
        ("framework='tf'", "tensorflow", "tf"),
    ],
)
def test_a_missing_extra_is_told_before_a_build(options: str, module: str, extra: str, tmp_path: Path) -> None:
    code = f"""
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {module!r} else find_spec(name, *rest)
import covid_datasets
try:
    covid_datasets.load_dataset("phantom", "small", {options})
except covid_datasets.CovidDatasetsError as error:
    print(type(error).__name__, error.exit_code, error)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COVID_DATASETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"MissingExtraError 2 {module} is not installed")
    assert f"pip install 'covid_datasets[{extra}]'" in done.stdout
    assert not (tmp_path / "cache").exists(), "nothing was built for nothing"
