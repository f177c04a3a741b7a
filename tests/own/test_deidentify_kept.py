"""What is kept of a DICOM file without what says whose it is: alike, in its place and order in time."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

import pydicom
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import EnhancedCTImageStorage, JPEGBaseline8Bit

from covid_datasets.own.deidentify.clean import clean
from covid_datasets.own.deidentify.secret import Secret
from covid_datasets.own.deidentify.values import capped_age, moved, moved_datetime
from tests.dicom import ct, radiograph
from tests.own.deidentified import NAME, PIXELS, SECRET, cleaned, rewritten


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


def test_a_short_name_costs_no_unit() -> None:
    assert cleaned(ct(PIXELS, PatientName="Hu^Li", RescaleType="HU", BodyPartExamined="LI")).RescaleType == "HU"


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


def test_numbers_longer_than_they_may_be_are_kept() -> None:
    found = cleaned(
        rewritten(ct(PIXELS)).replace(b"DS\x08\x000.7\\0.7 ", b"DS\x26\x000.7031250000000000\\0.7031250000000000 ")
    )
    assert found.PixelSpacing == [0.703125, 0.703125]
