"""What speaks against lungs that were found, and what says that they are none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from covid_datasets.transforms.segment.body import middles
from covid_datasets.transforms.segment.coarse import coarser, filled, grown, opened, shrunk
from covid_datasets.transforms.segment.doubts import Doubt
from covid_datasets.transforms.segment.levels import LEAST_HU, Levels
from covid_datasets.transforms.segment.search import SHARE, Search

STEEP = 0.45
"""Share of the way from lung to tissue that values climb within 6 mm across the border of a lung in CT."""

GREY_STEEP, FILM_STEEP, FILM_GREY = 0.55, 0.7, 0.1
"""In grey levels CT climbs more than the first; a radiograph, of whose body more than the last is neither lung nor
tissue, less than the second.

Chosen on slices of COVID-CT and SARS-CoV-2 CT-scan against films and ultrasounds, on no volume that is measured; see
docs/segmentation.md."""
NEAR_MM, ACROSS = 15.0, 0.55
"""Around the middle of the body, the share of the lungs' rows that is lung at most: junction lines and recesses."""
HOLES = 0.3
"""The share of the lungs, filled, that is a hole at most."""
THIN_MM, THICK = 5.0, 0.75
"""Of lungs, at least this share is wider than twice that; of vessels and bronchi less."""
MOST_LITRES, LEAST_WIDE, MOST_WIDE = 15.0, 180.0, 650.0
LEAST_SHARE = 0.03
"""Of the body in the slice with most lung: with less, what is dark may as well be gas."""


def lung_doubts(search: Search, mask: np.ndarray, levels: Levels) -> Iterator[Doubt]:
    """Say what is odd about lungs, their sides by picture."""
    counts = [sum(int(np.count_nonzero(plane == side)) for plane in mask) for side in (1, 2)]
    volume = float(sum(counts))
    if min(counts) < SHARE * max(counts):
        yield Doubt("one lung only: the other is not there, or holds no air", 0.4)
    elif min(counts) < 0.4 * max(counts):
        yield Doubt(f"one lung is {min(counts) / max(counts):.0%} of the other's size", 0.7)
    yield from _refusals(search, mask, levels)
    if levels.hounsfield:
        if not -960 <= levels.lung <= -650:
            yield Doubt(f"shifted intensity? the lungs' commonest value is {levels.lung:.0f} HU", 0.5)
        if not -20 <= levels.tissue <= 100:
            yield Doubt(f"shifted intensity? soft tissue is {levels.tissue:.0f} HU", 0.5)
    else:
        yield Doubt("grey levels, no Hounsfield units: levels are found in the picture", 0.9)
        if levels.gas is None:
            yield Doubt("air and lung look alike in this window: airways and bowel gas may be in the mask", 0.7)
    edge = mask[:, 0].any() or mask[:, -1].any() or mask[:, :, 0].any() or mask[:, :, -1].any()
    if edge:
        yield Doubt("a lung touches the border of the picture: part of it is cut off", 0.6)
    wide = float(search.body.any(axis=1).sum(axis=1).max()) * search.pixel
    if search.scan.spacing and not LEAST_WIDE <= wide <= MOST_WIDE:
        yield Doubt(f"the body is {wide:.0f} mm wide: a small child, or a wrong spacing?", 0.4)
    if search.scan.flat:
        yield Doubt("a single slice: nothing above and below to check it by", 0.9)
    elif search.scan.spacing and len(mask) > 1:
        litres = volume * float(np.prod(search.scan.spacing)) / 1e6
        if litres > MOST_LITRES:
            yield Doubt(f"no lungs: {litres:.1f} litres are more than anybody has", 0.0, refuses=True)
        elif not 0.7 <= litres <= 12:
            yield Doubt(f"{litres:.1f} litres of lung: part of the lungs is not in the scan, or not found", 0.6)


def _refusals(search: Search, mask: np.ndarray, levels: Levels) -> Iterator[Doubt]:
    """Say why what was found is no lung in a CT, so that there is no result instead of a wrong one."""
    steep = _steepness(search, mask, levels)
    way = (search.coarse[search.body] - levels.lung) / (levels.tissue - levels.lung)
    grey = float(np.mean((way > 0.3) & (way < 0.7)))
    least = STEEP if levels.hounsfield else FILM_STEEP if grey > FILM_GREY else GREY_STEEP
    if steep < least:
        yield Doubt(
            "no axial CT, but a radiograph or an ultrasound? Across the borders of what is dark values climb "
            f"{steep:.0%} of the way to tissue, and {grey:.0%} of the body is neither dark nor bright",
            0.0,
            refuses=True,
        )
    found = max(np.count_nonzero(plane) for plane in mask) / search.factor**2
    share = found / max(max(np.count_nonzero(plane) for plane in search.body), 1)
    if mask.any() and share < LEAST_SHARE:
        yield Doubt(f"no lung: what is dark is at most {share:.1%} of the body in a slice", 0.0, refuses=True)
    if levels.hounsfield and levels.lung < LEAST_HU:
        why = (
            f"no lung: what is dark inside the body is {levels.lung:.0f} HU, which is air; inverted, or shifted units?"
        )
        yield Doubt(why, 0.0, refuses=True)
    if not mask.any():
        return
    fullest = max(range(len(mask)), key=lambda number: int(np.count_nonzero(mask[number])))
    if why := _inverted(search, mask[fullest], fullest):
        yield Doubt(f"no lung: what is dark {why}, as in an inverted picture", 0.0, refuses=True)


def _inverted(search: Search, plane: np.ndarray, number: int) -> str:
    """Say what of a slice is as where lungs are bright and all else is dark; nothing where lungs are dark."""
    dark = coarser((plane > 0)[None].view(np.uint8), search.factor) > 0.5
    area = int(np.count_nonzero(dark))
    rows = np.flatnonzero(dark.any(axis=(0, 2)))
    if not area:
        return ""
    middle, near = round(float(middles(search.body)[number])), search.radius(NEAR_MM)
    across = dark[0, rows[0] : rows[-1] + 1, max(middle - near, 0) : middle + near + 1]
    if across.mean() > ACROSS:
        return "lies across the middle, where the mediastinum is"
    if area < (1 - HOLES) * np.count_nonzero(filled(dark)):
        return "lies around what is bright"
    if np.count_nonzero(opened(dark, search.radius(THIN_MM))) < THICK * area:
        return "is as thin as vessels"
    return ""


def _steepness(search: Search, mask: np.ndarray, levels: Levels) -> float:
    """Measure how far values climb from lung to tissue across the border, as a share of all the way."""
    lungs = coarser((mask > 0).view(np.uint8), search.factor) > 0.5
    reach = max(1, round(3.0 / search.pixel))
    inner = shrunk(lungs, reach) & ~shrunk(lungs, reach + 1)
    outer = grown(lungs, reach + 1) & ~grown(lungs, reach)
    if not inner.any() or not outer.any():
        return 1.0
    low, high = float(np.median(search.coarse[inner])), float(np.median(search.coarse[outer]))
    return (high - low) / (levels.tissue - levels.lung)
