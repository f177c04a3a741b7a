"""Which rows may show one person: connected components over patients, ties, equal bytes, pixels and look."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from covid_datasets.splits.assign import is_everybody

MAX_DISTANCE = 40
"""Bits of 256 that two perceptual hashes of one picture may differ in."""
MIN_CORRELATION = 0.95
"""Correlation of two 32x32 thumbnails that a pair within `MAX_DISTANCE` must also reach."""
_MIN_DEVIATION = 4.0
"""Flatter thumbnails say nothing about identity."""
_BLOCK_PAIRS = 1 << 16
"""Pairs compared at once; bounds the memory of the search at about 2 MB, which stays in a core's cache."""

Kind = Literal["patient", "tie", "same bytes", "same pixels", "near-duplicate"]


@dataclass(frozen=True, slots=True)
class Link:
    """Evidence that two rows belong together."""

    kind: Kind
    first: int
    second: int
    key: str


def components(count: int, links: Iterable[Link]) -> list[int]:
    """Number each row's component by its smallest row.

    >>> components(4, [Link("tie", 3, 1, "article:x")])
    [0, 1, 2, 1]
    """
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for link in links:
        first, second = root(link.first), root(link.second)
        parent[max(first, second)] = min(first, second)
    return [root(row) for row in range(count)]


def group_names(groups: Sequence[Hashable], units: Sequence[str]) -> list[str]:
    """Name each row's group by its smallest patient, so that the order of rows does not matter.

    >>> group_names([0, 0, 2, 3, 3], ["d/2", "d/1", "d/3", "e/4", "a/*"])
    ['d/1', 'd/1', 'd/3', 'e/4', 'e/4']
    """
    names: dict[Hashable, str] = {}
    for group, unit in zip(groups, units, strict=True):
        names[group] = min(names.get(group, unit), unit, key=lambda name: (is_everybody(name), name))
    return [names[group] for group in groups]


def links_by_patient(units: Sequence[str | None]) -> Iterator[Link]:
    """Link the rows of one patient, or of one group of unknown people that is narrower than all of a source."""
    return links_by_key("patient", [None if is_everybody(unit) else unit for unit in units])


def links_of_everybody(units: Sequence[str | None], links: Iterable[Link]) -> Iterator[Link]:
    """Link all of a source whom nobody knows, but for those of whom ``links`` tell something.

    A row that shows what a row of somebody else shows goes where that one goes. It takes nobody along: that all others
    are one group says that nothing is known of them, not that they are one person.

    >>> units = ["a/*", "a/*", "a/*", "b/7"]
    >>> [(link.first, link.second) for link in links_of_everybody(units, [Link("same pixels", 1, 3, "")])]
    [(0, 2)]
    """
    groups = components(len(units), links)
    bound = {group for group, unit in zip(groups, units, strict=True) if not is_everybody(unit)}
    return links_by_key(
        "patient", [None if group in bound else unit for group, unit in zip(groups, units, strict=True)]
    )


def links_by_key(kind: Kind, keys: Iterable[str | None]) -> Iterator[Link]:
    """Link each row to the first row with the same key; ``None`` and empty keys link nothing."""
    first: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key and first.setdefault(key, row) != row:
            yield Link(kind, first[key], row, key)


def links_by_ties(ties: Iterable[Sequence[str]]) -> Iterator[Link]:
    """Link rows that share any tie but that of everybody, of which `links_of_everybody` makes what there is to make."""
    first: dict[str, int] = {}
    for row, keys in enumerate(ties):
        for key in keys:
            if not is_everybody(key) and first.setdefault(key, row) != row:
                yield Link("tie", first[key], row, key)


def near_duplicates(
    phashes: Sequence[str | None], thumb: Callable[[int], bytes], apart: Sequence[str] | None = None
) -> list[Link]:
    """Find pairs of rows that show the same picture, re-encoded, resized or slightly cropped.

    Every pair is compared: candidates by the distance of their perceptual hashes, in blocks, then by the
    correlation of their thumbnails.
    Thumbnails are asked for row by row, so that not all of them are in memory at once.
    Of rows with one value in ``apart`` no pair is compared.
    """
    rows = np.asarray([row for row, phash in enumerate(phashes) if phash], dtype=np.int64)
    if rows.size < 2:
        return []
    packed = b"".join(bytes.fromhex(phashes[row] or "") for row in rows)
    hashes = np.frombuffer(packed, dtype=np.uint64).reshape(rows.size, -1)
    sides = None if apart is None else np.unique(np.asarray(apart)[rows], return_inverse=True)[1]
    step = max(1, _BLOCK_PAIRS // rows.size)
    found = []
    for start in range(0, rows.size, step):
        block = hashes[start : start + step]
        distance = np.zeros((len(block), rows.size - start), dtype=np.uint16)
        for word in range(hashes.shape[1]):
            distance += np.bitwise_count(block[:, word, None] ^ hashes[None, start:, word])
        close = distance <= MAX_DISTANCE
        if sides is not None:
            close &= sides[start : start + step, None] != sides[None, start:]
        for one, other in np.argwhere(close):
            if other > one:
                first, second = int(rows[start + one]), int(rows[start + other])
                likeness = correlation(thumb(first), thumb(second))
                if likeness >= MIN_CORRELATION:
                    key = f"distance {distance[one, other]} of 256, correlation {likeness:.3f}"
                    found.append(Link("near-duplicate", first, second, key))
    return found


def central_square(thumb: bytes, aspect: float) -> bytes:
    """Cut the central square out of a thumbnail that was squeezed from a picture with this width by height."""
    whole = np.frombuffer(thumb, dtype=np.uint8).astype(np.float64)
    side = math.isqrt(whole.size)
    image = whole.reshape(side, side) if aspect < 1 else whole.reshape(side, side).T
    share = min(aspect, 1 / aspect)
    places = (np.arange(side) + 0.5) * share + side * (1 - share) / 2 - 0.5
    above = np.clip(np.floor(places).astype(np.int64), 0, side - 2)
    weight = (places - above)[:, None]
    cut = image[above] * (1 - weight) + image[above + 1] * weight
    square: bytes = np.rint(cut if aspect < 1 else cut.T).astype(np.uint8).tobytes()
    return square


def correlation(first: bytes, second: bytes) -> float:
    """Correlate two thumbnails; 0 where one of them is flat.

    >>> correlation(bytes(range(0, 100, 10)), bytes(range(100, 200, 10)))
    1.0
    """
    one = np.frombuffer(first, dtype=np.uint8).astype(np.float64)
    other = np.frombuffer(second, dtype=np.uint8).astype(np.float64)
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one @ one) * (other @ other)))
    if min(one.std(), other.std()) < _MIN_DEVIATION or scale == 0.0:
        return 0.0
    return float(one @ other) / scale
