"""Joint changes: what is drawn can be done again and undone; masks stay on their images, and stay masks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import UsageError
from covid_datasets.transforms.joint import PRESETS, Augment, Drawn, Image, Mask, preset
from covid_datasets.transforms.joint.numbers import grain

SIDES = {1: "left_lung", 2: "right_lung"}
ALL = Augment(
    size=(50, 61), flip=0.5, rotate=20, shift=0.1, scale=0.2, crop=0.4, aspect=0.2, elastic=0.03, gain=0.1,
    contrast=0.2, brightness=0.1, gamma=0.3, blur=1.5, noise=0.05,
)  # fmt: skip
MOVING = Augment(flip=0.5, rotate=25, shift=0.05, scale=0.1, elastic=0.04)


def smooth(rows: int = 64, columns: int = 96) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    values: np.ndarray = (np.sin(x / 9.0) * np.cos(y / 7.0) * 100 + 128).astype(np.uint8)
    return values


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_moved_image_stays_on_its_mask() -> None:
    """A picture that is its own mask: after every change of place, the two still agree."""
    inside = np.zeros((64, 96), bool)
    inside[20:40, 30:70] = True
    for seed in range(10):
        image, mask, _ = MOVING(Image(inside * np.uint8(255)), Mask(inside), rng=generator(seed))
        assert mask.values.dtype == bool
        assert ((image.values > 127) != mask.values).mean() < 0.01


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_masks_hold_only_what_they_held(seed: int, rows: int, columns: int, slices: int) -> None:
    rng = generator(seed)
    labels = rng.choice(np.array([0, 1, 2, 77], np.int16), (slices, rows, columns))
    volume = rng.integers(-1000, 400, labels.shape).astype(np.int16)
    image = Image(volume, full=(-1000, 400), volume=True)
    done, masks, drawn = ALL(image, {"lungs": Mask(labels, SIDES, outside=9)}, rng=rng)
    assert set(np.unique(masks["lungs"].values)) <= {*np.unique(labels).tolist(), 1, 2, 9}
    assert masks["lungs"].values.dtype == done.values.dtype == np.int16
    assert done.values.shape == masks["lungs"].values.shape == (slices, 50, 61)
    assert -1000 <= done.values.min() <= done.values.max() <= 400
    again = ALL.replay(Drawn.of_record(json.loads(json.dumps(drawn.record()))), image, {"lungs": Mask(labels, SIDES)})
    assert np.array_equal(again.image.values, done.values)


def test_nothing_is_changed_by_nothing_and_nothing_given_is_changed() -> None:
    for values in (smooth(), smooth().astype(np.int16), np.stack([smooth()] * 3, axis=2), smooth() / np.float64(255)):
        image, before = Image(values, full=(0, 255)), values.copy()
        assert np.allclose(Augment()(image, rng=generator()).image.values, values, atol=1e-7)
        done = ALL(image, rng=generator()).image
        assert np.array_equal(values, before)
        assert done.values.dtype == values.dtype
        assert done.values.shape == (50, 61, *values.shape[2:])
    striped = smooth()[::2, ::-3]
    assert np.array_equal(
        ALL(Image(striped), rng=generator()).image.values, ALL(Image(striped.copy()), rng=generator()).image.values
    )


def test_left_and_right_change_places() -> None:
    lungs = np.zeros((4, 6), np.uint8)
    lungs[:, 0], lungs[:, 5] = 1, 2
    picture = Image(np.arange(24, dtype=np.uint8).reshape(4, 6))
    image, mask, _ = Augment(flip=1.0)(picture, Mask(lungs, SIDES), rng=generator())
    assert np.array_equal(image.values, picture.values[:, ::-1])
    assert np.array_equal(mask.values, lungs), "what was the left lung is on the other side, and is the right one"
    by_name = {"left_lung": Mask(lungs == 1), "right_lung": Mask(lungs == 2), "lung": Mask(lungs > 0)}
    masks = Augment(flip=1.0)(picture, by_name, rng=generator()).masks
    assert list(masks) == list(by_name)
    for name, each in by_name.items():
        assert np.array_equal(masks[name].values, each.values)
    with pytest.raises(UsageError, match="expected right_lung together with left_lung"):
        Augment(flip=0.001)(picture, {"left_lung": Mask(lungs)}, rng=generator())


@pytest.mark.parametrize(
    "names", [("Left lung", "Right lung"), ("lung-left", "lung-right"), ("LEFT", "RIGHT"), ("LeftLung", "RightLung")]
)
def test_sides_are_known_in_any_spelling(names: tuple[str, str]) -> None:
    """They stayed where they were, so that the left lung of a mirrored picture was called the right one."""
    lungs = np.array([[1, 0, 0, 2, 2]], np.uint8)
    mask = Augment(flip=1.0)(Image(lungs), Mask(lungs, {1: names[0], 2: names[1]}), rng=generator()).masks
    assert mask.values.tolist() == [[1, 1, 0, 0, 2]]


@pytest.mark.parametrize("changing", [MOVING, MOVING.then(Augment(size=(80, 90), rotate=10)), Augment(flip=1.0)])
def test_places_can_be_undone(changing: Any) -> None:
    yy, xx = np.mgrid[:64, :96]
    inside = ((yy - 32) / 14) ** 2 + ((xx - 48) / 22) ** 2 < 1
    for seed in range(5):
        image, mask, drawn = changing(Image(smooth()), Mask(inside), rng=generator(seed))
        back = changing.undo(drawn, image, mask, size=(64, 96))
        assert back.image.values.shape == (64, 96)
        both = (back.masks.values & inside).sum() * 2 / (back.masks.values.sum() + inside.sum())
        assert both > 0.97
        off = np.abs(back.image.values[inside].astype(int) - smooth()[inside])
        assert np.median(off) <= 3


def test_an_elastic_change_never_folds() -> None:
    for seed in range(50):
        places = Augment(elastic=0.05).draw(generator(seed)).places((100, 140))
        across, down = places.coordinates(0)
        area = np.gradient(across, axis=1) * np.gradient(down, axis=0)
        area -= np.gradient(across, axis=0) * np.gradient(down, axis=1)
        assert area.min() > 0


def test_a_resized_image_is_the_one_of_other_resizers() -> None:
    from PIL import Image as Pictures

    values = smooth(200, 300)
    for size in ((100, 100), (199, 299), (50, 300), (400, 310)):
        wanted = np.asarray(Pictures.fromarray(values).resize(size[::-1], Pictures.Resampling.BILINEAR))
        found = Augment(size=size)(Image(values), rng=generator()).image.values
        assert np.abs(found.astype(int) - wanted).max() <= 2


def test_crops_keep_the_share_and_the_shape_that_they_say() -> None:
    for seed in range(50):
        drawn = Augment(size=(60, 120), crop=0.4, aspect=0.25).draw(generator(seed))
        step = drawn.places((300, 400)).matrices[0]
        wide, high = step[0, 0] * 120, step[1, 1] * 60
        assert 0.39 <= wide * high / (300 * 400) <= 1.0001
        fits = wide < 399.9 and high < 299.9
        assert not fits or 0.79 <= (wide / high) / (120 / 60) <= 1.26
        assert drawn.places((300, 400)).inside


def test_grain_is_nearly_normal_and_depends_on_its_seed() -> None:
    noise = grain((400, 400), 5)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert np.array_equal(noise, grain((400, 400), 5))
    assert not np.array_equal(noise, grain((400, 400), 6))
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.02


def test_no_global_generator_is_used() -> None:
    before = repr(np.random.get_state())
    ALL(Image(smooth()), rng=generator())
    assert repr(np.random.get_state()) == before


def test_presets_are_what_their_papers_say() -> None:
    assert PRESETS["covid-ct"].size == (480, 480)
    image, _, drawn = preset("moco", size=64)(Image(smooth()), rng=generator())
    assert image.values.shape == (64, 64)
    many = PRESETS["moco"].draw(generator(), 4000)
    assert abs((many.gain != 1).mean() - 0.8) < 0.03
    assert abs((many.blur > 0).mean() - 0.5) < 0.03
    assert 0.2 <= many.area.min() < 0.25
    assert len(drawn) == 1


NO_MASK: Any = np.zeros((4, 6))
PICTURE = Image(np.zeros((4, 6), np.uint8))
BAD: list[tuple[Any, str]] = [
    (lambda: Image(np.zeros((4, 6, 4), np.uint8)), "expected one or three channels, found 4"),
    (lambda: Image(np.zeros((4, 6, 2), np.uint8)), "expected one or three channels, found 2"),
    (lambda: Image(np.zeros((0, 6), np.uint8)), "at least one pixel"),
    (lambda: Image(np.zeros(6, np.uint8)), "two or three axes"),
    (lambda: Image(np.zeros((2, 2, 2, 2), np.uint8)), "two or three axes"),
    (lambda: Image(np.array([[np.nan, 0.5]])), "1 NaN or infinite"),
    (lambda: Image(np.full((4, 6), 200.0)), "full: expected the values of black and white"),
    (lambda: Image(np.zeros((4, 6), np.int16)), "full: expected the values of black and white"),
    (lambda: Image(np.zeros((4, 6), np.int16), full=(3, 3)), "lower one first"),
    (lambda: Image([[1]]), "expected a NumPy array, found list"),  # type: ignore[arg-type]
    (lambda: Image(np.zeros((4, 6), np.uint8), volume=True), "slices × rows × columns"),
    (lambda: Image(np.zeros((4, 6), complex)), "whole numbers or floats"),
    (lambda: Mask(np.zeros((4, 6))), "a mask has no fractions"),
    (lambda: Augment()(PICTURE, Mask(np.zeros((4, 5), bool)), rng=generator()), "expected the shape of its image"),
    (lambda: Augment()(PICTURE, Mask(np.zeros((1, 4, 6), bool)), rng=generator()), "expected the shape of its image"),
    (lambda: Augment()(PICTURE, {"lung": NO_MASK}, rng=generator()), "expected Mask(...) for 'lung'"),
    (lambda: Augment()(np.zeros((4, 6)), rng=generator()), "expected Image(...), found ndarray"),  # type: ignore[arg-type]
    (lambda: Augment()(PICTURE, rng=5), "expected numpy.random.default_rng"),  # type: ignore[arg-type]
    (lambda: Augment.replay(Augment().draw(generator(), 2), PICTURE), "expected what was drawn for one image"),
    (lambda: Augment.undo(Augment(size=9).draw(generator()), PICTURE, size=(4, 6)), "expected (9, 9)"),
    (lambda: Augment(size=0), "size: expected rows and columns"),
    (lambda: Augment(size=(3,)), "size: expected rows and columns"),  # type: ignore[arg-type]
    (lambda: Augment(size=(1 << 20, 1 << 20)), "size: expected rows and columns"),
    (lambda: Augment(crop=1.5), "crop: expected a number from 0 to 1"),
    (lambda: Augment(crop=float("nan")), "crop: expected a number"),
    (lambda: Augment(elastic=0.1), "elastic: expected a number from 0 to 0.05"),
    (lambda: Augment(aspect=0.1), "aspect: expected with crop"),
    (lambda: preset("Moco_v2"), "Did you mean 'moco'?"),
    (lambda: preset("moco", roate=3), "Did you mean 'rotate'?"),
    (lambda: Drawn.of_record({"angel": [0]}), "Did you mean 'angle'?"),
    (lambda: Drawn.of_record({"angle": [0]}), "is missing"),
    (lambda: Drawn.of_record({**Augment().draw(generator()).record(), "angle": [0, 1]}), "as many of each"),
]


@pytest.mark.parametrize(("call", "match"), BAD, ids=[match for _, match in BAD])
def test_bad_input_is_said(call: Any, match: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert match in str(caught.value)


def test_a_crop_of_almost_nothing_is_a_pixel() -> None:
    image, _, _ = Augment(crop=1e-9)(PICTURE, rng=generator(3))
    assert image.values.shape == (4, 6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("angle", [float("nan")]),
        ("angle", ["a"]),
        ("scale", [0.0]),
        ("gamma", [-1.0]),
        ("size", [10**6, 10**6]),
        ("size", [3]),
    ],
)
def test_records_that_were_not_drawn_are_refused(name: str, value: Any) -> None:
    record = ALL.draw(generator()).record()
    with pytest.raises(UsageError, match=f"record: expected .*{name}"):
        Drawn.of_record(record | {name: value})


@pytest.mark.parametrize(("kind", "outside"), [(np.uint8, 300), (np.int8, -200), (bool, 2), (np.uint8, 0.5)])
def test_what_comes_in_from_outside_must_fit_its_mask(kind: Any, outside: Any) -> None:
    with pytest.raises(UsageError, match="outside: expected a whole number"):
        Mask(np.zeros((4, 4), kind), outside=outside)


def test_what_is_done_again_is_the_same_bit_by_bit() -> None:
    for seed in range(5):
        one = ALL(Image(smooth()), Mask(smooth() > 99), rng=generator(seed))
        again, new = (
            ALL.replay(one.drawn, Image(smooth()), Mask(smooth() > 99)),
            ALL(Image(smooth()), rng=generator(seed)),
        )
        assert one.image.values.tobytes() == again.image.values.tobytes() == new.image.values.tobytes()
        assert one.masks.values.tobytes() == again.masks.values.tobytes()
