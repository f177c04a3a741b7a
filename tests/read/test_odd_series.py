"""Folders of DICOM files that are not one plain series: each oddity is told or refused, and no stack is a mixture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import EnhancedCTImageStorage, PositronEmissionTomographyImageStorage

from covid_datasets.read.dicom import read_header
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.schema import Notice, Part
from tests.dicom import ct
from tests.raws import Files

SIDE = 12
MPR = ["DERIVED", "SECONDARY", "MPR"]
MIP = ["DERIVED", "SECONDARY", "MIP"]


def at(place: float, number: int = 0, x: float = 0.0, **tags: Any) -> bytes:
    pixels = np.full((SIDE, SIDE), 10 * round(place) + number, np.int16)
    return ct(pixels, (x, 0.0, place), **{"SOPInstanceUID": f"5.{place}.{number}", **tags})


def parts(files: dict[str, bytes]) -> tuple[list[Part], list[Notice]]:
    found = list(series_parts(Files(files), sorted(files), Wanted("S")))
    return [item for item in found if isinstance(item, Part)], [item for item in found if isinstance(item, Notice)]


def kinds(notices: list[Notice]) -> list[str]:
    return [notice.kind for notice in notices]


def values(found: list[Part]) -> list[int]:
    return [int(part.pixels[0, 0]) for part in found]


# --- what is no slice of CT ------------------------------------------------------------------------------------------


def test_enhanced_multi_frame_is_refused_with_what_helps() -> None:
    found, notices = parts({"a.dcm": at(0, SOPClassUID=EnhancedCTImageStorage, NumberOfFrames=300)})
    assert found == []
    (notice,) = notices
    assert (notice.kind, notice.dropped, notice.lost) == ("several frames in a file", True, True)
    assert "300 frames" in notice.what
    assert "single frames" in notice.what


def test_frames_in_a_plain_ct_image_are_refused() -> None:
    found, notices = parts({"0.dcm": at(0), "1.dcm": at(1, NumberOfFrames=2), "2.dcm": at(2)})
    assert len(found) == 2
    assert [(notice.kind, notice.where, notice.lost) for notice in notices] == [
        ("several frames in a file", "1.dcm", True)
    ]


def test_another_modality_in_the_folder_is_told() -> None:
    files = {f"{place}.dcm": at(place) for place in range(3)}
    files["pet.dcm"] = at(3, SOPClassUID=PositronEmissionTomographyImageStorage, Modality="PT")
    files["mr.dcm"] = at(4, Modality="MR")
    found, notices = parts(files)
    assert len(found) == 3
    assert [(notice.kind, notice.where, notice.dropped) for notice in notices] == [
        ("another modality", "mr.dcm", True),
        ("no CT image", "pet.dcm", True),
    ]
    assert "'MR'" in notices[0].what


# --- what was calculated of other slices -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "flag"), [(MPR, "reformatted"), (MIP, "projection")])
def test_a_reformatted_series_is_told_and_flagged(kind: list[str], flag: str) -> None:
    found, notices = parts({f"{place}.dcm": at(place, ImageType=kind) for place in range(3)})
    assert [part.fields["flags"] for part in found] == [(flag,)] * 3
    assert kinds(notices) == ["calculated slices"]
    assert "3 slices" in notices[0].what


def test_reformatted_slices_among_originals_are_left_out() -> None:
    files = {f"{place}.dcm": at(place) for place in range(4)}
    files |= {f"m{place}.dcm": at(place + 0.5, ImageType=MIP) for place in range(3)}
    found, notices = parts(files)
    assert [part.fields["position"][2] for part in found] == [0, 1, 2, 3]
    assert all(part.fields["flags"] == () for part in found)
    assert [(notice.kind, notice.dropped) for notice in notices] == [("slice of another geometry", True)] * 3
    assert "what it is (projection)" in notices[0].what


# --- rounding is no other geometry -----------------------------------------------------------------------------------


def test_the_last_digit_of_an_orientation_loses_no_slice() -> None:
    turned = [(0.9950001, 0.0998739, 0, -0.0998739, 0.9950001, 0), (0.9949999, 0.0998759, 0, -0.0998759, 0.9949999, 0)]
    files = {f"{place}.dcm": at(place, ImageOrientationPatient=list(turned[place % 2])) for place in range(6)}
    found, notices = parts(files)
    assert (len(found), notices) == (6, [])


def test_the_last_digit_of_a_spacing_loses_no_slice() -> None:
    sizes = [[0.70315, 0.70315], [0.703149, 0.703149]]
    found, notices = parts({f"{place}.dcm": at(place, PixelSpacing=sizes[place % 2]) for place in range(6)})
    assert (len(found), notices) == (6, [])


# --- several images at one place -------------------------------------------------------------------------------------


def test_acquisitions_that_overlap_are_not_mixed() -> None:
    """The first has places 0 to 3, the second 2 to 5: no stack goes over from one to the other."""
    files = {f"a{place}.dcm": at(place, 1, AcquisitionNumber=1) for place in range(4)}
    files |= {f"b{place}.dcm": at(place, 2, AcquisitionNumber=2) for place in range(2, 6)}
    found, notices = parts(files)
    assert values(found) == [1, 11, 21, 31, 22, 32, 42, 52]
    assert kinds(notices) == ["several acquisitions"]
    assert "acquisitions of 4 and 4 slices" in notices[0].what
    assert all("several_acquisitions" in part.fields["flags"] for part in found)


def test_phases_of_a_fourth_dimension_are_not_mixed_where_one_lacks_a_place() -> None:
    files = {
        f"{phase}-{place}.dcm": at(place, phase, TemporalPositionIdentifier=phase, InstanceNumber=10 * place + phase)
        for phase in (1, 2, 3)
        for place in range(4)
        if (phase, place) != (1, 2)
    }
    found, notices = parts(files)
    assert values(found) == [1, 11, 31, 2, 12, 22, 32, 3, 13, 23, 33]
    assert kinds(notices) == ["several acquisitions", "gap between slices"]


def test_a_table_that_moves_step_by_step_is_one_acquisition() -> None:
    files = {f"{place}.dcm": at(place, AcquisitionNumber=place) for place in range(6)}
    found, notices = parts(files)
    assert (values(found), notices) == ([0, 10, 20, 30, 40, 50], [])


def test_where_nothing_says_which_belong_together_it_is_told() -> None:
    files = {f"{place}-{which}.dcm": at(place, which) for place in range(3) for which in (1, 2)}
    found, notices = parts(files)
    assert len(found) == 6
    assert "nothing in the headers says which belong together" in notices[0].what


# --- slices beside each other ----------------------------------------------------------------------------------------


def test_a_slice_that_is_moved_aside_is_told() -> None:
    files = {f"{place}.dcm": at(place, x=3.0 if place == 4 else 0.0) for place in range(8)}
    found, notices = parts(files)
    assert len(found) == 8
    assert kinds(notices) == ["slices not in line"]
    assert "up to 3.00 mm" in notices[0].what


def test_a_tilted_gantry_is_told() -> None:
    files = {f"{place}.dcm": at(place, x=0.5 * place) for place in range(8)}
    _, notices = parts(files)
    assert kinds(notices) == ["sheared slices"]
    assert "0.50 mm aside for each mm" in notices[0].what


def test_one_instance_twice_is_told() -> None:
    files = {f"{place}.dcm": at(place, SOPInstanceUID="5.5" if place < 2 else f"5.{place}") for place in range(4)}
    found, notices = parts(files)
    assert len(found) == 4
    assert kinds(notices) == ["instance twice"]
    assert "5.5" in notices[0].what


# --- equipment, people, loss -----------------------------------------------------------------------------------------


def test_equipment_comes_with_each_slice() -> None:
    tags: dict[str, Any] = {
        "Manufacturer": "SIEMENS ",
        "ManufacturerModelName": "SOMATOM Force",
        "ConvolutionKernel": ["Br40d", "3"],
        "KVP": 120,
        "SliceThickness": 1.5,
    }
    (part,), notices = parts({"a.dcm": at(0, **tags)})
    said = {name: part.fields[name] for name in ("manufacturer", "scanner_model", "kernel", "kvp")}
    assert said == {"manufacturer": "SIEMENS", "scanner_model": "SOMATOM Force", "kernel": "Br40d\\3", "kvp": 120.0}
    assert part.fields["slice_thickness_mm"] == 1.5
    assert part.fields["source_row"]["Manufacturer"] == "SIEMENS"
    assert notices == []


@pytest.mark.parametrize("tags", [{"KVP": 0}, {"KVP": 120_000}, {"SliceThickness": -1}, {"SliceThickness": 1e9}])
def test_equipment_that_cannot_be_is_unknown(tags: dict[str, Any]) -> None:
    (part,), _ = parts({"a.dcm": at(0, **tags)})
    assert "kvp" not in part.fields
    assert "slice_thickness_mm" not in part.fields


def test_who_may_be_named_is_flagged_and_not_repeated() -> None:
    tags: dict[str, Any] = {"PatientName": "Doe^Jane", "PatientBirthDate": "19561103", "OperatorsName": "Roe^R"}
    found, notices = parts({f"{place}.dcm": at(place, **tags) for place in range(3)})
    assert all(part.fields["flags"] == ("headers_may_identify",) for part in found)
    assert [(notice.kind, notice.count, notice.dropped) for notice in notices] == [("tags that may identify", 3, False)]
    assert notices[0].what.startswith("OperatorsName, PatientBirthDate, PatientName")
    told = repr([notices, [part.fields for part in found]])
    assert not any(value in told for value in ("Doe", "Jane", "1956", "Roe"))


@pytest.mark.parametrize(
    "tags",
    [
        {"PatientName": "P1"},
        {"PatientName": "COVID-00123"},
        {"PatientName": "Anonymous^^"},
        {"PatientName": "anonymized", "PatientBirthDate": "19000101"},
        {"PatientName": "", "OperatorsName": ""},
        {"PatientName": "De-Identified^Patient", "OperatorsName": "unknown_"},
        {"PatientName": "LIDC-IDRI-0001", "OperatorsName": "Patient^Case 12"},
        {"PatientName": "XX^XX", "PatientAddress": "***"},
    ],
)
def test_pseudonyms_name_nobody(tags: dict[str, Any]) -> None:
    (part,), notices = parts({"a.dcm": at(0, **tags)})
    assert (part.fields["flags"], notices) == ((), [])


@pytest.mark.parametrize("name", ["Cannone^Maria", "Canonico^Luigi", "Nullmeyer^Jo", "Impatient^Ann", "Removedo^A"])
def test_a_name_that_holds_the_word_for_nobody_is_a_name(name: str) -> None:
    (part,), notices = parts({"a.dcm": at(0, PatientName=name)})
    assert part.fields["flags"] == ("headers_may_identify",)
    assert name not in str(notices)


@pytest.mark.parametrize(
    "name",
    [
        "Doe^Jane 2",
        "Müller^Anna^^Dr.^3",
        "Null^Jane",
        "Doe^Jane (removed)",
        "P77=山田^太郎",
        ["P1", "Doe^Jane"],
        "Patient^Jane",
    ],
)
def test_a_number_or_a_word_beside_a_name_makes_it_no_pseudonym(name: Any) -> None:
    (part,), _ = parts({"a.dcm": at(0, SpecificCharacterSet="ISO_IR 192", OtherPatientNames=name)})
    assert part.fields["flags"] == ("headers_may_identify",)


@pytest.mark.parametrize(
    ("number", "tags"),
    [("Doe^Jane", {"PatientName": "Doe^Jane"}), ("19561103", {"PatientBirthDate": "19561103"})],
)
def test_a_name_or_a_birthday_that_is_the_number_too_is_flagged(number: str, tags: dict[str, Any]) -> None:
    (part,), _ = parts({"a.dcm": at(0, PatientID=number, **tags)})
    assert part.fields["flags"] == ("headers_may_identify",)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("PhysiciansOfRecord", "Roe^Richard"),
        ("ConsultingPhysicianName", "Roe^Richard"),
        ("OrderEnteredBy", "Roe^Richard"),
        ("PatientTelecomInformation", "jane@example.org"),
        ("ReferringPhysicianTelephoneNumbers", "555 0100"),
    ],
)
def test_names_and_numbers_of_all_people_are_told(element: str, value: str) -> None:
    (part,), (notice,) = parts({"a.dcm": at(0, **{element: value})})  # type: ignore[arg-type]
    assert part.fields["flags"] == ("headers_may_identify",)
    assert notice.what.startswith(element)
    assert value not in notice.what


def test_an_element_that_cannot_be_read_may_identify_too(monkeypatch: pytest.MonkeyPatch) -> None:
    data, real = at(0, PatientName="Doe^Jane"), Dataset.__getitem__

    def torn(self: Dataset, key: Any) -> Any:
        if key == Tag("PatientName"):
            raise ValueError("no text")
        return real(self, key)

    monkeypatch.setattr(Dataset, "__getitem__", torn)
    assert read_header(data, "a.dcm").identifying == ("PatientName",)


@pytest.mark.parametrize(
    ("tags", "flag"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned_in_annotation"),
        ({"LossyImageCompression": "01"}, "lossy_compression"),
    ],
)
def test_what_a_header_admits_is_flagged(tags: dict[str, Any], flag: str) -> None:
    (part,), _ = parts({"a.dcm": at(0, **tags)})
    assert part.fields["flags"] == (flag,)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"DS\x06\x00120.0 ", b"DS\x06\x00kVp120"),
        (b"IS\x02\x007 ", b"IS\x02\x00x "),
        (b"PN\x04\x00P1  ", b"PN\x04\x00\xff\xfe\xff\xfe"),
    ],
)
def test_what_stands_beside_a_slice_costs_no_slice(right: bytes, wrong: bytes) -> None:
    data = at(0, KVP=120.0, TemporalPositionIdentifier=7, PatientName="P1  ")
    assert right in data
    (part,), notices = parts({"a.dcm": data.replace(right, wrong)})
    assert part.fields["position"] == (0.0, 0.0, 0.0)
    assert not [notice for notice in notices if notice.dropped]
