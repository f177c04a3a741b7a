"""Values that are no Hounsfield units, maps of labels, and piles: nothing is lost, or called what it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets.measure.volume import measure_volume
from covid_datasets.read.levels import Grey, levels_of
from covid_datasets.read.made import IGNORED, volume_mask
from covid_datasets.read.masks import check_mask, read_labels
from covid_datasets.read.nifti import read_volume
from covid_datasets.read.slices import axial_slices, piled_pictures
from covid_datasets.schema import Notice, Part
from tests.nifti import nifti
from tests.raws import Files

RAMP = np.linspace(0, 1, 4 * 6 * 5).reshape(4, 6, 5)


def parts_of(files: dict[str, bytes], *masks: Any, grey: Grey | None = None, read: Any = axial_slices) -> Any:
    found = list(read(Files(files), "a.nii.gz", masks, grey))
    told = {notice.kind: notice.what for notice in found if isinstance(notice, Notice)}
    return [part for part in found if isinstance(part, Part)], told


def stored(parts: list[Part]) -> np.ndarray:
    return np.stack([part.pixels for part in parts])


# --- grey levels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        (RAMP * 255 // 1, np.uint8, "8 bits, no Hounsfield units: as stored"),
        (RAMP * 4095 // 1, np.uint16, "16 bits, no Hounsfield units: as stored"),
        (RAMP * 1400 // 1 - 1000, np.uint16, "stored value * 1 + -1000"),
        ((RAMP * 1400 // 1 - 1000) * 1.0000001, np.uint16, "stored value * 1 + -1000"),
    ],
)
def test_whole_numbers_are_kept(values: np.ndarray, kind: type, words: str) -> None:
    parts, told = parts_of({"a.nii.gz": nifti(values.astype(np.float64))}, grey=Grey())
    assert told == {}
    assert stored(parts).dtype == kind
    moved = stored(parts).astype(np.int64) + min(0, round(values.min()))
    assert np.array_equal(moved, np.rint(values)[:, ::-1])
    assert all(part.fields["value_range"].endswith(words) for part in parts)


@given(st.floats(-2000, 0), st.floats(0.01, 3000))
def test_fractions_are_as_near_as_16_bits_allow(low: float, span: float) -> None:
    values = low + RAMP * span
    volume = read_volume(nifti(values), "a.nii.gz")
    levels = levels_of(volume, Grey())
    again = np.stack([levels.of(plane)[0] for plane in values]) * levels.step + levels.low
    assert np.abs(again - values).max() <= levels.step / 2 + 1e-9


def test_a_range_that_the_source_says_is_the_same_for_all_volumes() -> None:
    for most in (0.5, 1.0):
        parts, told = parts_of({"a.nii.gz": nifti((RAMP * most).astype(np.float32))}, grey=Grey(0, 1))
        assert (told, stored(parts).max()) == ({}, round(most * 65535 + 1e-9))


@pytest.mark.parametrize(
    ("value", "why"), [(np.nan, "are no numbers"), (1.5, "beyond 0 to 1"), (-0.1, "beyond 0 to 1")]
)
def test_values_beyond_it_are_told_and_left_out(value: float, why: str) -> None:
    values = RAMP.copy()
    values[2, 1, 1] = value
    parts, told = parts_of({"a.nii.gz": nifti(values)}, grey=Grey(0, 1))
    assert [part.id for part in parts] == ["000", "001", "003"]
    assert told["undecodable (poor)"].startswith("1 of 4 slices hold no grey levels")
    assert why in told["undecodable (poor)"]


def test_a_volume_of_one_value_has_levels_too() -> None:
    for value in (0.25, 7.0, -3.0, np.nan):
        volume = read_volume(nifti(np.full((2, 3, 4), value)), "a.nii.gz")
        levels = levels_of(volume, Grey())
        assert levels.step > 0
        assert np.isnan(value) or set(np.unique(levels.of(volume.stored[0])[0])) <= {0, 7}


@pytest.mark.parametrize("values", [(-1e308, 1e308), (0.0, 1e308, 5.5), (-3e38, 3e38)])
def test_values_too_far_apart_are_told_and_never_become_one_grey(values: tuple[float, ...]) -> None:
    """Their distance is more than a number can be, or so large that the rest of the volume would be one grey."""
    volume = RAMP.copy()
    volume.flat[: len(values)] = values
    parts, told = parts_of({"a.nii.gz": nifti(volume)}, grey=Grey())
    assert "values too far apart" in told["undecodable (poor)"]
    assert parts == []


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_any_type_of_numbers_gives_the_same_grey(kind: str, order: str) -> None:
    values = RAMP * 120 // 1
    parts, told = parts_of({"a.nii.gz": nifti(values.astype(order + kind))}, grey=Grey(0, 255))
    assert told == {}
    assert stored(parts).dtype == np.uint8
    assert np.array_equal(stored(parts), values[:, ::-1])


def test_a_header_that_scales_is_heeded() -> None:
    data = nifti((RAMP * 100 // 1).astype(np.uint8), slope=0.01, intercept=0.0)
    parts, told = parts_of({"a.nii.gz": data}, grey=Grey(0, 1))
    assert told == {}
    assert np.abs(stored(parts) / 65535 - (RAMP * 100 // 1)[:, ::-1] * 0.01).max() < 1e-4


def test_volumes_that_are_no_hounsfield_units_do_not_look_alike() -> None:
    """In the window of all CT everything from 0 to 1 is one grey: such volumes were blank, and equal to each other."""
    rows, columns = np.mgrid[:90, :90] / 90
    first, second = (np.stack([shape] * 12).astype(np.float32) for shape in (rows, (columns + rows % 0.3) / 1.3))
    one, other = (measure_volume(nifti(values), "", "a.nii.gz") for values in (first, second))
    assert one.phash != other.phash
    assert "near-constant" not in (one.quality_reasons or ())
    assert "grey levels, no Hounsfield units" in (one.quality_reasons or ())


# --- maps of labels ------------------------------------------------------------------------------------------------

LABELS = np.arange(4 * 6 * 5).reshape(4, 6, 5) % 4


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_one_file_gives_several_masks_and_is_read_once(kind: type) -> None:
    reads: list[str] = []

    class Counting(Files):
        def read(self, path: str) -> bytes:
            reads.append(path)
            return super().read(path)

    files = Counting({"a.nii.gz": nifti(LABELS.astype(np.int16)), "m.nii.gz": nifti(LABELS.astype(kind))})
    masks = (("ground_glass", "m.nii.gz", (1,)), ("infection", "m.nii.gz", (1, 2)), ("effusion", "m.nii.gz", (3,)))
    parts = [part for part in axial_slices(files, "a.nii.gz", masks) if isinstance(part, Part)]
    assert sorted(reads) == ["a.nii.gz", "m.nii.gz"]
    for name, values in (("ground_glass", (1,)), ("infection", (1, 2)), ("effusion", (3,))):
        assert np.array_equal(np.stack([part.masks[name] for part in parts]), np.isin(LABELS, values)[:, ::-1])


@pytest.mark.parametrize("strange", [7.0, 1.5, -1.0, 300.0, 255.0, np.nan])
def test_a_label_that_nobody_explained_is_neither_and_told(strange: float) -> None:
    labels = LABELS.astype(np.float32)
    labels[0, 0, 0] = strange
    files = {"a.nii.gz": nifti(LABELS.astype(np.int16)), "m.nii.gz": nifti(labels)}
    parts, told = parts_of(files, ("lung", "m.nii.gz", (1, 2), (1, 2, 3)))
    wanted = np.isin(LABELS, (1, 2)).astype(np.uint8)
    wanted[0, 0, 0] = IGNORED
    assert np.array_equal(np.stack([part.masks["lung"] for part in parts]), wanted[:, ::-1])
    what = f"expected the labels 0, 1, 2, 3, found {strange:g}; these voxels are 255, which says neither"
    assert told == {"mask with other values": what}
    made = volume_mask("m.nii.gz", (1, 2), (1, 2, 3)).read(Files(files))
    assert np.array_equal(read_volume(made, "m.nii").voxels, wanted)
    notices = list(check_mask(files["a.nii.gz"], "a.nii.gz", made, "m.nii", (1,)))
    assert [notice.what for notice in notices] == [
        "expected the labels 0, 1, found 255; these voxels are 255, which says neither"
    ]


def test_labels_that_a_byte_cannot_hold_are_refused() -> None:
    for labels in ((0,), (255,), (-1, 2)):
        with pytest.raises(ValueError, match="expected numbers from 1 to 254"):
            read_labels(nifti(LABELS.astype(np.uint8)), "m.nii.gz", labels)


def test_a_map_is_no_mask_of_its_own() -> None:
    """One name of a file without labels beside others with some would be given the labels as they are."""
    files = {"a.nii.gz": nifti(LABELS.astype(np.int16)), "m.nii.gz": nifti(LABELS.astype(np.uint8))}
    with pytest.raises(ValueError, match=r"expected labels for every name of m\.nii\.gz, found none for lung"):
        parts_of(files, ("lung", "m.nii.gz"), ("effusion", "m.nii.gz", (3,)))


# --- piles ---------------------------------------------------------------------------------------------------------


def test_pictures_of_a_pile_are_as_stored_and_have_no_place() -> None:
    files = {"a.nii.gz": nifti(LABELS.astype(np.int16)), "m.nii.gz": nifti(LABELS.astype(np.uint8))}
    parts, told = parts_of(files, ("lung", "m.nii.gz", (3,)), grey=Grey(), read=piled_pictures)
    assert told == {}
    assert np.array_equal(stored(parts), LABELS)
    assert np.array_equal(np.stack([part.masks["lung"] for part in parts]), LABELS == 3)
    assert all(part.typical and set(part.fields) == {"value_range"} for part in parts)


def test_a_mask_of_a_pile_that_has_another_number_of_pictures_is_not_used() -> None:
    files = {"a.nii.gz": nifti(LABELS.astype(np.int16)), "m.nii.gz": nifti(LABELS[1:].astype(np.uint8))}
    parts, told = parts_of(files, ("lung", "m.nii.gz", (3,)), grey=Grey(), read=piled_pictures)
    assert [dict(part.masks) for part in parts] == [{}] * 4
    assert "expected the shape (4, 6, 5) of its image, found (3, 6, 5)" in told["mask not usable"]
