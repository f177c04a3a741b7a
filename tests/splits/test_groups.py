"""Which rows belong together: an equivalence, whatever the order of evidence; and pictures that look the same."""

from __future__ import annotations

import io
import random
from functools import cache

import pytest
from covid_datasets.builders.phantom import picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from covid_datasets.measure.image import Measured, measure
from covid_datasets.raw.tree import RawTree
from covid_datasets.splits.groups import (
    Link,
    components,
    links_by_key,
    links_by_ties,
)
from covid_datasets.splits.near import near_duplicates
from covid_datasets.splits.seen import Seen

COUNT = 14
pairs = st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)), max_size=20)


def linked(found: list[tuple[int, int]]) -> list[Link]:
    return [Link("tie", first, second, "") for first, second in found]


def reachable(found: list[tuple[int, int]], start: int) -> set[int]:
    """What can be walked to, found in the plainest way."""
    seen = {start}
    for _ in range(COUNT):
        seen |= {b for a, b in found if a in seen} | {a for a, b in found if b in seen}
    return seen


@given(pairs)
def test_components_are_what_can_be_reached_named_by_the_smallest_row(found: list[tuple[int, int]]) -> None:
    assert components(COUNT, linked(found)) == [min(reachable(found, row)) for row in range(COUNT)]


@given(pairs, st.randoms(use_true_random=False))
def test_neither_order_nor_direction_of_evidence_matters(found: list[tuple[int, int]], chance: random.Random) -> None:
    mixed = [pair if chance.random() < 0.5 else pair[::-1] for pair in found]
    chance.shuffle(mixed)
    assert components(COUNT, linked(mixed)) == components(COUNT, linked(found))


@given(st.lists(st.sampled_from([None, "", "a", "b", "c"])))
def test_equal_keys_link_and_missing_ones_do_not(keys: list[str | None]) -> None:
    groups = components(len(keys), links_by_key("same bytes", keys))
    for one, first in enumerate(keys):
        for other, second in enumerate(keys):
            assert (groups[one] == groups[other]) == (one == other or bool(first and first == second))


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=3)))
def test_rows_that_share_a_tie_are_together(ties: list[list[str]]) -> None:
    groups = components(len(ties), links_by_ties(ties))
    for one, first in enumerate(ties):
        for other, second in enumerate(ties):
            if set(first) & set(second):
                assert groups[one] == groups[other]


@cache
def image_of(patient: int, modality: str) -> Image.Image:
    with Image.open(io.BytesIO(picture(RawTree(()), 0, patient, 1, modality, 0, False, "image"))) as image:
        return image.copy()


def measured(image: Image.Image, format_: str = "PNG", **options: int) -> Measured:
    data = io.BytesIO()
    image.save(data, format_, **options)
    return measure(data.getvalue(), "", "x.png")


CHANGES = {
    "as it is": lambda image: measured(image),
    "JPEG": lambda image: measured(image, "JPEG", quality=60),
    "JPEG, poor": lambda image: measured(image, "JPEG", quality=25),
    "smaller": lambda image: measured(image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)),
    "larger": lambda image: measured(image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)),
    "colour": lambda image: measured(image.convert("RGB")),
    "brighter": lambda image: measured(ImageEnhance.Brightness(image).enhance(1.15)),
    "cropped": lambda image: measured(image.crop((2, 2, image.width - 2, image.height - 2))),
}


def found_pairs(images: list[Measured]) -> set[tuple[int, int]]:
    links = near_duplicates(Seen.of(image.looks for image in images))
    return {(link.first, link.second) for link in links}


@pytest.mark.parametrize("modality", ["CT", "CXR"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_and_other_people_are_not(change: str, modality: str) -> None:
    people = [measured(image_of(patient, modality)) for patient in range(8)]
    copies = [CHANGES[change](image_of(patient, modality)) for patient in range(8)]
    assert found_pairs([*people, *copies]) == {(patient, patient + 8) for patient in range(8)}


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(12)))
def test_near_duplicates_are_the_same_in_any_order(order: list[int]) -> None:
    images = twelve()
    expected = {frozenset(pair) for pair in found_pairs(images)}
    assert expected
    shuffled = found_pairs([images[number] for number in order])
    assert {frozenset((order[first], order[second])) for first, second in shuffled} == expected
    assert all(first < second for first, second in shuffled)


@cache
def twelve() -> list[Measured]:
    people = [measured(image_of(patient, "CT")) for patient in range(6)]
    return [*people, *(measured(image_of(patient % 3, "CT"), "JPEG", quality=40 + patient) for patient in range(6))]


def test_blocks_do_not_change_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found_pairs(twelve())
    monkeypatch.setattr("covid_datasets.splits.words._CHUNK_PAIRS", 30)
    assert found_pairs(twelve()) == whole


@pytest.mark.parametrize(("size", "box"), [((640, 320), (160, 0, 480, 320)), ((300, 400), (0, 50, 300, 350))])
def test_a_picture_that_was_cut_to_its_central_square_is_found(
    size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    image = image_of(1, "CXR").resize(size)
    (link,) = near_duplicates(Seen.of(measured(each).looks for each in (image, image.crop(box))))
    assert link.key.endswith(", central square")


def test_rows_of_one_side_are_not_compared() -> None:
    images = twelve()
    sides = ["a" if number < 6 else "b" for number in range(12)]
    links = near_duplicates(Seen.of(each.looks for each in images), sides)
    found = {(link.first, link.second) for link in links}
    assert found == {(first, second) for first, second in found_pairs(images) if sides[first] != sides[second]}
    assert found < found_pairs(images)


def test_rows_without_pixels_and_flat_pictures_link_nothing() -> None:
    flat = measured(Image.new("L", (200, 200), 90))
    assert near_duplicates(Seen.of([None, None])) == []
    assert found_pairs([flat, flat]) == set()
    images = twelve()
    links = near_duplicates(Seen.of([None, *(each.looks for each in images)]))
    assert {(link.first - 1, link.second - 1) for link in links} == found_pairs(images)
