"""``streaming=True``: from a finished build, and straight from raw files, where nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.errors import IncompleteSourceError, UsageError
from covid_datasets.features import features_dict
from covid_datasets.load.dataset import load_dataset
from tests.small import SmallSources

datasets = pytest.importorskip("datasets")
SPLITS = ["train", "validation", "test"]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Reduce a row to what can be compared: of what is stored, without what loading adds."""
    return {key: value for key, value in row.items() if key not in ("image", "masks", "group_id")} | {
        "size": row["image"].size
    }


def stream_raw(tmp_path: Path, name: str = "phantom", config: str | None = "small", **options: Any) -> Any:
    return load_dataset(name, config, streaming=True, cache_dir=tmp_path / "cache", offline=True, **options)


def test_from_a_finished_build(small: SmallSources) -> None:
    built = small.build("phantom")
    streams = load_dataset("phantom", "small", streaming=True, cache_dir=small.cache)
    assert type(streams) is datasets.IterableDatasetDict
    assert list(streams) == SPLITS
    stored = datasets.load_from_disk(str(built.path))
    for split in SPLITS:
        assert [plain(row) for row in streams[split]] == [plain(row) for row in stored[split]]
    part = load_dataset("phantom", "small", "train[:2]+test[:1]", streaming=True, cache_dir=small.cache)
    assert len(list(part)) == 3
    folds = load_dataset("phantom", "small", streaming=True, scheme="fold-1-of-2", cache_dir=small.cache)
    assert list(folds) == ["train", "test"]


def test_straight_from_raw_files_writes_nothing(tmp_path: Path) -> None:
    streams = stream_raw(tmp_path)
    assert type(streams) is datasets.IterableDatasetDict
    assert streams["train"].features == datasets.Features.from_dict(features_dict())
    row = next(iter(streams["train"]))
    assert row["quality"] in ("good", "questionable", "poor")
    assert row["image"].size == (row["width"], row["height"])
    assert not (tmp_path / "cache").exists()


def test_raw_rows_are_those_of_the_build(tmp_path: Path) -> None:
    """Splits may differ where only pixels show that two rows are one picture; the rows themselves never do."""
    streamed = {row["sample_id"]: plain(row) for part in stream_raw(tmp_path).values() for row in part}
    built = load_dataset("phantom", "small", cache_dir=tmp_path / "built")
    assert streamed == {row["sample_id"]: plain(row) for part in built.values() for row in part}


@pytest.mark.parametrize("name", ["covid_ct", "cohen"])
def test_from_a_users_folder(small: SmallSources, name: str, tmp_path: Path) -> None:
    tree = small.tree(name)
    with pytest.warns(UserWarning, match=f"{name}@.* is INCOMPLETE"):
        streams = stream_raw(tmp_path, name, None, data_dir=tree, allow_missing=True)
    people = {split: {row["patient_id"] for row in part} for split, part in streams.items()}
    assert sum(len(list(part)) for part in streams.values()) == small.build(name).rows
    assert not any(people[one] & people[other] for one in SPLITS for other in SPLITS if one < other)
    with pytest.raises(IncompleteSourceError, match="allow_missing=True"):
        stream_raw(tmp_path, name, None, data_dir=tree)


def test_a_damaged_picture_is_left_out_and_told(small: SmallSources, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small.tree("cohen"), tree)
    picture = tree / "images" / "000016.jpg"
    picture.write_bytes(picture.read_bytes()[:500])
    with pytest.warns(UserWarning, match="INCOMPLETE"):
        streams = stream_raw(tmp_path, "cohen", None, data_dir=tree, allow_missing=True)
    with pytest.warns(UserWarning, match=r"left out: images/000016.jpg: changed or damaged"):
        count = sum(len(list(part)) for part in streams.values())
    assert count == small.build("cohen").rows - 1


def test_one_split_of_what_is_not_built(tmp_path: Path) -> None:
    part = stream_raw(tmp_path, split="validation")
    assert type(part) is datasets.IterableDataset
    assert len(list(part.take(2))) == 2
    with pytest.raises(UsageError, match="build first for ranges and sums"):
        stream_raw(tmp_path, split="train[:5]")


def test_what_needs_all_rows_is_built_first(tmp_path: Path) -> None:
    """Filters, folds and several sources are about all rows, so these streams come from a build."""
    part = stream_raw(tmp_path, split="train", modality="CT", num_proc=1)
    assert {row["modality"] for row in part} == {"CT"}
    assert list((tmp_path / "cache").rglob("manifest.json"))
