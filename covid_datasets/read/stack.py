"""Slices of a series in order: which belong together, how far they are apart, and what is odd about how they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from covid_datasets.read import identity
from covid_datasets.read.dicom import DicomHeader, Numbers
from covid_datasets.schema import Notice

SAME_PLACE_MM = 0.01
"""Slices that are nearer to each other than this are at one place."""
WIDE_GAP = 1.5
"""A distance between neighbours beyond so many times the usual one is a gap."""
TURNED = 0.01
"""Directions are one where no cosine differs by more: half a degree, which is rounding, and no other orientation."""
RESIZED_MM = 0.0005
"""Sizes of pixels are one where they differ by less: a quarter of a millimetre over a whole slice."""
ASIDE = 0.5
"""Slices are in line where none lies further aside than this share of a pixel."""

Slice = tuple[DicomHeader, float]
"""A header, and how far along the normal of the series its slice is, in millimetres."""
_GROUPINGS: tuple[Callable[[DicomHeader], Hashable], ...] = (
    lambda header: header.acquisition,
    lambda header: header.phase,
    lambda header: (header.acquisition, header.phase),
)
"""What may say which slices belong together, where several are at one place."""


def in_order(headers: Sequence[DicomHeader]) -> list[Slice]:
    """Order slices of one orientation along their normal; file names and instance numbers say nothing.

    The order among slices at one place is that of their acquisition.
    """
    along = normal(headers[0].orientation or ())
    placed = [(header, float(np.dot(along, header.position or ()))) for header in headers]
    return sorted(
        placed, key=lambda item: (round(item[1], 2), item[0].acquisition or 0, item[0].number or 0, item[0].instance)
    )


def normal(orientation: Numbers) -> np.ndarray:
    """Return the direction that slices of an orientation are stacked in: to the left, the back or the head.

    >>> normal((1, 0, 0, 0, 1, 0)).tolist()
    [0.0, 0.0, 1.0]
    """
    across: np.ndarray = np.cross(np.asarray(orientation[:3], float), np.asarray(orientation[3:], float))
    return across if across[np.argmax(np.abs(across))] > 0 else -across


def view_of(orientation: Numbers) -> Literal["axial", "coronal", "sagittal"]:
    """Name the plane that slices of an orientation are nearest to.

    >>> view_of((1, 0, 0, 0, 0, -1))
    'coronal'
    """
    return _view_of(orientation)


@lru_cache(maxsize=64)
def _view_of(orientation: Numbers) -> Literal["axial", "coronal", "sagittal"]:
    planes: tuple[Literal["sagittal"], Literal["coronal"], Literal["axial"]] = ("sagittal", "coronal", "axial")
    return planes[int(np.argmax(np.abs(normal(orientation))))]


def largest_stack(headers: Sequence[DicomHeader], name: str) -> Generator[Notice, None, list[DicomHeader]]:
    """Keep the slices of the commonest series, orientation, size, spacing and kind; tell of each other slice."""
    stacks: list[list[DicomHeader]] = []
    for header in headers:
        own = next((stack for stack in stacks if not _differences(stack[0], header)), None)
        if own is None:
            stacks.append(own := [])
        own.append(header)
    if not stacks:
        return []
    chosen = min(stacks, key=lambda stack: (-len(stack), _in_numbers(stack[0])))
    for stack in stacks:
        for header in stack if stack is not chosen else ():
            differs = _differences(chosen[0], header)
            kind = "another series" if differs[0] == "series" else "slice of another geometry"
            what = f"differs in {', '.join(differs)} from {len(chosen):,} of {name}"
            yield Notice(kind, header.path, what, dropped=True)
    return chosen


def _in_numbers(header: DicomHeader) -> tuple[object, ...]:
    """Order stacks that are equally large, the same way whatever their files are called."""
    return header.series, header.orientation, (header.rows, header.columns), header.spacing, header.calculated


def _differences(one: DicomHeader, other: DicomHeader) -> list[str]:
    differs = []
    if one.series != other.series:
        differs.append("series")
    if _apart(one.orientation, other.orientation) > TURNED:
        differs.append("orientation")
    if (one.rows, one.columns) != (other.rows, other.columns):
        differs.append("size")
    if _apart(one.spacing, other.spacing) > RESIZED_MM:
        differs.append("pixel spacing")
    if one.calculated != other.calculated:
        differs.append(f"what it is ({other.calculated or 'no calculated slice'})")
    return differs


def _apart(one: Numbers | None, other: Numbers | None) -> float:
    return float(np.abs(np.subtract(one or (), other or ())).max(initial=0.0))


def runs(places: Sequence[Sequence[Slice]], name: str) -> Generator[Notice, None, list[list[Slice]]]:
    """Split slices, several of which may be at a place, into stacks that have each place once.

    Slices of one stack are of one acquisition, or of one phase, where the headers say so: stacks of two breaths that
    overlap are never mixed.
    """
    most = max(map(len, places))
    if most == 1:
        return [[item for (item,) in places]]
    grouping = next((each for each in _GROUPINGS if _tells_apart(each, places, most)), None)
    found: dict[Hashable, list[Slice]] = defaultdict(list)
    for place in places:
        for rank, item in enumerate(place):
            found[rank if grouping is None else grouping(item[0])].append(item)
    keys = sorted(found, key=repr) if grouping is None else sorted(found, key=lambda key: _first(found[key]))
    stacks = [found[key] for key in keys]
    counts = " and ".join(str(len(stack)) for stack in stacks)
    several = sum(len(place) > 1 for place in places)
    what = f"{several:,} places have several different images: kept, as acquisitions of {counts} slices"
    if grouping is None:
        what += "; nothing in the headers says which belong together, so they are in order of their numbers"
    yield Notice("several acquisitions", name, what)
    return stacks


def _tells_apart(grouping: Callable[[DicomHeader], Hashable], places: Sequence[Sequence[Slice]], most: int) -> bool:
    """Tell whether a grouping makes as many stacks as there are images at one place, and none has a place twice."""
    groups = [[grouping(header) for header, _ in place] for place in places]
    return len({each for place in groups for each in place}) == most and all(
        len(set(place)) == len(place) for place in groups
    )


def _first(stack: Sequence[Slice]) -> tuple[int, int, int, str]:
    header = min((header for header, _ in stack), key=lambda each: (each.number or 0, each.instance))
    return header.acquisition or 0, header.phase or 0, header.number or 0, header.instance


def places_of(ordered: Sequence[Slice]) -> list[list[Slice]]:
    """Put slices together that are at one place."""
    places: list[list[Slice]] = []
    for item in ordered:
        if places and item[1] - places[-1][0][1] < SAME_PLACE_MM:
            places[-1].append(item)
        else:
            places.append([item])
    return places


def step(stacks: Sequence[Sequence[Slice]], name: str) -> Generator[Notice, None, float | None]:
    """Return the usual distance between slices, ``None`` where there is only one; tell of gaps."""
    distances = [np.diff([along for _, along in stack]) for stack in stacks]
    if not any(found.size for found in distances):
        return None
    usual = float(np.median(np.concatenate(distances)))
    for stack, found in zip(stacks, distances, strict=True):
        for index in np.flatnonzero(found > WIDE_GAP * usual).tolist():
            low, high = stack[index][1], stack[index + 1][1]
            missing = max(round(float(found[index]) / usual) - 1, 1)
            what = f"{found[index]:.2f} mm between {low:.2f} and {high:.2f}, usually {usual:.2f} mm"
            yield Notice("gap between slices", name, f"{what}: about {missing:,} slices are missing")
    return round(usual, 4)


def oddities(stacks: Sequence[Sequence[Slice]], name: str) -> Iterator[Notice]:
    """Tell of what no slice shows by itself: how slices lie, whether they were calculated, and what they name."""
    for stack in stacks:
        yield from _aside(stack, name)
    headers = [header for stack in stacks for header, _ in stack]
    if kind := headers[0].calculated:
        what = (
            f"{len(headers):,} slices are no originals ({kind}; ImageType {'/'.join(headers[0].image_type)}); flagged"
        )
        yield Notice("calculated slices", name, what)
    places: dict[str, set[Numbers | None]] = defaultdict(set)
    for header in headers:
        places[header.instance].add(header.position)
    for instance, found in places.items():
        if len(found) > 1:
            what = f"slices at {len(found):,} places are called {instance or 'nothing'}"
            yield Notice("instance twice", name, what)
    named = [header for header in headers if header.identifying]
    if named:
        tags = ", ".join(sorted({tag for header in named for tag in header.identifying}))
        yield Notice(identity.NOTICE, name, f"{tags} in the headers; flagged", count=len(named))


def _aside(stack: Sequence[Slice], name: str) -> Iterator[Notice]:
    """Tell where slices are not exactly above each other: moved, or each one a little, as by a tilted gantry."""
    along = np.array([place for _, place in stack])
    if len(stack) < 2 or np.ptp(along) <= 0:
        return
    header = stack[0][0]
    positions = np.array([each.position for each, _ in stack])
    aside = positions - along[:, None] * normal(header.orientation or ())
    limit = ASIDE * min(header.spacing or (1.0,))
    if np.abs(aside - np.median(aside, axis=0)).max() <= limit:
        return
    slope = np.median(np.diff(aside, axis=0) / np.diff(along)[:, None], axis=0)
    rest = aside - along[:, None] * slope
    off = np.linalg.norm(rest - np.median(rest, axis=0), axis=1)
    if off.max() > limit:
        what = f"{np.count_nonzero(off > limit):,} of {len(stack):,} slices lie aside, up to {off.max():.2f} mm"
        yield Notice("slices not in line", name, f"{what}; position tells, and a volume of them is no plain stack")
    else:
        what = f"each slice lies {np.linalg.norm(slope):.2f} mm aside for each mm between them"
        yield Notice("sheared slices", name, f"{what} (a tilted gantry); position tells, and no voxel is moved")
