"""One record, many samples: parts are encoded without loss, stay together, and each loss is told."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Image as HubImage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from covid_datasets import build_dataset, load_dataset, verify
from covid_datasets.errors import DamagedFileError, InvalidRecordError
from covid_datasets.load.rows import decode_array
from covid_datasets.measure.image import measure, measure_pixels
from covid_datasets.prepare.pieces import part_record
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.encode import decode_deep, encode, is_hounsfield
from covid_datasets.schema import Notice, Part, Parts, Record
from covid_datasets.splits.index import Index

SIDES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(arrays.arrays(np.int16, SIDES))
def test_hounsfield_units_come_back(values: np.ndarray) -> None:
    assert is_hounsfield(Image.open(io.BytesIO(encode(values))))
    back = decode_array(encode(values))
    assert back.dtype == np.int16
    assert np.array_equal(back, values)
    assert back.flags.writeable
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(values)))), values), "Pillow reads the same"


@settings(deadline=None)
@given(arrays.arrays(np.uint16, SIDES))
def test_sixteen_bits_without_a_sign_come_back_wherever_they_are_read(values: np.ndarray) -> None:
    data = encode(values)
    back = decode_array(data)
    assert back.dtype == np.uint16
    assert np.array_equal(back, values)
    assert back.flags.writeable
    picture = Image.open(io.BytesIO(data))
    assert (picture.mode, is_hounsfield(picture)) == ("I;16", False)
    assert np.array_equal(np.asarray(picture), values), "Pillow reads the same"
    assert np.array_equal(np.asarray(HubImage().decode_example({"bytes": data, "path": "a.tiff"})), values)
    assert measure_pixels(values, "", "a.tiff") == measure(data, "", "a.tiff")


def test_the_bytes_of_sixteen_bits_are_for_ever() -> None:
    films = [np.arange(12, dtype=kind).reshape(3, 4) * 5000 for kind in (np.uint16, np.int16)]
    assert [hashlib.sha256(encode(film)).hexdigest()[:16] for film in films] == ["fbdf3eca42097331", "1dc3ef35ad0a0789"]


@given(arrays.arrays(np.int16, SIDES), st.integers(0, 133), st.integers(0, 255))
def test_only_what_was_written_here_is_read_without_pillow(values: np.ndarray, place: int, byte: int) -> None:
    data = bytearray(encode(values))
    data[place] = byte
    if bytes(data) == encode(values.view(np.uint16)):  # one byte tells the two kinds of values apart
        assert np.array_equal(decode_array(bytes(data)), values.view(np.uint16))
    elif bytes(data) != encode(values):
        assert decode_deep(bytes(data)) is None
    assert decode_deep(encode(values)[:-1]) is None
    assert decode_deep(encode(values) + b"x") is None


@given(
    st.one_of(arrays.arrays(np.uint8, SIDES), arrays.arrays(np.uint8, st.tuples(*[st.integers(1, 9)] * 2, st.just(3))))
)
def test_eight_bits_come_back(values: np.ndarray) -> None:
    assert np.array_equal(decode_array(encode(values)), values)


@pytest.mark.parametrize("shape", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 2), np.int16), np.zeros(3, np.uint8)])
def test_nothing_else_is_encoded(shape: np.ndarray) -> None:
    with pytest.raises(TypeError, match="expected 16-bit values"):
        encode(shape)


def volume(raw: RawTree, number: int) -> Iterator[Part | Notice]:
    """Five slices of one person; the third of them is damaged, and of the second person all after the second."""
    noise = np.random.default_rng(number).integers(-1000, 400, (5, 80, 80)).astype(np.int16)
    noise[0] = -1024  # above the lungs there is nothing but air, in everybody
    for index, pixels in enumerate(noise):
        path = f"{number}.nii.gz/{index:03}"
        if number == 1 and index == 2:
            raise DamagedFileError("1.nii.gz: expected 5 slices, found 2")
        if index == 2:
            yield Notice("damaged slice", path, "left out", dropped=True)
            continue
        masks = {"lung": (pixels > 0).astype(np.uint8)}
        yield Part(
            f"{index:03}", path, pixels, masks, {"part_index": index, "position": (0.0, 0.0, 2.5 * index)}, index == 1
        )


def records(raw: RawTree) -> Iterator[Record | Notice]:
    for number in range(4):
        parts = Parts(f"{number}.nii.gz", volume, (number,))
        yield Record(sample_id=f"P{number}", image=parts, modality="CT", patient=f"P{number}", series=f"S{number}")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    monkeypatch.setattr("covid_datasets.builders.phantom.records", records)
    return build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, allow_missing=True)


def test_each_part_is_a_row(built: Built) -> None:
    rows: list[dict[str, Any]] = list(
        load_dataset("phantom", "small", "all", framework="numpy", cache_dir=built.path.parents[4], allow_missing=True)
    )
    assert sorted(row["sample_id"] for row in rows) == [
        f"phantom/P{number}/{index:03}" for number in range(4) for index in ((0, 1) if number == 1 else (0, 1, 3, 4))
    ]
    row = next(row for row in rows if row["sample_id"] == "phantom/P2/003")
    wanted = [part for part in volume(RawTree(()), 2) if isinstance(part, Part)][2]
    assert np.array_equal(row["image"], wanted.pixels)
    assert np.array_equal(row["masks"]["lung"], wanted.masks["lung"])
    assert (row["position"], row["part_index"], row["series_id"]) == ([0.0, 0.0, 7.5], 3, "phantom/S2")


def test_losses_are_told(built: Built) -> None:
    told = {
        (notice["kind"], notice["where"]): notice["what"] for notice in built.manifest()["notices"] if notice["dropped"]
    }
    assert told["damaged file", "1.nii.gz"] == "1.nii.gz: expected 5 slices, found 2; 2 parts before it are kept"
    assert told["damaged slice", "0.nii.gz/002"] == "left out"
    assert built.incomplete


def test_slices_without_content_tie_nobody_together(built: Built) -> None:
    index = Index.read(built.path)
    assert len(set(index.groups)) == 4
    assert (
        len(
            {
                sha
                for sha, sample in zip(index.texts("sha256"), index.texts("sample_id"), strict=True)
                if sample.endswith("/000")
            }
        )
        == 1
    )


def test_any_number_of_workers_and_any_shard_give_the_same(built: Built, tmp_path: Path) -> None:
    again = build_dataset("phantom", "small", cache_dir=tmp_path / "b", num_proc=2, shard_bytes=1, allow_missing=True)
    assert again.fingerprint == built.fingerprint
    assert verify(built.path, pixels=True).ok


def test_the_fingerprint_is_of_pixels_and_not_of_their_compression(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("covid_datasets.read.png.engine", lambda: zlib)
    again = build_dataset("phantom", "small", cache_dir=tmp_path / "b", num_proc=1, allow_missing=True)
    files = [[path.read_bytes() for path in sorted(each.path.glob("*/*.arrow"))] for each in (built, again)]
    assert files[0] != files[1]
    assert again.fingerprint == built.fingerprint
    assert verify(again.path).ok


def test_flags_of_a_part_come_to_those_of_its_record() -> None:
    record = Record(sample_id="P", flags=("known_fault", "both"), view="axial", ties=("study:1",))
    part = Part("1", "v/1", np.zeros((2, 2), np.int16), fields={"flags": ("both", "own"), "view": "coronal"})
    merged = part_record(record, part, "v/1.tif")
    assert merged.flags == ("known_fault", "both", "own")
    assert (merged.sample_id, merged.view, merged.ties) == ("P/1", "coronal", ("study:1",))


@pytest.mark.parametrize("name", ["positon", "sample_id", "image", "masks", "ties"])
def test_a_field_that_a_part_cannot_have_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def wrong(raw: RawTree) -> Iterator[Part]:
        yield Part("1", "v/1", np.zeros((80, 80), np.int16), fields={name: ()})

    found = [Record(sample_id="P", image=Parts("v", wrong), patient="P")]
    monkeypatch.setattr("covid_datasets.builders.phantom.records", lambda raw: iter(found))
    with pytest.raises(InvalidRecordError, match=rf"sample 'P', part '1': fields: expected some of .*, found {name}$"):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
