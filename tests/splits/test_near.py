"""The search for copies finds exactly what comparing each with each finds, however the set was made."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pytest
from covid_datasets.builders.phantom import picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from covid_datasets.measure.looks import HASH_BYTES, Look, Looks, looks_of
from covid_datasets.raw.tree import RawTree
from covid_datasets.settings import usable_cores
from covid_datasets.splits import near, words
from covid_datasets.splits.groups import Link, components
from covid_datasets.splits.near import near_duplicates, near_groups
from covid_datasets.splits.registration import likenesses
from covid_datasets.splits.seen import Seen
from covid_datasets.splits.ways import INVERTED, MIRRORED, UPSIDE_DOWN, Words, nearest, transposed, turned
from covid_datasets.splits.words import MAX_DISTANCE, near_pairs

Flip = Image.Transpose


@cache
def chest(patient: int, modality: str = "CT") -> Image.Image:
    with Image.open(io.BytesIO(picture(RawTree(()), 0, patient, 1, modality, 0, False, "image"))) as image:
        return image.convert("L")


# --- hashes -------------------------------------------------------------------------------------------------------


def hashes(*numbers: int) -> Words:
    return np.frombuffer(b"".join(number.to_bytes(32, "big") for number in numbers), np.uint64).reshape(-1, 4)


SHOWN = {
    MIRRORED: lambda image: image.transpose(Flip.FLIP_LEFT_RIGHT),
    UPSIDE_DOWN: lambda image: image.transpose(Flip.FLIP_TOP_BOTTOM),
    MIRRORED | UPSIDE_DOWN: lambda image: image.transpose(Flip.ROTATE_180),
    INVERTED: lambda image: image.point(lambda value: 255 - value),
}


def whole_hash(image: Image.Image) -> Words:
    return np.frombuffer(looks_of(image)[0].hashes[:HASH_BYTES], np.uint64)[None]


@pytest.mark.parametrize("way", SHOWN)
def test_the_hash_of_a_picture_shown_otherwise_is_known_without_it(way: int) -> None:
    for patient in range(4):
        image = chest(patient, "CXR").resize((192, 192))
        expected = turned(whole_hash(image), way)
        assert int(np.bitwise_count(whole_hash(SHOWN[way](image)) ^ expected).sum()) <= 4, "but for zeros"


def test_a_hash_can_be_transposed() -> None:
    image = chest(1, "CXR").resize((192, 192))
    found = transposed(whole_hash(image))
    assert int(np.bitwise_count(found ^ whole_hash(image.transpose(Flip.TRANSPOSE))).sum()) <= 4


@given(st.integers(0, 2**256 - 1), st.integers(0, 7), st.integers(0, 7))
def test_ways_are_a_group(number: int, one: int, other: int) -> None:
    given_ = hashes(number)
    assert (turned(turned(given_, one), other) == turned(given_, one ^ other)).all()
    assert (transposed(transposed(given_)) == given_).all()
    exchanged = (one & INVERTED) | (one & MIRRORED) << 1 | (one & UPSIDE_DOWN) >> 1
    assert (transposed(turned(given_, one)) == turned(transposed(given_), exchanged)).all()


@given(st.integers(0, 2**256 - 1), st.sets(st.integers(0, 255), max_size=MAX_DISTANCE), st.integers(0, 7))
def test_the_nearest_way_is_that_in_which_a_picture_was_shown(number: int, bits: set[int], way: int) -> None:
    one, other = hashes(number), hashes(number ^ sum(1 << bit for bit in bits))
    distances, ways = nearest(turned(one, way), other, True)
    assert distances[0] <= len(bits)
    if len(bits) < 32:
        assert (distances[0], ways[0]) == (len(bits), way)
    assert nearest(one, other, False)[0][0] == len(bits)


@st.composite
def sets(draw: st.DrawFn) -> list[int]:
    """Few centres with many hashes around them, some opposite: equal, within, at and just beyond the distance."""
    chance = draw(st.randoms(use_true_random=False))
    centres = [0, *(chance.getrandbits(256) for _ in range(draw(st.integers(0, 2))))]
    found = []
    for flips in draw(st.lists(st.sampled_from([0, 1, 16, 20, 32, 50, 52, 53, 60, 128]), max_size=25)):
        first = chance.randrange(16)
        together = list(range(first, 256)) if chance.random() < 0.5 else list(range(first, 256, 4))
        bits = chance.sample(range(256), flips) if chance.random() < 0.5 else together[:flips]
        opposite = chance.choice([0, 2**64 - 1, 2**256 - 1])
        found.append(chance.choice(centres) ^ opposite ^ sum(1 << bit for bit in bits))
    return found


def is_near(one: Words, other: Words, all_ways: bool) -> bool:
    """Compare two hashes in the plainest way."""
    classes = np.bitwise_count(one ^ other).astype(int)
    parts = np.bitwise_count((one ^ other).view(np.uint16)).astype(int)
    if all_ways:
        classes, parts = np.minimum(classes, 64 - classes), np.minimum(parts, 16 - parts)
    return int(classes.sum()) <= MAX_DISTANCE and int(parts.min()) <= 1


def searched(sought: Words, among: Words, all_ways: bool, itself: bool) -> list[tuple[int, int]]:
    jobs = [job() for job in near_pairs(sought, among, all_ways=all_ways, itself=itself)]
    return [pair for one, other in jobs for pair in zip(one.tolist(), other.tolist(), strict=True)]


@pytest.mark.parametrize("all_ways", [True, False])
@pytest.mark.parametrize(("chunk", "block"), [(3, 1), (3, 1 << 40), (1 << 17, 1), (1 << 17, 4), (1 << 17, 1 << 40)])
@settings(deadline=None, max_examples=20)
@given(ours=sets(), theirs=sets())
def test_the_search_finds_what_comparing_each_with_each_finds(
    all_ways: bool, chunk: int, block: int, ours: list[int], theirs: list[int]
) -> None:
    one, other = hashes(*ours), hashes(*theirs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_CHUNK_PAIRS", chunk)
        patch.setattr(words, "_JOB_PAIRS", 2 * chunk)
        patch.setattr(words, "_BLOCK_PAIRS", block)
        patch.setattr(words, "_BLOCK_ROWS", min(block, 2))
        across = searched(one, other, all_ways, itself=False)
        within = searched(one, one, all_ways, itself=True)
    expected = [(a, b) for a in range(len(one)) for b in range(len(other)) if is_near(one[a], other[b], all_ways)]
    assert sorted(across) == expected, "each once"
    assert sorted(within) == [
        (a, b) for a in range(len(one)) for b in range(a + 1, len(one)) if is_near(one[a], one[b], all_ways)
    ]


# --- pictures -----------------------------------------------------------------------------------------------------

FLAT = Image.new("L", (96, 96), 90)
PICTURES = [
    *(chest(patient) for patient in range(3)),
    *(chest(patient).transpose(Flip.ROTATE_90) for patient in range(2)),
    chest(0).point(lambda value: 255 - value),
    chest(1).resize((150, 100)),
    FLAT,
]
SHOWS = [0, 1, 2, 0, 1, 0, 1, None]
"""Which of the chests each of `PICTURES` shows."""
LOOKS = [looks_of(image) for image in PICTURES]


def found(rows: list[int | None], apart: list[str] | None, search: Callable[..., Iterable[Link]]) -> list[Link]:
    return list(search(Seen.of(None if row is None else LOOKS[row] for row in rows), apart))


@pytest.mark.parametrize("chunk", [2, 1 << 17])
@settings(deadline=None, max_examples=30)
@given(
    rows=st.lists(st.none() | st.integers(0, len(PICTURES) - 1), max_size=12),
    sides=st.none() | st.lists(st.sampled_from("ab"), min_size=12, max_size=12),
)
def test_copies_are_found_and_grouped_whatever_else_is_there(
    chunk: int, rows: list[int | None], sides: list[str] | None
) -> None:
    apart = None if sides is None else sides[: len(rows)]
    shown = [None if row is None else SHOWS[row] for row in rows]
    same = [
        (first, second)
        for first, second in ((a, b) for a in range(len(rows)) for b in range(a + 1, len(rows)))
        if shown[first] is not None and shown[first] == shown[second]
    ]
    across = [pair for pair in same if apart is None or apart[pair[0]] != apart[pair[1]]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_CHUNK_PAIRS", chunk)
        patch.setattr(near, "_SHOWN", chunk)
        links = found(rows, apart, near_duplicates)
        joined = components(len(rows), found(rows, apart, near_groups))
    assert [(link.first, link.second) for link in links] == across
    within = [(a, b) for a, b in same if rows[a] == rows[b] and (apart is None or apart[a] == apart[b])]
    assert joined == components(len(rows), [Link("tie", *pair, "") for pair in [*across, *within]])


def test_evidence_is_that_of_the_closest_looks_in_whatever_order_they_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = chest(0, "CXR")
    cuts = [image.crop((left, top, 224 - left, 224 - top)) for left in (0, 4, 8) for top in (0, 6, 10)]
    seen = Seen.of(map(looks_of, [*cuts, *PICTURES]))
    found = []
    for block in (1, 4, 1 << 40):
        monkeypatch.setattr(words, "_BLOCK_PAIRS", block)
        monkeypatch.setattr(words, "_BLOCK_ROWS", min(block, 2))
        found.append(near_duplicates(seen))
    assert any("cut" in link.key for link in found[0])
    assert found[0] == found[1] == found[2]


def test_evidence_says_how_a_copy_is_shown() -> None:
    image = chest(0, "CXR")
    inner = image.crop((20, 20, 200, 200))
    bordered = Image.new("L", (300, 260), 0)
    bordered.paste(inner, (60, 40))
    wide = image.resize((300, 200))
    pairs = [
        (image, image.resize((90, 90)), ""),
        (image, SHOWN[INVERTED](image), ", inverted"),
        (image, image.transpose(Flip.FLIP_LEFT_RIGHT), ", mirrored"),
        (image, image.transpose(Flip.ROTATE_180), ", half a turn"),
        (image, image.transpose(Flip.ROTATE_270), ", a quarter turn"),
        (image, image.transpose(Flip.TRANSVERSE), ", mirrored and a quarter turn"),
        (image, image.crop((4, 3, 212, 213)), ", cut"),
        (inner, bordered, ", within borders"),
        (wide, wide.crop((50, 0, 250, 200)), ", central square"),
    ]
    for one, other, how in pairs:
        (link,) = near_duplicates(Seen.of(map(looks_of, (one, other))))
        numbers, _, said = link.key.partition(", correlation ")
        assert numbers.startswith("distance ")
        assert said[5:] == how, link.key


def test_a_box_does_not_hide_a_copy_and_does_not_make_one() -> None:
    people = [chest(patient, "CXR").copy() for patient in range(6)]
    copies = [chest(patient, "CXR").copy() for patient in range(6)]
    for image in copies:
        ImageDraw.Draw(image).rectangle((0, 0, 50, 25), fill=255)
        ImageDraw.Draw(image).rectangle((170, 195, 223, 223), fill=0)
    links = near_duplicates(Seen.of(map(looks_of, [*people, *copies])))
    assert {(link.first, link.second) for link in links} == {(patient, patient + 6) for patient in range(6)}


@pytest.mark.parametrize("modality", ["CT", "CXR"])
def test_people_who_look_alike_are_not_taken_for_one(modality: str) -> None:
    """Phantoms differ in little but their lesions and noise, which is worse than people do."""
    people = [chest(patient, modality) for patient in range(60)]
    assert near_duplicates(Seen.of(map(looks_of, people))) == []


def test_what_is_flat_is_like_nothing() -> None:
    assert looks_of(FLAT) == ()
    assert near_duplicates(Seen.of([(), None, ()])) == []
    assert near_duplicates(Seen.of([])) == []


def test_many_copies_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """They differ in nothing, so they are one picture; each with each they would be half a billion pairs."""
    compared = 0

    def counted(*given_: Any) -> object:
        nonlocal compared
        compared += len(given_[0])
        return likenesses(*given_)

    monkeypatch.setattr(near, "likenesses", counted)
    rows: list[int | None] = [*[0] * 30_000, *[3] * 3]
    links = found(rows, None, near_groups)
    assert compared <= 100
    assert set(components(len(rows), links)) == {0}
    assert len(links) == 29_999 + 2 + 1


@pytest.mark.parametrize("block", [1, 1 << 40], ids=["in blocks", "gathered"])
def test_few_pairs_are_in_memory_and_few_jobs_wait(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """A cluster of pictures that are all near each other, none a copy of another one."""
    monkeypatch.setattr(words, "_CHUNK_PAIRS", 500)
    monkeypatch.setattr(words, "_JOB_PAIRS", 500)
    monkeypatch.setattr(words, "_BLOCK_PAIRS", block)
    monkeypatch.setattr(near, "_SHOWN", 50)
    largest, most, waiting = 0, 0, 0
    lock = threading.Lock()

    def counted(*given_: Any) -> object:
        nonlocal largest
        with lock:
            largest = max(largest, len(given_[0]))
        return likenesses(*given_)

    def jobs(*arrays: Any, **said: Any) -> object:
        nonlocal most, waiting

        def done(job: words.Job) -> words.Job:
            def run() -> tuple[words.Numbers, words.Numbers]:
                nonlocal waiting
                with lock:
                    waiting -= 1
                pairs = job()
                assert len(pairs[0]) <= 500 + 100, "of one hash and all that it is compared with at most more"
                return pairs

            return run

        for job in near_pairs(*arrays, **said):
            with lock:
                waiting += 1
                most = max(most, waiting)
            yield done(job)

    monkeypatch.setattr(near, "likenesses", counted)
    monkeypatch.setattr(near, "near_pairs", jobs)
    look = LOOKS[0][0]
    start = int.from_bytes(look.hashes[:HASH_BYTES], "big")
    cluster: list[Looks] = [
        (Look(look.part, look.thumb, (start ^ (1 << number)).to_bytes(HASH_BYTES, "big")),) for number in range(100)
    ]
    assert len(near_duplicates(Seen.of(cluster))) == 100 * 99 // 2
    assert largest <= 50
    assert most <= 4 * usable_cores()


@settings(deadline=None, max_examples=15)
@given(st.randoms(use_true_random=False))
def test_order_does_not_matter(chance: random.Random) -> None:
    order = list(range(len(PICTURES)))
    chance.shuffle(order)
    pairs = {frozenset((order[link.first], order[link.second])) for link in found([*order], None, near_duplicates)}
    assert pairs == {frozenset((a, b)) for a in order for b in order if a < b and SHOWS[a] == SHOWS[b] is not None}
