"""The idioms of Hugging Face ``datasets`` on what is loaded, with the real library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from covid_datasets import load_dataset
from covid_datasets.errors import DamagedFileError, NotThereError, UsageError
from tests.server import serve
from tests.small import NO_PROXY, SmallSources, environment

datasets = pytest.importorskip("datasets")
COLUMNS = ["image", "label", "modality", "sample_id", "width", "group_id"]


def load(small: SmallSources, split: str = "train", **options: Any) -> Any:
    small.build("phantom")
    return load_dataset("phantom", "small", split, cache_dir=small.cache, offline=True, **options)


@pytest.mark.parametrize("kind", ["numpy", "torch", "pandas", "arrow"])
def test_with_format(small: SmallSources, kind: str) -> None:
    library = pytest.importorskip({"arrow": "pyarrow"}.get(kind, kind))
    rows = load(small, columns=COLUMNS).with_format(kind)
    wanted = load(small, columns=COLUMNS, framework="numpy")
    batch = rows[:4]
    expected = {"numpy": dict, "torch": dict, "pandas": getattr(library, "DataFrame", None), "arrow": None}[kind]
    assert isinstance(batch, expected or library.Table)
    names = batch["sample_id"]
    assert list(names.to_pylist() if kind == "arrow" else names) == [wanted[row]["sample_id"] for row in range(4)]
    if kind in ("numpy", "torch"):
        assert np.array_equal(np.asarray(batch["image"][0]).squeeze(), wanted[0]["image"])


def test_map_and_filter_keep_what_a_column_means(small: SmallSources) -> None:
    rows = load(small, columns=COLUMNS)
    twice = rows.map(lambda width: {"twice": 2 * width}, input_columns="width")
    assert twice["twice"][:] == [2 * width for width in rows["width"]]
    assert twice.features["label"] == rows.features["label"]
    few = rows.filter(lambda modality: modality == "CT", input_columns="modality")
    assert set(few["modality"]) == {"CT"}
    assert set(few["group_id"]) <= set(rows["group_id"])


def test_an_iterable_dataset_is_shared_by_ranks_and_workers(small: SmallSources) -> None:
    from datasets.distributed import split_dataset_by_node

    rows = load(small, columns=["sample_id"])
    wanted = sorted(rows["sample_id"])
    for whole in (rows, rows.to_iterable_dataset(num_shards=2), load(small, columns=["sample_id"], streaming=True)):
        parts = [[row["sample_id"] for row in split_dataset_by_node(whole, rank, 2)] for rank in range(2)]
        assert sorted(parts[0] + parts[1]) == wanted
        assert all(parts)
    shuffled = rows.to_iterable_dataset(num_shards=2).shuffle(seed=0, buffer_size=10)
    assert sorted(row["sample_id"] for row in shuffled) == wanted


# --- a build at a URL ----------------------------------------------------------------------------------------------


@pytest.fixture
def remote(small: SmallSources) -> str:
    """Put a build into fsspec's store in memory."""
    url = "memory://published/phantom"
    store = fsspec.filesystem("memory")
    if store.exists("/published"):
        store.rm("/published", recursive=True)
    store.put(str(small.build("phantom").path) + "/", "/published/phantom/", recursive=True)
    return url


def test_a_build_is_streamed_from_where_it_lies(small: SmallSources, remote: str, tmp_path: Path) -> None:
    streams = load_dataset(remote, streaming=True, cache_dir=tmp_path)
    stored = datasets.load_from_disk(str(small.build("phantom").path))
    assert list(streams) == list(stored)
    for split, stream in streams.items():
        assert stream.features == stored[split].features
        assert [row["sample_id"] for row in stream] == stored[split]["sample_id"][:]
    first = next(iter(load_dataset(remote, split="train", streaming=True, columns=["image", "label"])))
    assert list(first) == ["image", "label"]
    assert np.array_equal(np.asarray(first["image"]), np.asarray(stored["train"][0]["image"]))
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_a_build_is_streamed_over_http(small: SmallSources) -> None:
    pytest.importorskip("aiohttp")
    built = small.build("phantom")
    with serve(built.path) as server, environment(NO_PROXY):
        rows = load_dataset(server.url(""), split="validation", streaming=True, columns=["sample_id"])
        names = [row["sample_id"] for row in rows]
    assert names == datasets.load_from_disk(str(built.path))["validation"]["sample_id"][:]


def test_ranks_share_the_files_of_a_build_at_a_url(remote: str) -> None:
    from datasets.distributed import split_dataset_by_node

    whole = load_dataset(remote, split="train", streaming=True, columns=["sample_id"])
    assert whole.num_shards > 1, "each file is a shard"
    parts = [[row["sample_id"] for row in split_dataset_by_node(whole, rank, 2)] for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == sorted(row["sample_id"] for row in whole)
    assert all(parts)


def test_a_changed_build_at_a_url_is_refused(remote: str) -> None:
    store = fsspec.filesystem("memory")
    files = sorted(store.glob("/published/phantom/train/data-*.arrow"))  # not what datasets.map kept beside them
    store.pipe(files[0], store.cat(files[0])[:-9])
    with pytest.raises(DamagedFileError, match=r"expected [\d,]+ bytes"):
        list(load_dataset(remote, split="train", streaming=True, columns=["sample_id"]))
    manifest = json.loads(store.cat("/published/phantom/manifest.json"))
    store.pipe("/published/phantom/manifest.json", json.dumps(manifest | {"build": {}}).encode())
    with pytest.raises(DamagedFileError, match=r"manifest.sha256"):
        load_dataset(remote, streaming=True)


def test_what_a_url_cannot_do_is_told(remote: str) -> None:
    with pytest.raises(NotThereError, match=r"found no manifest.json"):
        load_dataset("memory://nowhere", streaming=True)
    with pytest.raises(UsageError, match="expected a URL that fsspec opens"):
        load_dataset("no-such-protocol://x", streaming=True)
    wrongs: list[dict[str, Any]] = [
        {},
        {"streaming": True, "modality": "CT"},
        {"streaming": True, "scheme": "official"},
    ]
    for wrong in wrongs:
        with pytest.raises(UsageError, match="expected streaming=True"):
            load_dataset(remote, **wrong)
    with pytest.raises(UsageError, match="Did you mean 'label'"):
        load_dataset(remote, streaming=True, columns=["lable"])
