"""MedSeg: a pile that is no volume, maps of labels that nobody here has read, and one volume that is half of all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset
from covid_datasets.load.rows import decode_array
from covid_datasets.load.splits import audit_build
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.nifti import read_volume
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build, count
from tests.nifti import nifti
from tests.small import SmallSources
from tests.sources import medseg as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
MASKS = ("infection", "ground_glass", "consolidation", "effusion", "lung")
PART_B: dict[str, Any] = {"part_b": True, "slices": False}


@pytest.fixture
def tree(small: SmallSources, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.tree("medseg"), tmp_path / "tree"))


def rows_of(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].removeprefix("medseg/"): row for row in open_table(built).to_pylist()}


def built_of(small: SmallSources, tree: Path, config: str) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    with small.in_use():
        cache = tree.parent / "cache"
        built = build_dataset("medseg", config, data_dir=tree, cache_dir=cache, num_proc=1, allow_missing=True)
    return rows_of(built), {note["where"]: note["what"] for note in built.manifest()["notices"]}


def records_of(tree: Path, **options: Any) -> tuple[dict[str, Record], list[Notice]]:
    return build("medseg", RawTree.of_folder(tree, options=options))


def test_slices_of_the_pile_are_upright_and_lie_nowhere(small: SmallSources) -> None:
    rows = rows_of(small.build("medseg", config="slices"))
    assert sorted(rows) == [*(f"tr/{number:03}" for number in range(6)), "val/000", "val/001"]
    pixels = np.stack([decode_array(rows[f"tr/{number:03}"]["image"]["bytes"]) for number in range(6)])
    values = source.pile(800, 6)
    assert pixels.dtype == np.uint16
    assert (pixels.min(), pixels.max()) == (0, 65535)
    step = float(values.max() - values.min()) / 65535
    assert np.abs(pixels * step + float(values.min()) - values).max() <= step
    for row in rows.values():
        assert (row["position"], row["orientation"], row["spacing"], row["part_index"]) == (None, None, None, None)
        assert row["value_range"].startswith("grey levels of 16 bits, no Hounsfield units: stored value * ")
        assert row["hu_slope"] is None
    drawn = rows["tr/002"]["masks"]
    for name, labels in (("ground_glass", (1,)), ("consolidation", (2,)), ("effusion", (3,)), ("infection", (1, 2))):
        assert np.array_equal(decode_array(drawn[name]["bytes"]), np.isin(source.lesions(6)[2], labels)), name
    assert np.array_equal(decode_array(drawn["lung"]["bytes"]), source.lungs(6)[2] > 0)
    assert not any(rows["val/000"]["masks"].values()), "nobody has published these"


def test_the_official_split_tears_apart_whom_nobody_knows(small: SmallSources) -> None:
    report = audit_build(small.build("medseg", config="slices"), "official")
    assert (report.rows, report.leaks) == ({"train": 6, "test": 2}, True)


def test_volumes_are_the_publishers_files_with_masks_of_either_map(small: SmallSources) -> None:
    rows = rows_of(small.build("medseg", config="volumes"))
    for number, depth in source.DEPTHS.items():
        row = rows[f"rp-{number}"]
        assert row["volume"]["bytes"] == (small.tree("medseg") / f"rp_im/{number}.nii.gz").read_bytes()
        assert (row["depth"], row["patient_id"]) == (depth, f"medseg/rp-{number}")
        masks = {name: row["volume_masks"][name] for name in MASKS}
        lesions = np.minimum(source.lesions(depth), 2)
        wanted = (lesions > 0, lesions == 1, lesions == 2, lesions == 3, source.lungs(depth) > 0)
        for (name, mask), voxels in zip(masks.items(), wanted, strict=True):
            assert np.array_equal(read_volume(mask["bytes"], "m.nii").voxels, voxels), name


def test_slices_of_volumes_share_their_patients_split(small: SmallSources) -> None:
    whole, sliced = (small.build("medseg", config=config) for config in ("volumes", "volume_slices"))
    assert sliced.rows == sum(source.DEPTHS.values())
    assert sliced.patients == whole.patients == 3
    rows = rows_of(sliced)
    mine = [rows[f"rp-1/{number:03}"] for number in range(source.DEPTHS[1])]
    pixels = np.stack([decode_array(row["image"]["bytes"]) for row in mine])
    assert np.array_equal(pixels, source.body(1)[:, ::-1]), "whole numbers stay, turned so that the front is above"
    drawn = np.stack([decode_array(row["masks"]["infection"]["bytes"]) for row in mine])
    assert np.array_equal(drawn, (source.lesions(source.DEPTHS[1]) > 0)[:, ::-1])


@pytest.mark.parametrize(("config", "where"), [("volumes", "rp_msk/1.nii.gz"), ("slices", "tr_mask.nii.gz")])
def test_a_label_that_nobody_explained_is_told(small: SmallSources, tree: Path, config: str, where: str) -> None:
    count = source.DEPTHS[1] if config == "volumes" else source.TR
    labels = np.minimum(source.lesions(count), 2)
    labels[0, 0, 0] = 9
    affine = source.FLAT if config == "slices" else None
    (tree / where).write_bytes(nifti(labels) if affine is None else nifti(labels, affine))
    rows, told = built_of(small, tree, config)
    assert any("found" in what and "255" in what for at, what in told.items() if at.startswith(where)), told
    drawn = rows["rp-1"]["volume_masks"] if config == "volumes" else rows["tr/000"]["masks"]
    for name in ("infection", "ground_glass", "consolidation", "effusion"):
        data = drawn[name]["bytes"]
        voxels = decode_array(data) if config == "slices" else read_volume(data, "m.nii").voxels[0]
        assert voxels[0, 0] == 255, name


def test_without_the_masks_of_lungs_slices_are_there(small: SmallSources, tree: Path) -> None:
    (tree / "tr_lungmasks_updated.nii.gz").unlink()
    rows, told = built_of(small, tree, "slices")
    assert len(rows) == 8
    assert rows["tr/000"]["masks"]["lung"] is None
    assert rows["tr/000"]["masks"]["effusion"] is not None
    assert "the slices of tr_im.nii.gz are without what it shows" in told["tr_lungmasks_updated.nii.gz"]


def test_a_pile_with_another_number_of_masks_has_none(small: SmallSources, tree: Path) -> None:
    (tree / "tr_mask.nii.gz").write_bytes(nifti(source.lesions(5), source.FLAT))
    rows, told = built_of(small, tree, "slices")
    assert "expected the shape (6, 96, 96) of its image, found (5, 96, 96)" in told["tr_mask.nii.gz"]
    assert rows["tr/000"]["masks"]["infection"] is None
    assert rows["tr/000"]["masks"]["lung"] is not None


def test_volumes_and_masks_that_lack_each_other_are_told(tree: Path) -> None:
    (tree / "rp_im/1.nii.gz").unlink()
    (tree / "rp_msk/2.nii.gz").unlink()
    (tree / "rp_im/3.nii").write_bytes(b"the same, unpacked")
    (tree / "rp_im/notes.txt").write_text("x")
    for name in ("tr_im", "tr_mask", "val_im", "tr_lungmasks_updated"):
        (tree / f"{name}.nii.gz").unlink()
    records, notices = records_of(tree, **PART_B)
    assert sorted(records) == ["rp-2", "rp-3"]
    assert sorted(records["rp-2"].volume_masks) == ["lung"]
    assert count(notices) == {"mask without a volume": 2, "mask missing": 1, "file twice": 1, "extra file": 1}
