"""Masks that are made: what the raw files say, in its place and of the size of the image, or an error."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.load.rows import decode_array
from covid_datasets.measure.volume import measure_volume
from covid_datasets.prepare.plan import make_plan
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.made import IGNORED, MaskFile, other_size, picture_mask, volume_as_nifti, volume_mask
from covid_datasets.read.nifti import read_volume
from covid_datasets.schema import Record
from tests.metaimage import mha
from tests.nifti import USUAL, nifti
from tests.raws import Files
from tests.read.test_metaimage import HU


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), mode).save(out, "PNG")
    return out.getvalue()


def made(files: dict[str, bytes], *masks: MaskFile, **options: Any) -> np.ndarray:
    return decode_array(picture_mask(*masks, **options).read(Files(files)))


LABELS = np.array([[0, 1, 2], [3, 1, 0]])


def test_a_label_map_gives_named_masks() -> None:
    files = {"m.png": png(LABELS)}
    assert made(files, MaskFile("m.png", (1, 2, 3))).tolist() == [[0, 1, 1], [1, 1, 0]]
    assert made(files, MaskFile("m.png", (2,))).tolist() == [[0, 0, 1], [0, 0, 0]]
    assert made(files, MaskFile("m.png")).tolist() == [[0, 1, 1], [1, 1, 0]]


def test_a_value_may_mean_neither() -> None:
    files = {"m.png": png(np.array([[0, 127, 255]]))}
    assert made(files, MaskFile("m.png", ignore=(127,))).tolist() == [[0, IGNORED, 1]]
    assert made(files, MaskFile("m.png", (255,), (127,)), empty="unknown").tolist() == [[0, IGNORED, 1]]


def test_nothing_may_mean_that_nobody_looked() -> None:
    files = {"m.png": png(np.zeros((2, 2)))}
    assert not made(files, MaskFile("m.png")).any()
    with pytest.raises(DamagedFileError, match="m.png: expected a mask, found nothing in it: nobody annotated"):
        made(files, MaskFile("m.png"), empty="unknown")


def test_colours_count_and_alpha_does_not() -> None:
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, 1, :3] = (187, 73, 73)
    pixels[0, 2, :3] = (0, 0, 9)
    files = {"m.png": png(pixels)}
    assert made(files, MaskFile("m.png")).tolist() == [[0, 1, 1]]
    assert made(files, MaskFile("m.png", ((187, 73, 73),))).tolist() == [[0, 1, 0]]


def test_crops_are_pasted_into_place() -> None:
    files = {"a.png": png(np.array([[1, 0], [1, 1]])), "b.png": png(np.array([[9]]))}
    crops = (MaskFile("a.png", corner=(1, 2)), MaskFile("b.png", corner=(4, 0)))
    wanted = np.zeros((4, 5), np.uint8)
    wanted[[2, 3, 3, 0], [1, 1, 2, 4]] = 1
    assert np.array_equal(made(files, *crops, size=(4, 5)), wanted)
    for corner in ((4, 2), (1, 3), (-1, 0)):
        with pytest.raises(DamagedFileError, match="a.png: expected a crop inside of its image, found 2x2 pixels at"):
            made(files, MaskFile("a.png", corner=corner), size=(4, 5))


def test_another_size_is_an_error_unless_asked_for() -> None:
    files = {"m.png": png(np.array([[0, 1], [1, 0]]))}
    with pytest.raises(DamagedFileError, match="expected a mask of 4x4 pixels as its image, found 2x2"):
        made(files, MaskFile("m.png"), size=(4, 4))
    assert np.array_equal(
        made(files, MaskFile("m.png"), size=(4, 4), fit="nearest"), np.kron([[0, 1], [1, 0]], np.ones((2, 2), int))
    )


def test_another_size_is_told() -> None:
    told = other_size((3, 3), png(LABELS), "m.png")
    assert told is not None
    assert (told.kind, told.what) == ("mask of another size", "3x2 pixels, its image has 3x3")
    assert other_size((3, 2), png(LABELS), "m.png") is None


@pytest.mark.parametrize(
    "data", [b"", b"x", png(np.random.default_rng(0).integers(0, 255, (60, 60)))[:2000], png(LABELS)[:40]]
)
def test_a_damaged_picture_is_an_error(data: bytes) -> None:
    with pytest.raises(DamagedFileError, match="m.png: expected a picture of a mask"):
        made({"m.png": data}, MaskFile("m.png"))


def test_a_metaimage_as_nifti_is_the_same_volume() -> None:
    made_of = volume_as_nifti("a.mha")
    assert made_of.path == "a.mha.nii"
    volume = read_volume(made_of.read(Files({"a.mha": mha(HU)})), "a.nii")
    theirs = read_volume(nifti(HU), "a.nii")
    assert np.array_equal(volume.voxels, theirs.voxels)
    assert volume.header.affine is not None
    assert np.allclose(volume.header.affine, USUAL, atol=1e-4)
    assert volume.header.spacing == theirs.header.spacing


def test_what_is_behind_the_voxels_stays_to_be_told() -> None:
    behind = mha(HU, packed=False) + b"x" * 34
    measured = measure_volume(volume_as_nifti("a.mha").read(Files({"a.mha": behind})), "", "a.mha.nii")
    assert "34 bytes behind the voxels" in (measured.quality_reasons or ())
    half = mha(HU, packed=False, DimSize="30 40 6")
    measured = measure_volume(volume_as_nifti("a.mha").read(Files({"a.mha": half})), "", "a.mha.nii")
    assert f"{HU.nbytes // 2:,} bytes behind the voxels" in (measured.quality_reasons or ()), "a header says too little"


def test_a_volume_is_made_in_the_memory_of_one_beside_its_file() -> None:
    voxels = np.tile(np.arange(1024, dtype=np.int16), (20, 1024, 1))
    files = Files({"a.mha": mha(voxels)})
    tracemalloc.start()
    made_of = volume_as_nifti("a.mha").read(files)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(made_of) == voxels.nbytes + 352
    assert peak < 1.4 * voxels.nbytes + (1 << 23), "pieces of 4 MiB, a slice, and a volume that grows"


def test_a_volume_is_as_large_as_it_is_said_to_become_and_missing_with_any_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.mhd").write_bytes(bytes(10))
    (tmp_path / "a.zraw").write_bytes(bytes(90))
    made_of = volume_as_nifti("a.mhd", "a.zraw", expansion=2.5)
    assert made_of.files == ("a.mhd", "a.zraw")
    record = Record(sample_id="a", volume=made_of, modality="CT", patient="1")
    assert make_plan("d", [record], RawTree.of_folder(tmp_path)).bytes == 250
    (tmp_path / "a.zraw").unlink()
    plan = make_plan("d", [record], RawTree.of_folder(tmp_path))
    assert (plan.rows, [(note.kind, note.where) for note in plan.notices]) == (0, [("missing file", "a.mhd.nii")])


def test_labels_of_a_volume_as_nifti() -> None:
    labels = np.clip(HU // 300, 0, 4).astype(np.uint8)
    mask = read_volume(volume_mask("m.nii.gz", (1, 3)).read(Files({"m.nii.gz": nifti(labels)})), "m.nii")
    assert np.array_equal(mask.voxels, np.isin(labels, (1, 3)))
    assert mask.header.dtype == np.uint8
