"""Slices that are files keep their bytes, films are one sample each, and what is made reads checked files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from covid_datasets import load_dataset
from covid_datasets.errors import InvalidRecordError
from covid_datasets.load.rows import decoded
from covid_datasets.measure.image import UndecodableError, measure
from covid_datasets.prepare.contents import DroppedError, read_content, read_masks
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.plan import make_plan
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.encode import encode
from covid_datasets.read.film import film
from covid_datasets.read.made import MaskFile, picture_mask
from covid_datasets.schema import Made, Notice, Part, Parts, RawReader, Record
from covid_datasets.splits.index import Index
from tests.dicom import radiograph
from tests.raws import Files

HU = np.random.default_rng(3).integers(-1000, 400, (5, 80, 80)).astype(np.int16)


def stored(raw: RawReader, number: int) -> bytes:
    """A slice as COVID-CTset has it: Hounsfield units plus 1024, without a sign."""
    return encode((HU[number] + 1024).astype(np.uint16))


def one_film(raw: RawReader, path: str) -> Iterator[Part | Notice]:
    pixels = np.random.default_rng(8).integers(0, 4096, (80, 90)).astype(np.uint16)
    data = radiograph(pixels, BitsStored=12, HighBit=11, BurnedInAnnotation="YES", PatientSex="M")
    yield from film(Files({path: data}), path)


def records(raw: RawTree) -> Iterator[Record | Notice]:
    for number in range(5):
        yield Record(
            sample_id=f"P1/{number}", image=Made(f"{number}.tif", stored, (number,)), modality="CT", patient="P1",
            series="S1", part_index=number, hu_slope=1.0, hu_intercept=-1024.0, typical=number == 2,
        )  # fmt: skip
    yield Record(
        sample_id="F1", image=Parts("F1.dcm", one_film, ("F1.dcm",)), modality="CXR", patient="P2", flags=("x",)
    )


@pytest.fixture
def built(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Built:
    monkeypatch.setattr("covid_datasets.builders.phantom.records", records)
    return build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, allow_missing=True)


def loaded(built: Built, framework: str) -> dict[str, Any]:
    rows = load_dataset(
        "phantom", "small", "all", framework=framework, cache_dir=built.path.parents[4], allow_missing=True
    )
    return {row["sample_id"]: row for row in rows}


def test_bytes_are_kept_and_arrays_are_hounsfield_units(built: Built) -> None:
    row = loaded(built, "numpy")["phantom/P1/3"]
    assert (row["series_id"], row["part_index"]) == ("phantom/S1", 3)
    assert row["image"].dtype == np.int16
    assert np.array_equal(row["image"], HU[3])
    assert row["sha256"] == hashlib.sha256(stored(Files(), 3)).hexdigest()
    assert row["value_range"] == "Hounsfield units are value * 1 + -1024"
    theirs = loaded(built, "hf")["phantom/P1/3"]
    assert np.array_equal(np.asarray(theirs["image"]), HU[3] + 1024), "the picture is the publisher's"
    assert (theirs["hu_slope"], theirs["hu_intercept"]) == (1.0, -1024.0)


def test_one_slice_of_a_series_is_compared(built: Built) -> None:
    index = Index.read(built.path)
    compared = {sample for sample, found in zip(index.texts("sample_id"), index.strings("phash"), strict=True) if found}
    assert compared == {"phantom/P1/2", "phantom/F1"}


def test_slices_are_looked_at_by_the_window_of_hounsfield_units() -> None:
    scaled = measure(stored(Files(), 1), "", "a.tif", (1.0, -1024.0))
    assert scaled.pixel_hash == measure(encode(HU[1]), "", "a.tiff").pixel_hash
    unscaled = measure(stored(Files(), 1), "", "a.tif")
    assert [look.thumb for look in scaled.looks or ()] != [look.thumb for look in unscaled.looks or ()] != []
    with pytest.raises(UndecodableError, match="expected one value a pixel"):
        measure(encode(np.zeros((80, 80, 3), np.uint8)), "", "a.png", (1.0, -1024.0))


def test_fractions_of_units_stay_fractions() -> None:
    row = {"image": {"bytes": encode(np.array([[0, 1]], np.uint16))}, "volume": None, "masks": {}, "volume_masks": {}}
    found = decoded(row | {"hu_slope": 0.5, "hu_intercept": -1000.0})["image"]
    assert (found.dtype, found.tolist()) == (np.float32, [[-1000.0, -999.5]])


def test_a_film_is_one_sample_with_the_id_of_its_record(built: Built) -> None:
    row = loaded(built, "numpy")["phantom/F1"]
    assert row["image"].dtype == np.uint16
    assert (row["sex"], row["view"], row["age"]) == ("M", "PA", 78.0)
    assert "burned_in_annotation" in row["flags"]
    assert row["value_range"] == "stored values of 12 bits"


@pytest.mark.parametrize("scale", [(1.0, None), (0.0, -1024.0), (float("nan"), 0.0)])
def test_a_scale_is_two_numbers(scale: tuple[float, float | None]) -> None:
    record = Record(sample_id="1", image=Made("1", stored, (1,)), patient="p", hu_slope=scale[0], hu_intercept=scale[1])
    with pytest.raises(InvalidRecordError, match="hu_slope, hu_intercept: expected two numbers"):
        make_plan("phantom", [record], RawTree(()))


class Changed(Files):
    """Raw files of which one is not what the manifest says."""

    def read(self, path: str) -> bytes:
        if path not in self:
            raise FileNotFoundError(path)
        return self[path]

    def identity(self, path: str) -> Any:
        return SimpleNamespace(mismatch=lambda data, sha256: "expected another hash") if path == "bad.png" else None


def test_what_a_made_mask_reads_is_held_against_the_manifest() -> None:
    mask = encode(np.eye(8, dtype=np.uint8))
    raw = cast(RawTree, Changed({"bad.png": mask, "good.png": mask, "small.png": encode(np.eye(4, dtype=np.uint8))}))
    image = encode(np.full((8, 8), 7, np.uint8))
    measured = measure(image, "", "a.png")

    def told(name: str) -> tuple[list[str], list[str]]:
        record = Record(sample_id="1", masks={"lung": picture_mask(MaskFile(name))})
        found, notices = read_masks(raw, record, "full", image, measured)
        return sorted(found), [notice.kind for notice in notices]

    assert told("good.png") == (["lung"], [])
    assert told("bad.png") == ([], ["mask not usable"])
    assert told("gone.png") == ([], ["mask not usable"])
    assert told("small.png") == (["lung"], ["mask of another size"])
    with pytest.raises(DroppedError, match="expected another hash"):
        read_content(raw, Record(sample_id="1", image=picture_mask(MaskFile("bad.png"))), "full")
