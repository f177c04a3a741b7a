"""Infection masks: near the truth where that is known, doubtful where they should be, and pictured."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.transforms.segment.given import Scan
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.pictures import STEPS, rag_figure
from covid_datasets.transforms.windows import windowed

pytest.importorskip("scipy")
Method = Literal["threshold", "rag"]
METHODS: tuple[Method, ...] = ("threshold", "rag")


@cache
def chest(load: float = 0.15, kinds: Any = ("ground_glass",), noise: float = 20.0) -> ChestVolume:
    return chest_volume(1, shape=(40, 160, 160), load=load, kinds=kinds, noise=noise)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["ground_glass", "crazy_paving", "consolidation"])
@pytest.mark.parametrize("load", [0.05, 0.2])
def test_the_rate_is_near_the_truth_on_true_lungs(method: Method, kind: str, load: float) -> None:
    known = chest(load, (kind,))
    found = infection_mask(known.voxels, known.lung, spacing=known.spacing, method=method)
    assert found.rate is not None
    assert abs(found.rate - known.infection_rate) < (0.02 if load > 0.1 else 0.03)
    assert (found.mask > 0)[known.infection > 0].mean() > 0.6
    assert not found.mask[known.lung == 0].any()


@pytest.mark.parametrize("method", METHODS)
def test_vessels_and_noise_are_no_infection(method: Method) -> None:
    known = chest(0.0, noise=50.0)
    found = infection_mask(known.voxels, known.lung, spacing=known.spacing, method=method)
    assert found.rate is not None
    assert found.rate < 0.03


@pytest.mark.parametrize("method", METHODS)
def test_consolidation_is_hyperdense_and_ground_glass_is_not(method: Method) -> None:
    for kind, least, most in (("consolidation", 0.6, 1.0), ("ground_glass", 0.0, 0.15)):
        known = chest(0.2, (kind,))
        mask = infection_mask(known.voxels, known.lung, spacing=known.spacing, method=method).mask
        assert least <= (mask == 2).sum() / (mask > 0).sum() <= most, kind


def test_noise_that_is_cut_off_at_the_lowest_value_is_not_taken_for_air() -> None:
    known = chest(0.1, noise=80.0)
    assert (known.voxels == known.voxels.min()).mean() > 0.02
    found = infection_mask(known.voxels, known.lung, spacing=known.spacing)
    assert found.rate == pytest.approx(0.1, abs=0.03)


def test_units_do_not_matter() -> None:
    known = chest()
    hounsfield = infection_mask(known.voxels, known.lung, spacing=known.spacing)
    grey = infection_mask(windowed(known.voxels, (-1350, 150)), known.lung, spacing=known.spacing)
    assert hounsfield.rate == pytest.approx(grey.rate, abs=0.01)


def test_lungs_are_looked_for_where_none_are_given() -> None:
    known = chest()
    found = infection_mask(known.voxels, spacing=known.spacing, orientation="LPS")
    assert found.rate == pytest.approx(known.infection_rate, abs=0.02)
    assert found.confidence == 1.0


def test_a_turned_volume_has_the_same_rate() -> None:
    known = chest()
    straight = infection_mask(known.voxels, known.lung, spacing=known.spacing)
    turned = infection_mask(known.voxels[::-1, ::-1], known.lung[::-1, ::-1], spacing=known.spacing)
    assert turned.rate == pytest.approx(straight.rate, abs=0.002)


def test_doubts() -> None:
    known = chest(0.0, noise=5.0)
    whole = np.where(known.lung > 0, 20, known.voxels).astype(np.int16)
    cases = {
        "no lungs": infection_mask(np.full((40, 64, 64), -1000, np.int16)),
        "few voxels": infection_mask(known.voxels[20], _speck(known.lung[20])),
        "no lesion": infection_mask(known.voxels[30:34], known.lung[30:34], spacing=known.spacing),
        "more than half": infection_mask(
            np.where((known.lung == 1) & (np.arange(160) % 16 > 5), -450, known.voxels).astype(np.int16),
            (known.lung == 1).astype(np.uint8),
            spacing=known.spacing,
        ),
        "shifted intensity": infection_mask(known.voxels + np.int16(250), known.lung, spacing=known.spacing),
        "all-white": infection_mask(whole, known.lung, spacing=known.spacing),
    }
    for words, found in cases.items():
        assert found.confidence < 0.9, words
        if words != "all-white":
            assert words in " ".join(found.reasons), (words, found.reasons)
    assert cases["no lungs"].rate is None
    assert not cases["no lungs"].mask.any()


def _speck(lung: np.ndarray) -> np.ndarray:
    out = np.zeros_like(lung)
    at = np.argwhere(lung > 0)[200]
    out[at[0] : at[0] + 10, at[1] : at[1] + 10] = lung[at[0] : at[0] + 10, at[1] : at[1] + 10]
    return out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lungs": np.zeros((40, 160, 161), np.uint8)}, "mask of the shape of its image"),
        ({"lungs": np.ones((40, 160, 160))}, "whole numbers"),
        ({"method": "unet"}, "expected 'threshold', 'rag' or a function"),
        ({"spacing": (0, 0, 0)}, "spacing"),
        ({"method": lambda scan, lungs: lungs[0]}, "method: expected a mask of the shape"),
    ],
)
def test_what_does_not_fit_is_an_error(arguments: dict[str, Any], words: str) -> None:
    known = chest()
    with pytest.raises(UsageError, match=words):
        infection_mask(known.voxels, **{"lungs": known.lung, **arguments})


def test_another_method_plugs_in() -> None:
    known = chest()

    def network(scan: Scan, lungs: np.ndarray) -> np.ndarray:
        return known.infection

    found = infection_mask(known.voxels, known.lung, method=network)
    assert np.array_equal(found.mask, known.infection)
    assert (found.method, found.threshold) == ("network", None)
    assert found.rate == pytest.approx(known.infection_rate)


def test_the_five_steps_are_one_picture() -> None:
    known = chest(0.2, ("consolidation",))
    number = int((known.infection > 0).sum(axis=(1, 2)).argmax())
    figure = rag_figure(known.voxels[number], known.lung[number])
    assert figure.shape == (160, 5 * 160 + 8, 3)
    panels = [figure[:, start : start + 160] for start in range(0, 5 * 162, 162)]
    assert len(panels) == len(STEPS)
    outside = known.lung[number] == 0
    assert all(not panel[outside].any() for panel in panels)
    assert len({panel.tobytes() for panel in panels}) == len(STEPS)
    with pytest.raises(UsageError, match="one slice"):
        rag_figure(known.voxels)


def test_a_window_that_shows_lung_as_black_has_no_rate() -> None:
    known = chest()
    found = infection_mask(windowed(known.voxels, (-160, 240)), known.lung, spacing=known.spacing)
    assert (found.rate, found.confidence) == (None, 0.0)
    assert "black in this window" in found.reasons[0]
    assert not found.mask.any()
