"""One DICOM file: Hounsfield units come back whatever the encoding, and damage is an error, never a picture."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

import pydicom
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.dicom import read_header, read_hounsfield
from covid_datasets.read.hounsfield import AIR, Image
from tests.dicom import compressed, ct, jpeg_lossless

SLICE = np.random.default_rng(3).integers(-1024, 3000, (40, 50)).astype(np.int16)


def encapsulated(data: bytes) -> bytes:
    pytest.importorskip("gdcm")
    return jpeg_lossless(data)


def unsigned(values: np.ndarray, **tags: Any) -> bytes:
    stored = (values.astype(np.int32) + 1024).astype("<u2")
    return ct(values, PixelRepresentation=0, PixelData=stored.tobytes(), **tags)


def test_hounsfield_units_come_back() -> None:
    assert np.array_equal(read_hounsfield(ct(SLICE), "a.dcm"), SLICE)
    assert np.array_equal(read_hounsfield(ct(SLICE, intercept=0), "a.dcm"), SLICE)
    assert np.array_equal(read_hounsfield(unsigned(SLICE), "a.dcm"), SLICE)


@pytest.mark.parametrize("plain", [ct(SLICE), unsigned(SLICE, BitsStored=12, HighBit=11)])
@pytest.mark.parametrize("fast", [True, False])
def test_jpeg_lossless_comes_back(plain: bytes, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if fast:
        pytest.importorskip("imagecodecs")
    else:
        monkeypatch.setitem(sys.modules, "imagecodecs", None)
    packed = encapsulated(plain)
    assert packed != plain
    assert np.array_equal(read_hounsfield(packed, "a.dcm"), SLICE)


def test_twelve_bits_with_a_sign() -> None:
    values = np.array([[-1000, -1, 0, 2047]], np.int16)
    stored = (values & 0x0FFF).astype("<u2")
    data = ct(values, intercept=0, BitsStored=12, HighBit=11, PixelData=stored.tobytes())
    assert read_hounsfield(data, "a.dcm").tolist() == values.tolist()


def test_each_slice_has_its_own_slope() -> None:
    stored = np.array([[0, 10, 1001]], np.int16)
    data = ct(stored, RescaleSlope=2, RescaleIntercept=-1000, PixelData=stored.tobytes())
    assert read_hounsfield(data, "a.dcm").tolist() == [[-1000, -980, 1002]]
    half = ct(stored, RescaleSlope="0.5", RescaleIntercept="-0.25", PixelData=stored.tobytes())
    assert read_hounsfield(half, "a.dcm").tolist() == [[0, 5, 500]]


def test_padding_is_air() -> None:
    stored = np.array([[-2000, 0, 24, 1124]], np.int16)
    assert read_hounsfield(ct(stored, PixelData=stored.tobytes()), "a.dcm").tolist() == [[AIR, AIR, -1000, 100]]
    high = np.array([[63536, 24, 1124, 1124]], np.uint16)  # -2000 as an unsigned number
    data = ct(stored, PixelRepresentation=0, PixelPaddingValue=63536, PixelData=high.tobytes())
    assert read_hounsfield(data, "a.dcm").tolist() == [[AIR, -1000, 100, 100]]
    everything = ct(stored, PixelRepresentation=0, PixelPaddingValue=7, PixelData=np.full(4, 7, "<u2").tobytes())
    assert read_hounsfield(everything, "a.dcm").tolist() == [[AIR] * 4]


@pytest.mark.parametrize("tag", ["RescaleSlope", "RescaleIntercept"])
def test_no_slope_is_no_hounsfield_unit(tag: str) -> None:
    without: dict[str, Any] = {tag: None}
    data = ct(SLICE, **without)
    assert getattr(read_header(data, "a.dcm"), tag.removeprefix("Rescale").lower()) is None
    with pytest.raises(DamagedFileError, match="a.dcm: expected RescaleSlope and RescaleIntercept, found none"):
        read_hounsfield(data, "a.dcm")


def test_values_beyond_sixteen_bits_are_refused() -> None:
    stored = np.array([[0, 30000]], np.int16)
    with pytest.raises(DamagedFileError, match="expected Hounsfield units up to 32,767, found 60,000"):
        read_hounsfield(ct(stored, RescaleSlope=2, RescaleIntercept=0, PixelData=stored.tobytes()), "a.dcm")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_an_error(packed: bool) -> None:
    data = encapsulated(ct(SLICE)) if packed else ct(SLICE)
    for size in [0, 10, 131, 132, 300, 600, *range(700, len(data) - 16, 397), len(data) - 16]:
        with pytest.raises(DamagedFileError, match="a.dcm: expected"):
            read_hounsfield(data[:size], "a.dcm")
        if not packed and size < len(data) - SLICE.nbytes - 8:
            with pytest.raises(DamagedFileError, match="a.dcm: expected a whole DICOM image, found"):
                read_header(data[:size], "a.dcm")


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"PixelData": b"\0" * 100}, "100 bytes of pixels; 40x50 need 4,000"),
        ({"PixelData": b"\0" * 9000}, "9,000 bytes of pixels"),
        ({"PixelData": None}, "no pixels"),
        ({"Rows": 60000, "Columns": 60000}, "60000x60000 pixels"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"SamplesPerPixel": 3}, "3 channels of 16 bits"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "1 channels of 8 bits"),
        ({"Rows": None}, "0x50 pixels|unreadable header"),
    ],
)
def test_pixels_that_do_not_fit_are_an_error(tags: dict[str, Any], what: str) -> None:
    with pytest.raises(DamagedFileError) as raised:
        read_hounsfield(ct(SLICE, **tags), "a.dcm")
    assert any(part in str(raised.value) for part in what.split("|"))


def test_what_never_has_pixels_is_not_damaged() -> None:
    report = ct(SLICE, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67", PixelData=None)
    assert read_header(report, "a.dcm").sop_class.endswith(".88.67")


def test_a_picture_is_no_dicom_file() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n" + bytes(500), b"\xff" * 4000):
        with pytest.raises(DamagedFileError, match="a.dcm"):
            read_hounsfield(data, "a.dcm")


def test_a_header_says_what_it_says() -> None:
    header = read_header(ct(SLICE, (1.0, 2.0, 3.5), PixelSpacing=[0.5, 0.75], AcquisitionNumber=4), "a.dcm")
    assert (header.rows, header.columns) == (40, 50)
    assert header.spacing == (0.75, 0.5), "along a row, then along a column"
    assert header.position == (1.0, 2.0, 3.5)
    assert (header.acquisition, header.slope, header.intercept, header.unit) == (4, 1.0, -1024.0, "")
    bare = read_header(ct(SLICE, ImagePositionPatient=None, PixelSpacing=None, ImageType=None), "a.dcm")
    assert (bare.position, bare.spacing, bare.image_type) == (None, None, ())


# --- values that would look right ------------------------------------------------------------------------------------


def test_a_slope_of_zero_is_refused() -> None:
    with pytest.raises(DamagedFileError, match="a slope of 0"):
        read_hounsfield(ct(SLICE, RescaleSlope=0), "a.dcm")


def test_an_overlay_in_the_unused_bits_is_no_value() -> None:
    stored = (SLICE.astype(np.int32) + 1024).astype("<u2")
    drawn = stored | np.uint16(0x1000)
    tags: dict[str, Any] = {"PixelRepresentation": 0, "BitsStored": 12, "HighBit": 11}
    assert np.array_equal(read_hounsfield(ct(SLICE, PixelData=drawn.tobytes(), **tags), "a.dcm"), SLICE)


def test_values_in_the_upper_bits_are_refused() -> None:
    with pytest.raises(DamagedFileError, match="12 stored in bits up to 15"):
        read_hounsfield(ct(SLICE, BitsStored=12, HighBit=15), "a.dcm")


def test_a_range_of_padding_is_air() -> None:
    stored = np.array([[-2000, -1900, -1500, 24, 1124]], np.int16)
    tags: dict[str, Any] = {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1500}
    data = ct(stored, intercept=1000, PixelData=stored.tobytes(), **tags)
    assert read_hounsfield(data, "a.dcm").tolist() == [[AIR, AIR, AIR, 1024, 2124]]
    high = np.array([[65535, 64000, 63536, 1124]], np.uint16)
    data = ct(stored[:, :4], PixelRepresentation=0, PixelPaddingValue=65535, PixelPaddingRangeLimit=63536,
              PixelData=high.tobytes())  # fmt: skip
    assert read_hounsfield(data, "a.dcm").tolist() == [[AIR, AIR, AIR, 100]]


def test_padding_of_fewer_bits_than_its_place() -> None:
    values = np.array([[-2000, 24, 1124]], np.int16)
    stored = (values & 0x0FFF).astype("<u2")
    tags: dict[str, Any] = {"BitsStored": 12, "HighBit": 11, "PixelPaddingValue": -2000}
    assert read_hounsfield(ct(values, intercept=1500, PixelData=stored.tobytes(), **tags), "a.dcm").tolist() == [
        [AIR, 1524, 2624]
    ]


def test_small_values_that_are_shown_white_are_the_same_hounsfield_units() -> None:
    assert np.array_equal(read_hounsfield(ct(SLICE, PhotometricInterpretation="MONOCHROME1"), "a.dcm"), SLICE)


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_any_order_of_bytes_gives_the_same(syntax: str) -> None:
    found = pydicom.dcmread(io.BytesIO(ct(SLICE)))
    if syntax == ExplicitVRBigEndian:
        found.PixelData = np.frombuffer(found.PixelData, "<i2").astype(">i2").tobytes()
    found.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    pydicom.dcmwrite(
        out, found, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian,
        force_encoding=True,
    )  # fmt: skip
    assert np.array_equal(read_hounsfield(out.getvalue(), "a.dcm"), SLICE)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_what_else_is_compressed_comes_back(syntax: str) -> None:
    pytest.importorskip("imagecodecs")
    stored = (SLICE.astype(np.int32) + 1024).astype("<u2")
    plain = ct(SLICE, PixelRepresentation=0, BitsStored=12, HighBit=11, PixelData=stored.tobytes())
    assert np.array_equal(read_hounsfield(compressed(plain, syntax), "a.dcm"), SLICE)


# --- files whose header was read before -----------------------------------------------------------------------------

AGAIN = {
    "plain": ct(SLICE),
    "unsigned": unsigned(SLICE, BitsStored=12, HighBit=11),
    "padded": ct(SLICE, PixelPaddingValue=-1000),
    "scaled": ct(SLICE // 4, intercept=0, RescaleSlope=2),
}


def written_as(data: bytes, syntax: str) -> bytes:
    found = pydicom.dcmread(io.BytesIO(data))
    found.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    pydicom.dcmwrite(out, found, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return out.getvalue()


def files_again() -> dict[str, bytes]:
    pytest.importorskip("imagecodecs")
    return AGAIN | {
        "implicit": written_as(ct(SLICE), ImplicitVRLittleEndian),
        "jpeg": encapsulated(ct(SLICE)),
        "jpeg 2000": compressed(unsigned(SLICE), JPEG2000Lossless),
    }


def test_a_header_that_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_again()
    known = {name: (read_header(data, name).image, read_hounsfield(data, name)) for name, data in files.items()}
    monkeypatch.setattr(pydicom, "dcmread", None)
    for name, (image, pixels) in known.items():
        assert image is not None, name
        assert np.array_equal(read_hounsfield(files[name], name, image), pixels), name


def test_without_codecs_a_compressed_file_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encapsulated(ct(SLICE))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert read_header(data, "a").image is None


def test_another_header_says_nothing_of_a_file() -> None:
    files = files_again() | {"rle": compressed(unsigned(SLICE), RLELossless)}
    for name, data in files.items():
        wanted = read_hounsfield(data, name)
        for other in files.values():
            assert np.array_equal(read_hounsfield(data, name, read_header(other, "other").image), wanted), name


def outcome(data: bytes, image: Image | None = None) -> object:
    try:
        return read_hounsfield(data, "a.dcm", image).tolist()
    except DamagedFileError:
        return "an error"


def test_a_file_that_changed_since_is_what_it_is_now() -> None:
    """Cut short, with bytes flipped, with something behind: as if its header had never been read."""
    random = np.random.default_rng(0)
    for name, data in files_again().items():
        image = read_header(data, name).image
        changed = [data[: len(data) - cut] for cut in (1, 2, 8, 100, 2000, len(data) - 200)]
        changed += [data + b"\0" * 2, data + data[-40:], data[:-8] + b"\0" * 8]
        for place in random.integers(130, len(data), 60):
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(random.integers(8))
            changed.append(bytes(flipped))
        for each in changed:
            assert outcome(each, image) == outcome(each), name


def test_a_file_that_hides_that_it_is_deflated_is_refused() -> None:
    """pydicom would inflate whatever is in it, without a bound."""
    found = pydicom.dcmread(io.BytesIO(ct(SLICE)))
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    found.file_meta.PrivateInformationCreatorUID = "1.2.3"
    found.file_meta.PrivateInformation = b"\1" * (1 << 17)
    out = io.BytesIO()
    pydicom.dcmwrite(out, found, implicit_vr=False, little_endian=True)
    data = out.getvalue()
    begin = data.index(b"\x02\x00\x10\x00UI")
    size = int.from_bytes(data[begin + 6 : begin + 8], "little")
    element = data[begin : begin + 8 + size]
    end = data.index(b"\1" * (1 << 17)) + (1 << 17)
    hidden = data[:begin] + data[begin + len(element) : end] + element + data[end:]
    for read in (read_header, read_hounsfield):
        with pytest.raises(DamagedFileError, match="a.dcm: expected a whole DICOM image"):
            read(hidden, "a.dcm")
