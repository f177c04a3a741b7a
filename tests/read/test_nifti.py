"""NIfTI volumes: whole or refused, exact Hounsfield units, and every voxel where its affine puts it."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from types import ModuleType

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import Measured, UndecodableError, measure, measure_pixels
from covid_datasets.measure.volume import measure_volume
from covid_datasets.read import inflate as reader
from covid_datasets.read.encode import encode
from covid_datasets.read.masks import check_mask, read_mask
from covid_datasets.read.nifti import read_header, read_volume
from covid_datasets.read.orientation import perpendicular, turned
from covid_datasets.read.slices import axial_slices
from covid_datasets.read.volume import hounsfield
from covid_datasets.schema import Notice, Part
from tests.nifti import USUAL, nifti
from tests.raws import Files

HU = np.random.default_rng(0).integers(-1024, 1500, (12, 40, 30)).astype(np.int16)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def slices(image: bytes, mask: bytes | None = None) -> tuple[list[Part], dict[str, str]]:
    files = Files({"a.nii.gz": image} | ({} if mask is None else {"m.nii.gz": mask}))
    found = list(axial_slices(files, "a.nii.gz", () if mask is None else (("infection", "m.nii.gz"),)))
    notices = [item for item in found if isinstance(item, Notice)]
    return [item for item in found if isinstance(item, Part)], {notice.kind: notice.what for notice in notices}


def measured(data: bytes) -> Measured:
    return measure_volume(data, hashlib.sha256(data).hexdigest(), "a.nii.gz")


# --- where voxels are ----------------------------------------------------------------------------------------------

SIDES = st.tuples(*[st.integers(1, 5)] * 3)
ANGLES = st.tuples(*[st.floats(-0.6, 0.6)] * 3)
SPACINGS = st.tuples(*[st.floats(0.3, 9.0)] * 3)
SIGNS = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)
ORIGINS = st.tuples(*[st.floats(-500, 500)] * 3)


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one = np.eye(3)
        first, second = [other for other in range(3) if other != axis]
        one[[first, second], [first, second]] = np.cos(angle)
        one[first, second], one[second, first] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    return turn


@st.composite
def affines(draw: st.DrawFn, oblique: bool = True) -> np.ndarray:
    """Draw the affine of a volume stored in any of the 48 orders of axes, and a bit oblique."""
    affine = np.eye(4)
    order = np.eye(3)[list(draw(st.permutations(range(3))))] * np.array(draw(SIGNS))
    affine[:3, :3] = (rotation(draw(ANGLES)) if oblique else np.eye(3)) @ order * np.array(draw(SPACINGS))
    affine[:3, 3] = draw(ORIGINS)
    return affine.astype(np.float32).astype(np.float64)  # as the header stores it


@settings(max_examples=60, deadline=None)
@given(SIDES, affines())
def test_slices_put_every_voxel_where_the_affine_puts_it(sides: tuple[int, int, int], affine: np.ndarray) -> None:
    stored = np.arange(np.prod(sides), dtype=np.int16).reshape(sides)
    parts, _ = slices(nifti(stored, affine))
    back = np.full(sides, -1, np.int16)
    for part in parts:
        row, column = np.array(part.fields["orientation"]).reshape(2, 3)
        across, down, _ = part.fields["spacing"]
        for (y, x), value in np.ndenumerate(part.pixels):
            place = np.array(part.fields["position"]) + row * across * x + column * down * y
            index = np.linalg.inv(LPS @ affine) @ [*place, 1]
            assert np.abs(index - np.rint(index)).max() < 0.01
            back[tuple(np.rint(index[2::-1]).astype(int))] = value
    assert np.array_equal(back, stored)
    assert [part.id for part in parts] == sorted(part.id for part in parts)
    assert [part.fields["part_index"] for part in parts] == list(range(len(parts)))
    assert [part.typical for part in parts].count(True) == 1


@settings(max_examples=60, deadline=None)
@given(SIDES, affines(oblique=False))
def test_slices_go_from_the_feet_up_with_the_front_above_and_the_right_on_the_left(
    sides: tuple[int, int, int], affine: np.ndarray
) -> None:
    stored = np.arange(np.prod(sides)).reshape(sides)
    shown, lps = turned(stored, affine)
    assert lps is not None
    assert np.shares_memory(shown, stored)
    assert (np.diag(lps) > 0).all(), "columns to the left, rows to the back, slices to the head"
    assert np.count_nonzero(lps[:3, :3]) == 3
    heights = [part.fields["position"][2] for part in slices(nifti(stored.astype(np.int16), affine))[0]]
    assert heights == sorted(heights)
    ours = nibabel.as_closest_canonical(nibabel.Nifti1Image(stored.T.astype(np.int16), affine))
    # nibabel's canonical axes go to the right, the front and the head: two of them are ours backwards.
    assert np.array_equal(np.asarray(ours.dataobj).T[:, ::-1, ::-1], shown)


def test_the_usual_file_is_turned_upside_down() -> None:
    parts, notices = slices(nifti(HU))
    assert notices == {}
    assert np.array_equal(np.stack([part.pixels for part in parts]), HU[:, ::-1])
    first = parts[0].fields
    assert first["orientation"] == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert first["position"] == pytest.approx((-30.0, 40.0 - 0.7 * 39, -300.0), abs=1e-5)
    assert first["spacing"] == (0.7, 0.7, 8.0)
    assert parts[1].fields["position"][2] == pytest.approx(-292.0)


def test_a_shear_is_told() -> None:
    sheared = USUAL.copy()
    sheared[1, 2] = 3.0  # a tilted gantry
    assert not perpendicular(sheared)
    parts, notices = slices(nifti(HU, sheared))
    assert "position does" in notices["axes not perpendicular"]
    assert parts[1].fields["position"][1] - parts[0].fields["position"][1] == pytest.approx(-3.0)
    assert "axes not perpendicular" in (measured(nifti(HU, sheared)).quality_reasons or ())


def test_without_an_affine_nobody_knows_left_from_right() -> None:
    parts, notices = slices(nifti(HU, located=False))
    assert "in no known place" in notices["no orientation"]
    assert np.array_equal(np.stack([part.pixels for part in parts]), HU)
    assert parts[0].fields == {"part_index": 0, "spacing": (0.7, 0.7, 8.0)}
    assert "no orientation" in (measured(nifti(HU, located=False)).quality_reasons or ())


def in_two_ways(qform: np.ndarray, voxels: np.ndarray = HU) -> bytes:
    image = nibabel.Nifti1Image(voxels.T, USUAL)
    image.set_qform(qform, 1)
    image.set_sform(USUAL, 1)
    return bytes(image.to_bytes())


@pytest.mark.parametrize(
    ("qform", "told"),
    [
        (np.diag([-1.0, 1, 1, 1]) @ USUAL, "(axes LAS of 0.7 x 0.7 x 8 mm, and RAS of 0.7 x 0.7 x 8 mm)"),
        (USUAL + np.eye(4, k=3) * 5, "a corner that is 5 mm apart"),
        (USUAL @ np.diag([1.0, 1, 0.5, 1]), "a corner that is 44 mm apart"),
    ],
)
def test_a_place_that_is_told_in_two_ways_is_told(qform: np.ndarray, told: str) -> None:
    data = in_two_ways(qform)
    parts, notices = slices(data)
    assert told in notices["sform and qform differ"]
    assert [part.fields for part in parts] == [part.fields for part in slices(nifti(HU))[0]], "the sform counts"
    assert "sform and qform differ" in (measured(data).quality_reasons or ())


def test_a_qform_that_is_none_is_told() -> None:
    data = bytearray(in_two_ways(USUAL))
    struct.pack_into("<fff", data, 256, 3.0, 3.0, 3.0)  # no quaternion
    assert "the qform is none" in slices(bytes(data))[1]["sform and qform differ"]
    struct.pack_into("<f", data, 268, float("nan"))
    struct.pack_into("<fff", data, 256, 0.0, 0.0, 1.0)
    assert "no place at all" in slices(bytes(data))[1]["sform and qform differ"]


def test_rounding_of_a_quaternion_is_no_other_place() -> None:
    oblique = np.eye(4)
    oblique[:3, :3] = rotation((0.2, 0.1, 0.3)) * (0.7, 0.7, 8.0)
    data = bytearray(in_two_ways(oblique))
    for row, place in enumerate((280, 296, 312)):
        struct.pack_into("<4f", data, place, *oblique[row])
    assert slices(bytes(data))[1] == {}


# --- whole, or refused ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["isal.isal_zlib", "zlib"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    module: ModuleType = importlib.import_module(request.param)
    monkeypatch.setattr(reader, "engine", lambda: module)


WAYS: list[Callable[[bytes], object]] = [
    lambda data: read_volume(data, "a.nii.gz"),
    slices,
    lambda d: read_mask(d, "m"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("left", [0.001, 0.3, 0.5, 0.999])
def test_a_torn_file_is_refused(way: Callable[[bytes], object], left: float) -> None:
    data = nifti(HU)
    for torn in (data[: int(len(data) * left)], data[:-8], data[:-1], data[:20]):
        with pytest.raises(DamagedFileError, match=r"^[am]"):
            way(torn)
        with pytest.raises(UndecodableError):
            measured(torn)


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(nifti(HU))
    data[-6] ^= 1
    with pytest.raises(DamagedFileError, match="a.nii.gz: expected a whole NIfTI volume"):
        read_volume(bytes(data), "a.nii.gz")


def test_one_flipped_bit_is_found() -> None:
    data = nifti(HU)
    for place in np.random.default_rng(0).integers(300, len(data) - 8, 20):
        flipped = bytearray(data)
        flipped[place] ^= 4
        with pytest.raises(DamagedFileError):
            read_volume(bytes(flipped), "a.nii.gz")


def test_several_members_are_one_file() -> None:
    plain = nifti(HU, packed=False)
    members = b"".join(gzip.compress(plain[at : at + 5000]) for at in range(0, len(plain), 5000))
    for data in (members, members + bytes(700)):  # tape blocks are filled up with zeros
        assert np.array_equal(read_volume(data, "a").voxels, HU)


@pytest.mark.parametrize("garbage", [b"x", b"<html>", bytes(20) + b"x", b"\0x", gzip.compress(b"", mtime=0)[:6]])
def test_what_goes_on_with_something_else_is_refused(garbage: bytes) -> None:
    with pytest.raises(DamagedFileError):
        read_volume(nifti(HU) + garbage, "a.nii.gz")


def test_bytes_behind_the_voxels_are_told() -> None:
    data = gzip.compress(nifti(HU, packed=False) + bytes(1234))
    assert np.array_equal(read_volume(data, "a").voxels, HU)
    assert "1,234 bytes" in slices(data)[1]["bytes behind the voxels"]
    assert "1,234 bytes behind the voxels" in (measured(data).quality_reasons or ())


def test_a_header_that_promises_more_is_refused() -> None:
    plain = bytearray(nifti(HU, packed=False))
    struct.pack_into("<h", plain, 46, 30_000)
    for data in (bytes(plain), gzip.compress(plain)):
        with pytest.raises(DamagedFileError, match="the header promises 72,000,352"):
            read_volume(data, "a.nii.gz")
    struct.pack_into("<hhh", plain, 42, 30_000, 30_000, 30_000)
    with pytest.raises(DamagedFileError, match="the header promises 54,000,000,000,352"):
        read_volume(gzip.compress(plain), "a.nii.gz")


def test_a_bomb_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_VOLUME_BYTES", 1 << 24)
    bomb = gzip.compress(nifti(HU, packed=False) + bytes(1 << 26))
    tracemalloc.start()
    with pytest.raises(DamagedFileError, match="more than 16,777,216 bytes"):
        read_volume(bomb, "a.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24


@pytest.mark.parametrize(
    "data", [b"", b"x", b"<html>login</html>" * 100, gzip.compress(b"PK" * 400, mtime=0), bytes(2000)]
)
def test_what_is_no_volume_is_refused(data: bytes) -> None:
    for way in (read_volume, read_header):
        with pytest.raises(DamagedFileError, match="a.nii.gz"):
            way(data, "a.nii.gz")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 351), st.binary(min_size=1, max_size=8))
def test_any_header_gives_a_volume_or_a_clear_error(place: int, wrong: bytes) -> None:
    data = bytearray(nifti(HU[:2, :3, :4], packed=False))
    data[place : place + len(wrong)] = wrong
    try:
        parts, _ = slices(bytes(data))
    except DamagedFileError:
        with pytest.raises(UndecodableError, match="a.nii.gz: "):
            measure_volume(bytes(data), "", "a.nii.gz")
        return
    assert all(part.pixels.dtype == np.int16 and part.pixels.size for part in parts)
    assert min(measured(bytes(data)).depth or 0, measured(bytes(data)).width or 0) > 0


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5, 6)])
def test_only_three_axes_are_a_volume(shape: tuple[int, ...]) -> None:
    with pytest.raises(DamagedFileError, match="expected three axes"):
        read_volume(nifti(np.zeros(shape, np.int16)), "a.nii.gz")


def test_one_frame_in_time_is_a_volume() -> None:
    assert np.array_equal(read_volume(nifti(HU[None]), "a").voxels, HU)
    assert np.array_equal(read_volume(nifti(HU[None, None]), "a").voxels, HU)


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<i4", ">f4", "<f8", "<i8"])
def test_any_type_of_number_gives_the_same(kind: str) -> None:
    data = nifti(HU.astype(kind))
    assert np.array_equal(np.stack([part.pixels for part in slices(data)[0]]), HU[:, ::-1])
    assert measured(data).pixel_hash == measured(nifti(HU)).pixel_hash


def test_the_second_version_of_the_format() -> None:
    data: bytes = nibabel.Nifti2Image(HU.T, USUAL).to_bytes()
    for stored in (data, gzip.compress(data)):
        volume = read_volume(stored, "a")
        assert np.array_equal(volume.voxels, HU)
        assert np.allclose(volume.header.affine if volume.header.affine is not None else 0, USUAL)


# --- Hounsfield units ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slope", "intercept", "wanted"),
    [(None, None, 0), (0.0, -1024.0, 0), (1.0, 0.0, 0), (1.0, -1024.0, -1024), (float("nan"), 0.0, 0)],
)
def test_scaling_is_as_the_header_says(slope: float | None, intercept: float | None, wanted: int) -> None:
    data = nifti(HU, slope=slope, intercept=intercept)
    assert np.array_equal(np.stack([part.pixels for part in slices(data)[0]]), HU[:, ::-1] + wanted)
    assert np.array_equal(read_volume(data, "a").voxels, HU + wanted)
    assert np.array_equal(np.asarray(nibabel.Nifti1Image.from_bytes(gzip.decompress(data)).dataobj).T, HU + wanted)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0.5, "no whole numbers, such as 0.5"),
        (np.nan, "no numbers"),
        (-np.inf, "no numbers"),
        (32768.0, "beyond 16 bits"),
        (1.01, "no whole numbers, such as 1.01"),
    ],
)
def test_slices_that_are_no_hounsfield_units_are_left_out_and_told(value: float, problem: str) -> None:
    values = HU.astype(np.float32)
    values[3, 7, 7] = value
    parts, notices = slices(nifti(values))
    assert [part.id for part in parts] == [f"{number:03}" for number in range(12) if number != 3]
    told = notices["undecodable (poor)"]
    assert told.startswith("1 of 12 slices")
    assert problem in told
    found = measured(nifti(values))
    assert ("not all are numbers" in (found.quality_reasons or ())) == (not np.isfinite(value))


def test_what_a_program_calculated_is_rounded() -> None:
    values = HU * np.float64(1.0000001)
    assert np.array_equal(hounsfield(values[0])[0], HU[0])
    assert hounsfield(np.array([[65535]], np.uint16))[1] == "values beyond 16 bits, from 65535 to 65535"


@given(st.integers(0, 3), st.booleans())
def test_a_part_is_measured_as_its_file_would_be(seed: int, grey: bool) -> None:
    pixels = np.random.default_rng(seed).integers(-1100, 500, (70, 90)).astype(np.int16)
    pixels = pixels.astype(np.uint8) if grey else pixels
    data = encode(pixels)
    assert measure_pixels(pixels, "", "a") == measure(data, "", "a")


# --- masks ---------------------------------------------------------------------------------------------------------

MASK = (HU > 800).astype(np.uint8)


def test_a_mask_lies_on_its_image() -> None:
    for stored in (MASK, MASK.astype(np.float64), MASK.astype(np.int16)):
        parts, notices = slices(nifti(HU), nifti(stored))
        assert notices == {}
        assert np.array_equal(np.stack([part.masks["infection"] for part in parts]), MASK[:, ::-1])
        assert all(part.masks["infection"].dtype == np.uint8 for part in parts)
        assert list(check_mask(nifti(HU), "a", nifti(stored), "m")) == []


MOVED = USUAL.copy()
MOVED[0, 3] += 0.2
NEARLY = USUAL.copy()
NEARLY[0, 3] += 0.01


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (nifti(MASK[1:]), "expected the shape (12, 40, 30) of its image, found (11, 40, 30)"),
        (nifti(MASK.transpose(0, 2, 1)), "expected the shape"),
        (nifti(MASK, MOVED), "a corner that is 0.2 mm apart"),
        (nifti(MASK, np.diag([-1.0, 1, 1, 1]) @ USUAL), "mm apart (axes LAS of 0.7 x 0.7 x 8 mm, and RAS of"),
        (nifti(MASK)[:-20], "whole NIfTI volume"),
    ],
)
def test_a_mask_of_another_grid_is_told_and_not_used(mask: bytes, why: str) -> None:
    parts, notices = slices(nifti(HU), mask)
    assert why in notices["mask not usable"]
    assert len(parts) == 12
    assert not any(part.masks for part in parts)
    with pytest.raises(DamagedFileError, match="m.nii.gz"):
        list(check_mask(nifti(HU), "a.nii.gz", mask, "m.nii.gz"))


def test_rounding_of_an_affine_is_no_other_place() -> None:
    assert slices(nifti(HU), nifti(MASK, NEARLY))[1] == {}


def test_a_mask_with_other_values_is_told() -> None:
    values = MASK.astype(np.float32)
    values[0, 0, :3] = (0.4, 0.6, 2.0)
    parts, notices = slices(nifti(HU), nifti(values))
    assert notices["mask with other values"] == "expected 0 and 1, found 0.4, 0.6, 2; above 0.5 counts as 1"
    assert parts[0].masks["infection"][-1, :3].tolist() == [0, 1, 1]
    assert [note.kind for note in check_mask(nifti(HU), "a", nifti(values), "m")] == ["mask with other values"]


def test_a_mask_without_orientation_takes_that_of_its_image() -> None:
    parts, notices = slices(nifti(HU), nifti(MASK, located=False))
    assert list(notices) == ["mask without orientation"]
    assert np.array_equal(np.stack([part.masks["infection"] for part in parts]), MASK[:, ::-1])


# --- what it takes -------------------------------------------------------------------------------------------------


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_two_volumes_are_never_in_memory() -> None:
    voxels = np.random.default_rng(0).integers(-1000, 400, (60, 256, 256)).astype(np.int16)
    image, mask = nifti(voxels), nifti((voxels > 0).astype(np.uint8))
    files = Files({"a": image, "m": mask})

    def each() -> Iterator[None]:
        for part in axial_slices(files, "a", (("infection", "m"),)):
            assert isinstance(part, Part)
            encode(part.pixels)
            yield

    for work in (lambda: sum(1 for _ in each()), lambda: measured(image), lambda: check_mask(image, "a", mask, "m")):
        assert peak_of(work) < 1.8 * voxels.nbytes


def test_a_volume_is_measured() -> None:
    found = measured(nifti(HU))
    assert (found.width, found.height, found.depth) == (30, 40, 12)
    assert found.spacing == (0.7, 0.7, 8.0)
    assert found.value_range == f"{HU.min()} to {HU.max()}"
    assert found.pixel_mode == "int16"
    grey = np.clip(HU, 0, 255).astype(np.uint8)
    grey[:3] = 7
    reasons = measured(nifti(grey)).quality_reasons or ()
    assert {"tiny", "blank slices", "grey levels, no Hounsfield units"} <= set(reasons)
    assert measured(nifti(HU, packed=False)).pixel_hash == found.pixel_hash
    assert measured(nifti(HU[::-1])).pixel_hash != found.pixel_hash
