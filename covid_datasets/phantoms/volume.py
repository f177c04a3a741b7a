"""A chest in Hounsfield units that is calculated: any grid and noise, lesions of three kinds, exact masks.

Shapes are given in millimetres: x to the left of the patient, y to the back, z to the head ("LPS"). A voxel on
a border is a mixture of both sides, and a mask holds the voxels that are mostly inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from covid_datasets.errors import UsageError

Kind = Literal["ground_glass", "consolidation", "crazy_paving"]
Plane = NDArray[np.float32]
GROUND_GLASS, CONSOLIDATION = 1, 2
AIR, LUNG, FAT, TISSUE, BONE = -1000.0, -860.0, -100.0, 40.0, 400.0
HEIGHT = 250.0
"""Millimetres from below the lungs to above them."""
_DENSITY: dict[str, float] = {"ground_glass": -560.0, "consolidation": 0.0, "crazy_paving": -480.0}


@dataclass(frozen=True, slots=True, eq=False)
class ChestVolume:
    """A chest with what is known about it.

    Attributes:
        voxels: Hounsfield units by slice (from the feet up), row (to the back) and column (to the left).
        lung: 1 the right lung, 2 the left one; all that the pleura encloses, lesions and vessels too.
        infection: 1 ground glass and crazy paving, 2 consolidation.
        spacing: Millimetres from column to column, row to row and slice to slice.
        orientation: "LPS".
    """

    voxels: NDArray[np.int16]
    lung: NDArray[np.uint8]
    infection: NDArray[np.uint8]
    spacing: tuple[float, float, float]
    orientation: str = "LPS"

    @property
    def infection_rate(self) -> float:
        """Share of the lungs' voxels that are infected."""
        return float((self.infection > 0).sum() / max((self.lung > 0).sum(), 1))


@dataclass(frozen=True, slots=True)
class _Lesion:
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    kind: str
    phase: float


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Where the pixels of a slice are, and its thickness."""

    x: Plane
    y: Plane
    pixel: float

    def near(self, x: float, y: float, reach: float) -> tuple[tuple[slice, slice], _Grid]:
        """Give the part of a slice that is within so many millimetres of a place."""
        found = []
        for axis, at in ((self.y[:, 0], y), (self.x[0], x)):
            first, last = np.searchsorted(axis, (at - reach, at + reach))
            found.append(slice(int(first), int(last)))
        rows, columns = found
        return (rows, columns), _Grid(self.x[:, columns], self.y[rows], self.pixel)

    def ellipse(self, x: float, y: float, a: float, b: float) -> Plane:
        """Say how far inside of an ellipse each pixel is, in pixels: positive inside, about right near the border."""
        if a <= 0 or b <= 0:
            return np.full(np.broadcast_shapes(self.x.shape, self.y.shape), -1e3, np.float32)
        squared = ((self.x - x) / np.float32(a)) ** 2 + ((self.y - y) / np.float32(b)) ** 2
        inside: Plane = ((1 - np.sqrt(squared)) * np.float32(min(a, b) / self.pixel)).astype(np.float32)
        return inside

    def circle(self, x: float, y: float, radius: float) -> Plane:
        """Say how far inside of a circle each pixel is, in pixels."""
        inside: Plane = np.float32(radius) - np.hypot(self.x - np.float32(x), self.y - np.float32(y))
        inside /= np.float32(self.pixel)
        return inside


def chest_volume(
    seed: int = 0,
    *,
    shape: tuple[int, int, int] = (50, 192, 192),
    noise: float = 20.0,
    load: float = 0.1,
    kinds: Sequence[Kind] = ("ground_glass", "consolidation"),
    lungs: Literal["both", "right"] = "both",
) -> ChestVolume:
    """Calculate a chest; the same arguments give the same chest.

    Args:
        seed: Which patient.
        shape: Slices, rows and columns; they cover 380 mm and the height of the lungs: few slices are thick ones.
        noise: Standard deviation in Hounsfield units.
        load: Share of the lungs that is infected, about.
        kinds: Kinds of the lesions, in turns.
        lungs: "right" where the left one was taken out.

    >>> chest = chest_volume(shape=(12, 64, 64))
    >>> chest.voxels.dtype.name, sorted(set(chest.lung.ravel().tolist())), [round(side, 1) for side in chest.spacing]
    ('int16', [0, 1, 2], [5.9, 5.9, 20.8])
    """
    if unknown := set(kinds) - set(get_args(Kind)):
        raise UsageError(f"kinds: expected some of {', '.join(get_args(Kind))}, found {sorted(unknown)}")
    random = np.random.default_rng((seed, 20200311))
    slices, rows, columns = shape
    spacing = (380.0 / columns, 380.0 / rows, HEIGHT / slices)
    grid = _Grid(
        ((np.arange(columns, dtype=np.float32) - (columns - 1) / 2) * np.float32(spacing[0]))[None],
        ((np.arange(rows, dtype=np.float32) - (rows - 1) / 2) * np.float32(spacing[1]))[:, None],
        max(spacing[:2]),
    )
    body = _Body.drawn(random, lungs)
    lesions = body.lesions(random, load, kinds)
    vessels = body.vessels(random)
    voxels = np.empty(shape, np.int16)
    lung, infection = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    parts = max(1, min(4, round(spacing[2] / 1.5)))
    for number in range(slices):
        total, insides, sick = np.zeros((rows, columns), np.float32), [], []
        for part in range(parts):
            z = (number + (part + 0.5) / parts) * spacing[2] - HEIGHT / 2
            values, left_right, lesion = body.slice(grid, z, lesions, vessels)
            total += values
            insides.append(left_right)
            sick.append(lesion)
        voxels[number] = np.clip(total / parts + random.normal(0, noise, (rows, columns)), -1024, 3000)
        lung[number], infection[number] = _most(insides), _most(sick)
    infection[lung == 0] = 0
    return ChestVolume(voxels, lung, infection, spacing)


def _most(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Take what a voxel mostly is."""
    out = np.zeros(parts[0].shape, np.uint8)
    any_of = sum((part > 0).astype(np.uint8) for part in parts) * 2 > len(parts)
    twos = sum((part == 2).astype(np.uint8) for part in parts)
    ones = sum((part == 1).astype(np.uint8) for part in parts)
    out[any_of] = np.where(twos > ones, 2, 1)[any_of]
    return out


@dataclass(frozen=True, slots=True)
class _Body:
    """One patient's sizes, in millimetres."""

    wide: float
    deep: float
    fat: float
    heart: float
    dome: tuple[float, float]
    lungs: str

    @classmethod
    def drawn(cls, random: np.random.Generator, lungs: str) -> _Body:
        draw = random.uniform
        return cls(draw(120, 138), draw(78, 96), draw(6, 22), draw(48, 60), (draw(-62, -48), draw(-72, -58)), lungs)

    def cavity(self, z: float) -> tuple[float, float]:
        """Give the half axes of the rib cage's inside at a height: round above, ending at the apex."""
        up = (z + 20) / 125
        narrow = max(0.0, 1 - up**2) ** 0.5 if up > 0 else 1.0
        return self.wide * narrow, self.deep * narrow

    def inside(self, grid: _Grid, z: float) -> tuple[Plane, Plane]:
        """Say how far inside of the right and of the left lung each pixel is."""
        a, b = self.cavity(z)
        cage = grid.ellipse(0, 0, a, b)
        middle = np.maximum(grid.ellipse(0, 10, 30, b + 12), grid.ellipse(0, b - 8, 30, 34))
        up = (z + 35) / 70
        if abs(up) < 1:
            size = (1 - up**2) ** 0.5
            middle = np.maximum(middle, grid.ellipse(24, -22, self.heart * size, self.heart * 0.85 * size))
        found = []
        for side, top in zip((-1, 1), self.dome, strict=True):
            below = (top - z) / 70  # a dome of 70 mm height; below its middle it reaches the ribs
            lung = np.minimum(cage, -middle)
            lung = np.minimum(lung, side * grid.x / np.float32(grid.pixel))
            if below > 0:
                size = min(1.0, 1 - (1 - min(below, 1.0)) ** 2) ** 0.5
                lung = np.minimum(lung, -grid.ellipse(side * 62, -14, 70 * size, (b + 4) * size))
            found.append(lung)
        right, left = found
        return right, left if self.lungs == "both" else np.full_like(left, -1e3)

    def lesions(self, random: np.random.Generator, load: float, kinds: Sequence[str]) -> list[_Lesion]:
        """Lay ellipsoids at the pleura until so large a share of the lungs is ill, counted on a coarse grid."""
        if load <= 0 or not kinds:
            return []
        axis = np.arange(-190, 190, 6, dtype=np.float32)
        grid = _Grid(axis[None], axis[:, None], 6.0)
        heights = np.arange(-115, 110, 6.0)
        lung = np.stack([np.maximum(*self.inside(grid, z)) > 0 for z in heights])
        deep = np.stack([np.maximum(*self.inside(grid, z)) for z in heights])
        rim = np.argwhere(lung & (deep < 3))
        ill = np.zeros(lung.shape, bool)
        found: list[_Lesion] = []
        x, y, z = axis[None, None], axis[None, :, None], heights[:, None, None]
        mean = 14 + 34 * min(load, 0.5) ** 0.5
        while ill.sum() < load * lung.sum() and len(found) < 200:
            at = rim[random.integers(len(rim))]
            centre = (float(axis[at[2]]), float(axis[at[1]]), float(heights[at[0]]))
            radii = tuple(float(mean * scale) for scale in random.uniform(0.6, 1.2, 3))
            found.append(_Lesion(centre, radii, kinds[len(found) % len(kinds)], float(random.uniform(0, 6))))  # type: ignore[arg-type]
            far = sum(((one - c) / r) ** 2 for one, c, r in zip((x, y, z), centre, radii, strict=True))
            ill |= lung & (np.asarray(far) < 1)
        return found

    def vessels(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw vessels as chains of balls from the hilum outwards, each (x, y, z, radius)."""
        found = []
        for number in range(160):
            side = 1 if number % 2 else -1
            way = random.normal(0, 1, 3) * (1, 0.7, 1)
            way[0] = abs(way[0]) * side
            way /= np.linalg.norm(way)
            steps = np.arange(0, random.uniform(30, 110), 1.5)[:, None]
            bent = np.cross(way, random.normal(0, 1, 3)) * (steps / 60) ** 2 * 10
            points = np.array([side * 32.0, 8.0, 12.0]) + way * steps + bent
            radius = np.maximum(0.7, random.uniform(2.0, 4.5) * (1 - steps / 110))
            found.append(np.concatenate([points, radius], axis=1))
        return np.concatenate(found)

    def slice(
        self, grid: _Grid, z: float, lesions: Sequence[_Lesion], vessels: NDArray[np.float64]
    ) -> tuple[Plane, NDArray[np.uint8], NDArray[np.uint8]]:
        """Calculate the values of one plane, its lungs and its lesions."""
        values = np.full((grid.y.shape[0], grid.x.shape[1]), AIR, np.float32)
        skin = grid.ellipse(0, 4, self.wide + 26 + self.fat, self.deep + 26 + self.fat)
        below = grid.y - np.float32(self.deep + 40 + self.fat)  # the table
        _paint(values, np.minimum(below, 6 - below) / np.float32(grid.pixel) + 0 * grid.x, -300.0)
        _paint(values, skin, FAT)
        _paint(values, grid.ellipse(0, 4, self.wide + 24, self.deep + 24), TISSUE)
        for number in range(24):
            angle = 2 * np.pi * (number + z / 40) / 24
            x, y = (self.wide + 8) * np.cos(angle), (self.deep + 8) * np.sin(angle)
            part, near = grid.near(x, y, 9 + grid.pixel)
            _paint(values[part], near.ellipse(x, y, 7, 5), BONE)
        right, left = self.inside(grid, z)
        lung = np.maximum(right, left)
        dorsal = LUNG + 60 * np.clip(grid.y / 100 + 0 * grid.x, -0.5, 1)
        _paint(values, lung, dorsal.astype(np.float32))
        for x, y, _, radius in vessels[np.abs(vessels[:, 2] - z) < vessels[:, 3]]:
            part, near = grid.near(x, y, radius + grid.pixel)
            _paint(values[part], np.minimum(lung[part], near.circle(x, y, radius)), TISSUE)
        ill = np.zeros(lung.shape, np.uint8)
        for lesion in lesions:
            self._infect(values, ill, lung, grid, z, lesion)
        _paint(values, grid.ellipse(0, self.deep - 6, 16, 16), BONE * 0.8)
        self._gas(values, grid, z)
        sides = np.where(left > right, 2, 1).astype(np.uint8)
        return values, np.where(lung > 0, sides, 0).astype(np.uint8), ill

    def _infect(
        self, values: Plane, ill: NDArray[np.uint8], lung: Plane, grid: _Grid, z: float, lesion: _Lesion
    ) -> None:
        up = (z - lesion.centre[2]) / lesion.radii[2]
        if abs(up) >= 1:
            return
        size = (1 - up**2) ** 0.5
        inside = grid.ellipse(*lesion.centre[:2], lesion.radii[0] * size, lesion.radii[1] * size)
        ragged = np.sin(grid.x / 5 + lesion.phase) * np.sin(grid.y / 6 + z / 7) * np.float32(2.0 / grid.pixel)
        inside = np.minimum(inside + ragged, lung)
        density: Plane = np.full_like(values, _DENSITY[lesion.kind])
        if lesion.kind == "crazy_paving":
            lines = np.maximum(np.cos((grid.x + grid.y) / 2.2), np.cos((grid.x - grid.y) / 2.2))
            density += np.where(lines > 0.9, 260, 0).astype(np.float32)
        if lesion.kind == "consolidation":  # bronchi that still hold air
            density -= np.where(np.sin(grid.x / 4 + lesion.phase) * np.sin(grid.y / 4) > 0.8, 350, 0).astype(np.float32)
        _paint(values, inside, np.maximum(density, values))
        kind = CONSOLIDATION if lesion.kind == "consolidation" else GROUND_GLASS
        there = inside > 0
        ill[there] = np.maximum(ill[there], kind)

    def _gas(self, values: Plane, grid: _Grid, z: float) -> None:
        """Draw what holds air and is no lung: trachea and bronchi, and the stomach's bubble under the left dome."""
        if z > 25:
            _paint(values, grid.ellipse(0, 0, 9, 8), AIR)
        elif z > -15:
            for side in (-1, 1):
                _paint(values, grid.ellipse(side * (9 + (25 - z) * 0.45), 2, 7, 6), AIR)
        if z < self.dome[1] - 25:
            _paint(values, grid.ellipse(64, -30, 24, 16), AIR)


def _paint(values: Plane, inside: Plane, value: float | Plane) -> None:
    """Fill a shape; a pixel on its border becomes a mixture."""
    weight = np.clip(inside + 0.5, 0, 1)
    rows = np.flatnonzero(weight.any(axis=1))
    if len(rows):
        area = slice(int(rows[0]), int(rows[-1]) + 1)
        filling = value[area] if isinstance(value, np.ndarray) else value
        values[area] += (filling - values[area]) * weight[area]
