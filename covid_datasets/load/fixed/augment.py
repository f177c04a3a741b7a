"""`Augment`: small changes of images and their masks together, batch by batch, on the processor or a GPU.

What happens to a sample is a function of the seed, the epoch and its place in the epoch, so it is the same after a
resume, and for any number of workers and ranks. No global generator is asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.order import uniform
from covid_datasets.load.fixed.view import UNKNOWN

SIDES = ("left_lung", "right_lung")
"""Masks that change places when left and right do."""


class Drawn(NamedTuple):
    """What was drawn for each sample of a batch."""

    flip: np.ndarray
    angle: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Small random changes. Every number is the largest change; 0 leaves that one out.

    Attributes:
        flip: The share of samples that are mirrored left to right; the masks of left and right lung then change places.
            It is 0 by default, because the heart is on one side.
        rotate: Degrees, to either side.
        shift: A share of the image's side, in either direction.
        scale: 0.1 makes what is shown up to a tenth larger or smaller.
        brightness: A share of the range of values, added or taken away.
        contrast: 0.1 moves values up to a tenth away from their mean, or towards it.

    >>> Augment(rotate=10, shift=0.05, brightness=0.1).rotate
    10
    """

    flip: float = 0.0
    rotate: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no small change."""
        most = {"flip": 1.0, "rotate": 180.0}
        for each in fields(self):
            value, limit = getattr(self, each.name), most.get(each.name, 0.9)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= limit:
                raise UsageError(f"{each.name}: expected a number from 0 to {limit:g}, found {value!r}")

    def draw(self, seed: int, epoch: int, places: np.ndarray) -> Drawn:
        """Draw the changes of the samples at some places of an epoch.

        >>> Augment(flip=1.0).draw(0, 0, np.array([3])).flip.tolist()
        [True]
        """
        numbers = np.stack([uniform(7, seed, epoch, 1 + int(place)) for place in places]).reshape(len(places), 7)
        both = 2 * numbers - 1
        return Drawn(
            flip=numbers[:, 0] < self.flip,
            angle=both[:, 1] * math.radians(self.rotate),
            shift=both[:, 2:4] * self.shift,
            scale=1 + both[:, 4] * self.scale,
            brightness=both[:, 5] * self.brightness,
            contrast=1 + both[:, 6] * self.contrast,
        )

    @property
    def moves(self) -> bool:
        """Tell whether pixels change their places."""
        return any((self.flip, self.rotate, self.shift, self.scale))


def augmented(
    augment: Augment, drawn: Drawn, images: Any, masks: Any, full: tuple[float, float], names: tuple[str, ...]
) -> tuple[Any, Any]:
    """Change a batch of tensors: images as floats, and masks as they are stored.

    Args:
        augment: What to do.
        drawn: What was drawn for each sample.
        images: N×C×H×W, floats.
        masks: N×M×H×W, or ``None``.
        full: The lowest value, which comes in from beyond the border, and the highest.
        names: Of the masks.
    """
    import torch

    low, high = full
    if augment.moves:
        grid = _grid(drawn, images.shape, images.device)
        images = _sampled(images - low, grid, "bilinear") + low
        if masks is not None:
            known = _swapped(masks, drawn.flip, names).to(torch.float32) - UNKNOWN
            masks = (_sampled(known, grid, "nearest") + UNKNOWN).to(torch.uint8)
    if augment.contrast or augment.brightness:
        factor, added = (_each(values, images) for values in (drawn.contrast, drawn.brightness * (high - low)))
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = ((images - mean) * factor + mean + added).clamp(low, high)
    return images, masks


def _each(values: np.ndarray, images: Any) -> Any:
    """Bring a number for each sample to where the images are."""
    import torch

    return torch.as_tensor(values, dtype=images.dtype, device=images.device).reshape(-1, 1, 1, 1)


def _grid(drawn: Drawn, shape: tuple[int, ...], device: Any) -> Any:
    """Say for each pixel of the result where it comes from, from -1 to 1 across the image."""
    import torch

    count, _, height, width = shape
    cosine, sine = np.cos(drawn.angle) / drawn.scale, np.sin(drawn.angle) / drawn.scale
    mirror = np.where(drawn.flip, -1.0, 1.0)
    theta = np.zeros((count, 2, 3))
    theta[:, 0] = np.stack([mirror * cosine, -mirror * sine * height / width, mirror * -2 * drawn.shift[:, 0]], axis=1)
    theta[:, 1] = np.stack([sine * width / height, cosine, -2 * drawn.shift[:, 1]], axis=1)
    # Made on the processor, so that every device gets the same places.
    grid = torch.nn.functional.affine_grid(
        torch.as_tensor(theta, dtype=torch.float32), [count, 1, height, width], align_corners=False
    )
    return grid.to(device)


def _sampled(values: Any, grid: Any, mode: str) -> Any:
    import torch

    return torch.nn.functional.grid_sample(values, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _swapped(masks: Any, flip: np.ndarray, names: tuple[str, ...]) -> Any:
    """Let the masks of left and right change places where the image is mirrored."""
    import torch

    if not flip.any() or not set(SIDES) & set(names):
        return masks
    if not set(SIDES) <= set(names):
        raise UsageError(f"masks: expected {' and '.join(SIDES)} together, because images are mirrored; found {names}")
    left, right = map(names.index, SIDES)
    order = list(range(len(names)))
    order[left], order[right] = right, left
    mirrored = torch.as_tensor(flip, device=masks.device).reshape(-1, 1, 1, 1)
    return torch.where(mirrored, masks[:, order], masks)
