"""DICOM without what says whose it is: nothing planted survives anywhere, and all that belongs together stays so."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import struct
import subprocess
import sys
from datetime import datetime
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
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from covid_datasets import OwnData, deidentify, load_dataset
from covid_datasets.cli import main
from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.own.deidentify.clean import NoImageError, clean
from covid_datasets.own.deidentify.profile import action_for
from covid_datasets.own.deidentify.secret import Secret
from covid_datasets.own.deidentify.values import capped_age, moved, moved_datetime
from covid_datasets.own.deidentify.who import words_about
from covid_datasets.read.dicom import read_hounsfield
from covid_datasets.read.film import read_film
from tests.dicom import compressed, ct, radiograph
from tests.mutate import raw_errors_of

PIXELS = np.random.default_rng(0).integers(-1000, 400, (16, 16)).astype(np.int16)
DEEP = np.random.default_rng(5).integers(0, 4096, (30, 20)).astype(np.uint16)
NAME = "Zebulon"
TEXTS = sorted(
    value[4]
    for tag, value in DicomDictionary.items()
    if value[0] in ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE") and value[4] and tag >> 16 > 4
)
CODES = sorted(value[4] for tag, value in DicomDictionary.items() if value[0] == "CS" and value[4] and tag >> 16 > 4)
UIDS = sorted(value[4] for tag, value in DicomDictionary.items() if value[0] == "UI" and value[4] and tag >> 16 > 4)
SECRET = Secret(bytes(range(32)))


def rewritten(data: bytes, change: Any = None, syntax: str = "") -> bytes:
    """Change a file with pydicom, which is given its data set."""
    found = pydicom.dcmread(io.BytesIO(data))
    if change:
        change(found)
    out = io.BytesIO()
    if syntax:
        if syntax == ExplicitVRBigEndian:
            found.PixelData = np.frombuffer(found.PixelData, "<i2").astype(">i2").tobytes()
        found.file_meta.TransferSyntaxUID = syntax
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        pydicom.dcmwrite(out, found, implicit_vr=implicit, little_endian=little, force_encoding=True)
    else:
        pydicom.dcmwrite(out, found)
    return out.getvalue()


def cleaned(data: bytes, **options: Any) -> Dataset:
    found: Dataset = pydicom.dcmread(io.BytesIO(clean(data, "a.dcm", SECRET, **options).data))
    return found


def everything(folder: Path) -> bytes:
    """All bytes of all files of a folder, and all their names."""
    paths = sorted(folder.rglob("*"))
    return b"\n".join([*(str(path.relative_to(folder)).encode() for path in paths)] + [
        path.read_bytes() for path in paths if path.is_file()
    ])  # fmt: skip


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def written(out: Path) -> dict[str, Dataset]:
    return {str(path.relative_to(out)): pydicom.dcmread(path) for path in sorted(out.rglob("*.dcm"))}


# --- nothing that was planted survives -------------------------------------------------------------------------------


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


def test_no_name_of_a_file_or_a_folder_survives(tmp_path: Path) -> None:
    files = {
        f"{NAME}/{NAME}_{place}.dcm": ct(
            PIXELS + place, (0, 0, place), PatientName=f"{NAME}^Jane", PatientID="4711-0815"
        )
        for place in range(3)
    }
    files |= {f"{NAME}/{NAME}.pdf": b"%PDF", f"{NAME}.broken.dcm": ct(PIXELS, PatientName=NAME)[:400]}
    done = deidentify(tree(tmp_path / "in", files), tmp_path / "out")
    found = everything(tmp_path / "out")
    assert NAME.encode().lower() not in found.lower()
    assert b"4711-0815" not in found
    assert done.files == 3
    assert sorted(left.why.partition(":")[0] for left in done.left_out) == [f"{NAME}.broken.dcm", "no DICOM file"]


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_what_encoders_write_beside_pixels_goes(syntax: str) -> None:
    pytest.importorskip("imagecodecs")
    deep = DEEP if syntax != JPEGBaseline8Bit else (DEEP % 256).astype(np.uint8)
    tags: dict[str, Any] = {} if syntax == JPEGBaseline8Bit else {"BitsStored": 12, "HighBit": 11}
    data = compressed(radiograph(deep, **tags), syntax)
    frame = next(generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData, number_of_frames=1)).rstrip(b"\0")
    said = f"{NAME} and his notes".encode()
    if syntax == JPEG2000Lossless:
        note = b"\xff\x64" + (len(said) + 4).to_bytes(2) + b"\0\1" + said
        at = frame.index(b"\xff\x52")
        frame = frame[:at] + note + frame[at:]
    else:
        notes = [bytes((0xFF, mark)) + (len(said) + 2).to_bytes(2) + said for mark in (0xFE, 0xE1, 0xE0, 0xEE, 0xE8)]
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


def test_a_comment_inside_a_part_of_a_jpeg_2000_goes() -> None:
    pytest.importorskip("imagecodecs")
    data = compressed(radiograph(DEEP, BitsStored=12, HighBit=11), JPEG2000Lossless)
    frame = bytearray(next(generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData, number_of_frames=1)))
    at = frame.index(b"\xff\x90")
    note = b"\xff\x64" + (len(NAME) + 4).to_bytes(2) + b"\0\1" + NAME.encode()
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


# --- what is kept, and consistent ------------------------------------------------------------------------------------


def test_values_that_help_are_kept() -> None:
    tags: dict[str, Any] = {
        "Manufacturer": "SIEMENS", "ManufacturerModelName": "SOMATOM Force", "ConvolutionKernel": ["Br40d", "3"],
        "KVP": "120", "SliceThickness": "1.5", "BodyPartExamined": "CHEST", "PatientSex": "F", "PatientAge": "061Y",
        "WindowCenter": [40, -600], "WindowWidth": [400, 1500], "PatientPosition": "HFS", "SeriesNumber": 3,
        "ContentDate": "20200310",
    }  # fmt: skip
    found = cleaned(ct(PIXELS, (1.0, 2.0, 3.5), **tags))
    for name, value in tags.items():
        if name != "ContentDate":
            assert found.get(name) == value, name
    assert found.ImagePositionPatient == [1.0, 2.0, 3.5]
    assert (found.RescaleSlope, found.RescaleIntercept) == (1, -1024)
    assert found.PatientIdentityRemoved == "YES"
    assert found.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113108"]
    assert found.PatientName == found.PatientID == SECRET.pseudonym("number P1")
    assert (found.PatientBirthDate, found.AccessionNumber) == ("", "")


def test_uids_are_replaced_everywhere_alike() -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "9.8.7"
    one = cleaned(ct(PIXELS, ReferencedImageSequence=[item], FrameOfReferenceUID="5.5.5"))
    other = cleaned(ct(PIXELS, SOPInstanceUID="9.8.7", FrameOfReferenceUID="5.5.5"))
    reference = one.ReferencedImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == other.SOPInstanceUID == other.file_meta.MediaStorageSOPInstanceUID
    assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert one.FrameOfReferenceUID == other.FrameOfReferenceUID
    assert one.SeriesInstanceUID == other.SeriesInstanceUID
    uids = {one.SOPInstanceUID, one.SeriesInstanceUID, one.StudyInstanceUID, one.FrameOfReferenceUID}
    assert len(uids) == 4
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)


def test_another_key_gives_other_names() -> None:
    other = clean(ct(PIXELS), "a.dcm", Secret(bytes(32)))
    one = clean(ct(PIXELS), "a.dcm", SECRET)
    assert one.pseudonym != other.pseudonym
    assert not set(one.uids) & set(other.uids)


@given(
    st.lists(st.datetimes(min_value=datetime(1950, 1, 1)), min_size=2, max_size=2),
    st.integers(-5_000_000, -1),
)
def test_what_lies_between_two_times_stays(times: list[Any], minutes: int) -> None:
    times = [time.replace(microsecond=0) for time in times]
    shifted = []
    for time in times:
        both = moved(f"{time:%Y%m%d}" if time.year >= 1000 else "", f"{time:%H%M%S}", minutes)
        assert both is not None
        joined = moved_datetime(f"{time:%Y%m%d%H%M%S}", minutes)
        assert joined == "".join(both)
        shifted.append(datetime.strptime(joined, "%Y%m%d%H%M%S"))
    assert shifted[1] - shifted[0] == times[1] - times[0]
    assert shifted[0] < times[0]


def test_a_study_over_midnight_stays_over_midnight() -> None:
    tags: dict[str, Any] = {
        "StudyDate": "20200310", "StudyTime": "235955", "AcquisitionDate": "20200311", "SeriesDate": "20200310",
        "AcquisitionTime": "000010.250000", "AcquisitionDateTime": "20200311000010.250000",
    }  # fmt: skip
    found = cleaned(ct(PIXELS, **tags))
    began = np.datetime64(_iso(found.StudyDate, found.StudyTime))
    went_on = np.datetime64(_iso(found.AcquisitionDate, found.AcquisitionTime))
    assert went_on - began == np.timedelta64(15_250_000, "us")
    assert found.AcquisitionDateTime == found.AcquisitionDate + found.AcquisitionTime
    assert found.StudyDate != "20200310"
    later = cleaned(ct(PIXELS, StudyDate="20200330", StudyTime="235955"))
    assert np.datetime64(_iso(later.StudyDate, later.StudyTime)) - began == np.timedelta64(20, "D")
    other = cleaned(ct(PIXELS, StudyDate="20200310", StudyTime="235955", PatientID="P2"))
    assert (other.StudyDate, other.StudyTime) != (found.StudyDate, found.StudyTime)


def _iso(date: str, time: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}"


@pytest.mark.parametrize("value", ["", "yesterday", "2020", "20201399", "20200310-20200312", "00010101"])
def test_a_date_that_is_none_is_not_kept(value: str) -> None:
    assert value == "" or str(cleaned(ct(PIXELS, StudyDate=value)).get("StudyDate", "")) != value


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("101Y", "090Y"),
        ("011M", "011M"),
        ("999W", "999W"),
        ("93", None),
        ("", ""),
        ("065Y", "065Y"),
        ("999M", "999M"),
        ("1079M", None),
        ("1092M", None),
        ("93Y", None),
    ],
)
def test_ages(said: str, wanted: str | None) -> None:
    assert cleaned(ct(PIXELS, PatientAge=said)).get("PatientAge", None) == wanted
    assert said == "" or capped_age(said) == wanted


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


def test_a_short_name_costs_no_unit() -> None:
    assert cleaned(ct(PIXELS, PatientName="Hu^Li", RescaleType="HU", BodyPartExamined="LI")).RescaleType == "HU"


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


def test_several_frames_keep_what_places_them() -> None:
    place, content, frame, measures, shared = Dataset(), Dataset(), Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [1, 2, 3]
    content.FrameAcquisitionDateTime, content.FrameComments = "20200311000010", NAME
    content.DimensionIndexValues = [1, 2]
    frame.PlanePositionSequence, frame.FrameContentSequence = [place], [content]
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.7], 1
    shared.PixelMeasuresSequence = [measures]
    found = cleaned(
        ct(PIXELS, SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=1, StudyDate="20200310", StudyTime="235955",
           PerFrameFunctionalGroupsSequence=[frame], SharedFunctionalGroupsSequence=[shared])
    )  # fmt: skip
    groups = found.PerFrameFunctionalGroupsSequence[0]
    assert groups.PlanePositionSequence[0].ImagePositionPatient == [1, 2, 3]
    assert groups.FrameContentSequence[0].DimensionIndexValues == [1, 2]
    assert "FrameComments" not in groups.FrameContentSequence[0]
    assert found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == [0.7, 0.7]
    began = np.datetime64(_iso(found.StudyDate, found.StudyTime))
    moved_to = groups.FrameContentSequence[0].FrameAcquisitionDateTime
    assert np.datetime64(_iso(moved_to[:8], moved_to[8:])) - began == np.timedelta64(15, "s")


def test_frames_and_colours_stay_as_they_are() -> None:
    codecs = pytest.importorskip("imagecodecs")
    pictures = np.random.default_rng(1).integers(0, 256, (3, 24, 32, 3)).astype(np.uint8)
    frames = [codecs.jpeg8_encode(picture, level=90) for picture in pictures]

    def change(found: Dataset) -> None:
        found.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        found.PixelData = encapsulate(frames)
        found["PixelData"].VR, found["PixelData"].is_undefined_length = "OB", True

    tags: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", "NumberOfFrames": 3, "SamplesPerPixel": 3,
        "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0, "Rows": 24, "Columns": 32,
    }  # fmt: skip
    data = rewritten(radiograph(pictures[0], **tags), change)
    out = clean(data, "a.dcm", SECRET)
    found = list(generate_frames(pydicom.dcmread(io.BytesIO(out.data)).PixelData, number_of_frames=3))
    for frame, picture in zip(found, frames, strict=True):
        assert np.array_equal(codecs.jpeg8_decode(frame), codecs.jpeg8_decode(picture))
    assert out.warnings[0].startswith("its pixels may hold text")


def test_what_was_cleaned_loads_as_data_of_ones_own(tmp_path: Path) -> None:
    done = deidentify(cohort(tmp_path / "in"), tmp_path / "out")
    rows = load_dataset(
        OwnData(str(done.out)), split="all", framework="numpy", cache_dir=str(tmp_path / "cache"), num_proc=1
    )
    assert len(rows) == 6
    people = {rows[number]["patient_id"].partition("/")[2] for number in range(6)}
    assert people == {path.name for path in done.out.iterdir()} - {"report"}
    assert not any("headers_may_identify" in rows[number]["flags"] for number in range(6))


def test_numbers_longer_than_they_may_be_are_kept() -> None:
    found = cleaned(
        rewritten(ct(PIXELS)).replace(b"DS\x08\x000.7\\0.7 ", b"DS\x26\x000.7031250000000000\\0.7031250000000000 ")
    )
    assert found.PixelSpacing == [0.703125, 0.703125]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = cohort(tmp_path / "in")
    (source / f"{NAME}.txt").write_text("notes")
    assert main(["deidentify", str(source), str(tmp_path / "out"), "--keep-map"]) == 0
    said = capsys.readouterr().out
    assert "6 images of 2 patients" in said
    assert f"{NAME}.txt: no DICOM file" in said
    assert main(["deidentify", str(source), str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["files"], told["patients"], len(told["left_out"])) == (6, 2, 1)
    assert main(["deidentify", str(source), str(source / "out")]) == 2


# --- what is left out ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    ["1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.481.3", "1.2.3", None],
)
def test_what_is_mostly_text_is_left_out(kind: str | None, tmp_path: Path) -> None:
    data = rewritten(ct(PIXELS), lambda found: setattr(found, "SOPClassUID", kind or ""))
    done = deidentify(tree(tmp_path / "in", {"a.dcm": data}), tmp_path / "out")
    assert (done.files, len(done.left_out)) == (0, 1)
    assert "no image of a class" in done.left_out[0].why


def test_text_in_pixels(tmp_path: Path) -> None:
    folder = tree(
        tmp_path / "in",
        {
            "yes.dcm": radiograph(DEEP, BurnedInAnnotation="YES", SOPInstanceUID="1.1"),
            "may.dcm": radiograph(DEEP, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="1.2"),
            "no.dcm": radiograph(DEEP, BurnedInAnnotation="NO", SOPInstanceUID="1.3"),
        },
    )
    done = deidentify(folder, tmp_path / "out")
    assert done.files == 2
    assert [left.why.partition(":")[0] for left in done.left_out] == ["BurnedInAnnotation is YES"]
    assert {what.partition(":")[0]: len(files) for what, files in done.warnings.items()} == {
        "its pixels may hold text": 1
    }
    more = deidentify(folder, tmp_path / "out", keep_burned_in=True)
    assert more.files == 3
    assert any("its pixels hold text" in what for what in more.warnings)
    fewer = deidentify(folder, tmp_path / "out")
    assert fewer.files == len(list((tmp_path / "out").rglob("*.dcm"))) == 2


@pytest.mark.parametrize("size", [140, 300, 700, -100])
def test_a_damaged_file_is_left_out(size: int, tmp_path: Path) -> None:
    done = deidentify(tree(tmp_path / "in", {"a.dcm": ct(PIXELS)[:size]}), tmp_path / "out")
    assert (done.files, len(done.left_out)) == (0, 1)
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_changed_files_are_cleaned_or_left_out() -> None:
    wholes = [ct(PIXELS, PatientName=NAME), radiograph(DEEP, BitsStored=12, HighBit=11)]
    wholes += [compressed(wholes[1], syntax) for syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless)]
    assert raw_errors_of(wholes, [lambda data: clean(data, "a.dcm", SECRET)], 400, 0, (NoImageError,)) == []


def test_values_that_cannot_be_read_are_removed() -> None:
    data = ct(PIXELS, KVP=120).replace(b"DS\x06\x00120.0 ", b"DS\x06\x00JOHNNY")
    assert b"JOHNNY" in data
    result = clean(data, "a.dcm", SECRET)
    assert b"JOHNNY" not in result.data
    assert any(where in ("KVP", "(0018,0060)") for where, _ in result.changes)


# --- folders ---------------------------------------------------------------------------------------------------------


def cohort(folder: Path, patients: int = 2, slices: int = 3) -> Path:
    return tree(
        folder,
        {
            f"p{patient}/s{place}.dcm": ct(
                PIXELS + patient,
                (0, 0, place),
                PatientID=f"Hospital-{patient:05}",
                PatientName=f"{NAME}^{patient}",
                SOPInstanceUID=f"1.9.{patient}.{place}",
                SeriesInstanceUID=f"1.8.{patient}",
                StudyInstanceUID=f"1.7.{patient}",
                StudyDate="20200310",
            )
            for patient in range(patients)
            for place in range(slices)
        },
    )


def test_a_folder_stays_as_it_was_and_its_people_stay_together(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in")
    before = everything(source)
    done = deidentify(source, tmp_path / "out", keep_map=True)
    assert everything(source) == before
    assert (done.files, done.patients) == (6, 2)
    found = written(tmp_path / "out")
    assert {name.split("/")[0] for name in found} == {scan.PatientID for scan in found.values()}
    assert len({scan.SeriesInstanceUID for scan in found.values()}) == 2
    people = list(csv.DictReader((done.secret / "people.csv").open(encoding="utf-8")))
    assert {row["pseudonym"] for row in people} == {scan.PatientID for scan in found.values()}
    assert {row["patient"] for row in people} == {"number Hospital-00000", "number Hospital-00001"}
    assert stat.S_IMODE(done.secret.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in done.secret.iterdir()} == {0o600}


def test_the_report_says_every_change_and_no_value(tmp_path: Path) -> None:
    deidentify(cohort(tmp_path / "in"), tmp_path / "out")
    report = tmp_path / "out" / "report"
    files = list(csv.DictReader((report / "files.csv").open(encoding="utf-8")))
    changes = list(csv.DictReader((report / "changes.csv").open(encoding="utf-8")))
    assert {row["file"] for row in files} == set(written(tmp_path / "out"))
    assert {row["kind"] for row in files} == {row["kind"] for row in changes}
    said = {(row["attribute"], row["what"]) for row in changes}
    assert {("PatientName", "pseudonym"), ("StudyDate", "moved"), ("SOPInstanceUID", "another UID")} <= said
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    assert (summary["files"], summary["patients"], summary["left_out"]) == (6, 2, 0)
    assert {"attribute": "PatientName", "what": "pseudonym", "files": 6} in summary["changes"]
    text = everything(report)
    assert not any(value in text for value in (NAME.encode(), b"Hospital", b"20200310", b"1.9."))


def test_the_same_call_again_writes_nothing(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in")
    deidentify(source, tmp_path / "out")
    state = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")}
    report = everything(tmp_path / "out")
    done = deidentify(source, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")} == state
    assert everything(tmp_path / "out") == report
    assert done.files == 6


def test_files_that_come_later_get_the_same_names(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", slices=2)
    first = deidentify(source, tmp_path / "out")
    cohort(source, slices=3)
    second = deidentify(source, tmp_path / "out")
    assert (first.files, second.files, second.patients) == (4, 6, 2)
    assert len({scan.SeriesInstanceUID for scan in written(tmp_path / "out").values()}) == 2
    other = deidentify(cohort(tmp_path / "more", slices=1), tmp_path / "out2", secret=first.secret)
    assert {path.name for path in (tmp_path / "out2").iterdir()} == {path.name for path in first.out.iterdir()}
    assert other.files == 2


def test_two_files_of_one_image(tmp_path: Path) -> None:
    scan = ct(PIXELS, PatientID="P1")
    files = {"a.dcm": scan, "b.dcm": scan, "c.dcm": ct(PIXELS + 1, PatientID="P1")}
    source = tree(tmp_path / "in", files)
    for _ in range(2):
        done = deidentify(source, tmp_path / "out")
        assert done.files == len(written(tmp_path / "out")) == 2
        assert [Path(left.path).name for left in done.left_out] == ["b.dcm"]
        assert "the same image as" in done.left_out[0].why
    (source / "b.dcm").touch()
    os.utime(source / "a.dcm", ns=(1, 1))
    assert deidentify(source, tmp_path / "out").files == len(written(tmp_path / "out")) == 2


def test_what_was_left_out_is_tried_again(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", patients=1, slices=1)
    whole = (source / "p0/s0.dcm").read_bytes()
    (source / "p0/s0.dcm").write_bytes(bytes(132) + whole[132:])
    time = (source / "p0/s0.dcm").stat().st_mtime_ns
    assert deidentify(source, tmp_path / "out").files == 0
    (source / "p0/s0.dcm").write_bytes(whole)
    os.utime(source / "p0/s0.dcm", ns=(time, time))
    assert deidentify(source, tmp_path / "out").files == 1


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", patients=1, slices=1)
    (tmp_path / "elsewhere.dcm").write_bytes(ct(PIXELS, PatientID="P7"))
    (source / "link.dcm").symlink_to(tmp_path / "elsewhere.dcm")
    (source / "loop").symlink_to(source)
    assert deidentify(source, tmp_path / "out").files == 1


def test_folders_in_one_another_are_refused(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", patients=1, slices=1)
    before = everything(source)
    for out, secret in (("in/out", None), ("in", None), ("out", "in/secret"), ("out", "out/secret"), (".", "s")):
        with pytest.raises(UsageError, match="three folders beside each other"):
            deidentify(source, tmp_path / out, secret=secret and tmp_path / secret)
    assert everything(source) == before
    with pytest.raises(UsageError, match="expected a folder, found nothing"):
        deidentify(tmp_path / "absent", tmp_path / "out")


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="expected a new or empty folder"):
        deidentify(cohort(tmp_path / "in"), tmp_path / "out")


def test_a_secret_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    kept = tree(tmp_path / "s", {"key": bytes(32)})
    kept.chmod(0o755)
    (kept / "key").chmod(0o644)
    deidentify(cohort(tmp_path / "in", 1, 1), tmp_path / "out", secret=kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE((kept / "key").stat().st_mode) == 0o600


def test_the_secret_of_the_folder_where_one_is_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, here = cohort(tmp_path / "in", 1, 1), tmp_path / "out"
    here.mkdir()
    monkeypatch.chdir(here)
    assert deidentify(source, ".").secret == tmp_path / "out.secret"
    assert len(written(here)) == 1


def test_one_name_in_two_spellings_is_one_patient(tmp_path: Path) -> None:
    files = {
        f"{number}.dcm": ct(
            PIXELS, PatientID=None, PatientName=name, PatientBirthDate="19561103", SOPInstanceUID=f"1.{number}"
        )
        for number, name in enumerate(["Doe^Jane", "DOE^JANE", "Doe^Jane^^^ ", "Doe^John"])
    }
    assert deidentify(tree(tmp_path / "in", files), tmp_path / "out").patients == 2


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "key").write_bytes(b"short")
    with pytest.raises(DamagedFileError, match="expected 32 bytes of a key, found 5"):
        deidentify(cohort(tmp_path / "in"), tmp_path / "out", secret=tmp_path / "s")


KILLED = """
import os, sys
from covid_datasets.own.deidentify import folder
import covid_datasets
real, left = folder._write, [int(sys.argv[3])]
def write(path, data):
    left[0] -= 1
    if left[0] < 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".x.dcm.0123.part").write_bytes(data[:50])
        os.kill(os.getpid(), 9)
    real(path, data)
folder._write = write
covid_datasets.deidentify(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_killed_call_goes_on(tmp_path: Path, after: int) -> None:
    source, out = cohort(tmp_path / "in"), tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(source), str(out), str(after)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert len(written(out)) == after
    with (tmp_path / "out.secret" / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"path": "torn')
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.dcm") if not path.name.startswith(".")}
    done = deidentify(source, out)
    assert done.files == len(written(out)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was whole is not made again"
    assert not list(out.rglob(".*"))
    straight = deidentify(source, tmp_path / "again", secret=done.secret)
    assert everything(straight.out) == everything(out)
    assert deidentify(source, out).files == 6
