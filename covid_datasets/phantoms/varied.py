"""Chests that differ as people do: what a network learns from that shall know lungs in pictures it has never seen.

`chest_volume` is one plain anatomy for measuring; here every size, border and density is drawn anew, far beyond
what is usual where that costs nothing: whole white lobes, contrast medium, fat, arms beside the body, air left out.
Axes are those of `covid_datasets.phantoms.volume`: millimetres to the left, to the back and to the head.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from covid_datasets.phantoms.volume import CONSOLIDATION, GROUND_GLASS, ChestVolume

Field = NDArray[np.float32]
"""How many millimetres each voxel is inside of a shape; below 0 outside."""
KINDS = ("ground_glass", "consolidation", "crazy_paving", "bands")
WHITE, DEPENDENT, HEALTHY = 0.12, 0.15, 0.12
"""Shares of chests with a white lobe, with consolidation all along the back, and without disease."""


def varied_chest(seed: int, *, shape: tuple[int, int, int] = (12, 128, 128)) -> ChestVolume:
    """Draw a chest of which nothing but the shape of the array is fixed; the same seed gives the same chest.

    >>> chest = varied_chest(1, shape=(4, 64, 64))
    >>> chest.voxels.shape, bool(chest.lung.any()), bool((chest.infection[chest.lung == 0] == 0).all())
    ((4, 64, 64), True, True)
    """
    random = np.random.default_rng((seed, 20201126))
    slices, rows, columns = shape
    pixel = float(random.uniform(300, 410)) / columns
    apart = float(random.uniform(4, 30)) if slices > 1 else 5.0
    room = max(230 - apart * (slices - 1), 0.0)
    lowest = float(random.uniform(-115, -115 + room) if room else random.uniform(-115, 115 - 200))
    heights = lowest + apart * np.arange(slices)
    thick = float(random.uniform(1, min(apart, 10.0)))
    halves = (heights[:, None] + np.array([-0.25, 0.25]) * thick).ravel()  # a slice is the mean of two planes
    values, lungs, ill = _Torso(random, (2 * slices, rows, columns), pixel, halves).drawn()
    voxels = (values[::2] + values[1::2]) / 2
    grain = random.normal(0, random.uniform(3, 45), shape)
    if random.random() < 0.5:  # a smooth kernel of reconstruction
        grain = (grain + np.roll(grain, 1, 1) + np.roll(grain, 1, 2) + np.roll(grain, (1, 1), (1, 2))) / 2.5
    both = lungs[1::2] > 0
    lung, infection = np.where(both, lungs[::2], 0).astype(np.uint8), np.where(both, ill[::2], 0).astype(np.uint8)
    return ChestVolume(np.clip(voxels + grain, -3024, 3000).astype(np.int16), lung, infection, (pixel, pixel, apart))


class _Torso:
    """One patient on one grid: every size is drawn from the patient's own number."""

    def __init__(
        self, random: np.random.Generator, shape: tuple[int, int, int], pixel: float, heights: np.ndarray
    ) -> None:
        self.random = random
        self.shape, self.pixel = shape, np.float32(pixel)
        self.z = heights.astype(np.float32)[:, None, None]
        self.y = (np.arange(shape[1], dtype=np.float32)[None, :, None] - (shape[1] - 1) / 2) * self.pixel
        self.x = (np.arange(shape[2], dtype=np.float32)[None, None, :] - (shape[2] - 1) / 2) * self.pixel
        draw = self.random.uniform
        self.wide = draw(135, 185)
        self.deep = self.wide * draw(0.6, 0.85)
        self.fat, wall = draw(3, 0.2 * self.wide), draw(14, 28)
        self.a, self.b = self.wide - self.fat - wall, max(self.deep - 0.8 * self.fat - wall, 58.0)

    def ellipse(
        self, x: float, y: float, a: float | np.ndarray, b: float | np.ndarray, power: float = 2.0, uneven: float = 0.0
    ) -> Field:
        """Make an ellipse, or something rounder or squarer, whose outline is uneven by that share of its size."""
        a, b = np.maximum(np.float32(a), 0.1), np.maximum(np.float32(b), 0.1)
        across, down = (self.x - np.float32(x)) / a, (self.y - np.float32(y)) / b
        if power == 2.0:
            far = np.sqrt(across**2 + down**2)
        else:
            far = (np.abs(across) ** np.float32(power) + np.abs(down) ** np.float32(power)) ** np.float32(1 / power)
        if uneven:
            angle = np.arctan2(down, across)
            size = np.ones_like(angle + self.z)
            for waves in range(2, 6):
                phase, drift = self.random.uniform(0, 6.28), self.random.normal(0, 0.01)
                amplitude = self.random.normal(0, uneven / waves)
                size += np.float32(amplitude) * np.cos(waves * angle + np.float32(phase) + np.float32(drift) * self.z)
            far = far / size
        found: Field = ((1 - far) * np.minimum(a, b)).astype(np.float32)
        return found

    def lumps(self, size: float, waves: int = 7) -> Field:
        """Make smooth noise of about 1 with lumps of so many millimetres."""
        total = np.zeros(self.shape, np.float32)
        for _ in range(waves):
            x, y, z = self.random.normal(0, 2.0 / size, 3)
            phase = self.random.uniform(0, 6.28)
            total += np.cos(
                np.float32(x) * self.x + (np.float32(y) * self.y + (np.float32(z) * self.z + np.float32(phase)))
            )
        return total * np.float32((2 / waves) ** 0.5)

    def paint(self, values: Field, inside: Field, value: float | Field, soft: float = 0.0) -> None:
        """Fill a shape; ``soft`` is the width of its border in millimetres, one voxel at least."""
        weight = np.clip(inside / np.maximum(np.float32(soft), self.pixel) + np.float32(0.5), 0, 1)
        values += (np.float32(value) - values) * weight

    def drawn(self) -> tuple[Field, NDArray[np.uint8], NDArray[np.uint8]]:
        """Draw values, lungs and lesions."""
        draw, chance = self.random.uniform, self.random.random
        cage, middle, organs = self.cage(), self.mediastinum(), self.domes()
        outside = np.maximum(middle, organs[0])
        outside = np.maximum(outside, organs[1])
        lung = np.minimum(cage, -outside)
        border = self.ellipse(draw(-3, 3), 0, 6, 300)  # the lungs never touch
        lung = np.minimum(lung, -border) if chance() < 0.7 else lung
        values = np.full(self.shape, -1000.0, np.float32)
        self.around(values)
        self.paint(values, cage, draw(20, 65))
        self.organs(values, middle, organs)
        base, slope = draw(-910, -790), draw(0, 130)
        texture = draw(0, 45) * self.lumps(draw(15, 60))
        self.paint(values, lung, np.float32(base) + np.float32(slope) * np.clip(self.y / 100, -0.6, 1) + texture)
        self.vessels(values, lung)
        ill = self.disease(values, lung)
        self.gas(values, organs)
        if chance() < 0.3:  # what is outside of the body was cut away
            values[self.skin < 0] = -1000 if chance() < 0.3 else -3024
        sides = np.where(self.x > 0, 2, 1).astype(np.uint8)
        inside = lung > 0
        return values, np.where(inside, sides, 0).astype(np.uint8), np.where(inside, ill, 0).astype(np.uint8)

    def cage(self) -> Field:
        """Draw the inside of the ribs: narrow above, ending at the apex."""
        draw = self.random.uniform
        begins, apex = draw(10, 45), draw(105, 140)
        up = np.clip((self.z - begins) / (apex - begins), 0, 1)
        narrow = np.sqrt(np.maximum(1 - up ** draw(1.8, 2.8), 0)) * (1 - np.clip(-self.z - 60, 0, 60) / 600)
        cage = self.ellipse(0, 0, self.a * narrow, self.b * narrow, draw(1.9, 2.7), 0.1)
        return np.where(narrow > 0.05, cage, -100).astype(np.float32)

    def mediastinum(self) -> Field:
        """Draw what lies between the lungs: column, spine, aorta, heart, hila."""
        draw = self.random.uniform
        upper = np.clip((self.z - 40) / 40, 0, 1) * draw(-4, 12)
        column = self.ellipse(
            draw(-5, 5), draw(-8, 12), draw(16, 34) + upper, self.b * draw(0.85, 1.2), draw(1.5, 2.6), 0.15
        )
        spine = self.ellipse(draw(-3, 3), self.b - draw(-6, 16), draw(17, 25), draw(18, 28), 2.0, 0.05)
        vessel = draw(9, 16)
        aorta = self.ellipse(draw(8, 24), self.b * draw(0.3, 0.6), vessel, vessel)
        aorta = np.where(self.z < draw(45, 70), aorta, -100)
        at, tall = draw(-65, -20), draw(45, 75)
        size = np.sqrt(np.maximum(1 - ((self.z - at) / tall) ** 2, 0))
        self.heart = self.ellipse(
            draw(5, 36), -self.b * draw(0.15, 0.5), draw(40, 70) * size, draw(32, 56) * size, 2.0, 0.1
        )
        self.heart = np.where(size > 0.05, self.heart, -100).astype(np.float32)
        self.blood = np.maximum(aorta, self.heart)
        hila = [self.hilum(side) for side in (-1, 1)]
        found = np.maximum(np.maximum(column, spine), np.maximum(self.blood, np.maximum(*hila)))
        self.spine = spine
        return found.astype(np.float32)

    def hilum(self, side: int) -> Field:
        """Draw the root of a lung."""
        draw = self.random.uniform
        size = np.sqrt(np.maximum(1 - ((self.z - draw(-15, 25)) / draw(15, 32)) ** 2, 0))
        found = self.ellipse(side * draw(26, 44), draw(-6, 14), draw(8, 20) * size, draw(8, 18) * size, 2.0, 0.2)
        return np.where(size > 0.05, found, -100).astype(np.float32)

    def domes(self) -> tuple[Field, Field]:
        """Draw liver, spleen and stomach as what stands into the cage from below."""
        draw = self.random.uniform
        left = draw(-85, -35)
        found = []
        for side, top in ((-1, left + draw(-5, 30)), (1, left)):
            tall = draw(50, 110)
            below = np.maximum(top - tall - self.z, 0) / 120
            size = np.sqrt(np.maximum(1 - np.clip((self.z - (top - tall)) / tall, 0, 1) ** 2, 0)) + below
            a, b = self.a * draw(0.42, 0.62) * size, self.b * draw(0.75, 1.1) * size
            dome = self.ellipse(side * self.a * draw(0.4, 0.56), -self.b * draw(-0.05, 0.3), a, b, draw(1.9, 2.4), 0.08)
            found.append(np.where(size > 0.05, dome, -100).astype(np.float32))
        return found[0], found[1]

    def around(self, values: Field) -> None:
        """Draw table, arms, skin, fat, muscle and ribs."""
        draw, chance = self.random.uniform, self.random.random
        below = self.y - np.float32(self.deep + draw(2, 30))
        self.paint(values, np.minimum(below, draw(3, 12) - below) + 0 * self.x + 0 * self.z, draw(-800, 100))
        if chance() < 0.2:
            for side in (-1, 1):
                arm = draw(28, 50)
                at = side * (self.wide + arm + draw(0, 12))
                self.paint(values, self.ellipse(at, draw(-10, 50), arm, arm, 2.0, 0.1), draw(-60, 50))
                self.paint(values, self.ellipse(at, draw(-10, 50), 11, 11), draw(200, 600))
        shoulders = 1 + np.clip((self.z - 50) / 60, 0, 1) * draw(0, 0.2)
        self.skin = self.ellipse(0, draw(-2, 6), self.wide * shoulders, self.deep, draw(2.0, 3.0), 0.05)
        self.paint(values, self.skin, draw(-125, -80))
        flesh = self.ellipse(0, 2, (self.wide - self.fat) * shoulders, self.deep - 0.8 * self.fat, draw(2.0, 2.8), 0.08)
        self.paint(values, flesh, draw(25, 65) + draw(0, 30) * self.lumps(20))
        ring = self.ellipse(0, 0, self.a + 9, self.b + 8, 2.2)
        count, turn = int(draw(7, 13)), np.float32(draw(0.02, 0.08))
        ribs = np.cos(count * np.arctan2(self.y, self.x) + turn * self.z) - np.float32(draw(0.2, 0.6))
        self.paint(values, np.minimum(5 - np.abs(ring), ribs * 12), draw(150, 600))

    def organs(self, values: Field, middle: Field, domes: tuple[Field, Field]) -> None:
        """Fill mediastinum and organs, with contrast medium or without."""
        draw, chance = self.random.uniform, self.random.random
        contrast = chance() < 0.3
        self.paint(values, middle, draw(20, 60))
        self.paint(values, np.minimum(middle, 10 * (self.lumps(25) - np.float32(draw(0.2, 1.5)))), draw(-110, -60))
        self.paint(values, self.blood, draw(110, 400) if contrast else draw(25, 60))
        for dome in domes:
            self.paint(values, dome, (draw(60, 140) if contrast else draw(30, 75)) + draw(0, 12) * self.lumps(30))
        self.paint(values, self.spine, draw(120, 350) + 60 * self.lumps(8))

    def vessels(self, values: Field, lung: Field) -> None:
        """Draw vessels of each slice as short strokes that lead away from the hilum."""
        dense = self.random.uniform(-50, 120)
        rows, columns = self.shape[1:]
        for number in range(self.shape[0]):
            for _ in range(int(self.random.uniform(10, 70))):
                side = 1 if self.random.random() < 0.5 else -1
                angle, far = self.random.uniform(-2.2, 2.2), abs(self.random.normal(0, 45)) + 5
                x, y = side * (34 + far * np.cos(angle)), 5 + far * np.sin(angle)
                wide = max(0.8, self.random.uniform(1.5, 4.5) * (1 - far / 120))
                long = wide * self.random.choice([1.0, 1.0, 2.0, 5.0])
                reach = long + 2 * float(self.pixel)
                first = [int((at - reach) / self.pixel + (count - 1) / 2) for at, count in ((y, rows), (x, columns))]
                count = int(2 * reach / self.pixel) + 2
                area = tuple(slice(max(at, 0), max(at + count, 0)) for at in first)
                down, across = self.y[0, area[0]] - np.float32(y), self.x[0, :, area[1]] - np.float32(x)
                along = across * np.float32(side * np.cos(angle)) + down * np.float32(np.sin(angle))
                away = down * np.float32(side * np.cos(angle)) - across * np.float32(np.sin(angle))
                stroke = (1 - np.sqrt((along / long) ** 2 + (away / wide) ** 2)) * np.float32(wide)
                weight = np.clip(np.minimum(stroke, lung[number][area]) / self.pixel + 0.5, 0, 1)
                values[number][area] += (dense - values[number][area]) * weight

    def disease(self, values: Field, lung: Field) -> NDArray[np.uint8]:
        """Lay lesions into the lungs, nearer to the pleura, the back and the base than elsewhere."""
        draw, chance = self.random.uniform, self.random.random
        ill = np.zeros(self.shape, np.uint8)
        if chance() < HEALTHY:
            return ill
        places = np.argwhere(lung[:, ::2, ::2] > 0) * (1, 2, 2)
        if not len(places):
            return ill
        deep = lung[tuple(places.T)]
        liking = np.exp(-deep / draw(8, 40)) * (1 + np.clip(self.y[0, places[:, 1], 0], 0, None) / draw(15, 80))
        mean, count = draw(8, 40), int(self.random.choice([1, 2, 4, 7, 11]))
        chosen = self.random.choice(len(places), count, p=liking / liking.sum())
        for at in places[chosen]:
            where = [float(axis.ravel()[index]) for axis, index in zip((self.z, self.y, self.x), at, strict=True)]
            radii = mean * self.random.uniform(0.5, 1.4, 3)
            kind = str(self.random.choice(KINDS, p=(0.4, 0.35, 0.15, 0.1)))
            if kind == "bands":
                radii[self.random.integers(1, 3)] = draw(3, 7)
            far = ((self.z - where[0]) / radii[0]) ** 2 + ((self.y - where[1]) / radii[1]) ** 2
            inside = (1 - np.sqrt(far + ((self.x - where[2]) / radii[2]) ** 2)) * np.float32(min(radii[1:]))
            self.infect(values, ill, np.minimum(inside + draw(0.5, 4) * self.lumps(draw(8, 25)), lung), kind)
        if chance() < WHITE:  # below and behind a fissure of one side, or nearly all of it
            tilt, side = draw(0.2, 1.2), 1 if chance() < 0.5 else -1
            lobe = self.y - tilt * self.z - np.float32(draw(-60, 30)) + draw(0, 4) * self.lumps(20)
            inside = np.minimum(np.minimum(lobe, side * self.x + 0 * self.z), lung)
            self.infect(values, ill, inside, "consolidation")
        if chance() < DEPENDENT:
            level = self.y - np.float32(self.b * draw(0.1, 0.7)) - draw(0, 0.4) * self.z + draw(0, 8) * self.lumps(30)
            self.infect(values, ill, np.minimum(level, lung), str(self.random.choice(KINDS[:2])))
        return ill

    def infect(self, values: Field, ill: NDArray[np.uint8], inside: Field, kind: str) -> None:
        """Make what is inside of a shape denser, never thinner."""
        draw = self.random.uniform
        dense = kind in ("consolidation", "bands")
        value = np.full(self.shape, draw(-90, 75) if dense else draw(-720, -430), np.float32)
        value += draw(0, 40 if dense else 80) * self.lumps(draw(6, 30))
        if kind == "crazy_paving":
            size = np.float32(draw(4, 9))
            lines = np.maximum(np.cos((self.x + self.y) / size * 3), np.cos((self.x - self.y) / size * 3))
            value += np.where(lines > 0.8, 260, 0) + 0 * self.z
        if kind == "consolidation" and self.random.random() < 0.6:  # bronchi that still hold air
            value -= np.where(self.lumps(draw(5, 9)) > draw(1.2, 2.2), draw(200, 800), 0).astype(np.float32)
        self.paint(values, inside, np.maximum(value, values), 1.0 if dense else draw(1, 8))
        there = inside > 0
        ill[there] = np.maximum(ill[there], CONSOLIDATION if dense else GROUND_GLASS)

    def gas(self, values: Field, domes: tuple[Field, Field]) -> None:
        """Draw trachea and bronchi, with their wall, and sometimes gas of the stomach under the left dome."""
        draw, chance = self.random.uniform, self.random.random
        size, fork = draw(7, 11), draw(0, 30)
        trachea = np.where(self.z > fork, self.ellipse(draw(-4, 6), draw(-8, 12), size, size * draw(0.8, 1.3)), -100)
        self.paint(values, trachea, -1000)
        for side in (-1, 1):
            away = size + (fork - self.z) * draw(0.3, 0.7)
            far = np.sqrt((self.x - side * away) ** 2 + (self.y - draw(-4, 10)) ** 2)
            there = (self.z <= fork) & (self.z > fork - draw(20, 45))
            self.paint(values, np.where(there, draw(5, 8) - far, -100), -1000)
        if chance() < 0.4:
            bubble = self.ellipse(self.a * draw(0.35, 0.55), -self.b * draw(0.1, 0.5), draw(12, 40), draw(10, 25))
            self.paint(values, np.minimum(bubble, domes[1] - 4), -1000)
