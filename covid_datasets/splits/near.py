"""Pairs of rows that show one picture, found among all pairs: exactly, in threads, the same ones on every machine.

Candidates are looks whose hashes nearly agree (`words`), in any of sixteen ways to show a picture (`ways`), or with
what remains of the other where it was cut. They are proven by laying one over the other (`registration`).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from covid_datasets.measure.looks import FRAMES
from covid_datasets.settings import usable_cores
from covid_datasets.splits.groups import Link
from covid_datasets.splits.moments import Moments
from covid_datasets.splits.registration import MIN_RESEMBLANCE, alike, likenesses, picture, ways_to_see
from covid_datasets.splits.seen import Seen
from covid_datasets.splits.ways import Words, described, nearest, transposed
from covid_datasets.splits.words import MAX_DISTANCE, Job, Numbers, near_pairs

T = TypeVar("T")
_NONE = np.empty(0, np.int64)

_SHOWN = 1 << 5
"""Pairs whose thumbnails are compared at once."""
_KEPT = 1 << 10
"""Thumbnails whose local contrast is kept for the next pair, 2 kB each."""


class _Found(NamedTuple):
    """Two looks, or two rows, that show one picture, and how that is known."""

    first: int
    second: int
    distance: int
    key: str


def near_duplicates(seen: Seen, apart: Sequence[Hashable] | None = None) -> list[Link]:
    """Find all pairs of rows that show one picture, however it was encoded, shown, or slightly cut.

    Of rows with one value in ``apart`` no pair is compared.

    >>> from PIL import Image
    >>> from covid_datasets.measure.looks import looks_of
    >>> chance = np.random.default_rng(0)
    >>> film, other = (Image.fromarray(chance.integers(0, 255, (9, 9), np.uint8)).resize((640, 520)) for _ in range(2))
    >>> pictures = [film, other, film.transpose(Image.Transpose.ROTATE_90).resize((200, 200))]
    >>> [(link.first, link.second) for link in near_duplicates(Seen.of(map(looks_of, pictures)))]
    [(0, 2)]
    """
    copies = _copies(seen, apart)
    found: dict[tuple[int, int], str] = {}
    for first, second, _, key in _search(seen, copies, apart):
        ours, theirs = (copies.get(row, [row]) for row in (first, second))
        for pair in itertools.product(ours, theirs):
            found.setdefault((min(pair), max(pair)), key)
    if apart is None:
        for same in copies.values():
            found |= dict.fromkeys(itertools.combinations(same, 2), _SAME)
    return [Link("near-duplicate", first, second, key) for (first, second), key in sorted(found.items())]


def near_groups(seen: Seen, apart: Sequence[Hashable] | None = None) -> Iterator[Link]:
    """Yield as many of these pairs as join the rows that all of them join: of copies of a picture only one is compared.

    What shows one picture on one side is joined too.
    """
    copies = _copies(seen, apart)
    for same in copies.values():
        yield from (Link("near-duplicate", same[0], row, _SAME) for row in same[1:])
    for first, second, _, key in _search(seen, copies, apart):
        yield Link("near-duplicate", first, second, key)


def resemblances(seen: Seen) -> Iterator[Link]:
    """Find pairs of pictures that are alike as they are, and no copies: slices of one scan, or films of one day.

    Of whom nobody knows anything else, this is the only sign that they are one person. It is none where more is known,
    for strangers may be as alike.
    """
    looks = np.flatnonzero(seen.parts == "whole")
    hashes = seen.hashes[seen.starts[looks]]
    pictures = lru_cache(_KEPT)(lambda look: picture(seen.thumb(look)).astype(np.int8))

    def compare(job: Job) -> list[Link]:
        found: list[Link] = []
        first, second = job()
        distances = np.bitwise_count(hashes[first] ^ hashes[second]).sum(axis=1, dtype=np.int64)
        near = np.flatnonzero(distances <= MAX_DISTANCE)
        for start in range(0, len(near), _SHOWN):
            part = near[start : start + _SHOWN]
            ours, theirs = looks[first[part]].tolist(), looks[second[part]].tolist()
            likeness = alike(*([pictures(look).astype(np.float64) for look in side] for side in (ours, theirs)))
            for at in np.flatnonzero(likeness >= MIN_RESEMBLANCE).tolist():
                key = _key(int(distances[part[at]]), float(likeness[at]), ())
                found.append(Link("resemblance", int(seen.rows[ours[at]]), int(seen.rows[theirs[at]]), key))
        return found

    yield from itertools.chain.from_iterable(
        _in_threads(compare, near_pairs(hashes, hashes, all_ways=False, itself=True))
    )


def _key(distance: int, likeness: float, how: Sequence[str]) -> str:
    return ", ".join([f"distance {distance} of 256", f"correlation {likeness:.3f}", *how])


_SAME = _key(0, 1.0, ())


def _copies(seen: Seen, apart: Sequence[Hashable] | None) -> dict[int, list[int]]:
    """Find rows with the same looks, on one side: of these only the first, which is the key, is compared."""
    if not len(seen.rows):
        return {}
    rows, firsts = np.unique(seen.rows, return_index=True)
    _, kinds, counts = np.unique(seen.hashes[seen.starts[firsts]], axis=0, return_inverse=True, return_counts=True)
    ends = [*firsts[1:].tolist(), len(seen.rows)]
    first: dict[tuple[int, Hashable, bytes], int] = {}
    copies: dict[int, list[int]] = {}
    for number in np.flatnonzero(counts[kinds.ravel()] > 1).tolist():  # most have no copy, and are not looked at
        row = int(rows[number])
        shown = b"".join(map(seen.thumb, range(int(firsts[number]), ends[number])))
        same = first.setdefault((int(kinds.ravel()[number]), "" if apart is None else apart[row], shown), row)
        if same != row:
            copies.setdefault(same, [same]).append(row)
    return copies


@dataclass(frozen=True)
class _Pass:
    """One search: hashes that are sought among those of whole looks, each with its look and the number of its frame."""

    sought: Words
    looks: Numbers
    frames: Numbers
    transposed: bool = False
    cut: bool = False

    def jobs(self, among: Words) -> Iterator[Job]:
        """Divide it."""
        return near_pairs(self.sought, among, all_ways=not self.cut, itself=not self.cut)


def _passes(seen: Seen, looks: Numbers) -> Iterator[_Pass]:
    """Plan the searches: as they are and mirrored, then transposed, then what is left of each after a cut."""
    whole = seen.hashes[seen.starts[looks]]
    none = np.zeros(len(looks), np.int64)
    yield _Pass(whole, looks, none)
    yield _Pass(transposed(whole), looks, none, transposed=True)
    owners = np.repeat(looks, seen.counts[looks] - 1)
    starts = np.cumsum(seen.counts[looks] - 1) - (seen.counts[looks] - 1)
    numbers = np.arange(len(owners)) - np.repeat(starts, seen.counts[looks] - 1) + 1
    yield _Pass(seen.hashes[seen.starts[owners] + numbers], owners, numbers, cut=True)


def _search(seen: Seen, copies: dict[int, list[int]], apart: Sequence[Hashable] | None) -> Iterator[_Found]:
    """Yield the pairs of rows that show one picture, each once, with the evidence."""
    spared = np.asarray([row for same in copies.values() for row in same[1:]], np.int64)
    looks = np.flatnonzero(~np.isin(seen.rows, spared))
    sides = None if apart is None else np.unique(np.asarray(apart), return_inverse=True)[1]
    pictures = lru_cache(_KEPT)(lambda look: picture(seen.thumb(look)).astype(np.int8))
    among, proven, moments = seen.hashes[seen.starts[looks]], _NONE, Moments(seen)
    for search in _passes(seen, looks):
        compare = partial(_compare, seen, search, looks, sides, pictures, proven)
        found: dict[int, _Found] = {}  # of several looks that show it, the closest tell, in whatever order they come
        enough: set[int] = set()  # of two videos or volumes, several have to show it
        for pair in itertools.chain.from_iterable(_in_threads(compare, search.jobs(among))):
            number = int(_number(seen, *seen.rows[[pair.first, pair.second]]))
            found[number] = min(found.get(number, pair), pair, key=attrgetter("distance", "key"))
            if number not in enough and moments.suffice(pair.first, pair.second):
                enough.add(number)
        proven = np.union1d(proven, np.fromiter(enough, np.int64, len(enough)))
        for each in (found[number] for number in sorted(enough)):
            yield each._replace(first=int(seen.rows[each.first]), second=int(seen.rows[each.second]))


def _number(seen: Seen, first: Numbers | int, second: Numbers | int) -> Numbers:
    """Number a pair of rows, whichever comes first."""
    count = int(seen.rows[-1]) + 1
    numbers: Numbers = np.minimum(first, second) * count + np.maximum(first, second)
    return numbers


def _compare(
    seen: Seen,
    search: _Pass,
    looks: Numbers,
    sides: Numbers | None,
    pictures: Callable[[int], NDArray[np.int8]],
    proven: Numbers,
    job: Job,
) -> list[_Found]:
    """Do a job, and prove what it finds, but for what was proven by an earlier search."""
    sought, other = job()
    first, second = search.looks[sought], looks[other]
    ours, theirs = seen.rows[first], seen.rows[second]
    wanted = ours != theirs
    if sides is not None:
        wanted &= sides[ours] != sides[theirs]
    wanted &= ~_is_in(_number(seen, ours, theirs), proven)
    sought, first, second = sought[wanted], first[wanted], second[wanted]
    distances, ways = nearest(search.sought[sought], seen.hashes[seen.starts[second]], not search.cut)
    near = np.flatnonzero(distances <= MAX_DISTANCE)
    found: list[_Found] = []
    for start in range(0, len(near), _SHOWN):
        part = near[start : start + _SHOWN].tolist()
        shown = [
            ways_to_see(pictures(int(first[each])), pictures(int(second[each])), search.transposed, int(ways[each]))
            for each in part
        ]
        numbers = search.frames[sought[part]].tolist()
        cuts = [FRAMES[number] for number in numbers]
        differing = distances[part].tolist()
        likeness = likenesses([one for one, _ in shown], [two for _, two in shown], cuts, differing)
        for at in np.flatnonzero(likeness).tolist():
            each, number = part[at], numbers[at]
            how = [*described(search.transposed, int(ways[each])), *_parts(seen, first[each], second[each], number)]
            key = _key(differing[at], float(likeness[at]), how)
            found.append(_Found(int(first[each]), int(second[each]), differing[at], key))
    return found


def _is_in(numbers: Numbers, ordered: Numbers) -> NDArray[np.bool_]:
    """Tell which numbers are among some that are in order; NumPy's own way would sort these too, for every job."""
    places = np.searchsorted(ordered, numbers)
    found: NDArray[np.bool_] = np.append(ordered, -1)[places] == numbers
    return found


def _parts(seen: Seen, first: int, second: int, frame: int) -> list[str]:
    """Say what was compared, where it was not all of both."""
    parts = sorted({str(seen.parts[first]), str(seen.parts[second])} - {"whole"})
    return [*parts, "cut"] if frame else parts


def _in_threads(compare: Callable[[Job], list[T]], jobs: Iterable[Job]) -> Iterator[list[T]]:
    """Do all jobs, in order, and never have more than a few waiting: NumPy lets threads run side by side."""
    workers = usable_cores()
    with ThreadPoolExecutor(workers, "compare") as pool:
        waiting: deque[Future[list[T]]] = deque()
        for job in jobs:
            waiting.append(pool.submit(compare, job))
            if len(waiting) >= 4 * workers:
                yield waiting.popleft().result()
        for last in waiting:
            yield last.result()
