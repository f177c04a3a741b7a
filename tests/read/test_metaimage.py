"""MetaImage: the same voxels in the same places as NIfTI, whole or refused, and a header that cannot do harm."""

from __future__ import annotations

import io
import itertools
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import UndecodableError
from covid_datasets.measure.volume import measure_volume
from covid_datasets.read.bounds import MAX_TEXT_HEADER
from covid_datasets.read.metaimage import joined, read_header, read_slices, read_volume, said
from covid_datasets.read.slices import axial_slices
from covid_datasets.read.volumes import volume_bytes
from covid_datasets.schema import Notice, Part
from tests.metaimage import mha
from tests.nifti import USUAL, nifti
from tests.raws import Files

HU = np.random.default_rng(0).integers(-1024, 1500, (12, 40, 30)).astype(np.int16)


def slices(files: dict[str, bytes], *masks: Any) -> tuple[list[Part], dict[str, str]]:
    path = next(path for path in files if path.startswith("a."))
    found = list(axial_slices(Files(files), path, masks))
    notices = [item for item in found if isinstance(item, Notice)]
    return [item for item in found if isinstance(item, Part)], {notice.kind: notice.what for notice in notices}


REVERSED = USUAL @ np.diag([1.0, 1.0, -1.0, 1.0])
OBLIQUE = USUAL.copy()
OBLIQUE[:3, :3] = USUAL[:3, :3] @ np.array([[0.99, 0, 0.141067], [0, 1, 0], [-0.141067, 0, 0.99]])


@pytest.mark.parametrize("affine", [USUAL, REVERSED, OBLIQUE, USUAL[[1, 0, 2, 3]], USUAL[[2, 0, 1, 3]]])
@pytest.mark.parametrize("packed", [True, False])
def test_slices_are_those_of_the_same_nifti(affine: np.ndarray, packed: bool) -> None:
    ours, told = slices({"a.mha": mha(HU, affine, packed=packed)})
    theirs, also_told = slices({"a.nii.gz": nifti(HU, affine)})
    assert told == also_told
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert (one.id, one.typical) == (other.id, other.typical)
        for name in ("position", "orientation", "spacing"):
            assert one.fields[name] == pytest.approx(other.fields[name], abs=1e-4)


def test_slices_stored_from_the_head_down_are_turned() -> None:
    parts, _ = slices({"a.mha": mha(HU, REVERSED)})
    assert np.array_equal(parts[0].pixels, HU[-1, ::-1])
    heights = [part.fields["position"][2] for part in parts]
    assert heights == sorted(heights)


@pytest.mark.parametrize("kind", ["<i2", ">i2", "<i4", ">f4", "<f8"])
def test_any_type_of_number_gives_the_same(kind: str) -> None:
    stored = mha(HU.astype(kind))
    assert np.array_equal(read_volume(stored, "a.mha").voxels, HU)
    measured = measure_volume(stored, "", "a.mha")
    assert measured.pixel_hash == measure_volume(nifti(HU), "", "a.nii").pixel_hash
    assert measured.phash == measure_volume(nifti(HU), "", "a.nii").phash


def test_a_header_says_what_it_says() -> None:
    header = read_header(mha(HU, PatientAge="065Y", PatientSex="F"), "a.mha")
    assert (header.said["PatientAge"], header.said["PatientSex"]) == ("065Y", "F")
    assert header.spacing == (0.7, 0.7, 8.0)
    bare = read_header(mha(HU, TransformMatrix=None, Offset=None), "a.mha")
    assert (bare.affine, bare.spacing) == (None, (0.7, 0.7, 8.0))
    assert read_header(mha(HU[None][0], TransformMatrix=None, ElementSpacing=None), "a.mha").spacing == (0, 0, 0)


def test_a_header_is_read_without_its_voxels() -> None:
    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert size == MAX_TEXT_HEADER
            return super().read(size)

    class Opened(Files):
        def open(self, path: str) -> IO[bytes]:
            return Stream(self[path])

    large = mha(np.zeros((40, 64, 64), np.int16), packed=False, PatientAge="045Y")
    assert len(large) > 4 * MAX_TEXT_HEADER
    assert said(Opened({"a.mha": large}), "a.mha")["PatientAge"] == "045Y"
    for broken in (b"", b"no header", large[:100]):
        with pytest.raises(DamagedFileError, match="a.mha: expected a whole MetaImage volume"):
            said(Opened({"a.mha": broken}), "a.mha")


@pytest.mark.parametrize(("skipped", "said"), [(0, None), (100, 100), (77, -1)])
def test_a_header_with_its_voxels_beside_it(skipped: int, said: int | None) -> None:
    header = mha(HU, packed=False, data_file="a.raw", HeaderSize=said)
    files = {"a.mhd": header.rstrip(b"\n"), "a.raw": bytes(skipped) + HU.tobytes()}
    parts, told = slices(files)
    assert told == {}
    assert np.array_equal(np.stack([part.pixels for part in parts]), HU[:, ::-1])
    packed = mha(HU, data_file="b.zraw")
    assert len(slices({"a.mhd": packed, "b.zraw": zlib.compress(HU.tobytes(), 1)})[0]) == 12


@pytest.mark.parametrize("name", ["../a.raw", "/etc/passwd", "LIST", "slice%03d.raw", "b/a.raw", "..\\a.raw", ""])
def test_voxels_are_only_looked_for_beside_the_header(name: str) -> None:
    class Nothing(Files):
        def read(self, path: str) -> bytes:
            assert path == "c/a.mhd", f"{path} was opened"
            return self[path]

    with pytest.raises(DamagedFileError, match="c/a.mhd: expected a whole MetaImage volume"):
        joined(Nothing({"c/a.mhd": mha(HU, packed=False, data_file=name or " ")}), "c/a.mhd")


@pytest.mark.parametrize("packed", [True, False])
def test_a_torn_file_is_refused(packed: bool) -> None:
    data = mha(HU, packed=packed)
    for left in (0, 1, 20, 200, len(data) // 2, len(data) - 5, len(data) - 1):
        with pytest.raises(DamagedFileError, match="a.mha: expected a whole MetaImage volume"):
            read_volume(data[:left], "a.mha")
        with pytest.raises(UndecodableError, match="a.mha: "):
            measure_volume(data[:left], "", "a.mha")


def test_one_flipped_bit_is_found() -> None:
    data = mha(HU)
    for place in np.random.default_rng(0).integers(len(data) - 20_000, len(data), 20):
        flipped = bytearray(data)
        flipped[place] ^= 4
        with pytest.raises(DamagedFileError):
            read_volume(bytes(flipped), "a.mha")


def test_what_goes_on_is_told_or_refused() -> None:
    assert "1,234 bytes" in slices({"a.mha": mha(HU, packed=False) + bytes(1234)})[1]["bytes behind the voxels"]
    with pytest.raises(DamagedFileError, match="which promises"):
        read_volume(mha(HU) + b"x", "a.mha")
    with pytest.raises(DamagedFileError, match="no part of the zlib stream"):
        read_volume(mha(HU, CompressedDataSize=None) + b"x", "a.mha")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"DimSize": "30 40 30000"}, "the header promises|bytes of voxels"),
        ({"DimSize": "30000 30000 30000"}, "54,000,000,000,000 bytes of voxels"),
        ({"DimSize": "30 40"}, "expected 3 numbers"),
        ({"DimSize": "30 40 0"}, "expected three axes"),
        ({"DimSize": "30 40 1e400"}, "expected 3 numbers"),
        ({"NDims": 2, "DimSize": "30 40"}, "expected three axes"),
        ({"ElementType": "MET_STRING"}, "expected one of MET_CHAR"),
        ({"ElementNumberOfChannels": 3}, "3 channels"),
        ({"BinaryData": False}, "voxels as text"),
        ({"ElementToIntensityFunctionSlope": 2}, "which no program reads alike"),
        ({"TransformMatrix": "1 0 0"}, "expected 9 numbers"),
        ({"Offset": "nan 0 0"}, "expected 3 numbers"),
        ({"CompressedDataSize": "x"}, "invalid literal"),
    ],
)
def test_a_header_that_lies_is_refused(said: dict[str, Any], what: str) -> None:
    with pytest.raises(DamagedFileError) as raised:
        read_volume(mha(HU, **said), "a.mha")
    assert any(part in str(raised.value) for part in what.split("|")), raised.value


def test_a_header_has_an_end() -> None:
    for endless in (b"a = b\n" * 200_000, b"a" * 1_000_000, b"a = " + b"b" * 1_000_000, b"\n" * 70_000):
        with pytest.raises(DamagedFileError, match="expected 'name = value'"):
            read_header(endless, "a.mha")


def test_masks_of_either_format_lie_on_either() -> None:
    labels = np.clip(HU // 300, 0, 4).astype(np.uint8)
    files = {"a.mha": mha(HU), "m.nii.gz": nifti(labels), "m.mha": mha(labels)}
    for mask in ("m.nii.gz", "m.mha"):
        parts, told = slices(files, ("lung", mask, (1, 2)), ("infection", mask, (3,)))
        assert told == {}
        assert np.array_equal(np.stack([part.masks["lung"] for part in parts]), np.isin(labels, (1, 2))[:, ::-1])
        assert np.array_equal(np.stack([part.masks["infection"] for part in parts]), (labels == 3)[:, ::-1])


# --- held against who writes such files ----------------------------------------------------------------------------

FLIPS = [np.diag(signs) for signs in itertools.product((1.0, -1.0), repeat=3)]
TURNED = [np.eye(3)[list(order)] for order in ((0, 1, 2), (2, 0, 1), (0, 2, 1))]


@pytest.mark.parametrize("ending", ["mha", "mhd"])
@pytest.mark.parametrize("packed", [True, False])
def test_what_simpleitk_writes_lies_where_it_says(tmp_path: Path, ending: str, packed: bool) -> None:
    sitk = pytest.importorskip("SimpleITK")
    oblique = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    kinds = (np.int16, np.uint8, np.int32, np.float32, np.float64, np.uint16)
    for number, directions in enumerate([oblique, *(flip @ turn for flip in FLIPS for turn in TURNED)]):
        voxels = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(kinds[number % len(kinds)])
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((0.7, 0.8, 2.5))
        image.SetOrigin((-120.5, 30.25, -400.0))
        image.SetDirection(directions.ravel().tolist())
        image.SetMetaData("PatientAge", "065Y")
        sitk.WriteImage(image, str(tmp_path / f"a.{ending}"), useCompression=packed)
        files = Files({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        volume = read_volume(volume_bytes(files, f"a.{ending}"), "a.mha")
        assert np.array_equal(volume.voxels, voxels)
        assert volume.header.spacing == (0.7, 0.8, 2.5)
        assert volume.header.affine is not None
        for index in ((0, 0, 0), (5, 4, 3), (2, 0, 1)):
            ours = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.header.affine @ [*index, 1.0]
            assert ours[:3] == pytest.approx(image.TransformIndexToPhysicalPoint(index), abs=1e-6)
        assert said(files, f"a.{ending}").get("PatientAge") in ("065Y", None)
        for path in tmp_path.iterdir():
            path.unlink()


# --- headers that say two things -----------------------------------------------------------------------------------


def header_of(*lines: str) -> bytes:
    return mha(HU, packed=False).replace(b"ElementDataFile", "".join(lines).encode() + b"ElementDataFile")


def test_a_field_that_is_said_twice_has_one_value() -> None:
    assert np.array_equal(read_volume(header_of("DimSize = 30 40 12\n"), "a.mha").voxels, HU)
    with pytest.raises(DamagedFileError, match="says DimSize twice: '30 40 12' and '40 30 12'"):
        read_volume(header_of("DimSize = 40 30 12\n"), "a.mha")


@pytest.mark.parametrize("local", ["LOCAL", "Local", "local"])
def test_the_same_file_may_be_spelled_in_three_ways(local: str) -> None:
    data = mha(HU, packed=False).replace(b"= LOCAL", f"= {local}".encode())
    assert np.array_equal(read_volume(data, "a.mha").voxels, HU)


def test_a_direction_that_is_no_unit_says_no_place() -> None:
    """Spacing and direction would tell two sizes of a voxel."""
    parts, told = slices({"a.mha": mha(HU, TransformMatrix="2 0 0 0 1 0 0 0 1")})
    assert "no orientation" in told
    assert parts[0].fields == {"part_index": 0, "spacing": (0.7, 0.7, 8.0)}


def test_sides_are_whole() -> None:
    with pytest.raises(DamagedFileError, match="expected three axes"):
        read_volume(mha(HU, DimSize="30.5 40 12"), "a.mha")


def test_a_bomb_takes_no_memory() -> None:
    small = mha(HU, CompressedDataSize=None, packed=False, CompressedData=True)
    bomb = small[: -HU.nbytes] + zlib.compress(bytes(1 << 28), 9)
    tracemalloc.start()
    with suppress(DamagedFileError):
        read_volume(bomb, "a.mha")
    for _ in suppressed(read_slices(bomb, "a.mha")):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 25


def suppressed(found: Iterable[Any]) -> Iterator[Any]:
    with suppress(DamagedFileError):
        yield from found
