"""What says whose a DICOM file is: nothing planted survives, wherever and in whatever encoding."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

import pydicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from covid_datasets.errors import DamagedFileError
from covid_datasets.own.deidentify.clean import NoImageError, clean
from covid_datasets.own.deidentify.profile import action_for
from covid_datasets.own.deidentify.who import words_about
from covid_datasets.read.dicom import read_hounsfield
from covid_datasets.read.film import read_film
from tests.dicom import compressed, ct, radiograph
from tests.mutate import raw_errors_of
from tests.own.deidentified import DEEP, NAME, PIXELS, SECRET, cleaned, rewritten

TEXTS = sorted(
    value[4]
    for tag, value in DicomDictionary.items()
    if value[0] in ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE") and value[4] and tag >> 16 > 4
)
CODES = sorted(value[4] for tag, value in DicomDictionary.items() if value[0] == "CS" and value[4] and tag >> 16 > 4)
UIDS = sorted(value[4] for tag, value in DicomDictionary.items() if value[0] == "UI" and value[4] and tag >> 16 > 4)


def plant(found: Dataset, kind: str, keyword: str, how: str) -> None:
    """Plant the name of the patient in one place of a data set."""
    said = {"as it is": NAME, "in a text": f"AX {NAME.upper()} 1", "in capitals": NAME.upper()}[how]
    if kind == "text":
        setattr(found, keyword, said)
    elif kind == "code":
        setattr(found, keyword, said.upper()[:16])
    elif kind == "private":
        block = found.private_block(0x0029, said[:60], create=True)
        block.add_new(0x10, "LO", said)
        block.add_new(0x11, "UN", said.encode())
    elif kind in ("sequence", "kept sequence"):
        item = Dataset()
        setattr(item, keyword, said)
        item.PatientName = said
        setattr(found, "RequestAttributesSequence" if kind == "sequence" else "SourceImageSequence", [item])
    elif kind == "overlay":
        found.add_new(0x60000010, "US", 2)
        found.add_new(0x60000022, "LO", said)
        found.add_new(0x60003000, "OW", said.encode() + b"\0" * (len(said) % 2))
        found.add_new(0x60004000, "LT", said)
    elif kind == "unknown":
        found.add_new(0x00181234, "UN", said.encode())
        found.add_new(0x00080080, "UN", said.encode())
    elif kind == "padding":
        found.add_new(0xFFFCFFFC, "OB", said.encode() + b"\0" * (len(said) % 2))
    elif kind == "behind pixels":
        found["PixelData"].value += said.encode() + b"\0" * (len(said) % 2)
    elif kind == "preamble":
        found.preamble = said.encode().ljust(128, b"\0")
    elif kind == "file meta":
        found.file_meta.SourceApplicationEntityTitle = said[:16]
        found.file_meta.ImplementationVersionName = said[:16]
        found.file_meta.PrivateInformationCreatorUID = "1.2.3"
        found.file_meta.PrivateInformation = said.encode() + b"\0" * (len(said) % 2)
    elif kind == "number":
        found.add_new(0x00180060, "LO", said)
    elif kind == "table":
        item = Dataset()
        item.LUTDescriptor = [4, 0, 16]
        item.LUTExplanation = said
        item.add_new(0x00283006, "OW", said.encode() + b"\0" * (len(said) % 2))
        found.VOILUTSequence = [item]


KINDS = (
    "text", "code", "private", "sequence", "kept sequence", "overlay", "unknown", "padding", "behind pixels",
    "preamble", "file meta", "number", "table",
)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.sampled_from(TEXTS), st.sampled_from(["as it is", "in a text", "in capitals"])
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(CODES),
    st.sampled_from(UIDS),
    st.sampled_from([f"Doe^{NAME}", f"{NAME}^Jane^^Dr", f"van {NAME}=山田^太郎"]),
)
@settings(
    max_examples=int(os.environ.get("COVID_DATASETS_TEST_EXAMPLES", "120")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@pytest.mark.filterwarnings("ignore")
def test_no_planted_name_survives(plants: list[tuple[str, str, str]], code: str, uid: str, name: str) -> None:
    def change(found: Dataset) -> None:
        found.SpecificCharacterSet = "ISO_IR 192"
        found.PatientName = name
        found.PatientID = f"ID{NAME}77"
        for kind, keyword, how in plants:
            if keyword in ("PatientName", "PatientID", "SpecificCharacterSet"):
                continue
            plant(found, kind, code if kind == "code" else keyword, how)
        if uid not in ("SOPClassUID", "TransferSyntaxUID"):
            setattr(found, uid, "1.2.840.4711147114711")

    data = rewritten(ct(PIXELS, Manufacturer="SIEMENS"), change)
    out = clean(data, f"{NAME}/1.dcm", SECRET).data
    assert NAME.encode().lower() not in out.lower()
    assert b"4711147114711" not in out
    assert np.array_equal(read_hounsfield(out, "a.dcm"), PIXELS)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_what_encoders_write_beside_pixels_goes(syntax: str) -> None:
    pytest.importorskip("imagecodecs")
    deep = DEEP if syntax != JPEGBaseline8Bit else (DEEP % 256).astype(np.uint8)
    tags: dict[str, Any] = {} if syntax == JPEGBaseline8Bit else {"BitsStored": 12, "HighBit": 11}
    data = compressed(radiograph(deep, **tags), syntax)
    frame = next(generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData, number_of_frames=1)).rstrip(b"\0")
    said = f"{NAME} and his notes".encode()
    if syntax == JPEG2000Lossless:
        notes = [mark + (len(said) + 4).to_bytes(2) + b"\0\1" + said for mark in (b"\xff\x64", b"\xff\x6a")]
        at = frame.index(b"\xff\x52")
        frame = frame[:at] + b"".join(notes) + frame[at:]
    else:
        marks = (0xFE, 0xE1, 0xE0, 0xEE, 0xE8, 0xF1, 0xDE)
        notes = [bytes((0xFF, mark)) + (len(said) + 2).to_bytes(2) + said for mark in marks]
        frame = frame[:2] + b"".join(notes) + frame[2:]
    frame += said + b"\0" * (len(said) % 2)

    def change(found: Dataset) -> None:
        found.PixelData = encapsulate([frame])
        found["PixelData"].is_undefined_length = True

    planted = rewritten(data, change)
    assert NAME.encode() in planted
    result = clean(planted, "a.dcm", SECRET)
    assert NAME.encode() not in result.data
    assert np.array_equal(read_film(result.data, "a").pixels, read_film(data, "a").pixels)
    assert ("PixelData", "removed: what stood beside compressed pixels") in result.changes


@pytest.mark.parametrize("mark", [b"\xff\x64", b"\xff\x6a"])
def test_a_comment_inside_a_part_of_a_jpeg_2000_goes(mark: bytes) -> None:
    pytest.importorskip("imagecodecs")
    data = compressed(radiograph(DEEP, BitsStored=12, HighBit=11), JPEG2000Lossless)
    frame = bytearray(next(generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData, number_of_frames=1)))
    at = frame.index(b"\xff\x90")
    note = mark + (len(NAME) + 4).to_bytes(2) + b"\0\1" + NAME.encode()
    length = int.from_bytes(frame[at + 6 : at + 10])
    frame[at + 6 : at + 10] = (length + len(note)).to_bytes(4) if length else frame[at + 6 : at + 10]
    frame[at + 12 : at + 12] = note

    def change(found: Dataset) -> None:
        found.PixelData = encapsulate([bytes(frame)])
        found["PixelData"].is_undefined_length = True

    out = clean(rewritten(data, change), "a.dcm", SECRET).data
    assert NAME.encode() not in out
    assert np.array_equal(read_film(out, "a").pixels, DEEP)


def test_what_follows_run_lengths_goes() -> None:
    data = compressed(radiograph(DEEP, BitsStored=12, HighBit=11), RLELossless)
    frame = next(generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData, number_of_frames=1))

    def change(found: Dataset) -> None:
        found.PixelData = encapsulate([frame + NAME.encode() + b"\0"])
        found["PixelData"].is_undefined_length = True

    out = clean(rewritten(data, change), "a.dcm", SECRET).data
    assert NAME.encode() not in out
    assert np.array_equal(read_film(out, "a").pixels, DEEP)


def test_an_overlay_inside_the_pixels_goes() -> None:
    def change(found: Dataset) -> None:
        found.add_new(0x60000100, "US", 16)
        found.add_new(0x60000102, "US", 12)

    plain = DEEP.copy()
    data = rewritten(radiograph(plain | np.uint16(0x1000), BitsStored=12, HighBit=11), change)
    result = clean(data, "a.dcm", SECRET)
    found = pydicom.dcmread(io.BytesIO(result.data))
    assert np.array_equal(np.frombuffer(found.PixelData, "<u2").reshape(DEEP.shape), plain)
    assert ("PixelData", "removed: an overlay inside the pixels") in result.changes
    assert not any(element.tag.group >> 8 == 0x60 for element in found)


def test_bits_that_may_be_a_sign_stay() -> None:
    stored = np.full((4, 4), 0xF830, "<u2")
    data = radiograph(stored, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert cleaned(data).PixelData == stored.tobytes()


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_any_encoding_is_cleaned_and_read_as_before(syntax: str) -> None:
    def change(found: Dataset) -> None:
        item = Dataset()
        item.ReferencedSOPInstanceUID, item.PatientName = "1.2.3", NAME
        found.PatientName, found.OtherPatientNames = NAME, [f"Doe^{NAME}", f"{NAME}^Jane"]
        found.SourceImageSequence = [item]
        found.SoftwareVersions = ["VA48", f"of {NAME}"]
        found.ImageType = ["ORIGINAL", "PRIMARY", NAME.upper()]
        found.private_block(0x0029, NAME, create=True).add_new(0x10, "LO", NAME)
        found.add_new("SmallestImagePixelValue", "SS", -3)

    out = clean(rewritten(ct(PIXELS), change, syntax), "a.dcm", SECRET).data
    assert NAME.encode().lower() not in out.lower()
    assert np.array_equal(read_hounsfield(out, "a.dcm"), PIXELS)


@pytest.mark.filterwarnings("ignore")
def test_real_files_keep_their_pixels_and_no_name() -> None:
    """Those that pydicom is tested with: other makers, syntaxes and mistakes than we would think of."""
    same = 0
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm")):
        name, data = path.name, path.read_bytes()
        if len(data) > 100_000:
            continue
        try:
            result = clean(data, name, SECRET)
        except (NoImageError, DamagedFileError):
            continue
        found, new = pydicom.dcmread(io.BytesIO(data)), pydicom.dcmread(io.BytesIO(result.data))
        said = " ".join(str(element.value).lower() for element in new.iterall() if element.VR not in ("SQ", "OB", "OW"))
        assert not [word for word in words_about(found) if len(word) > 4 and word in said], name
        try:
            pixels = found.pixel_array
        except Exception:  # files that are wrong on purpose
            continue
        assert np.array_equal(new.pixel_array, pixels), name
        same += 1
    assert same > 30


def test_what_is_known_of_places_is_kept_nowhere_else() -> None:
    found = cleaned(
        ct(PIXELS, InstitutionName="Saint Elsewhere", SoftwareVersions="VA48 SAINT ELSEWHERE", Manufacturer="SIEMENS")
    )
    assert "SoftwareVersions" not in found
    assert found.Manufacturer == "SIEMENS"
    chest = cleaned(ct(PIXELS, InstitutionName="Chest Hospital", BodyPartExamined="CHEST"))
    assert chest.BodyPartExamined == "CHEST"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Doe^Jane", "VA48 DOE1"),
        ("Doe^Jane", "DOEJANE 2"),
        ("Doe^Jane", "jane.doe"),
        ("Doe^Jane", "VB20_JaneDoe"),
        ("O'Neil^A", "VA48 ONEIL"),
        ("Al-Ali^A", "ALALI"),
        ("Müller^A", "VA48 Muller"),
        ("Müller^A", "VA48 MUELLER"),
        ("Łuk^A", "LUK"),
        ("Johnson^A", "JOHN SON"),
        ("Yamada^Tarou=山田^太郎", "TAROU"),
    ],
)
def test_a_name_that_is_written_otherwise_stays_in_no_text(name: str, text: str) -> None:
    tags: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": name,
        "SoftwareVersions": ["VA48", text],
    }
    assert "SoftwareVersions" not in cleaned(ct(PIXELS, **tags))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_name_in_letters_that_the_file_does_not_announce_stays_in_no_text(encoding: str) -> None:
    data = ct(PIXELS, PatientName="M" + "_" * 9, SoftwareVersions="MUELLER")
    name = "Müller^Eva".encode(encoding).ljust(10)[:10]
    assert "SoftwareVersions" not in cleaned(data.replace(b"M" + b"_" * 9, name))


@pytest.mark.parametrize("day", ["20200310", "2020-03-10", "10.03.2020", "03/10/2020", "SW19561103", "19990909"])
def test_a_date_of_the_file_stays_in_no_text(day: str) -> None:
    item = Dataset()
    item.AcquisitionDateTime = "19990909120000"
    tags: dict[str, Any] = {
        "StudyDate": "20200310", "PatientBirthDate": "19561103", "RequestAttributesSequence": [item]
    }  # fmt: skip
    found = cleaned(ct(PIXELS, **tags, SoftwareVersions=f"VA48 {day}", ManufacturerModelName="Force 20190101"))
    assert "SoftwareVersions" not in found
    assert found.ManufacturerModelName == "Force 20190101"


def test_a_number_of_the_patient_stays_in_no_other_number() -> None:
    tags: dict[str, Any] = {
        "PatientID": "000471108", "AccessionNumber": "99887766", "StudyDate": "20200310", "SeriesNumber": "471108",
        "AcquisitionNumber": "99887766", "TemporalPositionIdentifier": "20200310", "StudyID": "512",
        "InstanceNumber": 512,
    }  # fmt: skip
    found = cleaned(ct(PIXELS, **tags))
    assert not {"SeriesNumber", "AcquisitionNumber", "TemporalPositionIdentifier"} & set(found.dir())
    assert found.InstanceNumber == 512


@pytest.mark.parametrize("tag", [0x00082112, 0x00081111, 0x00091010])
@pytest.mark.filterwarnings("ignore")
def test_a_sequence_of_unknown_kind_is_cleaned_inside_or_removed(tag: int) -> None:
    """What went through a system that did not know it: UN, and implicit inside (PS3.5, 6.2.2)."""
    item = Dataset()
    item.ReferencedSOPInstanceUID, item.PatientName, item.CodeMeaning = "4.7.1.1", NAME, NAME
    buffer = DicomBytesIO()
    buffer.is_little_endian = buffer.is_implicit_VR = True
    write_dataset(buffer, item)
    inside = buffer.getvalue()
    value = b"\xfe\xff\x00\xe0" + len(inside).to_bytes(4, "little") + inside
    element = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"UN", 0, len(value)) + value
    data = ct(PIXELS)
    at = data.index(b"\x10\x00\x20\x00LO")
    out = clean(data[:at] + element + data[at:], "a.dcm", SECRET).data
    assert NAME.encode() not in out
    assert b"4.7.1.1" not in out
    kept = pydicom.dcmread(io.BytesIO(out)).get("SourceImageSequence")
    assert tag != 0x00082112 or kept[0].ReferencedSOPInstanceUID == SECRET.uid("4.7.1.1")


def test_the_profile_keeps_no_private_group_text_or_overlay() -> None:
    kept = {
        tag for tag, known in DicomDictionary.items()
        if action_for(tag, known[0].split(" or ")[0]) in ("text", "code", "number", "table", "sequence")
    }  # fmt: skip
    assert {tag >> 16 for tag in kept} <= {0x08, 0x18, 0x20, 0x28, 0x54, 0x2050, 0x5200}
    assert not {DicomDictionary[tag][0] for tag in kept} & {"PN", "LT", "ST", "UT", "UC", "UR", "AE", "UN", "OB", "DA"}


def test_values_that_cannot_be_read_are_removed() -> None:
    data = ct(PIXELS, KVP=120).replace(b"DS\x06\x00120.0 ", b"DS\x06\x00JOHNNY")
    assert b"JOHNNY" in data
    result = clean(data, "a.dcm", SECRET)
    assert b"JOHNNY" not in result.data
    assert any(where in ("KVP", "(0018,0060)") for where, _ in result.changes)


def test_changed_files_are_cleaned_or_left_out() -> None:
    wholes = [ct(PIXELS, PatientName=NAME), radiograph(DEEP, BitsStored=12, HighBit=11)]
    wholes += [compressed(wholes[1], syntax) for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless)]
    assert raw_errors_of(wholes, [lambda data: clean(data, "a.dcm", SECRET)], 400, 0, (NoImageError,)) == []
