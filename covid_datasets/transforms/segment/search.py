"""The search for lungs: threshold, body, islands, closing and the other lung's outline, on a grid of about 3 mm.

The border is then drawn voxel by voxel. Parameters are millimetres of anatomy and shares of the way from lung to soft
tissue; none was fitted to a volume.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covid_datasets.transforms.segment.body import filled_within, frame, middles, mirrored, widest
from covid_datasets.transforms.segment.coarse import (
    closed,
    coarser,
    filled,
    finer,
    grown,
    in_slabs,
    islands,
    opened,
    shrunk,
    sizes,
    slabs,
)
from covid_datasets.transforms.segment.given import BODY_MM, Scan
from covid_datasets.transforms.segment.levels import PADDING, Levels, first_split, mode

FINE = 128
"""Pixels across a slice that decisions are made on, about."""
TABLE_MM, AIRWAY_MM, CLOSE_MM, APART_MM = 4.0, 3.0, 8.0, 3.0
"""Radius of what is cut off the body, the least of an airway, what is closed, and what keeps two lungs apart."""
HOLE_MM2 = 700.0
"""Area of a hole in a lung that is filled: a vessel or a nodule; a larger one may be the dome of the diaphragm."""
GAS_MM2 = 3000.0
"""Area up to which an island of gas is bowel, stomach or airway."""
LEAST_MM2 = 60.0
"""Area of the least part of a lung in a slice."""
SHARE = 0.05
"""Of the larger lung, what is smaller than this is none."""
WALL_MM = 45.0
"""From the outline of the other lung, how deep consolidation at the pleura is looked for."""
GAP_MM = 80.0
"""From feet to head, how far lung is from lung where consolidation lies between; the heart is higher."""
NEAR_MM = 6.0
"""Radius in which that is averaged."""
SOFT = 0.9
"""Of the way from lung to tissue, what is below may be consolidation that still holds some air."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Lungs by their side of the picture, 1 the left and 2 the right side, and the values that were measured."""

    mask: np.ndarray
    levels: Levels


class Search:
    """One scan on its way to a mask: its coarse grid and sizes on it."""

    def __init__(self, scan: Scan, hounsfield: bool) -> None:
        self.scan, self.hounsfield = scan, hounsfield
        self.factor = max(1, min(scan.voxels.shape[1:]) // FINE)
        self.coarse = coarser(scan.voxels, self.factor)
        self.body = np.ones(self.coarse.shape, bool)
        self.pixel = (scan.spacing[0] * scan.spacing[1]) ** 0.5 * self.factor if scan.spacing else 0.0

    def found(self) -> Found | str:
        """Find the lungs, or say why there are none."""
        split = first_split(self.coarse, self.hounsfield)
        if split is None:
            return "all values are one"
        self.body = self._body(split)
        if not self.body.any():
            return "no body: nothing bright is large enough"
        levels = self._levels(split, self._islands((self.coarse < split) & self.body))
        if levels is None:
            return "no air-filled lung: nothing dark is inside the body"
        self.body = self._body(levels.split)  # fat under the skin may be darker than that
        if self.hounsfield and self._is_cropped(split):
            self.body[:] = True
        dark, airways = self._lungs((self.coarse < levels.split) & self.body, levels)
        if not dark.any():
            return "no air-filled lung: what is dark inside the body is gas, or too small"
        whole = self._whole(self._apart(dark), airways, levels)
        return Found(self._fine(whole, dark, airways, levels), levels)

    def _is_cropped(self, split: float) -> bool:
        """Tell whether what is dark outside of the body is lung: the border of the picture goes through it."""
        outside = self.coarse[~grown(self.body, 2) & (self.coarse < split)]
        return len(outside) > PADDING * self.coarse.size and -930 < float(np.median(outside)) < -600

    def radius(self, millimetres: float) -> int:
        """Count the pixels of a length, at least one."""
        return max(1, round(millimetres / self.pixel))

    def area(self, square_millimetres: float) -> float:
        """Count the pixels of an area."""
        return float(square_millimetres / self.pixel**2)

    def _body(self, split: float) -> np.ndarray:
        """Find what is inside of the skin: the largest bright island of each slice without the table, and its holes."""
        bright = self.coarse >= split
        if self.scan.flat:
            bright &= ~frame(bright[0])
        if not self.pixel:
            self.pixel = BODY_MM / max(widest(bright), 1)
        reach = self.radius(TABLE_MM)
        # A picture of an article is often cut so close that the border goes through the chest wall, or is the wall.
        cut = reach if self.scan.flat and not self.hounsfield else 0
        if cut:
            bright = np.pad(bright, ((0, 0), (cut, cut), (cut, cut)), constant_values=True)
            bright = filled_within(bright, cut)  # before a wall that is thin is opened
        numbers, count = islands(opened(bright, reach))
        if not count:
            return np.zeros(self.coarse.shape, bool)
        area = sizes(numbers, count)
        area[0] = 0
        slices = np.zeros(count + 1, np.int64)
        for number in range(len(numbers)):
            slices[np.unique(numbers[number])] = number
        largest = np.zeros(len(numbers))
        np.maximum.at(largest, slices[1:], area[1:])
        keep = area >= np.maximum(0.3 * largest[slices], self.area(2000.0))
        keep[0] = False
        skin = closed(keep[numbers], reach)
        return filled_within(skin, cut)[:, cut:-cut, cut:-cut] if cut else filled(skin)

    def _islands(self, dark: np.ndarray) -> np.ndarray:
        """Keep islands of a slice that are large enough to measure."""
        numbers, count = islands(dark)
        keep = sizes(numbers, count) >= self.area(LEAST_MM2)
        keep[0] = False
        out: np.ndarray = keep[numbers]
        return out

    def _levels(self, split: float, dark: np.ndarray) -> Levels | None:
        """Measure air outside of the body, lung inside of it, and tissue."""
        inside = self.coarse[shrunk(dark, 1)]
        if len(inside) < self.area(4 * LEAST_MM2):
            return None
        bright = self.coarse[self.body & (self.coarse >= split)]
        tissue = float(np.median(bright))
        outside = self.coarse[~grown(self.body, 2)]
        lowest = float(self.coarse.min())
        if np.mean(self.coarse == lowest) > PADDING and not self.hounsfield:
            measured = outside[outside > lowest]
            outside = measured if len(measured) > PADDING * self.coarse.size else outside
        outside = outside[outside < split]
        air = float(np.median(outside)) if len(outside) > PADDING * self.coarse.size else None
        if self.hounsfield:
            air = -1000.0 if air is None else max(air, -1024.0)
        # Gas of bowel and trachea lies below the mode of the lungs, lesions above it.
        lung = mode(inside, float(inside.min()) if air is None else air + 0.03 * (tissue - air), split)
        if lung is None or not lung < split < tissue:
            return None
        return Levels(air, lung, tissue, self.hounsfield)

    def _lungs(self, dark: np.ndarray, levels: Levels) -> tuple[np.ndarray, np.ndarray]:
        """Leave out airways, bowel and what is too small; return lungs and airways."""
        airways = np.zeros(dark.shape, bool)
        if (gas := levels.gas) is not None:
            wide = opened(dark & (self.coarse < gas), self.radius(AIRWAY_MM))
            numbers, count = islands(wide)
            small = sizes(numbers, count) <= self.area(GAS_MM2)
            small[0] = False
            # The border of an airway is half air and half wall: it looks as lung does.
            airways = grown(small[numbers], self.radius(AIRWAY_MM)) & dark
            numbers, count = islands(dark)
            area = sizes(numbers, count)
            core = shrunk(dark, 1)
            deep = np.maximum(sizes(numbers, count, core), 1)
            mean = sizes(numbers, count, self.coarse * core) / deep
            keep = (area > self.area(GAS_MM2)) | (mean >= gas) | (sizes(numbers, count, core) == 0)
            keep[0] = False
            dark = keep[numbers] & ~airways
        numbers, count = islands(dark)
        keep = sizes(numbers, count) >= self.area(LEAST_MM2)
        keep[0] = False
        dark = keep[numbers]
        numbers, count = islands(dark, through=True)
        volume = sizes(numbers, count)
        volume[0] = 0
        keep = volume >= SHARE * volume.max()
        keep[0] = False
        return keep[numbers], airways

    def told_apart(self, lungs: np.ndarray) -> np.ndarray:
        """Tell sides apart in a mask that has none, from the middle of the body: there may be one lung only."""
        split = first_split(self.coarse, self.hounsfield)
        body = None if split is None else self._body(split)
        self.pixel = self.pixel or BODY_MM / (self.scan.voxels.shape[2] / self.factor)
        coarse = coarser(lungs.astype(np.uint8), self.factor) > 0
        self.body = coarse if body is None or not body.any() else body
        sides = self._apart(coarse)
        nearest = finer(_spread(sides, coarse), self.factor, lungs.shape)
        out: np.ndarray = np.where(lungs, nearest, 0).astype(np.uint8)
        return out

    def joined(self, sides: np.ndarray, lungs: np.ndarray) -> np.ndarray:
        """Give each voxel of better lungs the side that it has, or else that of the body."""
        middle = (middles(self.body) + 0.5) * self.factor - 0.5
        out = np.empty(sides.shape, np.uint8)
        for slab in slabs(len(out)):
            right = np.arange(sides.shape[2])[None, None, :] > middle[slab, None, None]
            out[slab] = np.where(sides[slab] > 0, sides[slab], np.where(right, np.uint8(2), np.uint8(1)))
            out[slab] *= lungs[slab] > 0
        return out

    def _apart(self, dark: np.ndarray) -> np.ndarray:
        """Tell the lung on the left of the picture (1) from the one on its right (2)."""
        columns = np.arange(dark.shape[2])
        middle = middles(self.body)
        numbers, count = islands(dark)
        area = np.maximum(sizes(numbers, count), 1)
        across = np.broadcast_to((columns[None, None, :] > middle[:, None, None]), dark.shape)
        right = sizes(numbers, count, across) / area
        sides = np.where(right > 0.5, 2, 1).astype(np.uint8)
        sides[0] = 0
        out: np.ndarray = sides[numbers]
        both = (right > 0.08) & (right < 0.92)
        both[0] = False
        if both.any():
            from scipy import ndimage

            places = ndimage.find_objects(numbers)
            for number in np.flatnonzero(both).tolist():
                plane = places[number - 1][0].start
                self._cut(numbers[plane] == number, out[plane], float(middle[plane]))
        return out

    def _cut(self, one: np.ndarray, out: np.ndarray, middle: float) -> None:
        """Cut an island that lies on both sides where it is thinnest, else along the middle of the body."""
        columns = np.broadcast_to(np.arange(one.shape[1]), one.shape)
        seeds = one[None]
        for _ in range(self.radius(4 * APART_MM)):
            seeds = shrunk(seeds, 1) & one
            parts, count = islands(seeds)
            area = sizes(parts, count)
            area[0] = 0
            large = np.flatnonzero(area >= 0.15 * area.sum())
            if len(large) >= 2:
                side = np.where(sizes(parts, count, columns) > middle * area, 2, 1).astype(np.uint8)
                side[area == 0] = 0
                if len(set(side[large].tolist())) == 2:
                    out[one] = _spread(side[parts], one[None])[0][one]
                    return
                break  # one lung in two parts
        if 0.25 < np.mean(columns[one] > middle) < 0.75:
            out[one] = np.where(columns > middle, 2, 1)[one]

    def _whole(self, sides: np.ndarray, airways: np.ndarray, levels: Levels) -> np.ndarray:
        """Fill vessels, nodules and consolidation: by closing, holes, and the outline of the other lung."""
        out = np.zeros_like(sides)
        inner = shrunk(self.body, self.radius(TABLE_MM))
        reach = self.radius(CLOSE_MM)
        padded = [np.pad(sides == side, ((0, 0), (reach, reach), (reach, reach))) for side in (1, 2)]
        lungs = [closed(one, reach)[:, reach:-reach, reach:-reach] for one in padded]
        lungs = [filled(one, self.area(HOLE_MM2)) for one in lungs]
        middle = middles(self.body)
        others = [mirrored(lungs[1], middle), mirrored(lungs[0], middle)]
        soft = (self._around(inner & ~(lungs[0] | lungs[1])) < levels.at(SOFT)) & inner
        for side, (lung, other) in enumerate(zip(lungs, others, strict=True), 1):
            more = (self._consolidated(lung, other, soft) | self._between(lung, inner)) & ~airways
            out[(lung | more) & (out == 0)] = side
        return out

    def _between(self, lung: np.ndarray, inner: np.ndarray) -> np.ndarray:
        """Find consolidation that has lung above and below it: organs rest on the diaphragm, and have none below."""
        if self.scan.flat or not self.scan.spacing:
            return np.zeros_like(lung)
        most = int(GAP_MM / self.scan.spacing[2])
        number = np.arange(len(lung), dtype=np.int32)[:, None, None]
        below = np.where(lung, number, np.int32(-most - 1))
        above = np.where(lung, number, np.int32(len(lung) + most))
        for plane in range(1, len(lung)):
            np.maximum(below[plane], below[plane - 1], out=below[plane])
            np.minimum(above[-plane - 1], above[-plane], out=above[-plane - 1])
        above -= below
        gap = (above <= most + 1) & ~lung & inner
        return opened(gap, self.radius(APART_MM))

    def _around(self, where: np.ndarray) -> np.ndarray:
        """Average what a mask leaves over 12 mm within slices: consolidation is lumpy, organs are not."""
        from scipy import ndimage

        size = (1, *([2 * self.radius(NEAR_MM) + 1] * 2))
        share = ndimage.uniform_filter(where.astype(np.float32), size)
        mean: np.ndarray = ndimage.uniform_filter(np.where(where, self.coarse, 0), size)
        mean /= np.maximum(share, 1e-3)
        return mean

    def _consolidated(self, lung: np.ndarray, other: np.ndarray, soft: np.ndarray) -> np.ndarray:
        """Find consolidation at the pleura: where the other lung's mirror image is lung, and tissue still holds air."""
        rim = other & ~shrunk(other, self.radius(WALL_MM))
        near = opened(rim & soft & ~lung, self.radius(2 * APART_MM))
        joined = near | lung
        numbers, count = islands(joined)
        keep = sizes(numbers, count, lung) > 0.3 * sizes(numbers, count)
        keep[0] = False
        out: np.ndarray = keep[numbers] & near
        return out

    def _fine(self, whole: np.ndarray, dark: np.ndarray, airways: np.ndarray, levels: Levels) -> np.ndarray:
        """Draw the border voxel by voxel: within a coarse pixel of it, what is darker than the split is lung."""
        shape, voxels = self.scan.voxels.shape, self.scan.voxels
        if self.factor == 1:
            return whole
        any_lung = whole > 0
        sure = shrunk(any_lung, 1) | (any_lung & ~grown(dark, 1))
        spread = _spread(whole, grown(any_lung, 1) & self.body & ~airways)
        out = np.zeros(shape, np.uint8)

        def work(slab: slice) -> None:
            near = finer(spread[slab], self.factor, shape)
            inside = finer(sure[slab], self.factor, shape)
            inside |= voxels[slab] < levels.split
            np.multiply(near, inside, out=out[slab])

        in_slabs(shape[0], work)
        return out


def _spread(sides: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Give each pixel of a mask the side of the nearest one that has a side; ties go to the first."""
    out = np.where(where, sides, 0).astype(np.uint8)
    missing = where & (out == 0)
    while missing.any():
        before = np.count_nonzero(missing)
        new = out.copy()
        for side in (2, 1):
            new[grown(out == side, 1) & missing] = side
        out = new
        missing = where & (out == 0)
        if np.count_nonzero(missing) == before:
            break
    return out
