"""Batches hold the right pixels, whatever holds the rows and however they are made."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from covid_datasets import load_dataset, to_numpy
from covid_datasets.errors import UsageError
from covid_datasets.measure.image import window
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE", "ignore:.*have no label", "ignore:.*patient")


def load(small: SmallSources, name: Any, split: str | None = "all", framework: str = "numpy", **options: Any) -> Any:
    names = name if isinstance(name, list) else [name]
    builds = [small.build(each) for each in names]
    config = builds[0].config if len(builds) == 1 else None
    return load_dataset(
        name, config, split, cache_dir=small.cache, allow_missing=True, offline=True, framework=framework, **options
    )


def kept(batches: Any) -> dict[str, dict[str, Any]]:
    """Copy an epoch: for each sample id its image, label and masks."""
    found: dict[str, dict[str, Any]] = {}
    for batch in batches:
        for number, name in enumerate(batch["sample_id"]):
            assert name not in found, "every sample exactly once"
            arrays = {key: np.array(batch[key][number]) for key in ("image", "label", "masks") if key in batch}
            found[name] = arrays
    return found


def same(first: dict[str, dict[str, Any]], second: dict[str, dict[str, Any]]) -> bool:
    return set(first) == set(second) and all(
        np.array_equal(first[name][key], second[name][key]) for name in first for key in first[name]
    )


def reference(row: Any, side: int, channels: int) -> np.ndarray:
    """What Pillow makes of the stored bytes of an 8-bit picture."""
    image = Image.open(io.BytesIO(row["image"]["bytes"])).convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
    return pixels[None] if channels == 1 else np.moveaxis(pixels, -1, 0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["phantom", "cohen", "covid_ct"])
def test_pixels_are_those_of_pillow(small: SmallSources, name: str, channels: Literal[1, 3]) -> None:
    rows = load(small, name)
    frame = load(small, name, framework="pandas").set_index("sample_id")
    found = kept(to_numpy(rows, image_size=20, batch_size=7, dtype="uint8", channels=channels))
    with_image = frame[frame["image"].notna()]
    assert set(found) == set(with_image.index)
    for sample, row in with_image.iterrows():
        assert np.array_equal(found[sample]["image"], reference(row, 20, channels)), sample
    labels = dict(zip(rows.column("sample_id").to_pylist(), rows.column("label").to_pylist(), strict=True))
    assert {key: int(value["label"]) for key, value in found.items()} == {
        key: -1 if labels[key] is None else labels[key] for key in found
    }


def test_every_form_of_the_rows_gives_the_same(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    options: dict[str, Any] = {"image_size": (16, 24), "batch_size": 4, "masks": True}
    wanted = kept(to_numpy(load(small, "phantom", "train"), **options))
    assert next(iter(wanted.values()))["image"].shape == (1, 16, 24)
    hugging = load(small, "phantom", "train", "hf")
    chosen = hugging.shuffle(seed=1).filter(lambda row: row["modality"] == "CT").select(range(3))
    assert same(kept(to_numpy(hugging, **options)), wanted)
    assert same(kept(to_numpy(chosen, **options)), {name: wanted[name] for name in chosen["sample_id"]})
    assert same(kept(load(small, "phantom", "train", **options)), wanted)
    assert same(kept(load(small, "phantom", None, **options)["train"]), wanted)
    assert same(kept(to_numpy(load(small, "phantom", None, "hf"), **options)["train"]), wanted)
    some = load(small, "phantom", "train", "hf", columns=["sample_id", "label"])
    assert same(kept(to_numpy(some, **options)), wanted)


def test_several_sources_joined(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    names = ["covid_ct", "hannover"]
    options: dict[str, Any] = {"image_size": 16, "batch_size": 5, "dtype": "uint8"}
    joint = load(small, names, framework="numpy")
    parts = [kept(load(small, name, **options)) for name in names]
    assert same(kept(to_numpy(joint, **options)), {**parts[0], **parts[1]})
    assert same(kept(to_numpy(load(small, names, framework="hf"), **options)), {**parts[0], **parts[1]})
    decoded = kept(to_numpy(joint, **options, materialise=False))
    assert same(decoded, {**parts[0], **parts[1]})


def test_decoding_each_time_gives_the_same(small: SmallSources) -> None:
    for name in ("phantom", "cohen"):
        rows = load(small, name)
        options: dict[str, Any] = {"image_size": 24, "batch_size": 3, "masks": True, "shuffle": False}
        stored, decoded = (to_numpy(rows, materialise=each, **options) for each in (True, False))
        for one, other in zip(stored, decoded, strict=True):
            assert one["sample_id"] == other["sample_id"]
            assert np.array_equal(one["image"], other["image"])
            assert np.array_equal(one["masks"], other["masks"])


def test_masks_are_0_and_1_and_255_where_nobody_drew_one(small: SmallSources) -> None:
    rows = load(small, "phantom", modality="CT")
    some = rows.select([0, 1, 2])
    batches = to_numpy(some, image_size=32, batch_size=3, shuffle=False, masks=["infection", "heart"])
    assert batches.mask_names == ("infection", "heart")
    (batch,) = batches
    for number in range(3):
        mask = rows[number]["masks"]["infection"]
        small_one = np.asarray(Image.fromarray((mask > 0).astype(np.uint8)).resize((32, 32), Image.Resampling.NEAREST))
        assert np.array_equal(batch["masks"][number, 0], small_one)
    assert (batch["masks"][:, 1] == 255).all(), "no phantom has a mask of a heart"


def test_hounsfield_units_are_windowed_and_may_stay(small: SmallSources) -> None:
    pytest.importorskip("nibabel")
    small.build("mosmed", config="slices")
    rows = load_dataset(
        "mosmed", "slices", "all", cache_dir=small.cache, allow_missing=True, offline=True, framework="numpy"
    )
    image = rows[0]["image"]
    assert image.dtype == np.int16
    options: dict[str, Any] = {"image_size": image.shape, "batch_size": 1, "shuffle": False}
    grey = next(iter(to_numpy(rows, dtype="uint8", **options)))["image"][0, 0]
    assert np.array_equal(grey, window(image)), "-1000 to 400 by default, in whole numbers"
    narrow = next(iter(to_numpy(rows, dtype="uint8", window=(-160, 240), **options)))["image"][0, 0]
    assert np.array_equal(narrow == 255, image >= 240 - 0.5)
    raw = next(iter(to_numpy(rows, dtype="int16", stored="int16", **options)))["image"][0, 0]
    assert np.array_equal(raw, image)
    floats = next(iter(to_numpy(rows, stored="int16", **options)))["image"][0, 0]
    assert np.array_equal(floats, image), "float32 of stored Hounsfield units are these units"
    small_raw = next(iter(to_numpy(rows, dtype="int16", stored="int16", image_size=8, batch_size=1)))["image"]
    assert image.min() - 1 <= small_raw.min() < 0


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder of pictures of 16 bits that nobody gave a unit."""
    folder = tmp_path / "deep"
    folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 4096, (70, 80), np.uint16)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.filterwarnings("ignore")
def test_counts_are_not_squeezed_without_a_word(deep: Path) -> None:
    rows = load_dataset(str(deep), split="all", framework="numpy")
    with pytest.raises(UsageError, match=r"more than 8 bits and no unit .* counts=\("):
        to_numpy(rows, image_size=16, batch_size=2)
    with pytest.raises(UsageError, match="expected Hounsfield units"):
        to_numpy(rows, image_size=16, batch_size=2, stored="int16", dtype="int16")
    found = next(
        iter(to_numpy(rows, image_size=(70, 80), batch_size=4, shuffle=False, counts=(0, 4095), dtype="uint8"))
    )
    for number, row in enumerate(rows):
        wanted = np.floor(row["image"].astype(np.float64) * 255 / 4095 + 0.5)
        assert np.array_equal(found["image"][number, 0], wanted)


@pytest.mark.filterwarnings("ignore")
def test_what_nobody_chose_stops_nobody(deep: Path) -> None:
    """A deep picture and a broken one beside good ones: they are met by who wants them, and by nobody else."""
    Image.fromarray(np.full((30, 30), 7, np.uint8)).save(deep / "good.png")
    (deep / "broken.png").write_bytes((deep / "good.png").read_bytes()[:50])
    rows = load_dataset(str(deep), split="all", framework="numpy", verify="bytes", allow_missing=True)
    ids = rows.column("sample_id").to_pylist()
    good, broken = (next(n for n, name in enumerate(ids) if word in name) for word in ("good", "broken"))
    options: dict[str, Any] = {"image_size": 16, "dtype": "uint8"}
    (batch,) = to_numpy(rows.select([good]), **options)
    assert (batch["image"] == 7).all()
    with pytest.raises(UsageError, match="broken.png: expected an image"):
        list(to_numpy(rows.select([broken, good]), counts=(0, 4095), **options))
    with pytest.raises(UsageError, match="expected an image|no unit"):
        to_numpy(rows.select([good]), materialise=True, **options)
    with pytest.raises(UsageError, match="broken.png: expected an image"):
        list(to_numpy(rows, counts=(0, 4095), materialise=False, **options))


def test_floats_are_normalised(small: SmallSources) -> None:
    rows = load(small, "covid_ct")
    options: dict[str, Any] = {"image_size": 16, "batch_size": 4, "shuffle": False, "channels": 3}
    raw = kept(to_numpy(rows, dtype="uint8", **options))
    plain = kept(to_numpy(rows, **options))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    normal = kept(to_numpy(rows, mean=mean, std=std, **options))
    for name, sample in raw.items():
        assert plain[name]["image"].dtype == np.float32
        np.testing.assert_allclose(plain[name]["image"], sample["image"] / 255, atol=1e-6)
        wanted = (sample["image"] / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
        np.testing.assert_allclose(normal[name]["image"], wanted, atol=1e-5)


def test_buffers_are_two_for_any_number_of_epochs(small: SmallSources) -> None:
    batches = to_numpy(load(small, "phantom"), image_size=16, batch_size=4, masks=True)
    places = {batch["image"].ctypes.data for _ in range(20) for batch in batches}
    masks = {batch["masks"].ctypes.data for _ in range(20) for batch in batches}
    assert (len(places), len(masks)) == (2, 2)
    first = iter(batches)
    one = next(first)["image"]
    before = one.copy()
    next(first)
    assert np.array_equal(one, before), "still there while the next one is looked at"
    second = [batch["image"].ctypes.data for batch in batches]
    assert one.ctypes.data not in second, "a second pass beside the first has buffers of its own"


def test_rows_without_an_image_are_left_out_and_said(small: SmallSources) -> None:
    rows = load(small, "cohen")
    without = sum(value is None for value in rows.column("image").to_pylist())
    if without:
        with pytest.warns(UserWarning, match=f"{without} of {len(rows)} rows have no image"):
            batches = to_numpy(rows, image_size=16, batch_size=4)
        assert len(kept(batches)) == len(rows) - without
    pytest.importorskip("nibabel")
    volumes = load_dataset("mosmed", configs("mosmed")[0], "all", cache_dir=small.cache, framework="numpy",
                           data_dir=small.tree("mosmed"), allow_missing=True, offline=True)  # fmt: skip
    if volumes.column("volume").null_count < len(volumes):
        with pytest.raises(UsageError, match="without any: volumes and videos have no fixed shape"):
            to_numpy(volumes, image_size=16)


def configs(name: str) -> list[str]:
    from covid_datasets.catalog.cards import load_card

    return list(load_card(name).configs)


def test_no_rows_make_no_batch(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    empty = load(small, "phantom", "train", sample_id="phantom/nobody")
    assert list(to_numpy(empty, image_size=16)) == []
    assert list(to_numpy(load(small, "phantom", "train", "hf").select([]), image_size=16)) == []


def test_batches_travel_to_other_processes(small: SmallSources) -> None:
    for materialise in (True, False):
        batches = to_numpy(load(small, "phantom"), image_size=16, batch_size=4, materialise=materialise)
        sent = pickle.dumps(batches)
        assert len(sent) < 20_000, "where the arrays are, and not what is in them"
        assert same(kept(pickle.loads(sent)), kept(batches))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"batch_sise": 3}, "Did you mean 'batch_size'"),
    ({"image_size": 0}, "image_size: expected a side"),
    ({"image_size": "224"}, "image_size: expected a side"),
    ({"image_size": (3, 4, 5)}, "image_size: expected a side"),
    ({"image_size": True}, "image_size: expected a side"),
    ({"batch_size": 0}, "batch_size: expected a whole number, 1 or more"),
    ({"channels": 2}, "channels: expected 1 or 3"),
    ({"dtype": "float16"}, "dtype: expected 'float32' or 'uint8'"),
    ({"dtype": "int16"}, "dtype: expected 'float32' or 'uint8'"),
    ({"dtype": "uint8", "mean": 0.5}, "mean, std: expected with dtype='float32'"),
    ({"std": 0}, "std: expected numbers above 0"),
    ({"mean": (1, 2, 3)}, "mean: expected a number, found"),
    ({"window": (400, -1000)}, "window: expected two numbers"),
    ({"stored": "int16", "window": (0, 1)}, "expected channels=1 and no window"),
    ({"masks": ["lungs"]}, "masks: expected True, False or a list"),
    ({"shuffle": "yes"}, "shuffle: expected True, False or 'blocks'"),
    ({"seed": 0.5}, "seed: expected a whole number"),
    ({"rank": 2, "world": 2}, "rank: expected 0 to 1"),
    ({"uneven": "keep"}, "uneven: expected 'pad' or 'drop'"),
    ({"per_group": 0}, "per_group: expected a whole number"),
    ({"materialise": "maybe"}, "materialise: expected True, False or 'auto'"),
    ({"augment": None}, "expected with torch"),
    ({"threads": 0}, "threads: expected 1 or more"),
]


@pytest.mark.parametrize(("options", "match"), WRONG)
def test_wrong_options(small: SmallSources, options: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        to_numpy(load(small, "phantom", "train"), **options)


def test_tables_are_refused_before_they_are_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="image_size: expected images, found jhu_csse, a table"):
        load_dataset("jhu_csse", framework="numpy", image_size=16, cache_dir=tmp_path, offline=True)


def test_wrong_rows(small: SmallSources, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for ds in (None, 5, [1], datasets.Dataset.from_dict({"sample_id": ["a"], "label": [0]})):
        with pytest.raises(UsageError, match="expected"):
            to_numpy(ds)
    hugging = load(small, "phantom", "train", "hf")
    with pytest.raises(UsageError, match="map, cast and the like write them anew"):
        to_numpy(hugging.map(lambda row: {"age": 3.0}))
    with pytest.raises(UsageError, match="expected the column 'sample_id'"):
        to_numpy(load(small, "phantom", "train", "hf", columns=["image", "label"]))
    with pytest.raises(UsageError, match="batch_size: expected no such argument"):
        load(small, "phantom", "train", "hf", image_size=16, batch_size=4)
    with pytest.raises(UsageError, match="columns: expected none beside image_size"):
        load(small, "phantom", "train", image_size=16, columns=["image"])
    with pytest.raises(UsageError, match="batch_size: expected no such argument"):
        load(small, "phantom", "train", batch_size=16)


def test_labels_are_those_that_were_asked_for(small: SmallSources) -> None:
    rows = load(small, "phantom", task="covid19_vs_rest")
    batches = to_numpy(rows, image_size=8, batch_size=100, shuffle=False)
    assert batches.label_names == ("rest", "covid19")
    assert next(iter(batches))["label"].tolist() == rows.column("label").to_pylist()


def test_numpy_alone_is_enough(small: SmallSources) -> None:
    """Neither pandas nor torch is imported, nor what builds: a stored view opens as fast as NumPy does."""
    small.build("phantom")
    code = f"""
import sys
import covid_datasets
options = dict(cache_dir={str(small.cache)!r}, allow_missing=True, offline=True, framework="numpy")
for batch in covid_datasets.load_dataset("phantom", "small", "train", image_size=16, batch_size=4, **options):
    pass
heavy = {{"pandas", "torch", "datasets", "covid_datasets.prepare.engine", "covid_datasets.prepare.workers"}}
print(sorted(heavy & set(sys.modules)) if {{again}} else "made")
"""
    for again, wanted in ((False, "made"), (True, "[]")):
        command = [sys.executable, "-c", code.replace("{again}", str(again))]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == wanted
