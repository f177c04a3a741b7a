"""Copies are found however they were changed, and nothing else is taken for one."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from benchmarks.planted import TRANSFORMS, screenshot
from covid_datasets.audits.features import features_of, vision
from covid_datasets.audits.finder import Copy, find_copies
from covid_datasets.audits.proof import proof
from covid_datasets.audits.ways import ORDERS
from covid_datasets.errors import MissingExtraError
from tests.sources import chest

SIZE = (480, 400)


def film(person: int) -> Image.Image:
    """Return a chest with what no phantom has: fine detail, everybody's own."""
    chance = np.random.default_rng(person)
    shown = np.asarray(Image.open(io.BytesIO(chest(person, modality="CXR", size=SIZE))), np.float64)
    for size in (2, 4, 8, 16):
        coarse = Image.fromarray(chance.normal(0, 9, (SIZE[1] // size, SIZE[0] // size)).astype(np.float32))
        shown = shown + np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8))


def found(*pictures: Image.Image | list[Image.Image] | None) -> list[Copy]:
    return find_copies([partial(_itself, each) for each in pictures])


def _itself(picture: Image.Image | list[Image.Image] | None) -> Image.Image | list[Image.Image] | None:
    return picture


def pairs(copies: list[Copy]) -> list[tuple[int, int]]:
    return [(each.first, each.second) for each in copies]


@pytest.fixture(scope="module")
def planted() -> tuple[dict[str, int], dict[tuple[int, int], Copy]]:
    """Search the films of twenty people and a copy of each, made in another way; figures also show other people."""
    films = [film(person) for person in range(len(TRANSFORMS))]
    strangers = [film(100 + person) for person in range(3)]
    chance = np.random.default_rng(0)
    copies = [made(shown, chance, strangers) for shown, made in zip(films, TRANSFORMS.values(), strict=True)]
    return dict(zip(TRANSFORMS, range(len(films)), strict=True)), {
        (each.first, each.second): each for each in found(*films, *copies)
    }


@pytest.mark.parametrize("way", TRANSFORMS)
def test_a_copy_is_found(way: str, planted: tuple[dict[str, int], dict[tuple[int, int], Copy]]) -> None:
    numbers, copies = planted
    assert (numbers[way], len(numbers) + numbers[way]) in copies


def test_nobody_else_is_found(planted: tuple[dict[str, int], dict[tuple[int, int], Copy]]) -> None:
    numbers, copies = planted
    others = set(copies) - {(number, len(numbers) + number) for number in numbers.values()}
    figures = {len(numbers) + numbers[way] for way in ("2 panels", "4 panels")}
    assert others <= {tuple(sorted(figures))}, "of two figures both may show the same stranger"


# --- what is no copy ------------------------------------------------------------------------------------------------


def test_the_window_of_a_viewer_is_no_copy_of_what_another_one_shows() -> None:
    windows = [screenshot(film(person), np.random.default_rng(5)) for person in (1, 2, 3)]
    again = screenshot(film(1), np.random.default_rng(6))
    frames = [features_of(window)[0] for window in windows]
    alike = proof(frames[0], frames[1])
    assert alike is not None
    assert alike.points >= 20, "expected a trap: one mapping for the whole frame"
    assert pairs(found(*windows, again)) == [(0, 3)]


def test_printed_boxes_are_no_copy() -> None:
    scored = []
    for person in range(3):
        shown = film(person)
        draw = ImageDraw.Draw(shown)
        for row in range(4):
            draw.rectangle((10, 10 + 90 * row, 150, 90 + 90 * row), 0, 255)
            draw.text((20, 20 + 90 * row), f"SCORE {row}", 255, font_size=30)
        scored.append(shown)
    assert found(*scored) == []


def test_what_is_nearly_the_same_is_doubtful() -> None:
    """A neighbouring slice shows the same outlines, and other details in many places."""
    slice_one = np.asarray(film(1), np.float64)
    other = np.asarray(film(2), np.float64) - np.asarray(film(102), np.float64)
    mask = np.kron(np.random.default_rng(0).random((10, 12)) < 0.3, np.ones((40, 40)))
    next_slice = Image.fromarray(np.clip(slice_one + mask * other, 0, 255).astype(np.uint8))
    blurred = next_slice.resize((96, 80)).resize(SIZE)
    (copy,) = find_copies([partial(_itself, film(1)), partial(_itself, blurred)], doubtful=True)
    assert copy.proof.resembles
    assert not copy.proof.holds
    assert found(film(1), blurred) == []


def test_panels_of_one_figure_are_not_tried_with_each_other() -> None:
    twice = Image.new("L", (2 * SIZE[0] + 10, SIZE[1]))
    twice.paste(film(1), (0, 0))
    twice.paste(film(1), (SIZE[0] + 10, 0))
    assert len(features_of(twice)) == 3
    assert found(twice) == []
    assert pairs(found(twice, film(2), film(1))) == [(0, 2)]


def test_two_pictures_have_words_in_common_though_there_are_no_others() -> None:
    assert pairs(found(film(1), film(1).crop((30, 40, 420, 390)))) == [(0, 1)]


def test_several_frames_stand_for_one() -> None:
    assert pairs(found([film(1), film(2)], film(3), [film(4), ImageOps.mirror(film(2))])) == [(0, 2)]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        Image.new("L", (3, 1)),
        Image.new("L", (1, 900)),
        Image.new("L", (300, 300), 200),
        Image.new("RGB", (40, 40)),
        Image.fromarray(np.zeros((9, 9), np.uint16)),
    ],
    ids=["undecodable", "no frames", "tiny", "a line", "blank", "black", "deep and blank"],
)
def test_what_shows_nothing_is_like_nothing(odd: Image.Image | list[Image.Image] | None) -> None:
    assert found(odd) == found(odd, odd) == []
    assert pairs(found(film(1), odd, film(1), odd)) == [(0, 2)]


def test_nothing_is_found_in_nothing() -> None:
    assert found() == found(film(1)) == []


def test_depth_and_colour_change_nothing() -> None:
    shown = film(1)
    deep = Image.fromarray(np.asarray(shown).astype(np.uint16) * 250)
    assert pairs(found(shown, deep, shown.convert("RGB"))) == [(0, 1), (0, 2), (1, 2)]


# --- how it is told -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "change"),
    [
        ("", lambda shown: shown.rotate(90, expand=True)),
        ("mirrored", ImageOps.mirror),
        ("inverted", ImageOps.invert),
        ("mirrored and inverted", lambda shown: ImageOps.flip(ImageOps.invert(shown))),
    ],
)
def test_the_way_is_said(way: str, change: Callable[[Image.Image], Image.Image]) -> None:
    one, other = features_of(film(1))[0], features_of(change(film(1)))[0]
    proofs = {each: proof(one, other, each) for each in ORDERS}
    told = proofs.pop(way)
    assert told is not None
    assert told.holds
    assert told.likeness > 0.95
    assert str(told).startswith(f"{way}, {told.points} points, correlation " if way else f"{told.points} points")
    # A blob is its own mirror image, so a few points may also fit in another way; far from as many.
    assert max((each.points for each in proofs.values() if each is not None), default=0) < told.points / 10


def test_the_same_is_found_again() -> None:
    shown = [film(1), film(2), ImageOps.mirror(film(1)), film(2).crop((40, 40, 400, 380))]
    assert found(*shown) == found(*shown) != []


def test_all_of_many_copies_are_found() -> None:
    """More than are tried at first: each proven one brings more."""
    many = [film(1).crop((number, number, 440 + number, 360 + number)) for number in range(0, 28, 2)]
    copies = set(pairs(found(*many, film(2))))
    assert copies == {(one, other) for one in range(len(many)) for other in range(one + 1, len(many))}


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    vision.cache_clear()
    monkeypatch.setattr("covid_datasets.extras.is_installed", lambda module: module != "cv2")
    with pytest.raises(MissingExtraError, match=r"pip install 'covid_datasets\[audit\]'"):
        found(film(1))
    vision.cache_clear()
