"""``framework="tf"`` and `to_tf`: the same rows as in every other framework, as tensors."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from datasets import Image as ImageFeature

from covid_datasets import load_dataset, to_tf
from covid_datasets.errors import UsageError
from covid_datasets.read.encode import encode
from tests.small import SmallSources

# Nothing here imports TensorFlow before a test runs: it would be in every process that collects the tests.
pytestmark = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs the extra tf")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def rows(cache: Path) -> Any:
    return load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=cache)


def same(tensor: Any, value: Any, missing: Any) -> bool:
    array = tensor.numpy()
    if value is None:
        return bool(np.array_equal(array, missing, equal_nan=isinstance(missing, float)))
    return bool(array == (value.encode() if isinstance(value, str) else np.asarray(value, array.dtype)))


def test_all_columns_in_order_with_the_values_of_numpy(rows: Any, cache: Path) -> None:
    found = load_dataset("phantom", "small", split="train", framework="tf", cache_dir=cache)
    import tensorflow as tf

    assert isinstance(found, tf.data.Dataset)
    assert len(found) == len(rows)
    assert set(found.element_spec) == {*rows.column_names, "masks_known", "volume_masks_known"}
    for theirs, ours in zip(found, rows, strict=True):
        assert np.array_equal(theirs["image"].numpy()[..., 0], ours["image"])
        assert same(theirs["label"], ours["label"], -1)
        for name in ("sample_id", "sex", "date", "group_id"):
            assert same(theirs[name], ours[name], b"")
        assert same(theirs["age"], ours["age"], float("nan"))
        assert same(theirs["depth"], ours["depth"], -(1 << 31))
        assert same(theirs["survival"], ours["survival"], -1)
        assert [each.decode() for each in theirs["symptoms"].numpy()] == (ours["symptoms"] or [])
        for name, mask in ours["masks"].items():
            assert bool(theirs["masks_known"][name]) == (mask is not None)
            assert np.array_equal(theirs["masks"][name].numpy()[..., 0], np.zeros((0, 0)) if mask is None else mask)


def test_every_element_has_the_shape_and_type_that_the_spec_promises(rows: Any) -> None:
    import tensorflow as tf

    choices: tuple[dict[str, Any], ...] = (
        {},
        {"batch_size": 4},
        {"image_size": (20, 30), "batch_size": 4, "channels": 3},
    )
    for options in choices:
        ds = to_tf(rows, **options)
        for element in ds.take(2):
            for spec, value in zip(tf.nest.flatten(ds.element_spec), tf.nest.flatten(element), strict=True):
                assert spec.is_compatible_with(value)


def test_batches_of_one_size(rows: Any) -> None:
    ds = to_tf(rows, columns=["image", "label", "masks"], image_size=32, batch_size=4)
    assert ds.element_spec["image"].shape.as_list() == [None, 32, 32, 1]
    batches = list(ds)
    assert sum(len(batch["label"]) for batch in batches) == len(rows)
    assert batches[-1]["image"].shape[0] == len(rows) % 4 or 4
    small = np.concatenate([batch["image"].numpy() for batch in batches])
    for ours, theirs in zip(rows, small, strict=True):
        assert abs(float(theirs.mean()) - float(ours["image"].mean())) < 2
    masks = np.concatenate([batch["masks"]["lung"].numpy() for batch in batches])
    stored = {int(value) for row in rows for value in np.unique(row["masks"]["lung"])}
    assert set(np.unique(masks).tolist()) <= stored, "a mask has the values that it had"


def test_shuffled_epochs_are_whole_repeatable_and_differ(rows: Any) -> None:
    def epochs(seed: int) -> list[list[bytes]]:
        ds = to_tf(rows, columns=["sample_id"], shuffle=True, seed=seed)
        return [[each["sample_id"].numpy() for each in ds] for _ in range(2)]

    first, second = epochs(1)
    plain = [row["sample_id"].encode() for row in rows]
    assert sorted(first) == sorted(second) == sorted(plain)
    assert first != second
    assert first != plain
    assert epochs(1)[0] == first
    assert epochs(2)[0] != first


def test_hugging_face_rows_and_splits_give_the_same(rows: Any, cache: Path) -> None:
    stored = load_dataset("phantom", "small", cache_dir=cache)
    found = to_tf(stored, columns=["image", "label"], image_size=16, batch_size=64)
    assert list(found) == list(stored)
    theirs = next(iter(found["train"]))
    ours = next(iter(to_tf(rows, columns=["image", "label"], image_size=16, batch_size=64)))
    assert np.array_equal(theirs["image"], ours["image"])
    assert np.array_equal(theirs["label"], ours["label"])
    chosen = stored["train"].select([3, 1])
    ids = [each["sample_id"].numpy().decode() for each in to_tf(chosen, columns=["sample_id"])]
    assert ids == [rows[3]["sample_id"], rows[1]["sample_id"]]


def test_hounsfield_units_colour_and_unknown_labels() -> None:
    units = np.array([[-1000, 40]], np.int16)
    colour = np.dstack([np.full((1, 2), value, np.uint8) for value in (10, 20, 250)])
    features = Features(
        {"image": ImageFeature(), "label": ClassLabel(names=["no", "yes"]), "hu_slope": Value("float64")}
    )

    def dataset(images: list[np.ndarray]) -> Any:
        files = [{"bytes": encode(image), "path": None} for image in images]
        labels = [None, *range(len(images) - 1)]
        return Dataset.from_dict({"image": files, "label": labels, "hu_slope": [None] * len(images)}, features)

    deep, shallow = list(to_tf(dataset([units, colour])))
    assert deep["image"].dtype == "float32"
    assert np.array_equal(deep["image"].numpy()[..., 0], units)
    assert np.array_equal(shallow["image"].numpy(), colour)
    assert int(deep["label"]) == -1
    (grey,) = to_tf(dataset([colour]), channels=1)
    assert grey["image"].shape == (1, 2, 1)
    assert int(grey["image"][0, 0, 0]) == round(0.299 * 10 + 0.587 * 20 + 0.114 * 250)


def test_tables_without_images(small: SmallSources) -> None:
    small.build("jhu_csse", config="time_series")
    options: dict[str, Any] = {"cache_dir": small.cache, "data_dir": small.tree("jhu_csse"), "allow_missing": True}
    theirs = load_dataset("jhu_csse", "time_series", split="train", framework="tf", **options)
    ours = load_dataset("jhu_csse", "time_series", split="train", framework="numpy", **options)
    assert len(theirs) == len(ours)
    first = next(iter(theirs))
    assert set(first) == set(ours[0])
    assert first["date"].numpy().decode() == str(ours[0]["date"])
    assert same(first["confirmed"], ours[0]["confirmed"], -(1 << 63))


def test_what_cannot_work_is_said(rows: Any) -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"columns": ["imgae"]}, "found 'imgae'"),
        ({"columns": "image"}, "found 'image'"),
        ({"image_size": 0}, "image_size: expected a whole number of pixels"),
        ({"image_size": "224"}, "image_size: expected a whole number of pixels"),
        ({"batch_size": 0}, "batch_size: expected a whole number"),
        ({"channels": 2}, "channels: expected 1 or 3, found 2"),
    )
    for options, found in wrong:
        with pytest.raises(UsageError, match=found):
            to_tf(rows, **options)
    with pytest.raises(UsageError, match="expected what load_dataset returns"):
        to_tf([1, 2])
