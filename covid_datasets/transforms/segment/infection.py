"""Infection masks: what is denser than aerated lung, thicker than a vessel, and no rim of the pleura.

The threshold is the commonest value of the lungs themselves plus a fixed share of the way to soft tissue, so that it
holds where units are lost or shifted. Parameters are anatomy; none was fitted to a volume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.segment.coarse import (
    box_of,
    closed,
    coarser,
    finer,
    grown,
    in_slabs,
    islands,
    opened,
    shrunk,
    sizes,
)
from covid_datasets.transforms.segment.doubts import Doubt, confidence_of, reasons_of
from covid_datasets.transforms.segment.given import BODY_MM, Scan, mask_of, name_of, scan_of
from covid_datasets.transforms.segment.levels import LEAST_HU, MOST_HU, Levels, is_hounsfield, mode
from covid_datasets.transforms.segment.lungs import Lungs, lung_mask
from covid_datasets.transforms.segment.regions import Regions, regions

GROUND_GLASS, DENSE = 1, 2
FINE = 256
"""Pixels across a slice that decisions are made on, about."""
OFFSET = 0.2
"""Of the way from aerated lung to soft tissue, what is above is infected: 180 HU above the lungs' commonest value."""
AERATED = 0.25
"""Of the height of the lungs' highest peak, what a lower one has at least that is aerated lung beside disease."""
BLACK = 0.3
"""With more of the lungs at the lowest value, lung and ground glass are one black."""
HYPERDENSE = 0.72
"""Above it lesions are consolidation: -210 HU where lung is -860; ground glass is what vessels are still seen in."""
RIM_MM = 3.5
"""Half of what is thinner than a lesion: the rim of the pleura, fissures, small vessels."""
BLOOD, VESSEL_MM, HALO_MM = 0.6, 6.0, 2.0
"""Vessels: above this share of the way from lung to tissue, up to this radius, with this much blur around them."""
SQUARE_MM = 5.0
"""Sides of what regions of the graph begin with."""
AROUND_MM = 8.0
"""How far around a vessel lung is looked at: in a lesion it is no vessel that is taken away."""
COARSE_MM = 2.5
"""Pixels that are larger than this are half wall all along the border of the lung."""
FAR_MM = 10.5
"""Slices that are further apart than this say little of what lies between."""
THIN_MM, THICK_MM = 2.5, 25.0
"""Slices between which a dome of the diaphragm is a broad grey rim."""
CORE = 0.55
"""Share of what surrounds a pixel within that radius that must be dense too."""
LEAST_MM2 = 40.0
"""Area of the least lesion in a slice."""
LUNG_VOXELS = 2000
"""With fewer a rate says little."""

Finder = Callable[[Scan, np.ndarray], np.ndarray]
"""Any other way to find infection: gets the scan and the lungs, returns 0 for none, 1 for infection, 2 where dense."""


@dataclass(frozen=True, slots=True, eq=False)
class Infection:
    """Where the lungs are infected.

    Attributes:
        mask: 0 for none, 1 for ground glass and the like, 2 for what is hyper-dense, as consolidation is.
        rate: Share of the voxels of the lungs that are infected, from 0 to 1; ``None`` where there are no lungs.
        threshold: The value above which a voxel may be infected; ``None`` where another method decided.
        levels: Values of air, lung and tissue; ``None`` where nothing could be measured.
        confidence: From 0 to 1: each doubt lowers it. It is no probability.
        reasons: The doubts.
        method: How it was found.
    """

    mask: np.ndarray
    rate: float | None
    threshold: float | None
    levels: Levels | None
    confidence: float
    reasons: tuple[str, ...]
    method: str


def infection_mask(
    image_or_volume: np.ndarray,
    lungs: Lungs | np.ndarray | None = None,
    *,
    hounsfield: bool | None = None,
    spacing: Sequence[float] | None = None,
    orientation: str = "",
    method: Literal["threshold", "rag"] | Finder = "threshold",
) -> Infection:
    """Find what is infected in the lungs of an axial CT slice or volume.

    Args:
        image_or_volume: Rows and columns, or slices, rows and columns.
        lungs: Their mask, from `lung_mask`, a publisher or a reader; by default it is looked for.
        hounsfield: Whether values are Hounsfield units; by default that is seen from them.
        spacing: Millimetres from column to column, row to row and slice to slice.
        orientation: Where columns, rows and slices lead, such as "LPS".
        method: "threshold"; "rag", thresholds on a region adjacency graph as COVID-ARC has it;
            `covid_datasets.learned_infection`, a network; or a function.

    >>> slice_ = np.full((64, 64), -1000, np.int16)
    >>> slice_[12:52, 4:60] = 40
    >>> slice_[20:44, 10:28] = slice_[20:44, 36:54] = -850
    >>> slice_[34:42, 11:20] = -500
    >>> found = infection_mask(slice_, spacing=(5, 5, 5))
    >>> int((found.mask > 0).sum()), found.rate
    (72, 0.08333333333333333)
    """
    scan = scan_of(image_or_volume, spacing, orientation)
    if lungs is None:
        lungs = lung_mask(image_or_volume, hounsfield=hounsfield, spacing=spacing, orientation=orientation)
    inside = mask_of(lungs.mask if isinstance(lungs, Lungs) else lungs, scan, "lungs") > 0
    doubts = [Doubt(f"lungs: {reason}", 1.0) for reason in lungs.reasons] if isinstance(lungs, Lungs) else []
    if isinstance(lungs, Lungs):
        doubts.append(Doubt("", lungs.confidence))
    name = name_of(method)
    if not callable(method) and method not in ("threshold", "rag"):
        raise UsageError(f"method: expected 'threshold', 'rag' or a function, found {method!r}")
    if not inside.any():
        doubts.append(Doubt("no lungs, so nothing in them", 0.0))
        empty = scan.as_given(np.zeros(inside.shape, np.uint8))
        return Infection(empty, None, None, None, 0.0, _said(doubts), name)
    hu = is_hounsfield(scan.voxels, hounsfield)
    search = _Search(scan, inside, hu)
    levels = search.levels()
    if not callable(method) and (why := _unseen(search, levels)):
        doubts.append(Doubt(why, 0.0))
        empty = scan.as_given(np.zeros(inside.shape, np.uint8))
        return Infection(empty, None, None, levels, 0.0, _said(doubts), name)
    pixel = search.pixel / search.factor
    if callable(method):
        del search  # its grid takes half a volume, and what is asked now may need memory of its own
        found = np.asarray(method(replace(scan, hounsfield=hu), inside))
        mask = mask_of(scan.as_given(found), scan, "method", most=DENSE).astype(np.uint8)
        mask *= inside
    else:
        assert levels is not None, "or nothing can be seen"
        mask = search.by_threshold(levels) if method == "threshold" else search.by_regions(levels)
    doubts += _doubts(mask, inside, levels)
    if levels is not None and not hu and levels.tissue >= float(scan.voxels.max()):
        doubts.append(Doubt("soft tissue is white in this window: how dense anything is is uncertain", 0.6))
    doubts += _doubts_of_geometry(scan, pixel)
    rate = int(np.count_nonzero(mask)) / int(np.count_nonzero(inside))
    threshold = None if callable(method) or levels is None else levels.at(OFFSET)
    return Infection(scan.as_given(mask), rate, threshold, levels, confidence_of(doubts), _said(doubts), name)


def region_steps(picture: np.ndarray, lungs: np.ndarray, *, hounsfield: bool | None = None) -> Regions | None:
    """Give what each step of ``method="rag"`` leaves of a slice, on its own pixels; ``None`` where it has one value."""
    scan = scan_of(picture)
    inside = mask_of(lungs, scan, "lungs") > 0
    if not inside.any():
        return None
    search = _Search(scan, inside, is_hounsfield(scan.voxels, hounsfield))
    levels = search.levels()
    if levels is None:
        return None
    found = search.graph(levels)

    def whole(part: np.ndarray) -> np.ndarray:
        out = np.zeros(scan.voxels.shape, part.dtype)
        out[search.box] = finer(part, search.factor, search.voxels.shape)
        return np.asarray((out * inside)[0])

    return Regions(*(whole(part) for part in (found.binary, found.joined, found.infected, found.dense)))


def _unseen(search: _Search, levels: Levels | None) -> str:
    """Say why nobody can see in these values what is infected; empty where it can be seen."""
    if levels is None:
        return "all of the lungs has one value, or is not darker than what is around: nothing can be seen in it"
    if search.hounsfield and not LEAST_HU <= levels.lung <= MOST_HU:
        what = "air outside of them" if levels.lung < LEAST_HU else "no aerated lung to compare with"
        return f"{what}, or shifted intensity: the lungs' commonest value is {levels.lung:.0f} HU"
    if not search.hounsfield and (black := search.black()) > BLACK:
        return f"{black:.0%} of the lungs is black in this window: what is infected cannot be seen"
    return ""


def _said(doubts: Sequence[Doubt]) -> tuple[str, ...]:
    return tuple(reason for reason in reasons_of(doubts) if reason)


class _Search:
    """Lungs on their way to a mask of infection: the box around them, on a coarser grid."""

    def __init__(self, scan: Scan, inside: np.ndarray, hounsfield: bool) -> None:
        self.scan, self.hounsfield = scan, hounsfield
        self.box = box_of(inside, 8)
        self.voxels, self.inside = scan.voxels[self.box], inside[self.box]
        self.factor = max(1, min(scan.voxels.shape[1:]) // FINE)
        self.coarse = coarser(self.voxels, self.factor)
        self.lung = coarser(self.inside.view(np.uint8), self.factor) >= 0.5
        self.pixel: float
        if scan.spacing:
            self.pixel = float(scan.spacing[0] * scan.spacing[1]) ** 0.5 * self.factor
        else:  # two lungs are about three quarters as wide as the body
            self.pixel = 0.75 * BODY_MM / max(_typical_width(self.lung), 1)

    @property
    def _half_rim(self) -> int:
        return max(1, self.radius(RIM_MM) - 1)

    def radius(self, millimetres: float) -> int:
        """Count the pixels of a length, at least one."""
        return max(1, round(millimetres / self.pixel))

    def black(self) -> float:
        """Say what share of the lungs has the lowest value of all, as a window that ends above them leaves it."""
        return float(np.mean(self.voxels[self.inside] == self.scan.voxels.min()))

    def levels(self) -> Levels | None:
        """Measure lung in the lungs and tissue around them."""
        values = self.coarse[shrunk(self.lung, 1) & self.lung]
        around = grown(self.lung, self.radius(12.0)) & ~grown(self.lung, self.radius(4.0))
        if len(values) < 20:
            values = self.coarse[self.lung]
        if not len(values):
            return None
        tissue = 40.0 if self.hounsfield else float(np.median(self.coarse[around])) if around.any() else None
        # Noise that a scanner cuts off at its lowest value piles up there, and is no peak.
        clear = values[values > self.scan.voxels.min()]
        if self.hounsfield and 2 * len(clear) > len(values):
            values = clear
        low, high = np.percentile(values, [0.5, 99.5]).tolist()
        if tissue is None or tissue <= low:
            tissue = high
        # Where infection has taken more than half, lung that is still aerated is the lower mode.
        lung = mode(values, low, low + 0.45 * (tissue - low), AERATED) if tissue > low else None
        return None if lung is None or lung >= tissue else Levels(None, lung, tissue, self.hounsfield)

    def by_threshold(self, levels: Levels) -> np.ndarray:
        """Keep what is dense, but no vessels, rims and specks."""
        dense = (self.coarse > levels.at(OFFSET)) & self.lung
        free = dense & ~self._vessels(levels, dense)
        core = free & (self._mean(free, RIM_MM) > CORE * np.maximum(self._mean(self.lung, RIM_MM), 0.35))
        return self._whole(opened(core, self._half_rim), dense, levels)

    def _whole(self, core: np.ndarray, dense: np.ndarray, levels: Levels) -> np.ndarray:
        """Give lesions back what their core has lost: its rim, and vessels that run through it."""
        core = grown(self._not_thin_ends(core), 1)
        return self._finished(self._large(closed(core, self.radius(RIM_MM)) & dense), levels)

    def _vessels(self, levels: Levels, dense: np.ndarray) -> np.ndarray:
        """Find vessels with their halo: as dense as blood, thinner than consolidation, in lung that is aerated."""
        solid = (self.coarse > levels.at(BLOOD)) & self.lung
        thin = solid & ~grown(opened(solid, self.radius(VESSEL_MM)), 1)
        halo = self.radius(HALO_MM)
        around = self.lung & ~grown(solid, halo)
        ill = self._mean(dense & around, AROUND_MM)
        vessels = thin & (ill < 0.5 * self._mean(around, AROUND_MM))
        out: np.ndarray = grown(vessels, halo) & dense
        return out

    def _mean(self, mask: np.ndarray, millimetres: float) -> np.ndarray:
        """Say what share of a square around each pixel a mask has."""
        from scipy import ndimage

        wide = 2 * self.radius(millimetres) + 1
        mean: np.ndarray = ndimage.uniform_filter(mask.astype(np.float32), (1, wide, wide), mode="constant")
        return mean

    def _not_thin_ends(self, core: np.ndarray) -> np.ndarray:
        """Leave out what begins where the lung begins or ends from slice to slice: there a voxel is half an organ."""
        spacing = self.scan.spacing
        if self.scan.flat or spacing is None or not THIN_MM <= spacing[2] <= THICK_MM:
            return core
        deep = self.lung.copy()
        deep[1:] &= self.lung[:-1]
        deep[:-1] &= self.lung[1:]
        deep[0] = deep[-1] = False
        numbers, count = islands(core)
        keep = sizes(numbers, count, core & deep) > 0.5 * sizes(numbers, count)
        keep[0] = False
        out: np.ndarray = keep[numbers] & (deep | grown(keep[numbers] & deep, self.radius(RIM_MM)))
        return out

    def graph(self, levels: Levels) -> Regions:
        """Join regions of about 5 mm."""
        return regions(self.coarse, self.lung, levels.at(OFFSET), levels.at(HYPERDENSE), self.radius(SQUARE_MM))

    def by_regions(self, levels: Levels) -> np.ndarray:
        """Keep the dense regions of the graph, but no vessels, rims and specks."""
        found = self.graph(levels)
        free = found.infected & ~self._vessels(levels, found.infected)
        return self._whole(opened(free, self._half_rim), found.infected, levels)

    def _large(self, found: np.ndarray) -> np.ndarray:
        """Leave out islands that are too small to be told from noise."""
        numbers, count = islands(found)
        keep = sizes(numbers, count) * self.pixel**2 >= LEAST_MM2
        keep[0] = False
        out: np.ndarray = keep[numbers]
        return out

    def _finished(self, found: np.ndarray, levels: Levels) -> np.ndarray:
        """Bring the mask back to the scan's own voxels, and say which are hyper-dense."""
        from scipy import ndimage

        smooth = ndimage.uniform_filter(self.coarse, (1, 3, 3))
        kinds = np.where(found, np.where(smooth > levels.at(HYPERDENSE), DENSE, GROUND_GLASS), 0).astype(np.uint8)
        out = np.zeros(self.scan.voxels.shape, np.uint8)
        part = out[self.box]

        def work(slab: slice) -> None:
            np.multiply(finer(kinds[slab], self.factor, self.voxels.shape), self.inside[slab], out=part[slab])

        in_slabs(len(kinds), work)
        return out


def _typical_width(lung: np.ndarray) -> int:
    counts = lung.any(axis=1).sum(axis=1)
    return int(np.percentile(counts[counts > 0], 75)) if (counts > 0).any() else 0


def _doubts_of_geometry(scan: Scan, guessed: float) -> Iterator[Doubt]:
    across = max(scan.spacing[:2]) if scan.spacing else guessed
    if scan.spacing is None:
        yield Doubt("spacing is unknown: sizes are guessed from how wide the lungs are", 0.9)
    if across > COARSE_MM:
        weight = 0.7 if across <= 2 * COARSE_MM else 0.4
        yield Doubt(f"coarse pixels ({across:.1f} mm): rims of the pleura look like lesions", weight)
    if not scan.flat and scan.spacing and scan.spacing[2] > FAR_MM:
        yield Doubt(f"slices {scan.spacing[2]:.1f} mm apart: what is half wall looks like a lesion", 0.5)


def _doubts(mask: np.ndarray, inside: np.ndarray, levels: Levels | None) -> Iterator[Doubt]:
    lung, ill = np.count_nonzero(inside), np.count_nonzero(mask)
    if lung < LUNG_VOXELS:
        yield Doubt(f"few voxels: {lung:,} of lung, too few for a rate", 0.4)
    if not ill:
        yield Doubt("no lesion found: healthy, or lesions are fainter or smaller than what is looked for", 0.8)
    elif ill > lung / 2:
        yield Doubt(f"more than half of the lung ({ill / lung:.0%}): what is aerated lung is uncertain", 0.5)
    if levels is not None and levels.hounsfield and not -960 <= levels.lung <= -650:
        yield Doubt(f"shifted intensity? the lungs' commonest value is {levels.lung:.0f} HU", 0.5)
