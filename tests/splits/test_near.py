"""The search for near-duplicates finds exactly what comparing each with each finds, however the set was made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.settings import usable_cores
from covid_datasets.splits import near
from covid_datasets.splits.groups import MAX_DISTANCE, MIN_CORRELATION, Link, components, correlation
from covid_datasets.splits.near import near_duplicates, near_groups

Row = tuple[int | None, int]
"""A picture as its hash, a number of 256 bits, and which of `THUMBS` it looks like."""
SIDE = 8
THUMBS = [
    bytes(SIDE * SIDE),
    bytes([7] * SIDE * SIDE),
    bytes(range(0, 4 * SIDE * SIDE, 4)),
    bytes([*range(0, 4 * SIDE * SIDE - 4, 4), 200]),
    bytes(reversed(range(0, 4 * SIDE * SIDE, 4))),
    b"",
]
"""Flat ones, two that are nearly alike, one that is their opposite, and one that is missing."""


def by_words(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(near, "_FEW_ROWS", 0)
    patch.setattr(near, "_PAIR", np.inf)
    patch.setattr(near, "_SAMPLE", 200)


def as_hex(phash: int | None) -> str | None:
    return None if phash is None else phash.to_bytes(32, "big").hex()


def found(
    rows: list[Row], apart: list[str] | None, search: Callable[..., Iterable[Link]] = near_duplicates
) -> list[Link]:
    return list(search([as_hex(phash) for phash, _ in rows], lambda row: THUMBS[rows[row][1]], apart))


def compared(rows: list[Row], apart: list[str] | None) -> list[Link]:
    """Compare each with each, in the plainest way."""
    links = []
    for first, (one, ours) in enumerate(rows):
        for second, (other, theirs) in enumerate(rows[first + 1 :], start=first + 1):
            if one is None or other is None or (apart and apart[first] == apart[second]):
                continue
            distance = (one ^ other).bit_count()
            likeness = correlation(THUMBS[ours], THUMBS[theirs]) if THUMBS[ours] and THUMBS[theirs] else 0.0
            if distance <= MAX_DISTANCE and likeness >= MIN_CORRELATION:
                key = f"distance {distance} of 256, correlation {likeness:.3f}"
                links.append(Link("near-duplicate", first, second, key))
    return links


@st.composite
def sets(draw: st.DrawFn) -> list[Row]:
    """Few centres with many pictures around them: equal ones, within, at and just beyond the distance, any word."""
    chance = draw(st.randoms(use_true_random=False))
    centres = [0, *(chance.getrandbits(256) for _ in range(draw(st.integers(0, 2))))]
    rows: list[Row] = []
    for flips in draw(st.lists(st.sampled_from([None, 0, 1, 16, 20, 32, 38, 40, 41, 44, 128]), max_size=25)):
        first = chance.randrange(16)
        together = list(range(first, 256)) if chance.random() < 0.5 else list(range(first, 256, 5))
        bits = chance.sample(range(256), flips or 0) if chance.random() < 0.5 else together[:flips]
        phash = None if flips is None else chance.choice(centres) ^ sum(1 << bit for bit in bits)
        rows.append((phash, chance.randrange(len(THUMBS))))
    return rows


@pytest.mark.parametrize("way", [by_words, lambda patch: None], ids=["by words", "all pairs"])
@pytest.mark.parametrize("chunk", [3, 1 << 17])
@settings(deadline=None, max_examples=60)
@given(rows=sets(), sides=st.none() | st.lists(st.sampled_from("ab"), min_size=25, max_size=25))
def test_the_search_finds_what_comparing_each_with_each_finds(
    way: Callable[[pytest.MonkeyPatch], None], chunk: int, rows: list[Row], sides: list[str] | None
) -> None:
    apart = None if sides is None else sides[: len(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "_CHUNK_PAIRS", chunk)
        patch.setattr(near, "_SHOWN", chunk)
        way(patch)
        assert found(rows, apart) == compared(rows, apart)
        joined = components(len(rows), found(rows, apart, near_groups))
    within = [
        Link("tie", first, second, "")
        for side in set(apart or "")
        for first, second in _copies(rows, [row for row in range(len(rows)) if (apart or "")[row] == side])
    ]
    assert joined == components(len(rows), [*compared(rows, apart), *within])


def _copies(rows: list[Row], side: list[int]) -> list[tuple[int, int]]:
    """List the copies of one picture on one side, which are joined whether they are asked for or not."""
    pairs = [(first, second) for first in side for second in side if first < second and rows[first] == rows[second]]
    return [(first, second) for first, second in pairs if compared([rows[first], rows[second]], None)]


@pytest.mark.parametrize("way", [by_words, lambda patch: None], ids=["by words", "all pairs"])
def test_a_pair_at_the_very_distance_is_found_wherever_its_bits_are(
    way: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    way(monkeypatch)
    chance = np.random.default_rng(5)
    for _ in range(40):
        mask = sum(1 << int(bit) for bit in chance.choice(256, MAX_DISTANCE, replace=False))
        even = sum(1 << (16 * (bit % 16) + bit // 16) for bit in range(MAX_DISTANCE))  # 2 or 3 bits in every word
        for each in (mask, even):
            assert len(found([(2**255, 2), (2**255 ^ each, 2)], None)) == 1


def test_radii_lose_nothing_and_fit_the_set() -> None:
    """Whoever differs by more than its radius in every word has to be beyond the distance."""
    chance = np.random.default_rng(1)
    words = chance.integers(0, 1 << 16, (20_000, 16), dtype=np.uint16)
    words[:, :2] = 77  # two words tell nothing, as those of low frequencies may
    radii, cost = near._radii(words)
    assert sum(radius + 1 for radius in radii) > MAX_DISTANCE
    assert radii[:2] == [-1, -1]
    assert min(radii[2:]) > 0
    assert cost < 20_000**2 / 2
    assert near._radii(np.zeros((20_000, 16), np.uint16))[1] > 20_000**2 / 2, "then all pairs are compared"


def test_many_copies_and_blank_pictures_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """They differ in nothing, so they are one picture; each with each they would be two billion pairs."""
    compared_pairs = 0
    real = near._likeness

    def counted(first: list[int], second: list[int], thumb: Callable[[int], bytes]) -> object:
        nonlocal compared_pairs
        compared_pairs += len(first)
        return real(first, second, thumb)

    monkeypatch.setattr(near, "_likeness", counted)
    rows: list[Row] = [*[(0, 0)] * 30_000, *[(5, 2)] * 30_000, *[(4, 3)] * 3]
    links = found(rows, None, near_groups)
    assert compared_pairs <= 6
    groups = components(len(rows), links)
    assert groups[:30_000] == list(range(30_000)), "blank pictures prove nothing"
    assert set(groups[30_000:]) == {30_000}
    assert len(links) == 29_999 + 2 + 1


def test_few_pairs_are_in_memory_and_few_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of pictures that are all near each other, none a copy of another one."""
    monkeypatch.setattr(near, "_CHUNK_PAIRS", 1_000)
    monkeypatch.setattr(near, "_SHOWN", 100)
    largest, most, waiting = 0, 0, 0
    real_likeness, real_jobs, lock = near._likeness, near._jobs, threading.Lock()

    def likeness(first: list[int], second: list[int], thumb: Callable[[int], bytes]) -> object:
        nonlocal largest, waiting
        with lock:
            largest = max(largest, len(first))
        return real_likeness(first, second, thumb)

    def jobs(hashes: near.Words) -> object:
        nonlocal most, waiting

        def done(job: near.Job) -> near.Job:
            def run() -> tuple[near.Numbers, near.Numbers]:
                nonlocal waiting
                with lock:
                    waiting -= 1
                return job()

            return run

        for job in real_jobs(hashes):
            with lock:
                waiting += 1
                most = max(most, waiting)
            yield done(job)

    monkeypatch.setattr(near, "_likeness", likeness)
    monkeypatch.setattr(near, "_jobs", jobs)
    rows: list[Row] = [(1 << number, 2) for number in range(256)]
    assert len(found(rows, None)) == 256 * 255 // 2
    assert largest <= 100
    assert most <= 4 * usable_cores()
