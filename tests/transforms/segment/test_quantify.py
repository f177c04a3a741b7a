"""What lungs and infection add up to: known sums of known masks, parts that add up, and the unknown left unknown."""

from __future__ import annotations

import csv
import io
import json
from functools import cache

import numpy as np
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.transforms.segment.course import course
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask
from covid_datasets.transforms.segment.quantify import Quantified, quantify

pytest.importorskip("scipy")


@cache
def chest(load: float = 0.15) -> ChestVolume:
    return chest_volume(2, shape=(30, 96, 96), load=load)


def counted(**arguments: object) -> Quantified:
    known = chest()
    said = {"spacing": known.spacing, "orientation": "LPS", **arguments}
    return quantify(known.voxels, known.lung, known.infection, **said)  # type: ignore[arg-type]


def test_sums_are_those_of_the_masks() -> None:
    known, found = chest(), counted()
    ml = float(np.prod(known.spacing)) / 1000
    assert found.infection_rate == known.infection_rate
    assert found.lung_ml == pytest.approx((known.lung > 0).sum() * ml, abs=0.001)
    assert found.infection_ml == pytest.approx((known.infection > 0).sum() * ml, abs=0.001)
    assert found.dense_rate == pytest.approx((known.infection == 2).sum() / (known.lung > 0).sum())
    middle = known.infection[15] > 0
    assert found.slices[15] == pytest.approx(middle.sum() / (known.lung[15] > 0).sum())
    assert found.slices[-1] is None
    assert (found.unit, found.confidence) == ("HU", 1.0)


def test_zones_add_up_and_have_their_names() -> None:
    known = chest()
    zones = {zone.name: zone for zone in counted().zones}
    assert zones["right"].lung_voxels == (known.lung == 1).sum()
    assert zones["left"].lung_voxels == (known.lung == 2).sum()
    for side in ("right", "left"):
        for what in ("lung_voxels", "infected_voxels", "dense_voxels"):
            parts = [getattr(zones[f"{side}_{level}"], what) for level in ("upper", "middle", "lower")]
            assert sum(parts) == getattr(zones[side], what)
    there = np.flatnonzero(known.lung.any(axis=(1, 2)))
    upper = there[-(len(there) // 3) :]
    assert zones["upper"].lung_voxels == pytest.approx((known.lung[upper] > 0).sum(), rel=0.15)


def test_a_volume_that_leads_to_the_feet_has_the_same_zones() -> None:
    known = chest()
    turned = quantify(
        known.voxels[::-1], known.lung[::-1], known.infection[::-1], spacing=known.spacing, orientation="LPI"
    )
    straight = {zone.name: zone for zone in counted().zones}
    for zone in turned.zones:
        assert zone.infected_voxels == pytest.approx(straight[zone.name].infected_voxels, rel=0.2, abs=60), zone.name
    assert [lesion.ml for lesion in turned.lesions] == [lesion.ml for lesion in counted().lesions]


def test_without_geometry_nothing_is_claimed() -> None:
    found = counted(spacing=None, orientation="")
    assert (found.lung_ml, found.infection_ml) == (None, None)
    assert {zone.name for zone in found.zones} >= {"picture_left", "picture_right", "first", "second", "third"}
    assert all(lesion.ml is None and lesion.to_border_mm is None for lesion in found.lesions)
    assert found.infection_rate == chest().infection_rate


def test_lesions_are_those_that_were_laid() -> None:
    voxels = np.full((12, 64, 64), -850, np.int16)
    lung = np.ones((12, 64, 64), np.uint8)
    lung[:, :, 32:] = 2
    infection = np.zeros((12, 64, 64), np.uint8)
    infection[2:6, 10:20, 4:10], infection[8:10, 40:44, 50:58] = 1, 2
    voxels[infection == 1], voxels[infection == 2] = -500, 20
    found = quantify(voxels, lung, infection, spacing=(1.0, 1.0, 5.0), orientation="LPS")
    first, second = found.lesions
    assert (first.voxels, first.ml, first.mean, first.kind) == (240, 1.2, -500.0, "ground_glass")
    assert (first.side, first.level, first.first_slice, first.last_slice) == ("right", "lower", 2, 5)
    assert (second.side, second.kind, second.level, second.mean) == ("left", "consolidation", "upper", 20.0)
    assert (first.to_border_mm, second.to_border_mm) == (4.0, 6.0)
    rows = list(csv.DictReader(io.StringIO(found.lesions_csv())))
    assert [row["kind"] for row in rows] == ["ground_glass", "consolidation"]


def test_everything_is_json() -> None:
    found = json.loads(json.dumps(counted().to_json()))
    assert found["zones"]["right_lower"]["infection_rate"] >= 0
    assert found["lesions"][0]["number"] == 1
    assert len(counted().table()) == 11


def test_doubts_of_lungs_and_infection_are_carried_on() -> None:
    known = chest()
    lungs = lung_mask(known.voxels[10], orientation="LPS")
    found = quantify(known.voxels[10], lungs, infection_mask(known.voxels[10], lungs), spacing=(4, 4))
    assert found.confidence < 1
    assert "single slice" in " ".join(found.reasons)
    assert found.lung_ml is None


def test_no_lungs_have_no_rate() -> None:
    nothing = np.zeros((4, 64, 64), np.uint8)
    found = quantify(np.full((4, 64, 64), -1000, np.int16), nothing, nothing)
    assert (found.infection_rate, found.dense_rate, found.lesions) == (None, None, ())
    assert found.confidence == 0


def test_infection_outside_of_the_lungs_is_not_counted_and_said() -> None:
    known = chest()
    stray = known.infection.copy()
    stray[0, :5, :5] = 1
    found = quantify(known.voxels, known.lung, stray)
    assert found.infection_rate == known.infection_rate
    assert "25 voxels of infection are outside" in found.reasons[0]


@pytest.mark.parametrize("what", ["lungs", "infection"])
def test_a_mask_of_another_shape_is_an_error(what: str) -> None:
    known = chest()
    masks = {"lungs": known.lung, "infection": known.infection}
    masks[what] = masks[what][1:]
    with pytest.raises(UsageError, match=f"{what}: expected a mask of the shape of its image"):
        quantify(known.voxels, masks["lungs"], masks["infection"])
    with pytest.raises(UsageError, match="spacing"):
        counted(spacing=(0.7, 0.7, 0))


def test_a_course_is_in_the_order_of_days() -> None:
    scans = {}
    for day, load in ((9.0, 0.25), (2.0, 0.1), (30.0, 0.0)):
        known = chest(load)
        scans[day] = quantify(known.voxels, known.lung, known.infection, spacing=known.spacing)
    found = course("P7", scans)
    changes = [day.change for day in found.days]
    assert [day.day for day in found.days] == [2.0, 9.0, 30.0]
    assert changes[0] is None
    assert (changes[1] or 0) > 5 > 0 > (changes[2] or 0)
    assert list(csv.DictReader(io.StringIO(found.to_csv())))[1]["patient"] == "P7"
    assert found.to_svg().count("<circle") == 3
    assert json.dumps(found.to_json())
    with pytest.raises(UsageError, match="a day for each scan"):
        course("P7", {float("nan"): scans[2.0]})
    assert "<svg" in course("nobody", {}).to_svg()
