"""A radiograph out of a DICOM file: every value without loss, grey as the standard says, and whole or an error."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.film import SECONDARY_CAPTURE, FilmForm, age_in_years, film, read_film
from covid_datasets.schema import Notice, Part
from tests.dicom import compressed, radiograph
from tests.raws import Files

DEEP = np.random.default_rng(5).integers(0, 4096, (70, 90)).astype(np.uint16)
FLAT = np.random.default_rng(6).integers(0, 256, (70, 91)).astype(np.uint8)
TWELVE = {"BitsStored": 12, "HighBit": 11}


def pixels(data: bytes, **form: Any) -> np.ndarray:
    return read_film(data, "a.dcm", FilmForm(**form)).pixels


def fields(data: bytes, **form: Any) -> dict[str, Any]:
    return dict(read_film(data, "a.dcm", FilmForm(**form)).fields)


def run(data: bytes, **form: Any) -> tuple[list[Part], list[Notice]]:
    found = list(film(Files({"a.dcm": data}), "a.dcm", FilmForm(**form)))
    return [item for item in found if isinstance(item, Part)], [item for item in found if isinstance(item, Notice)]


def table(values: list[int], first: int, bits: int, name: str = "VOILUTSequence") -> dict[str, Any]:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "US", values)
    return {name: [item]}


# --- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stored", "tags"), [(DEEP, TWELVE), (DEEP, {}), (FLAT, {}), (FLAT.astype(np.uint16), {})])
def test_stored_values_come_back(stored: np.ndarray, tags: dict[str, Any]) -> None:
    found = pixels(radiograph(stored, **tags))
    assert found.dtype == stored.dtype
    assert np.array_equal(found, stored)


def test_eight_bits_in_sixteen_are_eight() -> None:
    found = pixels(radiograph(FLAT.astype(np.uint16), BitsStored=8, HighBit=7))
    assert found.dtype == np.uint8
    assert np.array_equal(found, FLAT)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("stored", [DEEP, FLAT], ids=["deep", "flat"])
@pytest.mark.parametrize("fast", [True, False])
def test_what_is_compressed_without_loss_comes_back(
    syntax: str, stored: np.ndarray, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("imagecodecs")
    packed = compressed(radiograph(stored, **(TWELVE if stored is DEEP else {})), syntax)
    if not fast:
        pytest.importorskip("gdcm")
        monkeypatch.setitem(sys.modules, "imagecodecs", None)
    assert np.array_equal(pixels(packed), stored)


def test_what_is_compressed_with_loss_is_near_and_told() -> None:
    smooth = np.add.outer(np.arange(70), np.arange(90)).astype(np.uint8)
    packed = compressed(radiograph(smooth, LossyImageCompression="01"), JPEGBaseline8Bit)
    assert np.abs(pixels(packed).astype(int) - smooth).max() <= 2
    assert "compressed with loss" in fields(packed)["value_range"]


def test_where_small_values_are_white_they_are_inverted() -> None:
    data = radiograph(DEEP, PhotometricInterpretation="MONOCHROME1", **TWELVE)
    assert np.array_equal(pixels(data), 4095 - DEEP)
    assert "inverted (MONOCHROME1)" in fields(data)["value_range"]
    assert np.array_equal(pixels(radiograph(FLAT, PhotometricInterpretation="MONOCHROME1")), 255 - FLAT)


def test_values_with_a_sign_are_moved_up() -> None:
    signed = (DEEP.astype(np.int16) - 2048) & 0x0FFF
    data = radiograph(signed.astype(np.uint16), PixelRepresentation=1, **TWELVE)
    assert np.array_equal(pixels(data), DEEP)
    assert "moved up by 2048" in fields(data)["value_range"]


def test_bits_beyond_those_stored_are_cut_off_and_told() -> None:
    data = radiograph(DEEP | np.uint16(0x8000), **TWELVE)
    assert np.array_equal(pixels(data), DEEP)
    _, notices = run(data)
    assert [(notice.kind, notice.dropped) for notice in notices] == [("bits beyond those stored", False)]


# --- grey ------------------------------------------------------------------------------------------------------------


def test_what_is_not_applied_is_told() -> None:
    data = radiograph(
        DEEP, RescaleSlope=2, RescaleIntercept=-5, WindowCenter=[2000, 1], WindowWidth=[800, 1], **TWELVE,
        PresentationIntentType="FOR PRESENTATION", PixelPaddingValue=0,
    )  # fmt: skip
    assert np.array_equal(pixels(data), DEEP)
    assert fields(data)["value_range"] == (
        "stored values of 12 bits; rescale (slope 2, intercept -5) not applied; "
        "window (centre 2000, width 800) not applied; for presentation; padding 0 kept"
    )


def test_a_window_is_that_of_the_standard() -> None:
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    # PS3.3 C.11.2.1.2.1: centre 2048, width 4096 goes over 12 bits exactly.
    whole = pixels(radiograph(ramp, WindowCenter=2048, WindowWidth=4096, **TWELVE), shown=True)
    assert np.array_equal(whole, np.rint(ramp / 4095 * 65535).astype(np.uint16))
    narrow = pixels(radiograph(ramp, WindowCenter=100, WindowWidth=11, **TWELVE), shown=True).ravel()
    assert (narrow[94], narrow[105], narrow[99], narrow[100]) == (0, 65535, round(0.45 * 65535), round(0.55 * 65535))
    step = pixels(radiograph(ramp, WindowCenter=100, WindowWidth=1, **TWELVE), shown=True).ravel()
    assert (step[99], step[100]) == (0, 65535)
    exact = pixels(
        radiograph(ramp, WindowCenter=100, WindowWidth=10, VOILUTFunction="LINEAR_EXACT", **TWELVE), shown=True
    ).ravel()
    assert (exact[95], exact[105]) == (0, 65535)
    assert abs(int(exact[100]) - 32768) <= 1
    curve = pixels(
        radiograph(ramp, WindowCenter=100, WindowWidth=10, VOILUTFunction="SIGMOID", **TWELVE), shown=True
    ).ravel()
    assert curve[100] == 32768
    assert curve[105] == round(65535 / (1 + np.exp(-2)))


def test_pydicom_shows_the_same() -> None:
    import io

    import pydicom
    from pydicom.pixels import apply_voi_lut

    data = radiograph(DEEP, WindowCenter=1500, WindowWidth=1000, **TWELVE)
    theirs = apply_voi_lut(DEEP, pydicom.dcmread(io.BytesIO(data)))
    assert np.abs(pixels(data, shown=True) / 65535 - theirs / 4095).max() < 1e-5


def test_rescale_comes_before_the_window_and_inverting_last() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tags: dict[str, Any] = {"RescaleSlope": -1, "RescaleIntercept": 255, "WindowCenter": 128, "WindowWidth": 256}
    assert np.array_equal(pixels(radiograph(ramp, **tags), shown=True), 255 - ramp)
    tags["PhotometricInterpretation"] = "MONOCHROME1"
    found = radiograph(ramp, **tags)
    assert np.array_equal(pixels(found, shown=True), ramp)
    assert fields(found, shown=True)["value_range"] == (
        "grey of 8 bits; rescale (slope -1, intercept 255) applied; window (centre 128, width 256) applied; "
        "inverted (MONOCHROME1)"
    )


def test_a_table_is_looked_up_and_comes_before_a_window() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tags = table([0, 100, 1023], 10, 10) | {"WindowCenter": 5, "WindowWidth": 5}
    found = pixels(radiograph(ramp, **tags), shown=True).ravel()
    assert found[[0, 10, 11, 12, 255]].tolist() == [0, 0, round(100 / 1023 * 255), 255, 255]
    both = tags | table(list(range(255, -1, -1)), 0, 8, "ModalityLUTSequence")
    assert pixels(radiograph(ramp, **both), shown=True).ravel()[[0, 243, 245]].tolist() == [255, 255, 0]


@pytest.mark.parametrize(
    "tags",
    [
        table([0, 1, 2000], 0, 10),
        table([0], 0, 40),
        {"WindowCenter": 1, "WindowWidth": 0},
        {"WindowCenter": 1, "WindowWidth": 5, "VOILUTFunction": "CUBIC"},
        {"RescaleSlope": 0, "RescaleIntercept": 0},
    ],
)
def test_grey_that_makes_no_sense_is_an_error(tags: dict[str, Any]) -> None:
    with pytest.raises(DamagedFileError, match="a.dcm: expected a whole DICOM image"):
        pixels(radiograph(DEEP, **tags), shown=True)


# --- what the header says --------------------------------------------------------------------------------------------


def test_a_header_fills_the_record() -> None:
    (part,), notices = run(radiograph(DEEP, BurnedInAnnotation="YES", **TWELVE), row={"file": "a"})
    assert notices == []
    assert (part.id, part.path, part.typical) == ("", "a.dcm", True)
    said = dict(part.fields)
    row = said.pop("source_row")
    assert said == {
        "age": 78.0,
        "sex": "F",
        "view": "PA",
        "spacing": (0.14, 0.15),
        "manufacturer": "Maker",
        "scanner_model": "Wall",
        "kvp": 120.0,
        "flags": ("burned_in_annotation",),
        "value_range": "stored values of 12 bits",
    }
    assert (row["file"], row["PatientAge"], row["Modality"]) == ("a", "078Y", "DX")
    assert row["spacing_is"].startswith("at the detector")


def test_a_builder_chooses_what_the_header_fills() -> None:
    (part,), _ = run(radiograph(DEEP, **TWELVE), fill=("view",))
    assert set(part.fields) == {"view", "value_range", "flags", "source_row"}


@pytest.mark.parametrize(
    ("tags", "wanted", "where"),
    [
        ({"PixelSpacing": [0.1, 0.2]}, (0.2, 0.1), "in the patient"),
        ({"PixelSpacing": [0.15, 0.14]}, (0.14, 0.15), "at the detector"),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.1, 0.2]}, (0.2, 0.1), "in the patient"),
        ({"ImagerPixelSpacing": None, "NominalScannedPixelSpacing": [0.3, 0.4]}, (0.4, 0.3), "on the film"),
        ({"ImagerPixelSpacing": [0, 0]}, None, ""),
        ({"ImagerPixelSpacing": None}, None, ""),
    ],
)
def test_where_a_size_is_measured_is_told(tags: dict[str, Any], wanted: Any, where: str) -> None:
    found = fields(radiograph(DEEP, **tags))
    assert found["spacing"] == wanted
    assert found["source_row"].get("spacing_is", "").startswith(where)


@pytest.mark.parametrize(
    ("view", "wanted"),
    [("PA", "PA"), ("ap ", "AP"), ("LL", "lateral"), ("LATERAL", "lateral"), ("LLO", None), ("", None)],
)
def test_views(view: str, wanted: str | None) -> None:
    assert fields(radiograph(DEEP, ViewPosition=view))["view"] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("078Y", 78),
        ("006M", 0.5),
        ("7D", 7 / 365.25),
        ("155", 155),
        ("", None),
        ("Y", None),
        ("-5Y", None),
        ("²Y", None),
    ],
)
def test_ages(text: str, wanted: float | None) -> None:
    assert age_in_years(text) == (None if wanted is None else pytest.approx(wanted))


def test_nobody_is_155_years_old() -> None:
    (part,), notices = run(radiograph(DEEP, PatientAge="155Y"))
    assert "age" not in part.fields
    assert part.fields["source_row"]["PatientAge"] == "155Y"
    assert [notice.kind for notice in notices] == ["age out of range"]


@pytest.mark.parametrize("value", [0, 120_000])
def test_a_voltage_that_cannot_be_is_unknown(value: int) -> None:
    (part,), _ = run(radiograph(DEEP, KVP=value))
    assert "kvp" not in part.fields
    assert part.fields["source_row"]["KVP"] == str(float(value))


def test_who_may_be_named_is_flagged_and_not_repeated() -> None:
    (part,), notices = run(radiograph(DEEP, PatientName="Doe^Jane", PatientBirthDate="19561103"))
    assert part.fields["flags"] == ("headers_may_identify",)
    assert [(notice.kind, notice.what) for notice in notices] == [
        ("tags that may identify", "PatientBirthDate, PatientName in the header; flagged")
    ]
    assert not any(value in repr([part.fields, notices]) for value in ("Doe", "Jane", "1956"))
    assert run(radiograph(DEEP, PatientName="P1"))[0][0].fields["flags"] == ()


# --- what is no film -------------------------------------------------------------------------------------------------


def test_another_class_is_told_and_left_out() -> None:
    for kind in ("1.2.840.10008.5.1.4.1.1.2", SECONDARY_CAPTURE):
        found, notices = run(radiograph(DEEP, SOPClassUID=kind))
        assert found == []
        assert [(notice.kind, notice.dropped) for notice in notices] == [("no radiograph", True)]


def referring(*names: str | None) -> list[Dataset]:
    items = [Dataset() for _ in names]
    for item, name in zip(items, names, strict=True):
        if name is not None:
            item.ReferencedSOPInstanceUID = name
    return items


def test_a_film_that_refers_to_another_one_is_flagged_or_left_out() -> None:
    copy = radiograph(DEEP, ReferencedImageSequence=referring("1.2.3", "1.2.4"))
    (part,), _ = run(copy)
    assert part.fields["flags"] == ("refers_to_another_film",)
    assert part.fields["source_row"]["ReferencedSOPInstanceUID"] == r"1.2.3\1.2.4"
    parts, (notice,) = run(copy, originals=True)
    assert parts == []
    assert (notice.kind, notice.where, notice.dropped) == ("film made of another one", "a.dcm", True)
    assert "1.2.3" in notice.what
    for names in ((), (None,), ("",)):  # an empty sequence, or one that names nothing, refers to nothing
        (kept,), told = run(radiograph(DEEP, ReferencedImageSequence=referring(*names)), originals=True)
        assert (kept.fields["flags"], told) == ((), [])


def test_a_secondary_capture_on_request() -> None:
    (part,), _ = run(radiograph(FLAT, SOPClassUID=SECONDARY_CAPTURE), secondary=True)
    assert np.array_equal(part.pixels, FLAT)
    colour = np.random.default_rng(1).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    tags: dict[str, Any] = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "SOPClassUID": SECONDARY_CAPTURE}
    data = radiograph(colour, PlanarConfiguration=0, **tags)
    assert np.array_equal(run(data, secondary=True)[0][0].pixels, colour)
    planes = np.moveaxis(colour, -1, 0).tobytes()
    apart = radiograph(colour, PlanarConfiguration=1, PixelData=planes, **tags)
    assert np.array_equal(run(apart, secondary=True)[0][0].pixels, colour)


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"Rows": 6000, "Columns": 6000}, "6000x6000 pixels"),
        ({"Rows": 0}, "0x90 pixels"),
        ({"BitsAllocated": 32}, "of 32 bits"),
        ({"BitsStored": 17}, "17 stored"),
        ({"BitsStored": 0}, "0 stored"),
        ({"SamplesPerPixel": 3}, "3 channels"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
        ({"PhotometricInterpretation": None}, "without a PhotometricInterpretation"),
        ({"PixelData": bytes(100)}, "100 bytes of pixels; 70x90 need 12,600"),
        ({"PixelData": None}, "no pixels"),
        ({"PixelRepresentation": 3}, "PixelRepresentation 3"),
        ({"Columns": None}, "unreadable header"),
    ],
)
def test_what_is_no_film_is_an_error(tags: dict[str, Any], what: str) -> None:
    with pytest.raises(DamagedFileError) as raised:
        pixels(radiograph(DEEP, **tags))
    assert what in str(raised.value)


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_a_file_cut_anywhere_is_an_error(syntax: str | None) -> None:
    pytest.importorskip("imagecodecs")
    data = radiograph(DEEP, **TWELVE)
    data = compressed(data, syntax) if syntax else data
    for size in [0, 131, 200, 600, *range(900, len(data) - 20, 499), len(data) - 20]:
        with pytest.raises(DamagedFileError, match="a.dcm: expected"):
            pixels(data[:size])


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEG2000Lossless, JPEGLSLossless])
def test_a_frame_that_claims_another_size_is_not_decoded(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = pytest.importorskip("imagecodecs")
    for name in ("jpeg8_decode", "jpeg2k_decode", "jpegls_decode"):
        monkeypatch.setattr(codecs, name, lambda _: pytest.fail("decoded"))
    size = struct.pack(">HH", 65500, 65500)
    frames = {
        JPEGLosslessSV1: b"\xff\xd8\xff\xc3\x00\x0b\x10" + size + b"\x01\x01\x11\x00" + bytes(600) + b"\xff\xd9",
        JPEGLSLossless: b"\xff\xd8\xff\xf7\x00\x0b\x10" + size + b"\x01\x01\x11\x00" + bytes(600) + b"\xff\xd9",
        JPEG2000Lossless: b"\xff\x4f\xff\x51\x00\x29\x00\x00"
        + struct.pack(">8I", 65500, 65500, 0, 0, 65500, 65500, 0, 0) + b"\x00\x01\x0f\x01\x01" + b"\xff\xd9",
    }  # fmt: skip
    with pytest.raises(DamagedFileError, match=r"a compressed picture of \(65500, 65500, 1\)"):
        pixels(compressed(radiograph(DEEP), syntax, frames[syntax]))


def test_what_nobody_decodes_is_an_error() -> None:
    mpeg = "1.2.840.10008.1.2.4.100"
    with pytest.raises(DamagedFileError, match=f"transfer syntax {mpeg}, which is not supported"):
        pixels(compressed(radiograph(DEEP), mpeg, b"\xff\xd8\xff\xd9"))
