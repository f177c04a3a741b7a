"""A folder of DICOM files as one series: in order of position, and each file is a slice or is told of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pydicom")

from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.stack import normal, view_of
from covid_datasets.schema import Notice, Part
from tests.dicom import PATIENT, SERIES, ct
from tests.raws import Files

SIDE = 16
CORONAL = [1, 0, 0, 0, 0, -1]


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(-1000, 400, (SIDE, SIDE)).astype(np.int16)


def at(place: float, number: int | None = None, **tags: Any) -> bytes:
    return ct(pixels(round(place) if number is None else number), (-5.0, -5.0, place), **tags)


def parts(
    files: dict[str, bytes], outlines: dict[str, tuple[Polygon, ...]] | None = None, series: str = "", patient: str = ""
) -> tuple[list[Part], list[Notice]]:
    found = list(series_parts(Files(files), sorted(files), Wanted("S", series, patient), outlines))
    return [item for item in found if isinstance(item, Part)], [item for item in found if isinstance(item, Notice)]


def heights(found: list[Part]) -> list[float]:
    return [part.fields["position"][2] for part in found]


def test_position_orders_not_name_nor_number() -> None:
    files = {f"{name}.dcm": at(place, InstanceNumber=7 - place) for name, place in zip("dbaec", range(5), strict=True)}
    found, notices = parts(files, series=SERIES, patient=PATIENT)
    assert heights(found) == [0, 1, 2, 3, 4]
    assert notices == []
    assert all(np.array_equal(part.pixels, pixels(index)) for index, part in enumerate(found))
    assert [part.id for part in found] == ["0000", "0001", "0002", "0003", "0004"]
    assert [part.typical for part in found] == [False, False, True, False, False]
    assert found[0].fields["spacing"] == (0.7, 0.7, 1.0)
    assert found[0].fields["view"] == "axial"
    assert found[3].fields["source_row"]["InstanceNumber"] == 4


def test_order_does_not_hang_on_the_sign_of_the_normal() -> None:
    flipped = [-1, 0, 0, 0, 1, 0]
    found, _ = parts({f"{place}.dcm": at(place, ImageOrientationPatient=flipped) for place in range(3)})
    assert heights(found) == [0, 1, 2]


def test_oblique_and_coronal_slices() -> None:
    files = {f"{n}.dcm": ct(pixels(n), (0.0, 5.0 - n, 0.0), ImageOrientationPatient=CORONAL) for n in range(3)}
    found, _ = parts(files)
    assert [part.fields["position"][1] for part in found] == [3, 4, 5]
    assert {part.fields["view"] for part in found} == {"coronal"}
    assert view_of((0, 1, 0, 0, 0, -1)) == "sagittal"
    tilted = (1, 0, 0, 0, float(np.cos(0.4)), float(np.sin(0.4)))
    assert view_of(tilted) == "axial"
    assert np.allclose(np.linalg.norm(normal(tilted)), 1)


def test_a_gap_is_told() -> None:
    found, notices = parts({f"{place}.dcm": at(place) for place in (0, 2, 4, 10, 12)})
    assert len(found) == 5
    assert [(notice.kind, notice.dropped) for notice in notices] == [("gap between slices", False)]
    assert notices[0].what == "6.00 mm between 4.00 and 10.00, usually 2.00 mm: about 2 slices are missing"


def test_uneven_slices_within_bounds_are_no_gap() -> None:
    assert parts({f"{place}.dcm": at(place) for place in (0.0, 2.0, 4.5, 6.0)})[1] == []


def test_an_equal_double_is_dropped() -> None:
    files = {f"{place}.dcm": at(place) for place in range(3)} | {
        "1b.dcm": at(1, SOPInstanceUID="9.9", InstanceNumber=999)
    }
    found, notices = parts(files)
    assert heights(found) == [0, 1, 2]
    assert [(notice.kind, notice.where, notice.dropped) for notice in notices] == [("duplicate slice", "1b.dcm", True)]


def test_other_pixels_at_one_place_are_another_acquisition() -> None:
    files = {f"a{place}.dcm": at(place, AcquisitionNumber=1) for place in range(3)}
    files |= {f"b{place}.dcm": at(place, 50 + place, AcquisitionNumber=2) for place in (1, 2)}
    found, notices = parts(files)
    assert heights(found) == [0, 1, 2, 1, 2]
    assert np.array_equal(found[3].pixels, pixels(51))
    assert found[0].fields["spacing"][2] == 1.0
    assert [notice.kind for notice in notices] == ["several acquisitions"]
    assert "acquisitions of 3 and 2 slices" in notices[0].what


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen save"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "no CT image"),
        ({"SeriesInstanceUID": "1.2.4"}, "another series"),
        ({"PatientID": "P2"}, "another patient"),
        ({"ImageOrientationPatient": CORONAL}, "slice of another geometry"),
        ({"PixelSpacing": [0.8, 0.8]}, "slice of another geometry"),
        ({"ImagePositionPatient": None}, "slice without a place"),
        ({"RescaleSlope": None}, "no Hounsfield units"),
        ({"RescaleType": "MGML"}, "no Hounsfield units"),
    ],
)
def test_what_is_no_slice_is_told(tags: dict[str, Any], kind: str) -> None:
    files = {f"{place}.dcm": at(place) for place in range(3)} | {"odd.dcm": at(3, **tags)}
    found, notices = parts(files, series=SERIES, patient=PATIENT)
    assert heights(found) == [0, 1, 2]
    assert [(notice.kind, notice.where, notice.dropped) for notice in notices] == [(kind, "odd.dcm", True)]


def test_two_series_in_a_folder_without_a_name() -> None:
    files = {f"{place}.dcm": at(place) for place in range(3)}
    files |= {f"b{place}.dcm": at(place, SeriesInstanceUID="1.2.4") for place in range(2)}
    found, notices = parts(files)
    assert len(found) == 3
    assert [notice.kind for notice in notices] == ["another series"] * 2


def test_damage_is_told_and_moves_nobody() -> None:
    files = {f"{place}.dcm": at(place) for place in range(5)}
    files["1.dcm"] = files["1.dcm"][:-40]
    files["4.dcm"] = files["4.dcm"][:200]
    files["5.dcm"] = b"nothing"
    found, notices = parts(files)
    assert [(part.id, part.fields["part_index"]) for part in found] == [("0000", 0), ("0002", 2), ("0003", 3)]
    assert sorted((notice.kind, notice.where) for notice in notices) == [
        ("damaged file", "1.dcm"), ("damaged file", "4.dcm"), ("damaged file", "5.dcm"),
    ]  # fmt: skip


def test_a_folder_of_localizers_gives_nothing() -> None:
    found, notices = parts({"1.dcm": at(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])})
    assert found == []
    assert len(notices) == 1


def test_a_single_slice_has_no_distance() -> None:
    found, notices = parts({"1.dcm": at(0)})
    assert found[0].fields["spacing"] == (0.7, 0.7)
    assert notices == []


def test_outlines_become_a_mask() -> None:
    files = {f"{place}.dcm": at(place, SOPInstanceUID=f"7.{place}") for place in range(3)}
    drawn = Polygon.of("opacity", [(2, 3), (5, 3), (5, 4), (2, 4)], SIDE, SIDE)
    found, notices = parts(files, {"7.1": (drawn,), "7.9": (drawn,)})
    assert [set(part.masks) for part in found] == [set(), {"infection"}, set()]
    mask = found[1].masks["infection"]
    assert mask.dtype == np.uint8
    assert (mask.shape, int(mask.sum())) == ((SIDE, SIDE), 8)
    assert mask[3, 2] == mask[4, 5] == 1, "a vertex is a column, then a row"
    assert [(notice.kind, notice.dropped) for notice in notices] == [("outline without an image", True)]


@pytest.mark.parametrize(
    ("polygon", "what", "pixels"),
    [
        (Polygon.of("x", [(1, 1), (2, 2)]), "x: 2 points are no outline; not used", None),
        (Polygon.of("x", [(1, 1), (3, 1), (3, 3)], 512, 512), "x: drawn on 512x512 pixels, the image has 8x8", None),
        (Polygon.of("x", [(20, 1), (30, 1), (30, 3)]), "x: wholly outside of the 8x8 image; not used", None),
        (Polygon.of("x", [(6, 0), (12, 0), (12, 1), (6, 1)]), "x: partly outside of the 8x8 image; cut", 4),
        (Polygon.of("x", [(1, 1), (float("nan"), 1), (3, 3)]), "x: a point is no number; not used", None),
    ],
)
def test_outlines_that_do_not_fit_are_told(polygon: Polygon, what: str, pixels: int | None) -> None:
    mask, wrong = fill([polygon], (8, 8))
    assert (None if mask is None else int(mask.sum())) == pixels
    assert len(wrong) == 1
    assert wrong[0].startswith(what)
