"""What is handed in wrongly gives an error or no number with a reason, and never a plausible wrong number."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask
from covid_datasets.transforms.segment.quantify import Quantified, quantify
from covid_datasets.transforms.windows import windowed

pytest.importorskip("scipy")


@cache
def chest() -> ChestVolume:
    return chest_volume(3, shape=(20, 96, 96), load=0.1, kinds=("ground_glass",))


def summed(voxels: np.ndarray, lungs: Any = None, **where: Any) -> Quantified:
    where = {"spacing": chest().spacing, "orientation": "LPS"} | where
    lungs = lung_mask(voxels, **where) if lungs is None else lungs
    return quantify(voxels, lungs, infection_mask(voxels, lungs, **where), **where)


def white(which: tuple[int, ...]) -> np.ndarray:
    known = chest()
    return np.where(np.isin(known.lung, which), 30, known.voxels).astype(np.int16)


NO_NUMBER: dict[str, Callable[[], Quantified]] = {
    "16 bits that ran over": lambda: summed((chest().voxels.astype(np.int64) * 40).astype(np.int16)),
    "inverted Hounsfield units": lambda: summed(-1000 - chest().voxels),
    "inverted from above": lambda: summed(-chest().voxels),
    "a window in which lung is black": lambda: summed(windowed(chest().voxels, (-160, 240))),
    "all-white lungs in a reader's mask": lambda: summed(white((1, 2)), chest().lung),
    "a mask of all there is": lambda: summed(chest().voxels, np.ones_like(chest().lung)),
    "lungs of one value": lambda: summed(np.where(chest().lung > 0, 7, 200).astype(np.uint8), chest().lung),
    "more lung than anybody has": lambda: summed(chest().voxels, spacing=(9.0, 9.0, 30.0)),
    "two white lungs": lambda: summed(white((1, 2))),
}


@pytest.mark.parametrize("what", NO_NUMBER)
def test_there_is_no_number_and_a_reason(what: str) -> None:
    found = NO_NUMBER[what]()
    assert (found.infection_rate, found.dense_rate, found.infection_ml) == (None, None, None)
    assert set(found.slices) == {None}
    assert (found.zones, found.lesions, found.confidence) == ((), (), 0.0)
    assert found.reasons


def test_a_lung_that_is_not_there_has_no_volume() -> None:
    assert summed(white((1, 2))).lung_ml is None


def test_one_white_lung_is_said() -> None:
    found = summed(white((1,)))
    assert found.confidence < 0.5
    assert "one lung only" in " ".join(found.reasons)
    zones = {zone.name: zone.lung_voxels for zone in found.zones}
    assert zones["right"] < 0.1 * zones["left"]


def test_a_chest_as_wide_as_a_hand_is_a_doubt() -> None:
    """A header whose voxels are all of 1 mm is one that nobody wrote."""
    found = summed(chest().voxels, spacing=(1.0, 1.0, 1.0))
    assert found.confidence < 0.5
    assert "mm wide: a small child, or a wrong spacing?" in " ".join(found.reasons)


def test_nobody_is_surer_because_less_is_known() -> None:
    known, unknown = (summed(chest().voxels, spacing=spacing) for spacing in (chest().spacing, None))
    assert "coarse pixels" in " ".join(known.reasons)
    assert "coarse pixels" in " ".join(unknown.reasons)
    assert unknown.confidence < 0.9


def test_a_window_in_which_tissue_is_white_is_a_doubt() -> None:
    """All that is dense is one white there, and a little noise is a large share of the way to it."""
    wide, narrow = (summed(windowed(chest().voxels, window)) for window in ((-1350, 150), (-900, -700)))
    assert narrow.confidence < 0.7 * wide.confidence
    assert "soft tissue is white" in " ".join(narrow.reasons)
    assert "soft tissue is white" not in " ".join(wide.reasons)


def yes_and_no() -> dict[str, np.ndarray]:
    lung = chest().lung
    return {"both": lung > 0, "right": lung == 1, "left": (lung == 2).astype(np.uint8)}


@pytest.mark.parametrize("what", ["both", "right", "left"])
@pytest.mark.parametrize("codes", ["LPS", "RPS", ""])
def test_a_mask_of_yes_and_no_has_its_sides_told_apart(what: str, codes: str) -> None:
    """Published masks say nothing of sides: all of both lungs was counted as the right one."""
    known, flip = chest(), (slice(None), slice(None), slice(None, None, -1 if codes == "RPS" else 1))
    found = quantify(
        known.voxels[flip], yes_and_no()[what][flip], known.infection[flip], spacing=known.spacing, orientation=codes
    )
    zones = {zone.name: zone.lung_voxels for zone in found.zones}
    right, left = ("right", "left") if codes else ("picture_left", "picture_right")
    assert zones[right] == pytest.approx((known.lung == 1).sum() * (what != "left"), rel=0.01, abs=0)
    assert zones[left] == pytest.approx((known.lung == 2).sum() * (what != "right"), rel=0.01, abs=0)


@pytest.mark.parametrize(("codes", "said"), [("RPS", ""), ("", "RPS"), ("RPS", "RPS")])
def test_lungs_keep_the_sides_that_they_were_found_with(codes: str, said: str) -> None:
    known = chest()
    turned = white((1,))[:, :, ::-1]  # the left lung alone holds air, and columns lead to the right
    lungs = lung_mask(turned, spacing=known.spacing, orientation=codes)
    found = quantify(turned, lungs, known.infection[:, :, ::-1], spacing=known.spacing, orientation=said)
    zones = {zone.name: zone.lung_voxels for zone in found.zones}
    assert zones["left"] > 10 * zones["right"]
    assert zones["left"] == pytest.approx((known.lung == 2).sum(), rel=0.15)


@pytest.mark.parametrize("what", ["lungs", "infection"])
@pytest.mark.parametrize("value", [255, 3, -1])
def test_numbers_that_mean_nothing_are_refused(what: str, value: int) -> None:
    """A mask of 0 and 255 was counted as consolidation of the left lung."""
    known = chest()
    masks = {"lungs": known.lung, "infection": known.infection}
    masks[what] = np.where(masks[what] > 0, value, 0)
    with pytest.raises(UsageError, match=f"{what}: expected a mask of 0, 1 and 2, found {value}"):
        quantify(known.voxels, masks["lungs"], masks["infection"])
    methods: dict[str, Callable[[], Any]] = {
        "infection": lambda: infection_mask(known.voxels, known.lung, method=lambda scan, lungs: (lungs > 0) * value),
        "lungs": lambda: lung_mask(known.voxels, method=lambda scan: (known.lung > 0) * value),
    }
    with pytest.raises(UsageError, match=f"method: expected a mask of 0, 1 and 2, found {value}"):
        methods[what]()
    if value < 0:
        with pytest.raises(UsageError, match="lungs: expected a mask of 0 and above"):
            infection_mask(known.voxels, np.where(known.lung > 0, value, 0))


WRONG: list[tuple[Callable[[], Any], dict[str, Any], str]] = [
    (lambda: np.ma.masked_less(chest().voxels, -900), {}, "without masked voxels"),
    (lambda: np.stack([windowed(chest().voxels[10], (-1350, 150))] * 3), {}, "channels first"),
    (lambda: chest().voxels, {"hounsfield": "no"}, "expected True, False or None"),
]


@pytest.mark.parametrize(("given", "arguments", "words"), WRONG)
def test_what_cannot_be_meant_is_an_error(given: Callable[[], Any], arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        lung_mask(given(), **arguments)


@pytest.mark.parametrize("layout", ["read only", "Fortran", "strided", "big-endian", "float64", "longdouble"])
def test_how_an_array_lies_in_memory_does_not_matter(layout: str) -> None:
    known = chest()
    given = known.voxels.copy()
    if layout == "read only":
        given.setflags(write=False)
    elif layout == "Fortran":
        given = np.asfortranarray(given)
    elif layout == "strided":
        given = np.repeat(given, 2, axis=2)[:, :, ::2]
    else:
        given = given.astype({"big-endian": ">i2"}.get(layout, layout))
    before = given.copy()
    assert summed(given) == summed(known.voxels)
    assert np.array_equal(given, before)
