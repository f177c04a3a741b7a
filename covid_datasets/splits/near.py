"""Pairs of rows that look the same, found among all pairs: exactly, in threads, and without comparing each with each.

Two hashes that differ in at most 40 of 256 bits cannot differ much in each of their 16 words. So only rows that nearly
agree in a word are compared: rows are sorted by it, and for every pattern of few bits the rows whose words differ by
just that pattern are neighbours of each other (multi-index hashing, with radii that fit the data).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from covid_datasets.settings import usable_cores
from covid_datasets.splits.groups import MAX_DISTANCE, MIN_CORRELATION, Link, correlations

Numbers = NDArray[np.int64]
Words = NDArray[np.unsignedinteger]
Job = Callable[[], tuple[Numbers, Numbers]]
"""Finds some of the pairs that are within `MAX_DISTANCE`, each once."""

_CHUNK_PAIRS = 1 << 17
"""Pairs compared at once in a thread; bounds the memory of the search, and stays in the caches of a core."""
_FEW_ROWS = 8_000
"""Up to here, comparing all pairs is faster than any preparation."""
_PAIR, _CANDIDATE, _STEP = 1.0, 4.0, 4.0
"""What it costs to compare a pair among all, to compare a candidate, and to look at a row for one pattern of bits."""
_SAMPLE = 1 << 17
"""Pairs by which it is judged how many candidates each word would give."""
_WIDEST = 2
"""The most bits in which a word may differ; there are 560 patterns of three, and few candidates are saved by them."""
_SHOWN = 1 << 10
"""Pairs whose thumbnails are correlated at once."""
_KEPT = 1 << 14
"""Thumbnails that are kept for the next pair, 1 kB each."""


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Different pictures, each with the rows that show it; ``sides`` says which are not compared with each other."""

    hashes: Words
    rows: Numbers
    copies: dict[int, list[int]]
    sides: Numbers | None


def near_duplicates(
    phashes: Sequence[str | None], thumb: Callable[[int], bytes], apart: Sequence[str] | None = None
) -> list[Link]:
    """Find all pairs of rows that show the same picture, re-encoded, resized or slightly cropped.

    Those are at most `MAX_DISTANCE` apart in their hashes, and correlated by `MIN_CORRELATION` in their thumbnails.
    Thumbnails are asked for row by row, so that not all of them are in memory at once.
    Of rows with one value in ``apart`` no pair is compared.
    """
    found: dict[tuple[int, int], str] = {}
    pictures = _pictures(phashes, thumb, apart)
    for first, second, key in _search(pictures, thumb):
        ours, theirs = (pictures.copies.get(row, [row]) for row in (first, second))
        found |= {(min(pair), max(pair)): key for pair in itertools.product(ours, theirs)}
    if apart is None:
        for same in _without_flat(pictures, thumb):
            found |= dict.fromkeys(itertools.combinations(same, 2), _key(0, 1.0))
    return [Link("near-duplicate", first, second, key) for (first, second), key in sorted(found.items())]


def near_groups(
    phashes: Sequence[str | None], thumb: Callable[[int], bytes], apart: Sequence[str] | None = None
) -> Iterator[Link]:
    """Yield as many of these pairs as join the rows that all of them join: of copies of a picture only one is compared.

    What shows one picture on one side is joined too.
    """
    pictures = _pictures(phashes, thumb, apart)
    for same in _without_flat(pictures, thumb):
        yield from (Link("near-duplicate", same[0], row, _key(0, 1.0)) for row in same[1:])
    for first, second, key in _search(pictures, thumb):
        yield Link("near-duplicate", first, second, key)


def _key(distance: int, likeness: float) -> str:
    return f"distance {distance} of 256, correlation {likeness:.3f}"


def _pictures(phashes: Sequence[str | None], thumb: Callable[[int], bytes], apart: Sequence[str] | None) -> _Pictures:
    """Read the hashes, with rows of equal hash and thumbnail (and side) as one picture: many copies cost nothing."""
    rows = np.asarray([row for row, phash in enumerate(phashes) if phash], dtype=np.int64)
    packed = b"".join(bytes.fromhex(phashes[row] or "") for row in rows.tolist())
    hashes = np.frombuffer(packed, dtype=np.uint64).reshape(rows.size, -1 if rows.size else 4)
    sides = None if apart is None else np.unique(np.asarray(apart)[rows], return_inverse=True)[1]
    _, place, counts = np.unique(hashes, axis=0, return_inverse=True, return_counts=True)
    first: dict[tuple[int, int, bytes], int] = {}
    copies: dict[int, list[int]] = {}
    kept = np.ones(rows.size, dtype=bool)
    for number in np.flatnonzero(counts[place.ravel()] > 1).tolist():
        row = int(rows[number])
        key = (int(place.ravel()[number]), -1 if sides is None else int(sides[number]), thumb(row))
        same = first.setdefault(key, row)
        if same != row:
            copies.setdefault(same, [same]).append(row)
            kept[number] = False
    return _Pictures(hashes[kept], rows[kept], copies, None if sides is None else sides[kept])


def _without_flat(pictures: _Pictures, thumb: Callable[[int], bytes]) -> Iterator[list[int]]:
    """Yield the rows of each picture that has copies and is not flat, since a flat one is not even like itself."""
    for row, same in pictures.copies.items():
        shown = np.frombuffer(thumb(row), dtype=np.uint8)[None]
        if correlations(shown, shown)[0] >= MIN_CORRELATION:
            yield same


def _search(pictures: _Pictures, thumb: Callable[[int], bytes]) -> Iterator[tuple[int, int, str]]:
    """Yield the pairs of pictures that look the same, as their first rows, with the evidence."""
    hashes = pictures.hashes
    if len(hashes) < 2:
        return
    remembered = lru_cache(_KEPT)(thumb)

    def look(job: Job) -> list[tuple[int, int, str]]:
        first, second = job()
        if pictures.sides is not None:
            across = pictures.sides[first] != pictures.sides[second]
            first, second = first[across], second[across]
        found: list[tuple[int, int, str]] = []
        for start in range(0, len(first), _SHOWN):
            one, other = first[start : start + _SHOWN], second[start : start + _SHOWN]
            likeness = _likeness(pictures.rows[one].tolist(), pictures.rows[other].tolist(), remembered)
            alike = likeness >= MIN_CORRELATION
            distance = np.bitwise_count(hashes[one[alike]] ^ hashes[other[alike]]).sum(axis=1)
            keys = map(_key, distance.tolist(), likeness[alike].tolist())
            found += zip(pictures.rows[one[alike]].tolist(), pictures.rows[other[alike]].tolist(), keys, strict=True)
        return found

    yield from itertools.chain.from_iterable(_in_threads(look, _jobs(hashes)))


def _likeness(first: list[int], second: list[int], thumb: Callable[[int], bytes]) -> NDArray[np.float64]:
    """Correlate the thumbnails of pairs of rows, each read once; one that is missing is like nothing."""
    numbers = {row: number for number, row in enumerate(dict.fromkeys([*first, *second]))}
    shown = list(map(thumb, numbers))
    size = max(map(len, shown), default=0)
    table = np.frombuffer(b"".join(each.ljust(size, b"\0") for each in shown), dtype=np.uint8).reshape(len(shown), size)
    like = correlations(table[[numbers[row] for row in first]], table[[numbers[row] for row in second]])
    whole = np.asarray([len(each) == size > 0 for each in shown])
    both = whole[[numbers[row] for row in first]] & whole[[numbers[row] for row in second]]
    return np.where(both, like, 0.0)


def _in_threads(
    look: Callable[[Job], list[tuple[int, int, str]]], jobs: Iterable[Job]
) -> Iterator[list[tuple[int, int, str]]]:
    """Do all jobs, in order, and never have more than a few waiting: NumPy lets threads run side by side."""
    workers = usable_cores()
    with ThreadPoolExecutor(workers, "compare") as pool:
        waiting: deque[Future[list[tuple[int, int, str]]]] = deque()
        for job in jobs:
            waiting.append(pool.submit(look, job))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        for last in waiting:
            yield last.result()


def _jobs(hashes: Words) -> Iterator[Job]:
    """Divide the search: by words where that saves most comparisons, else by blocks of all pairs."""
    count = len(hashes)
    if count > _FEW_ROWS:
        words = hashes.view(np.uint16)
        radii, cost = _radii(words)
        if cost < _PAIR * count * count / 2:
            return _by_words(hashes, words, radii)
    step = max(1, _CHUNK_PAIRS // count)
    return (partial(_block, hashes, start, step) for start in range(0, count, step))


def _block(hashes: Words, start: int, step: int) -> tuple[Numbers, Numbers]:
    """Compare some rows with all that follow."""
    block = hashes[start : start + step]
    distance = np.zeros((len(block), len(hashes) - start), dtype=np.uint16)
    for word in range(hashes.shape[1]):
        distance += np.bitwise_count(block[:, word, None] ^ hashes[None, start:, word])
    one, other = np.nonzero(distance <= MAX_DISTANCE)
    return start + one[other > one], start + other[other > one]


def _radii(words: Words) -> tuple[list[int], float]:
    """Choose in how many bits each word may differ (-1: it is not looked at), and say what the search then costs.

    No pair is lost while the radii, each plus one, add up to more than the distance: who differs by more than its
    radius in every word differs by at least that sum. Which of such radii give the fewest candidates is told by a
    sample of pairs; a poor sample costs time, and finds the same.
    """
    count, width = words.shape
    one, other = np.random.default_rng(0).integers(0, count, (2, _SAMPLE))
    differing = np.bitwise_count(words[one] ^ words[other])
    costs = [
        _CANDIDATE * (differing <= radius).mean(axis=0) * count * count / 2 + _STEP * count * len(_patterns(radius))
        for radius in range(_WIDEST + 1)
    ]
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
    for word in range(width):
        longer: dict[int, tuple[float, list[int]]] = {}
        for reached, (cost, radii) in best.items():
            for radius in range(-1, _WIDEST + 1):
                total = min(reached + radius + 1, MAX_DISTANCE + 1)
                plan = (cost + (costs[radius][word] if radius >= 0 else 0.0), [*radii, radius])
                longer[total] = min(longer.get(total, plan), plan)
        best = longer
    cost, radii = best[MAX_DISTANCE + 1]
    return radii, cost


@lru_cache
def _patterns(radius: int) -> list[int]:
    """List the patterns of up to so many of 16 bits.

    >>> len(_patterns(0)), len(_patterns(1)), len(_patterns(2))
    (1, 17, 137)
    """
    return [
        sum(1 << bit for bit in bits) for size in range(radius + 1) for bits in itertools.combinations(range(16), size)
    ]


def _by_words(hashes: Words, words: Words, radii: Sequence[int]) -> Iterator[Job]:
    limits = np.asarray(radii)
    for word in sorted(range(len(radii)), key=lambda word: -radii[word]):
        order = np.argsort(words[:, word], kind="stable")
        values = words[order, word]
        starts = np.searchsorted(values, np.arange((1 << 16) + 1))
        bucket = _Bucket(hashes[order], order, word, limits)
        for pattern in _patterns(radii[word]) if radii[word] >= 0 else ():
            partner = values ^ np.uint16(pattern)
            low, high = starts[partner], starts[partner.astype(np.int64) + 1]
            if pattern == 0:  # within a bucket, each row with those after it
                low = np.arange(1, len(order) + 1)
            counts = np.where(values <= partner, high - low, 0)
            rows = np.flatnonzero(counts)
            ends = np.cumsum(counts[rows])
            cuts = np.searchsorted(ends, np.arange(0, ends[-1] if ends.size else 0, _CHUNK_PAIRS)).tolist()
            for start, stop in itertools.pairwise([*dict.fromkeys(cuts), len(rows)]):
                part = rows[start:stop]
                yield partial(bucket.pairs, part, low[part], counts[part])


class _Bucket:
    """The rows in the order of one of their words."""

    def __init__(self, hashes: Words, order: Numbers, word: int, limits: Numbers) -> None:
        self.hashes, self.order, self.word, self.limits = hashes, order, word, limits
        # Of the picture of a chest the low frequencies, which come first, tell least.
        self.telling = [np.ascontiguousarray(hashes[:, column]) for column in (3, 2)]

    def pairs(self, rows: Numbers, low: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
        """Compare each of some rows with ``counts`` rows from ``low`` on."""
        one = np.repeat(rows, counts)
        other = np.repeat(low - (np.cumsum(counts) - counts), counts) + np.arange(len(one))
        half = sum(np.bitwise_count(column[one] ^ column[other]) for column in self.telling)
        near = np.flatnonzero(half <= MAX_DISTANCE)
        differing = np.bitwise_count((self.hashes[one[near]] ^ self.hashes[other[near]]).view(np.uint16))
        # A pair that is near in several words is found by each; the first of them reports it.
        within = (differing.sum(axis=1) <= MAX_DISTANCE) & ((differing <= self.limits).argmax(axis=1) == self.word)
        first, second = self.order[one[near[within]]], self.order[other[near[within]]]
        return np.minimum(first, second), np.maximum(first, second)
