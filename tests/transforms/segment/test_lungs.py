"""Lung masks: near the truth where that is known, told apart, and empty with a reason where there is no lung."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.transforms.segment.given import Scan
from covid_datasets.transforms.segment.lungs import LEFT, RIGHT, lung_mask
from covid_datasets.transforms.windows import windowed

pytest.importorskip("scipy")
SHAPE = (40, 128, 128)


@cache
def chest(load: float = 0.08, lungs: Any = "both", noise: float = 20.0, seed: int = 3) -> ChestVolume:
    return chest_volume(seed, shape=SHAPE, load=load, lungs=lungs, noise=noise, kinds=("ground_glass",))


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def recall(lung: np.ndarray, lesions: np.ndarray) -> float:
    return float((lung & lesions).sum() / lesions.sum())


@pytest.mark.parametrize("noise", [0.0, 20.0, 60.0])
def test_lungs_are_found_through_noise(noise: float) -> None:
    known = chest(noise=noise)
    lungs = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS")
    assert dice(lungs.mask > 0, known.lung > 0) > 0.97
    assert dice(lungs.mask == RIGHT, known.lung == RIGHT) > 0.96
    assert dice(lungs.mask == LEFT, known.lung == LEFT) > 0.96
    assert (lungs.sides, lungs.confidence, lungs.reasons) == ("patient", 1.0, ())


def test_grey_levels_give_the_mask_of_hounsfield_units() -> None:
    known = chest()
    grey = windowed(known.voxels, (-1350, 150))
    lungs = lung_mask(grey, spacing=known.spacing)
    assert dice(lungs.mask > 0, known.lung > 0) > 0.96
    assert lungs.sides == "picture"
    assert "no Hounsfield units" in " ".join(lungs.reasons)


def test_consolidation_with_lung_above_and_below_is_kept() -> None:
    known = chest_volume(5, shape=SHAPE, load=0.15, kinds=("consolidation",))
    dense = known.infection > 0
    kept = recall(lung_mask(known.voxels, spacing=known.spacing).mask > 0, dense)
    plain = recall((known.voxels < -320) & (known.lung > 0), dense)
    assert kept > 0.5 > 0.2 > plain


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1, 2)])
def test_a_volume_that_is_turned_over_has_the_mask_turned_over(axes: tuple[int, ...]) -> None:
    known = chest()
    codes = "".join(
        {"L": "R", "P": "A", "S": "I"}[letter] if 2 - number in axes else letter for number, letter in enumerate("LPS")
    )
    lungs = lung_mask(np.flip(known.voxels, axes), spacing=known.spacing, orientation=codes)
    straight = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS")
    assert dice(np.flip(lungs.mask, axes) == RIGHT, straight.mask == RIGHT) > 0.995
    assert dice(np.flip(lungs.mask, axes) == LEFT, straight.mask == LEFT) > 0.995


def test_one_lung_is_said() -> None:
    known = chest(lungs="right")
    lungs = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS")
    assert dice(lungs.mask == RIGHT, known.lung == RIGHT) > 0.97
    assert not (lungs.mask == LEFT).any()
    assert lungs.confidence < 0.5
    assert "one lung only" in lungs.reasons[0]


def test_a_slice_is_a_picture() -> None:
    known = chest()
    lungs = lung_mask(known.voxels[20], spacing=known.spacing, orientation="LPS")
    assert lungs.mask.shape == SHAPE[1:]
    assert dice(lungs.mask > 0, known.lung[20] > 0) > 0.95
    assert "a single slice" in " ".join(lungs.reasons)


def bright_lungs() -> np.ndarray:
    known = chest()
    return np.where(known.lung > 0, 30, known.voxels).astype(np.int16)


NOTHING: dict[str, Callable[[], np.ndarray]] = {
    "no slice with lung": lambda: chest().voxels[-2:],
    "all-white lungs": bright_lungs,
    "one value": lambda: np.full(SHAPE, 7, np.uint8),
    "air only": lambda: np.full(SHAPE, -1000, np.int16),
    "noise": lambda: np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8),
}


@pytest.mark.parametrize("what", NOTHING)
def test_without_lungs_the_mask_is_empty_with_a_reason(what: str) -> None:
    lungs = lung_mask(NOTHING[what]())
    assert lungs.empty
    assert lungs.confidence == 0
    assert lungs.reasons


def film(rows: int = 256) -> np.ndarray:
    """Draw a radiograph as a phantom has none: lungs and ribs of soft borders, the body cut off below."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : rows * 1j]
    lung = sum(np.exp(-(((x - side) / 0.3) ** 4) - ((y + 0.05) / 0.7) ** 4) for side in (-0.42, 0.42))
    body = 1 / (1 + np.exp((np.abs(x) - 0.88) * 30))
    ribs = 0.08 * np.sin(y * 40 + 6 * np.abs(x))
    grey = body * (190 - 20 * y**2 - 70 * np.asarray(lung) * (1 + ribs))
    grain = np.random.default_rng(0).normal(0, 3, x.shape)
    return np.asarray(np.clip(grey + grain, 0, 255), np.uint8)


def ultrasound(rows: int = 256) -> np.ndarray:
    y, x = np.mgrid[0 : 1 : rows * 1j, -0.5 : 0.5 : rows * 1j]
    fan = (np.hypot(x, y) < 0.95) & (np.abs(x) < 0.7 * y)
    echo = np.random.default_rng(1).gamma(2, 25, x.shape) * np.exp(-2 * y) + 60 * (np.abs(y % 0.2 - 0.1) < 0.01)
    return np.asarray(np.where(fan, np.clip(echo, 0, 255), 0), np.uint8)


@pytest.mark.parametrize("picture", [film(), ultrasound(), film()[:, ::-1]])
def test_what_is_no_ct_has_no_lungs(picture: np.ndarray) -> None:
    lungs = lung_mask(picture)
    assert lungs.empty
    assert lungs.reasons


@pytest.mark.parametrize(
    ("volume", "arguments", "words"),
    [
        (np.full((4, 64, 64), np.nan), {}, "16,384 voxels that are none (NaN"),
        (np.zeros((64, 64, 4), np.uint8), {}, "4 channels"),
        (np.zeros((64, 64, 3), np.uint8), {}, "3 channels"),
        (np.zeros((2, 4, 64, 64), np.uint8), {}, "found a shape of (2, 4, 64, 64)"),
        (np.zeros((0, 64, 64), np.int16), {}, "found a shape of (0, 64, 64)"),
        (np.zeros((8, 8), np.int16), {}, "at least 32 rows"),
        (np.zeros((4, 64, 64), bool), {}, "of numbers"),
        (np.zeros((4, 64, 64)), {"spacing": (0, 0.7, 5)}, "spacing"),
        (np.zeros((4, 64, 64)), {"spacing": (0.7, 0.7)}, "spacing"),
        (np.zeros((4, 64, 64)), {"spacing": (0.7, float("nan"), 5)}, "spacing"),
        (np.zeros((4, 64, 64)), {"orientation": "PSL"}, "axial"),
        (np.zeros((4, 64, 64)), {"orientation": "PLS"}, "left or the right"),
        (np.zeros((4, 64, 64)), {"hounsfield": True}, "air near -1000"),
        (np.zeros((4, 64, 64)), {"method": "unet"}, "method"),
        (np.zeros((4, 64, 64)), {"method": lambda scan: scan.voxels[0] > 0}, "mask of the shape of its image"),
        (np.zeros((4, 64, 64)), {"method": lambda scan: scan.voxels + 7}, "whole numbers"),
    ],
)  # fmt: skip
def test_what_is_no_scan_is_an_error(volume: np.ndarray, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        lung_mask(volume, **arguments)


def test_another_method_plugs_in() -> None:
    known = chest()
    seen: list[Scan] = []

    def network(scan: Scan) -> np.ndarray:
        seen.append(scan)
        return known.lung > 0

    lungs = lung_mask(known.voxels, spacing=known.spacing, orientation="LPS", method=network)
    assert np.array_equal(lungs.mask > 0, known.lung > 0)
    assert dice(lungs.mask == LEFT, known.lung == LEFT) > 0.99
    assert (lungs.method, seen[0].spacing) == ("network", known.spacing)


def test_a_shifted_scale_is_a_doubt() -> None:
    known = chest()
    lungs = lung_mask(np.maximum(known.voxels.astype(np.int32) + 150, -1024).astype(np.int16))
    assert "shifted intensity" in " ".join(lungs.reasons)
    assert lungs.confidence < 0.6


def test_a_white_frame_around_a_picture_is_no_body() -> None:
    known = chest()
    grey = windowed(known.voxels[20], (-1350, 150))
    framed = np.pad(grey, 3, constant_values=255)
    assert dice(lung_mask(framed).mask[3:-3, 3:-3] > 0, known.lung[20] > 0) > 0.93
    assert not lung_mask(framed).mask[:3].any()


def test_an_inverted_picture_is_refused() -> None:
    known = chest()
    inverted = 255 - windowed(known.voxels, (-1350, 150))
    for given in (inverted, inverted[20]):
        lungs = lung_mask(given)
        assert lungs.empty
        assert lungs.reasons


@pytest.mark.parametrize("edge", [2, 5, 8])
@pytest.mark.parametrize("level", [14, 20, 26])
def test_a_picture_cut_through_the_chest_wall_has_both_lungs(edge: int, level: int) -> None:
    """Articles show lungs, not arms: the border is the chest wall, a thin rest of it, or goes through a lung."""
    known = chest()
    lung = known.lung[level] > 0
    rows, columns = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
    box = (slice(rows[0] - 3, rows[-1] + 4), slice(columns[0] + 5 - edge, columns[-1] + edge - 4))
    grey = windowed(known.voxels[level], (-1350, 150))[box]
    found = lung_mask(grey)
    assert dice(found.mask > 0, lung[box]) > 0.93
    assert dice(found.mask == RIGHT, known.lung[level][box] == RIGHT) > 0.93
    assert "one lung" not in " ".join(found.reasons)
    assert lung_mask(255 - grey).empty


def test_air_below_a_table_is_no_lung() -> None:
    known = chest()
    grey = windowed(known.voxels[20], (-1350, 150))
    table = np.vstack([grey, np.full((4, grey.shape[1]), 200, np.uint8), np.full((12, grey.shape[1]), 0, np.uint8)])
    table[-14:, :3] = table[-14:, -3:] = 200  # its sides reach the corners
    found = lung_mask(table).mask > 0
    assert dice(found[: len(grey)], known.lung[20] > 0) > 0.93
    assert not found[len(grey) :].any()


def test_lungs_that_the_border_cuts_are_found_and_said() -> None:
    known = chest()
    rows, columns = slice(26, 102), slice(22, 106)
    lungs = lung_mask(known.voxels[:, rows, columns], spacing=known.spacing)
    assert dice(lungs.mask > 0, known.lung[:, rows, columns] > 0) > 0.85
    assert "touches the border" in lungs.reasons[0]


@pytest.mark.parametrize("padding", [-2000, -3024, -1024])
def test_padding_around_the_scan_changes_nothing(padding: int) -> None:
    known = chest()
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    padded = np.where(np.hypot(x, y) > 1, padding, known.voxels).astype(np.int16)
    assert dice(lung_mask(padded).mask > 0, lung_mask(known.voxels).mask > 0) > 0.99


@pytest.mark.parametrize("kind", ["uint16", "float32", "int32"])
def test_the_type_of_values_does_not_matter(kind: str) -> None:
    known = chest()
    stored = known.voxels.astype(np.int32) + 1024
    values = np.clip(stored, 0, None) / 4000 if kind == "float32" else np.clip(stored, 0, None)
    found = lung_mask(values.astype(kind), spacing=known.spacing)
    assert dice(found.mask > 0, known.lung > 0) > 0.96
