"""TFRecord: what we write without TensorFlow, real TensorFlow reads in an environment without us."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets import Image as ImageFeature
from PIL import Image

from covid_datasets import export, load_dataset
from covid_datasets.errors import CovidDatasetsError, DamagedFileError, MissingExtraError, UsageError
from covid_datasets.exports import framing
from covid_datasets.exports.framing import record_lengths, write_record
from covid_datasets.read.encode import encode
from tests.exports.outside import outside

READ = """
import json, sys
import numpy as np
import tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
def plain(value):
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "nan" if value != value else value
rows = {split: [plain(row) for row in tfds.as_numpy(builder.as_dataset(split=split))]
        for split, info in builder.info.splits.items() if info.num_examples}
image = builder.info.features["image"] if "image" in builder.info.features else None
image = getattr(image, "feature", image)
print(json.dumps({
    "name": builder.info.name, "version": str(builder.info.version), "config": builder.info.config_name,
    "rows": rows, "description": builder.info.description, "license": builder.info.redistribution_info.license,
    "splits": {split: info.num_examples for split, info in builder.info.splits.items()},
    "shards": {split: info.num_shards for split, info in builder.info.splits.items()},
    "image": None if image is None else [np.dtype(image.np_dtype).name, list(image.shape)],
    "labels": builder.info.features["label"].names if "label" in builder.info.features else None,
}))
"""


def dataset(columns: dict[str, list[Any]], **features: Any) -> Dataset:
    known = {"image": ImageFeature(), "sample_id": Value("string"), "label": ClassLabel(names=["no", "yes"])} | features
    return Dataset.from_dict(columns, Features({name: known[name] for name in columns}))


def encoded(array: np.ndarray, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, form, **options)
    return out.getvalue()


def read(folder: Path) -> Any:
    return outside(READ, folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def phantom(cache: Path) -> Any:
    return load_dataset("phantom", "small", framework="numpy", cache_dir=cache)


def test_tensorflow_datasets_reads_every_column_of_every_row(phantom: Any, tmp_path: Path) -> None:
    export(phantom, "tfrecord", tmp_path / "out", shard_bytes=300_000)
    found = read(tmp_path / "out")
    assert (found["name"], found["version"], found["config"]) == ("phantom", "1.0.0", "small")
    assert found["labels"] == list(phantom["train"].label_names)
    assert found["license"] == "CC0-1.0"
    assert min(found["shards"].values()) > 1
    for split, rows in phantom.items():
        assert len(found["rows"][split]) == len(rows) > 0
        for theirs, ours in zip(found["rows"][split], rows, strict=True):
            assert np.array_equal(np.squeeze(theirs["image"]), ours["image"])
            assert theirs["label"] == (-1 if ours["label"] is None else ours["label"])
            for name, mask in ours["masks"].items():
                assert len(theirs["masks"][name]) == (mask is not None)
                assert mask is None or np.array_equal(np.squeeze(theirs["masks"][name][0]), mask)
            for name in ("sample_id", "sex", "view", "date", "source_row", "group_id"):
                assert theirs[name] == (ours[name] or "")
            assert theirs["age"] == ("nan" if ours["age"] is None else pytest.approx(ours["age"]))
            assert theirs["width"] == ours["width"]
            assert theirs["depth"] == -(1 << 31)
            assert theirs["symptoms"] == (ours["symptoms"] or [])
            lists = {
                name for name in ours if isinstance(theirs.get(name), list | dict) and name not in ("image", "masks")
            }
            assert set(theirs["unknown_lists"]) == {name for name in lists if ours[name] is None}


def test_tensorflow_alone_reads_the_files(phantom: Any, tmp_path: Path) -> None:
    export(phantom, "tfrecord", tmp_path / "out")
    script = """
    import json, sys, glob
    import tensorflow as tf
    files = sorted(glob.glob(sys.argv[1] + "/*-train.tfrecord-*"))
    spec = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64),
            "age": tf.io.FixedLenFeature([], tf.float32), "symptoms": tf.io.VarLenFeature(tf.string)}
    rows = [tf.io.parse_single_example(each, spec) for each in tf.data.TFRecordDataset(files)]
    print(json.dumps([[row["label"].numpy().item(), list(tf.io.decode_image(row["image"]).shape)] for row in rows]))
    """
    expected = [[row["label"], [*row["image"].shape, 1]] for row in phantom["train"]]
    assert outside(script, tmp_path / "out") == expected


def test_images_that_tfds_does_not_read_become_png_and_that_is_said(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    colour = np.stack([grey, grey[::-1], 255 - grey], axis=-1)
    palette = io.BytesIO()
    Image.fromarray(colour).quantize(8).save(palette, "PNG")
    files = [
        encoded(grey, "PNG"), encoded(colour, "PNG"), encoded(grey, "JPEG"), palette.getvalue(),
        encoded(np.dstack([colour, grey]), "PNG"), encoded(colour, "BMP"), encoded(colour, "GIF"),
        encoded(colour, "WEBP", lossless=True), encoded(grey, "TIFF"),
    ]  # fmt: skip
    cmyk = io.BytesIO()
    Image.fromarray(colour).convert("CMYK").save(cmyk, "JPEG")
    binary = io.BytesIO()
    Image.fromarray(grey > 100).save(binary, "PNG")
    files += [cmyk.getvalue(), binary.getvalue()]
    rows = dataset({"image": [{"bytes": each, "path": None} for each in files]})
    export({"train": rows}, "tfrecord", tmp_path / "out")
    found = read(tmp_path / "out")
    images = [np.asarray(row["image"]) for row in found["rows"]["train"]]
    assert found["image"] == ["uint8", [None, None, None]]
    assert [image.shape[2] for image in images] == [1, 3, 1, 3, 4, 3, 3, 3, 1, 3, 1]
    for number in (0, 1, 5, 7, 8):
        assert np.array_equal(np.squeeze(images[number]), grey if images[number].shape[2] == 1 else colour)
    assert np.array_equal(images[4][..., 3], grey)
    assert np.array_equal(np.squeeze(images[10]), (grey > 100) * 255)
    assert "1 BMP, 1 GIF, 1 JPEG, 1 TIFF, 1 WEBP became PNG of 8 bits" in found["description"]


def test_hounsfield_units_and_detector_counts_keep_their_values(tmp_path: Path) -> None:
    units = np.array([[-32768, -1000, 0], [40, 3071, 32767]], np.int16)
    counts = np.array([[0, 3000, 65535]], np.uint16)
    grey = np.array([[0, 7, 255]], np.uint8)
    files = [encode(units), encode(counts), encode(grey), encode(np.dstack([grey, grey + 1, grey]))]
    files.append(encoded(np.dstack([grey, grey, grey, grey // 2]), "PNG"))
    rows = dataset({"image": [{"bytes": each, "path": None} for each in files], "label": [None, 0, 1, None, 1]})
    export({"train": rows}, "tfrecord", tmp_path / "out")
    found = read(tmp_path / "out")
    assert found["image"] == ["uint16", [None, None, 4]]
    images = [np.asarray(row["image"]) for row in found["rows"]["train"]]
    slope, intercept = (found["rows"]["train"][0][name] for name in ("hu_slope", "hu_intercept"))
    assert np.array_equal(images[0][..., 0] * slope + intercept, units)
    assert np.array_equal(images[1][..., 1], counts)
    assert np.array_equal(images[2][..., 2], grey)
    assert np.array_equal(images[3][..., 1], grey + 1)
    assert [image[..., 3].max() for image in images] == [65535, 65535, 255, 255, 127]
    assert [row["hu_slope"] for row in found["rows"]["train"]] == [1.0, "nan", "nan", "nan", "nan"]
    assert [row["label"] for row in found["rows"]["train"]] == [-1, 0, 1, -1, 1]
    assert "value + 32768" in found["description"]


def test_a_grey_column_of_16_bits_has_one_channel_and_keeps_its_own_scale(tmp_path: Path) -> None:
    units = np.array([[-1000, 40]], np.int16)
    rows = dataset(
        {"image": [{"bytes": encode(units), "path": None}] * 2, "hu_slope": [2.0, None], "hu_intercept": [10.0, None]},
        hu_slope=Value("float64"),
        hu_intercept=Value("float64"),
    )
    export({"train": rows}, "tfrecord", tmp_path / "out")
    found = read(tmp_path / "out")
    first, second = found["rows"]["train"]
    assert found["image"] == ["uint16", [None, None, 1]]
    assert np.array_equal(np.squeeze(first["image"]) * first["hu_slope"] + first["hu_intercept"], units[0] * 2 + 10)
    assert np.array_equal(np.squeeze(second["image"]) * second["hu_slope"] + second["hu_intercept"], units[0])


def test_rows_without_images_empty_splits_and_names_of_splits(tmp_path: Path) -> None:
    png = {"bytes": encode(np.zeros((2, 2), np.uint8)), "path": None}
    rows = dataset({"image": [png, None], "label": [0, 1]})
    export({"fold-1": rows, "fold-2": rows.select([])}, "tfrecord", tmp_path / "out")
    found = read(tmp_path / "out")
    assert found["splits"] == {"fold-1": 2, "fold-2": 0}
    assert [len(row["image"]) for row in found["rows"]["fold-1"]] == [1, 0]
    for name in ("all", "leave.out"):
        with pytest.raises(UsageError, match=f"expected splits named like 'train' or 'fold-1', found '{name}'"):
            export({name: rows}, "tfrecord", tmp_path / "other")


def test_tables_without_images(tmp_path: Path) -> None:
    columns = {
        "place": ["Wien", None, "北京"],
        "deaths": [1 << 40, None, -3],
        "rate": [0.5, None, 2.25],
        "revised": [True, None, False],
    }
    table = pa.table(columns).append_column("day", pa.array([0, None, 18_000], pa.int32()).cast(pa.date32()))
    export({"train": table}, "tfrecord", tmp_path / "out")
    rows = read(tmp_path / "out")["rows"]["train"]
    assert [row["place"] for row in rows] == ["Wien", "", "北京"]
    assert [row["deaths"] for row in rows] == [1 << 40, -(1 << 63), -3]
    assert [row["rate"] for row in rows] == [0.5, "nan", 2.25]
    assert [row["revised"] for row in rows] == [1, -1, 0]
    assert [row["day"] for row in rows] == ["1970-01-01", "", "2019-04-14"]


def test_what_no_feature_holds_names_the_sample_and_the_column(tmp_path: Path) -> None:
    good = {"bytes": encode(np.zeros((2, 2), np.uint8)), "path": None}
    for bad, found in (
        (b"", "0 bytes that are no image"),
        (b"<html>", "6 bytes that are no image"),
        (encoded(np.full((2, 2), 0.5, np.float32), "TIFF"), "TIFF of mode F"),
        (encoded(np.full((2, 2), 1 << 20, np.int32), "TIFF"), "values of int32 that 16 bits do not hold"),
        (encoded(np.zeros((2, 2), np.uint8), "BMP")[:-3], "BMP that cannot be decoded"),
    ):
        rows = dataset({"image": [good, {"bytes": bad, "path": None}], "sample_id": ["a/1", "a/2"]})
        with pytest.raises(UsageError, match="sample 'a/2', column 'image'") as raised:
            export({"train": rows}, "tfrecord", tmp_path / "out")
        assert found in str(raised.value)
        assert not (tmp_path / "out").exists()
    nested = dataset({"deep": [[[1]]]}, deep=List(List(Value("int64"))))
    with pytest.raises(UsageError, match="column 'deep': expected numbers, texts"):
        export({"train": nested}, "tfrecord", tmp_path / "out")
    with pytest.raises(UsageError, match="expected no column 'unknown_lists'"):
        export({"train": pa.table({"unknown_lists": [1], "a": [[1]]})}, "tfrecord", tmp_path / "out")


def test_a_record_too_long_for_tensorflow_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.exports.tfrecord.LIMIT", 100)
    with pytest.raises(UsageError, match="sample 'long', column 'text': expected a record of at most 100 bytes"):
        export({"train": pa.table({"sample_id": ["short", "long"], "text": ["", "x" * 100]})}, "tfrecord", tmp_path)


def test_nothing_is_written_without_compiled_checksums(
    phantom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google_crc32c.implementation", "python")
    framing.checksums.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match="expected its compiled implementation, found 'python'"):
            export(phantom, "tfrecord", tmp_path / "out")
    finally:
        framing.checksums.cache_clear()
    assert not (tmp_path / "out").exists()


def test_a_changed_byte_and_a_cut_are_seen_by_tensorflow(phantom: Any, tmp_path: Path) -> None:
    export(phantom, "tfrecord", tmp_path / "out", shard_bytes=300_000)
    shard = min((tmp_path / "out").glob("*-train.tfrecord-00000-*"))
    whole = shard.read_bytes()
    changed, cut, wrong_length = (tmp_path / name for name in ("changed", "cut", "wrong length"))
    changed.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    cut.write_bytes(whole[:-1])
    wrong_length.write_bytes(b"\x00" + whole[1:])
    script = """
    import json, sys
    import tensorflow as tf
    def count(path):
        try:
            return sum(1 for _ in tf.data.TFRecordDataset([path]))
        except tf.errors.DataLossError as error:
            return "lost"
    print(json.dumps([count(path) for path in sys.argv[1:]]))
    """
    count = len(list(record_lengths(shard)))
    assert outside(script, shard, changed, cut, wrong_length) == [count, "lost", "lost", "lost"]
    for path in (cut, wrong_length):
        with pytest.raises(DamagedFileError, match="expected a whole record at byte"):
            list(record_lengths(path))


def test_a_record_that_did_not_reach_the_disk_is_seen_before_anything_is_published(
    phantom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(file: Any, payload: bytes) -> int:
        return 0 if file.tell() else write_record(file, payload)

    monkeypatch.setattr("covid_datasets.exports.tfrecord.write_record", lossy)
    with pytest.raises(DamagedFileError, match="records as they were written"):
        export(phantom, "tfrecord", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(phantom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any, payload: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("covid_datasets.exports.tfrecord.write_record", full)
    with pytest.raises(CovidDatasetsError, match="the disk is full"):
        export(phantom, "tfrecord", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_the_same_data_gives_the_same_bytes_and_the_fingerprint_has_a_file_of_its_own(
    phantom: Any, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        export(phantom, "tfrecord", tmp_path / name)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    fingerprint = json.loads(one["manifest.json"])["export"]["fingerprint"]
    assert len(fingerprint) == 64
    assert fingerprint in one["dataset_info.json"].decode()


def test_records_are_framed_as_the_format_says() -> None:
    out = io.BytesIO()
    write_record(out, b"payload")
    length, check = struct.unpack_from("<QI", out.getvalue())
    assert (length, check) == (7, framing.masked(framing.checksums().value(struct.pack("<Q", 7))))
    assert len(out.getvalue()) == 7 + framing.OVERHEAD
