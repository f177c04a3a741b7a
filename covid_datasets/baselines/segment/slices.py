"""Slices as a network sees them: grey, square and small, with their neighbours; and batches of them to learn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from covid_datasets.baselines.segment.examples import Example
from covid_datasets.baselines.segment.unet import OUTPUTS
from covid_datasets.transforms.joint import Augment

HOUNSFIELD = (-1200.0, 250.0)
"""What is black and white of Hounsfield units; learned from windows around it."""
CLIPPED = 0.5
"""Percent of grey levels that may be darker than black, and brighter than white."""
SLAB = 16
"""Slices that are made smaller at once."""
KEPT = 160
"""Rows and columns of what is kept to learn from; larger slices are made smaller once."""
ALONE = 0.2
"""Share of samples without neighbours, as a picture has none."""
CHANGES = {"flip": 0.5, "rotate": 20.0, "shift": 0.06, "scale": 0.28, "elastic": 0.03, "gamma": 0.3, "contrast": 0.15,
           "brightness": 0.08, "noise": 0.04, "blur": 1.0, "blur_share": 0.3, "tone_share": 0.7}  # fmt: skip


def limits(voxels: np.ndarray, hounsfield: bool) -> tuple[float, float]:
    """Say which values are black and white.

    >>> limits(np.array([[[-1024, 3000]]]), True), limits(np.zeros((1, 8, 8)), False)
    ((-1200.0, 250.0), (0.0, 1e-06))
    """
    if hounsfield:
        return HOUNSFIELD
    low, high = np.percentile(voxels[:, ::4, ::4], [CLIPPED, 100 - CLIPPED]).tolist()
    return low, max(high, low + 1e-6)


def shown(voxels: np.ndarray, hounsfield: bool, side: int) -> Any:
    """Make slices as a network sees them: black is -1 and white is 1; a few at once, so that little memory is needed.

    >>> shown(np.full((20, 64, 48), 250, np.int16), True, 16).shape
    torch.Size([20, 16, 16])
    """
    low, high = limits(voxels, hounsfield)
    parts = []
    for at in range(0, len(voxels), SLAB):
        part = torch.from_numpy(voxels[at : at + SLAB].astype(np.float32))
        parts.append(smaller(((part - low) * (2 / (high - low)) - 1).clamp_(-1, 1), side))
    return torch.cat(parts)


def smaller(planes: Any, side: int) -> Any:
    """Fit planes of a tensor into a square, their proportions kept; what is beside them is black."""
    rows, columns = planes.shape[-2:]
    longest = max(rows, columns)
    size = max(round(side * rows / longest), 1), max(round(side * columns / longest), 1)
    planes = functional.interpolate(planes[:, None], size, mode="bilinear", antialias=True)[:, 0]
    down, across = side - size[0], side - size[1]
    return functional.pad(planes, (across // 2, across - across // 2, down // 2, down - down // 2), value=-1.0)


def larger(planes: Any, like: tuple[int, int], shape: tuple[int, int]) -> Any:
    """Bring what a network says of planes back to rows and columns of the slice; proportions were ``like``."""
    (rows, columns), side = like, planes.shape[-1]
    longest = max(rows, columns)
    size = max(round(side * rows / longest), 1), max(round(side * columns / longest), 1)
    down, across = (side - size[0]) // 2, (side - size[1]) // 2
    planes = planes[..., down : down + size[0], across : across + size[1]]
    return functional.interpolate(planes, shape, mode="bilinear", align_corners=False)


def neighbours(number: np.ndarray, count: int, slices: int) -> np.ndarray:
    """Give the slices that are seen with each: where there is none further on, the last one again.

    >>> neighbours(np.array([0, 1]), 2, 3).tolist()
    [[0, 0, 1], [0, 1, 1]]
    """
    reach = slices // 2
    return np.clip(number[:, None] + np.arange(-reach, reach + 1), 0, count - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Slices to draw from: 16-bit values, and a bit each for lung, infection and dense parts."""

    values: np.ndarray
    truth: np.ndarray
    first: np.ndarray
    count: np.ndarray
    hounsfield: np.ndarray

    def __len__(self) -> int:
        """Count the slices."""
        return len(self.values)


def pool(examples: Iterable[Example]) -> Pool:
    """Keep the slices of volumes, each `KEPT` rows and columns at most."""
    values, truth = [], []
    first: list[int] = []
    count: list[int] = []
    units: list[bool] = []
    for example in examples:
        shown = torch.from_numpy(example.voxels.astype(np.float32))
        bits = (example.lung > 0) * 1 + (example.infection > 0) * 2 + (example.infection == 2) * 4
        kinds = torch.from_numpy(np.stack([(bits >> bit) & 1 for bit in range(3)], 1).astype(np.float32))
        low = float(shown.min())
        small = smaller(shown - low - 1, KEPT) + low + 1 if max(shown.shape[1:]) != KEPT else shown
        if not example.hounsfield:  # all of the sixteen bits, so that windows can be drawn
            black, white = limits(example.voxels, False)
            small = (small - black) * (4000 / (white - black))
        flat = [smaller(kinds[:, bit] * 2 - 1, KEPT) > 0 for bit in range(3)]
        values.append(small.clamp(-32000, 32000).round().to(torch.int16).numpy())
        truth.append(sum(part.numpy().astype(np.uint8) << bit for bit, part in enumerate(flat)))
        first += [len(first)] * len(small)
        count += [len(small)] * len(small)
        units += [example.hounsfield] * len(small)
    return Pool(np.concatenate(values), np.concatenate(truth), np.array(first), np.array(count), np.array(units))


def batch(drawn: Pool, random: np.random.Generator, size: int, slices: int, side: int) -> tuple[Any, Any]:
    """Draw slices with their neighbours, a window for each, and changes of place and tone; images and truth."""
    chosen = random.integers(len(drawn), size=size)
    seen = neighbours(chosen - drawn.first[chosen], 1 << 30, slices) + drawn.first[chosen][:, None]
    seen = np.minimum(seen, (drawn.first + drawn.count - 1)[chosen][:, None])
    seen = np.where(random.random((size, 1)) < ALONE, chosen[:, None], seen)
    seen = np.where(random.random((size, 1)) < 0.5, seen, seen[:, ::-1])  # head first or feet first
    units = drawn.hounsfield[chosen]
    low = np.where(units, random.uniform(-1450, -880, size), random.uniform(-200, 200, size))
    high = np.where(units, random.uniform(0, 500, size), random.uniform(3800, 4300, size))
    images = drawn.values[seen].astype(np.float32) - low[:, None, None, None].astype(np.float32)
    images *= (255 / (high - low))[:, None, None, None].astype(np.float32)
    bits = drawn.truth[chosen]
    masks = np.stack([(bits >> bit) & 1 for bit in range(3)], axis=1)
    tensor = torch.from_numpy(np.clip(images, 0, 255))
    changes = Augment(size=side, **CHANGES)
    done = changes.batch(tensor, torch.from_numpy(masks), rng=random, names=OUTPUTS)
    return done.image / 127.5 - 1, done.masks
