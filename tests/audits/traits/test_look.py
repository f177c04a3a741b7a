"""What the whole of a picture looks like, before and after all are brought to one form."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from covid_datasets.audits.traits.look import SIDE, loaded, look_of, looks_of, normalised


def chest(width: int = 300, height: int = 200, seed: int = 0) -> np.ndarray:
    """Return something with detail everywhere."""
    random = np.random.default_rng(seed)
    rough = Image.fromarray(random.integers(30, 220, (12, 16), dtype=np.uint8))
    return np.asarray(rough.resize((width, height), Image.Resampling.BICUBIC))


def test_borders_are_measured_side_by_side() -> None:
    framed = np.pad(chest(), ((20, 0), (50, 100)), constant_values=7)
    look = look_of(Image.fromarray(framed))
    assert look.border == pytest.approx((20 / 220, 0.0, 50 / 450, 100 / 450), abs=0.01)


def test_normalised_a_border_is_gone_and_brightness_and_contrast_are_alike() -> None:
    picture = chest()
    framed = np.pad(picture // 2 + 90, ((20, 30), (50, 10)))
    one, other = look_of(normalised(Image.fromarray(picture))), look_of(normalised(Image.fromarray(framed)))
    assert one.border == other.border == (0.0, 0.0, 0.0, 0.0)
    assert one.mean == pytest.approx(other.mean, abs=3)
    assert one.contrast == pytest.approx(other.contrast, abs=3)
    as_stored = look_of(Image.fromarray(picture)), look_of(Image.fromarray(framed))
    assert abs(as_stored[0].mean - as_stored[1].mean) > 10


def test_as_loaded_is_what_the_loader_gives() -> None:
    from covid_datasets.load.fixed.pixels import Encoded, render
    from covid_datasets.load.fixed.view import View
    from covid_datasets.read.encode import encode

    picture = chest(431, 377)
    out = np.empty((1, SIDE, SIDE), np.uint8)
    render(Encoded(encode(picture), "a.png"), View(image_size=(SIDE, SIDE)), out)
    np.testing.assert_array_equal(np.asarray(loaded(Image.fromarray(picture))), out[0])


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2), (900, 40)])
@pytest.mark.parametrize("value", [0, 255])
def test_odd_pictures_have_a_look(size: tuple[int, int], value: int) -> None:
    grey = Image.new("L", size, value)
    looks = looks_of(grey, grey)
    assert looks.stages[0].mean == value
    assert looks.stages[0].border == (1.0, 1.0, 1.0, 1.0)
    assert np.isfinite([number for look in looks.stages for number in (look.mean, look.contrast, look.detail)]).all()


def test_colour_is_seen_before_it_is_lost() -> None:
    picture = Image.fromarray(np.stack([chest(), chest(seed=1), chest(seed=2)], axis=2))
    assert looks_of(picture, picture.convert("L")).colour > 0.5
    assert looks_of(picture.convert("L"), picture.convert("L")).colour == 0.0
