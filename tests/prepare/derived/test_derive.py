"""Derived datasets: masks and numbers are those of the plain functions, rows and splits those of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import infection_mask, load_dataset, lung_mask
from covid_datasets.errors import UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.result import Built
from covid_datasets.read.made import nifti_bytes
from covid_datasets.transforms.segment.chest import crop_to_chest
from tests.prepare.derived.chests import SLICES, built, chest, derived, grey, series, volume
from tests.prepare.derived.records import BOX, film, scan, stack
from tests.processes import table_of

pytest.importorskip("scipy")


def rows_of(found: Built) -> list[dict[str, Any]]:
    return [decoded(row) for row in table_of(found).to_pylist()]


def where(one: Any) -> dict[str, Any]:
    return {"spacing": one.spacing, "orientation": "LPS"}


def test_slices_of_a_series_have_the_masks_of_the_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lungs above and below a slice decide about it, so all slices are looked at together, in whatever order."""
    own = chest()
    lungs = lung_mask(own.voxels, **where(own))
    ill = infection_mask(own.voxels, lungs, **where(own))
    upside_down = stack(
        "b",
        own.voxels[::-1],
        spacing=own.spacing,
        positions=[(-10.0, -20.0, own.spacing[2] * (SLICES - 1 - number)) for number in range(SLICES)],
        every={number: {"part_index": SLICES - 1 - number} for number in range(SLICES)},
    )
    rows = rows_of(derived(built(monkeypatch, tmp_path, series("a"), upside_down), "infection"))
    assert lungs.mask.max() == 2
    for name, order in (("a", slice(None)), ("b", slice(None, None, -1))):
        mine = [row for row in rows if row["patient_id"] == f"phantom/{name}"]
        assert np.array_equal(np.stack([row["masks"]["lung"] for row in mine])[order], lungs.mask)
        assert np.array_equal(np.stack([row["masks"]["infection"] for row in mine])[order], ill.mask)
        assert {row["lung_mask_from"] for row in mine} == {"classical@2"}
        assert {row["infection_mask_from"] for row in mine} == {"threshold@2"}
        assert {row["confidence"] for row in mine} == {ill.confidence}
        for row in mine:
            lung = row["masks"]["lung"] > 0
            rate = (lung & (row["masks"]["infection"] > 0)).sum() / lung.sum() if lung.any() else None
            assert row["infection_rate"] == rate
            assert ("no lung in this slice" in row["reasons"]) == (not lung.any())
            assert [each for each in row["reasons"] if each != "no lung in this slice"] == list(ill.reasons)


@pytest.mark.parametrize("feet_first", [False, True])
def test_a_volume_has_its_masks_on_its_own_voxels(
    feet_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nibabel")
    own = chest()
    lungs = lung_mask(own.voxels, **where(own))
    ill = infection_mask(own.voxels, lungs, **where(own))
    source = built(monkeypatch, tmp_path, volume("a", feet_first=feet_first))
    (row,) = rows_of(derived(source, "infection"))
    order = slice(None, None, -1 if feet_first else 1)
    assert np.array_equal(row["volume_masks"]["lung"][order], lungs.mask)
    assert np.array_equal(row["volume_masks"]["infection"][order], ill.mask)
    assert row["infection_rate"] == pytest.approx(ill.rate)
    assert row["reasons"] == list(ill.reasons)
    assert np.array_equal(row["volume"], rows_of(source)[0]["volume"])
    (cut,) = rows_of(derived(source, "cropped"))
    box = crop_to_chest(own.voxels, modality="CT").box
    assert cut["chest_box"] == list(box)
    left, top, width, height = box
    assert np.array_equal(cut["volume"][order], own.voxels[:, top : top + height, left : left + width])
    (only,) = rows_of(derived(source, "segmented"))
    assert np.array_equal(only["volume"][order], np.where(lungs.mask > 0, own.voxels, -1000))


def test_an_affine_of_ones_gives_no_spacing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nibabel")
    own = chest()
    source = built(monkeypatch, tmp_path, scan("a", nifti_bytes(own.voxels, np.eye(4), (1.0, 1.0, 1.0))))
    (row,) = rows_of(derived(source, "infection"))
    lungs = lung_mask(own.voxels)
    assert np.array_equal(row["volume_masks"]["lung"], lungs.mask)
    assert row["infection_rate"] == pytest.approx(infection_mask(own.voxels, lungs).rate)


def test_a_volume_with_values_that_are_no_numbers_keeps_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nibabel")
    own = chest()
    broken = own.voxels.astype(np.float32)
    broken[3, 3, 3] = np.nan
    source = built(monkeypatch, tmp_path, volume("a"), scan("b", nifti_bytes(broken, None, own.spacing)))
    before, after = (sorted(rows_of(each), key=lambda row: str(row["sample_id"])) for each in
                     (source, derived(source, "infection")))  # fmt: skip
    assert [row["sample_id"] for row in after] == [row["sample_id"] for row in before]
    assert (after[1]["volume_masks"]["lung"], after[1]["infection_rate"]) == (None, None)
    assert "no numbers" in after[1]["reasons"][0]
    assert after[0]["infection_rate"] > 0


def test_pictures_in_unknown_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = grey(6)
    colours = np.stack([picture] * 3, axis=2)
    black = np.zeros((64, 64), np.uint8)
    ct = {"modality": "CT"}
    records = [film("a", picture), film("b", colours), film("c", black), film("d", black[:20, :20])]
    records = [type(record)(**{**{k: getattr(record, k) for k in record.__slots__}, **ct}) for record in records]
    source = built(monkeypatch, tmp_path, *records)
    rows = {row["sample_id"][-1]: row for row in rows_of(derived(source, "infection"))}
    plain = infection_mask(picture)
    for name in "ab":
        assert np.array_equal(rows[name]["masks"]["lung"], lung_mask(picture).mask)
        assert np.array_equal(rows[name]["masks"]["infection"], plain.mask)
        assert (rows[name]["infection_rate"], rows[name]["confidence"]) == (plain.rate, plain.confidence)
    for name, reason in (("c", "all values are one"), ("d", "at least 32 rows")):
        assert not rows[name]["masks"]["lung"].any()
        assert not rows[name]["masks"]["infection"].any()
        assert (rows[name]["infection_rate"], rows[name]["confidence"]) == (None, 0.0)
        assert reason in " ".join(rows[name]["reasons"])
    made = derived(source, "infection")
    assert made.view["not_found"] == 2
    assert "infection: nothing found (2)" in made.report()
    with pytest.warns(UserWarning, match="infection found nothing in 2 of 4 rows"):
        load_dataset("phantom", "small", derive="infection", framework="numpy", cache_dir=tmp_path)


def test_what_the_publisher_drew_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = chest()
    drawn = {number: {"lung": (own.lung[number] > 0).astype(np.uint8)} for number in range(SLICES)}
    ill = {5: {"infection": (own.infection[5] > 0).astype(np.uint8)}}
    some = {number: drawn[number] | ill.get(number, {}) for number in (4, 5, 6)}
    source = built(monkeypatch, tmp_path, series("a", masks=drawn), series("b", masks=some))
    rows = rows_of(derived(source, "infection"))
    whole, partly = ([row for row in rows if row["patient_id"] == f"phantom/{name}"] for name in "ab")
    assert {row["lung_mask_from"] for row in whole} == {"source"}
    lungs = np.stack([row["masks"]["lung"] for row in whole])
    assert np.array_equal(lungs > 0, own.lung > 0)
    assert (lungs == own.lung)[own.lung > 0].mean() > 0.95, "sides are told apart where they are drawn as one"
    calculated = lung_mask(own.voxels, **where(own)).mask
    for number, row in enumerate(partly):
        published = number in some
        assert row["lung_mask_from"] == ("source" if published else "classical@2")
        assert np.array_equal(row["masks"]["lung"] > 0, (own.lung if published else calculated)[number] > 0)
        assert row["infection_mask_from"] == ("source" if number == 5 else "threshold@2")
    assert np.array_equal(partly[5]["masks"]["infection"] > 0, own.infection[5] > 0)


def test_rows_order_splits_and_pictures_are_those_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = built(monkeypatch, tmp_path, *(series(f"p{seed}", seed) for seed in range(1, 5)), film("x", grey(5)))
    found = derived(source, "lungs")
    before, after = table_of(source).to_pylist(), table_of(found).to_pylist()
    assert [row["sample_id"] for row in after] == [row["sample_id"] for row in before]
    assert (found.splits, found.groups, found.labels) == (source.splits, source.groups, source.labels)
    changed = {"masks", "lung_mask_from", "confidence", "reasons"}
    for old, new in zip(before, after, strict=True):
        assert {name for name in new if new[name] != old.get(name)} <= changed, "the picture is byte for byte the same"
    wanted = derivation(derive="lungs")
    assert wanted is not None
    assert found.fingerprint == wanted.fingerprint(source.fingerprint) != source.fingerprint
    (other,) = [row for row in after if row["patient_id"] == "phantom/x"]
    assert (other["masks"]["lung"], other["lung_mask_from"]) == (None, None)
    assert other["reasons"] == ["its modality is CXR, and this is for CT"]


def test_outside_of_the_lungs_is_blank_in_every_window_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = built(monkeypatch, tmp_path, series("a"))
    for view, blank in (({}, -1000), ({"window": "lung"}, 0), ({"image_size": 40, "window": "bone"}, 0)):
        rows = rows_of(derived(source, "segmented", **view))
        for row in rows:
            lung = row["masks"]["lung"] > 0
            assert row["image"].shape == lung.shape
            assert (row["image"][~lung] == blank).all()
        assert any((row["image"][row["masks"]["lung"] > 0] != blank).any() for row in rows)
    plain = chest().voxels
    for number, row in enumerate(rows_of(derived(source, "segmented"))):
        lung = row["masks"]["lung"] > 0
        assert np.array_equal(row["image"][lung], plain[number][lung])


def test_a_chest_is_cut_out_with_its_masks_boxes_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = chest()
    padded = np.pad(own.voxels, ((0, 0), (10, 0), (0, 14)), constant_values=-1024)
    lung = np.pad((own.lung > 0).astype(np.uint8), ((0, 0), (10, 0), (0, 14)))
    masks = {number: {"lung": lung[number]} for number in range(SLICES)}
    record = stack("a", padded, spacing=own.spacing, step=own.spacing[2], masks=masks, boxes=(BOX,))
    source = built(monkeypatch, tmp_path, record)
    left, top, width, height = crop_to_chest(padded, modality="CT").box
    assert top >= 10
    for number, row in enumerate(rows_of(derived(source, "cropped"))):
        inside = (slice(top, top + height), slice(left, left + width))
        assert np.array_equal(row["image"], padded[number][inside])
        assert np.array_equal(row["masks"]["lung"], lung[number][inside])
        assert row["position"] == pytest.approx(
            [-10 + left * own.spacing[0], -20 + top * own.spacing[1], number * own.spacing[2]]
        )
        assert (row["width"], row["height"], row["chest_box"]) == (width, height, [left, top, width, height])
        for box in row["boxes"]:
            assert 0 <= box["x"] < box["x"] + box["width"] <= width
    sized = rows_of(derived(source, "cropped", image_size=32))
    assert {row["image"].shape for row in sized} == {(32, 32)}


def test_a_grid_goes_on_top_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks are found on the stored slices, and then brought to whatever grid; the rate is that of the masks there."""
    source = built(monkeypatch, tmp_path, series("a"))
    view: dict[str, Any] = {"to_spacing": (8, 8, 30), "to_orientation": "RAS", "window": "lung"}
    rows = rows_of(derived(source, "infection", **view))
    assert len(rows) != SLICES
    for row in rows:
        lung = row["masks"]["lung"] > 0
        assert row["image"].shape == lung.shape
        ill = (lung & (row["masks"]["infection"] > 0)).sum()
        assert row["infection_rate"] == (ill / lung.sum() if lung.any() else None)
    assert any(row["infection_rate"] for row in rows)
    cut = rows_of(derived(source, "infection", to_orientation="LIP"))
    assert {row["masks"]["lung"].shape for row in cut} == {(SLICES, 64)}
    for size in (20, (40, 30)):
        for number, row in enumerate(rows_of(derived(source, "lungs", image_size=size))):
            assert (row["sample_id"], row["part_index"]) == (f"phantom/a/{number:03}", number)
            assert row["position"][2] == pytest.approx(number * chest().spacing[2])


def test_a_build_without_any_ct_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = built(monkeypatch, tmp_path, film("a", grey(5)), film("b", grey(6)))
    with pytest.raises(UsageError, match="expected a source of CT, found phantom, config small, which holds CXR alone"):
        derived(source, "infection")
    rows = rows_of(derived(source, "cropped"))
    assert [row["chest_box"] for row in rows] == [
        list(crop_to_chest(grey(number), modality="CXR").box) for number in (5, 6)
    ]


def test_what_is_no_ct_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    options: dict[str, Any] = {"cache_dir": tmp_path, "offline": True}
    with pytest.raises(UsageError, match="derive: lungs: expected a source of CT, found hannover, which holds CXR"):
        load_dataset("hannover", derive="lungs", **options)
    with pytest.raises(UsageError, match="expected a source of CT or CXR, found pocus, which holds US alone"):
        load_dataset("pocus", derive="cropped", **options)
    with pytest.raises(UsageError, match="derive: expected images, found jhu_csse, a table without any"):
        load_dataset("jhu_csse", derive="lungs", **options)
    with pytest.raises(UsageError, match=r"expected one of .*found 'infected'. Did you mean 'infection'"):
        load_dataset("hannover", derive="infected", **options)
    assert not (tmp_path / "prepared").exists()
