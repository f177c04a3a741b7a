"""Filters: each does what it says to pictures that are damaged in a known way, says how much, and refuses the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import UsageError
from covid_datasets.transforms import filters
from covid_datasets.transforms.filters import (
    REPAIRS,
    deblurred,
    denoised,
    noise_of,
    repaired,
    stretched,
    trimmed,
    without_colour,
    without_text,
)
from covid_datasets.transforms.greys import normalised
from tests.transforms.segment.test_lungs import film

EVERY = (trimmed, stretched, denoised, deblurred, without_colour, without_text)


def chest(rows: int = 120, columns: int = 160) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    inside = ((y - rows / 2) / (rows * 0.45)) ** 2 + ((x - columns / 2) / (columns * 0.45)) ** 2 < 1
    lungs = (((np.abs(x - columns / 2) - columns * 0.2) / (columns * 0.13)) ** 2) + (
        (y - rows / 2) / (rows * 0.28)
    ) ** 2 < 1
    values: np.ndarray = (inside * 200 - (inside & lungs) * 120 + 5 * np.sin(x / 3) * inside).astype(np.uint8)
    return values


def error(found: np.ndarray, truth: np.ndarray) -> float:
    return float(((found.astype(float) - truth) ** 2).mean())


def test_what_is_damaged_in_a_known_way_comes_nearer_to_the_truth() -> None:
    truth, rng = chest(), np.random.default_rng(0)
    noisy = np.clip(truth + rng.normal(0, 12, truth.shape), 0, 255).astype(np.uint8)
    assert error(denoised(noisy).values, truth) < 0.5 * error(noisy, truth)
    at = np.arange(-6, 7)
    soft = truth.astype(float)
    weights = np.exp(-(at**2) / 2.0) / np.exp(-(at**2) / 2.0).sum()
    for axis in (0, 1):
        soft = np.apply_along_axis(lambda line: np.convolve(line, weights, "same"), axis, soft)
    blurred = np.rint(soft).astype(np.uint8)
    inner = np.s_[10:-10, 10:-10]
    assert error(deblurred(blurred).values[inner], truth[inner]) < 0.6 * error(blurred[inner], truth[inner])


def test_borders_letters_and_marks_go_and_the_rest_stays() -> None:
    picture = np.pad(chest()[10:110, 20:140], ((15, 25), (30, 5)))
    picture[3:8, 3:6] = 255
    kept, change = trimmed(picture)
    assert change.touched == pytest.approx(1 - kept.size / picture.size)
    top, left, bottom, right = change.parameters["box"]
    assert np.array_equal(picture[top:bottom, left:right], kept)
    assert abs(top - 15) <= 4
    assert abs(left - 30) <= 4

    lettered = chest()
    lettered[4:12, 6] = lettered[4, 6:10] = lettered[8, 6:9] = 255
    done, change = without_text(lettered)
    assert done[4:12, 6].max() < 60
    assert np.array_equal(done[30:90, 40:120], lettered[30:90, 40:120]), "the middle is as it was"
    assert 0 < change.touched < 0.02

    drawn = np.repeat(chest()[..., None], 3, axis=2)
    drawn[60, 40:80] = 255, 40, 0
    done, change = without_colour(drawn)
    assert not np.ptp(done, axis=2).any()
    assert np.abs(done[60, 40:80, 0].astype(int) - chest()[57, 40:80]).mean() < 15


@given(st.integers(1, 12), st.integers(1, 12), st.booleans(), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_small_and_odd_pictures_come_back(rows: int, columns: int, colours: bool, seed: int) -> None:
    shape = (rows, columns, 3) if colours else (rows, columns)
    values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    before = values.copy()
    for each in EVERY:
        done, change = each(values)
        assert done.dtype == np.uint8
        assert done.ndim == values.ndim
        assert 0 not in done.shape
        assert 0 <= change.touched <= 1
        assert change.name == each.__name__
    repaired(values, list(REPAIRS))
    assert np.array_equal(values, before)


@pytest.mark.parametrize("grey", [0, 7, 255])
def test_an_empty_picture_stays(grey: int) -> None:
    values = np.full((50, 60, 3), grey, np.uint8)
    for each in EVERY:
        assert each(values).change.touched == 0
    assert noise_of(values[..., 0].astype(float)) == 0


WRONG: list[tuple[Any, str]] = [
    (np.zeros((4, 4)), "expected bytes"),
    (np.zeros((4, 4), np.int16), "expected bytes"),
    ([[1]], "expected bytes"),
    (np.zeros((4, 4, 4), np.uint8), "rows × columns × 3"),
    (np.zeros((0, 4), np.uint8), "rows × columns"),
]


@pytest.mark.parametrize(("values", "match"), WRONG)
@pytest.mark.parametrize("each", EVERY)
def test_what_is_no_picture_is_said(each: Any, values: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        each(values)


def test_wrong_numbers_are_said() -> None:
    for call in (
        lambda: stretched(chest(), 60, 40),
        lambda: denoised(chest(), noise=-1),
        lambda: deblurred(chest(), deviation=0),
        lambda: repaired(chest(), "padding"),
    ):
        with pytest.raises(UsageError, match="expected"):
            call()


def test_limits_are_those_of_the_quality_measure() -> None:
    from covid_datasets.measure.quality import THRESHOLDS

    assert THRESHOLDS.colour_spread == filters.COLOURED


@pytest.mark.parametrize(("gain", "added"), [(1.0, 0), (0.6, 40), (0.9, -40), (0.4, 100)])
def test_unknown_windows_become_one(gain: float, added: int) -> None:
    shown = np.clip(chest() * gain + added, 0, 255).astype(np.uint8)
    done, greys = normalised(shown)
    wanted, _ = normalised(chest())
    inside = chest() > 0
    assert np.abs(done[inside].astype(int) - wanted[inside]).max() <= 6
    assert greys.air < greys.tissue


def dark(picture: np.ndarray) -> np.ndarray:
    """Show a film with more contrast, so that its lungs are as dark as those of a CT."""
    return (255 * (picture / 255.0) ** 3).astype(np.uint8)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.full((40, 40), 9, np.uint8), "lungs"),
        ((chest() > 0).astype(np.uint8) * 200, "without any that are darker"),
        (dark(film()), "as soft as those of a radiograph"),
        (dark(film(512)), "as soft as those of a radiograph"),
        (np.where(chest() < 100, 0, chest()).astype(np.uint8), "window cut"),
        (np.zeros((4, 4)), "grey bytes"),
        (np.zeros((4, 4, 3), np.uint8), "grey bytes"),
        (np.zeros((0, 4), np.uint8), "grey bytes"),
    ],
)
def test_pictures_that_cannot_be_normalised_are_said(values: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        normalised(values)
