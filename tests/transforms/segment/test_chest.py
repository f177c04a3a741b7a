"""The chest is cut out of films, CT pictures and volumes; what is around it goes, and nothing of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import UsageError
from covid_datasets.phantoms.volume import chest_volume
from covid_datasets.transforms.segment.chest import convex_hull, crop_to_chest, padding_box
from covid_datasets.transforms.windows import windowed
from tests.transforms.segment.test_lungs import film

pytest.importorskip("scipy")


def test_a_ct_slice_loses_the_air_and_the_table() -> None:
    known = chest_volume(0, shape=(20, 160, 160))
    crop = crop_to_chest(known.voxels[8], margin=0.0)
    left, top, width, height = crop.box
    body = np.argwhere(known.voxels[8] > -200)  # the table is thinner
    assert abs(top - body[:, 0].min()) <= 2
    assert abs(left - body[:, 1].min()) <= 2
    assert abs(left + width - body[:, 1].max()) <= 3
    assert abs(top + height - body[:, 0].max()) <= 4
    assert crop.modality == "CT"
    assert crop.pixels.shape == (height, width)


def test_a_volume_gets_one_box() -> None:
    known = chest_volume(0, shape=(20, 160, 160))
    crop = crop_to_chest(known.voxels)
    assert crop.pixels.shape == (20, crop.box[3], crop.box[2])
    assert crop.hull[known.lung.any(axis=0)].all()


@pytest.mark.parametrize("value", [0, 255, 90])
def test_padding_of_any_value_goes(value: int) -> None:
    inside = windowed(chest_volume(0, shape=(20, 160, 160)).voxels[8], (-1350, 150))
    inside = np.maximum(inside, np.random.default_rng(0).integers(0, 30, inside.shape, np.uint8))
    padded = np.pad(inside, ((7, 0), (11, 4)), constant_values=value)
    assert padding_box(padded) == (11, 7, 160, 160)


def test_the_letter_beside_a_film_is_not_the_chest() -> None:
    picture = np.zeros((300, 300), np.uint8)
    picture[20:276, 22:278] = film()
    picture[4:14, 284:296] = 255
    crop = crop_to_chest(picture)
    assert crop.modality == "CXR"
    left, top, width, height = crop.box
    assert 20 <= left <= 50
    assert left + width <= 280
    assert (top, height) == pytest.approx((18, 260), abs=8)
    blank = crop_to_chest(picture, outside="blank", margin=0.1)
    assert blank.pixels.max() < 255


def test_what_was_guessed_is_said() -> None:
    guessed, told = crop_to_chest(film()), crop_to_chest(film(), modality="CXR")
    assert guessed.box == told.box
    assert guessed.confidence == pytest.approx(0.8 * told.confidence)
    assert "taken for a CXR" in " ".join(guessed.reasons)
    assert "taken for" not in " ".join(told.reasons)


def test_what_has_no_chest_is_kept_whole_and_said() -> None:
    for picture in (np.full((64, 64), 9, np.uint8), np.eye(64, dtype=np.uint8) * 255):
        crop = crop_to_chest(picture)
        assert crop.box == (0, 0, 64, 64)
        assert crop.confidence < 0.5
        assert crop.reasons


@pytest.mark.parametrize(
    ("picture", "arguments"),
    [
        (np.zeros((64, 64, 4), np.uint8), {}),
        (np.full((64, 64), np.nan), {}),
        (np.zeros((64, 64), np.uint8), {"modality": "US"}),
        (np.zeros((64, 64), np.uint8), {"margin": -1}),
        (np.zeros((64, 64), np.uint8), {"outside": "mask"}),
    ],
)
def test_what_cannot_be_cropped_is_an_error(picture: np.ndarray, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        crop_to_chest(picture, **arguments)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=12))
def test_a_hull_holds_its_mask_and_is_its_own_hull(points: list[tuple[int, int]]) -> None:
    mask = np.zeros((12, 12), bool)
    mask[tuple(np.array(points).T)] = True
    hull = convex_hull(mask)
    assert hull[mask].all()
    assert np.array_equal(convex_hull(hull), hull)
    assert np.array_equal(convex_hull(mask[::-1]), hull[::-1])
    assert np.array_equal(convex_hull(mask[:, ::-1]), hull[:, ::-1])
