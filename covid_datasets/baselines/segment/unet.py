"""A small residual U-Net: slices and their neighbours in, scores of lung, infection and dense parts out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from covid_datasets.baselines.networks.width import narrowed
from covid_datasets.baselines.recipe import Recipe

OUTPUTS = ("lung", "infection", "dense")
WIDTHS = (32, 64, 128, 192, 288)
"""Channels of each level at full width."""
GROUP = 4
"""Channels that are normalised together."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a network is built from; weights belong to one architecture.

    Attributes:
        slices: Slices that are seen at once, the one in question in the middle: 1 is 2-D, 3 is 2.5-D.
        widths: Channels at the finest resolution, at half of it, and so on.
        side: Rows and columns of what the network was trained to see.
        outputs: What each channel of the result scores.
        as_view: Whether scans are seen as the views of datasets show them, which are trained on: stretched to a square,
            -1000 to 400 HU from black to white, and grey levels of 8 bits as they are. Else proportions are kept, it is
            -1200 to 250 HU, and all but the darkest and the brightest grey levels.
        adds: Whether its lungs are added to the classical ones, as far as they are sure, and do not replace them.
    """

    slices: int = 3
    widths: tuple[int, ...] = (8, 16, 32, 48, 72)
    side: int = 96
    outputs: tuple[str, ...] = OUTPUTS
    as_view: bool = False
    adds: bool = True

    @property
    def multiple(self) -> int:
        """What rows and columns are a multiple of."""
        return 1 << (len(self.widths) - 1)


class Residual(nn.Module):
    """Two convolutions beside a straight way."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(max(outputs // GROUP, 1), outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(max(outputs // GROUP, 1), outputs)
        self.straight = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Any) -> Any:
        """Add what both convolutions find to what came in."""
        inside = self.first_norm(self.first(x)).relu_()
        return (self.second_norm(self.second(inside)) + self.straight(x)).relu_()


class ResidualUNet(nn.Module):
    """Down by halves and up again, each level joined with what it was on the way down.

    >>> network = ResidualUNet(Architecture(widths=(4, 8)))
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        widths = architecture.widths
        self.down = nn.ModuleList(
            Residual(before, width) for before, width in zip((architecture.slices, *widths), widths, strict=False)
        )
        self.up = nn.ModuleList(Residual(below + width, width) for width, below in pairwise(widths))
        self.score = nn.Conv2d(widths[0], len(architecture.outputs), 1)

    def forward(self, x: Any) -> Any:
        """Score each pixel: above 0 where it is more likely than not."""
        levels = []
        for number, block in enumerate(self.down):
            x = block(nn.functional.avg_pool2d(x, 2) if number else x)
            levels.append(x)
        for block, level in zip(reversed(self.up), reversed(levels[:-1]), strict=True):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, level], dim=1))
        return self.score(x)


def architecture_of(recipe: Recipe) -> Architecture:
    """Give what a recipe describes."""
    widths = tuple(narrowed(width, recipe.width) for width in WIDTHS)
    return Architecture(recipe.around, widths, recipe.image_size, recipe.draws, as_view=True, adds=recipe.adds)


def new_network(architecture: Architecture, seed: int) -> ResidualUNet:
    """Make a network whose weights are drawn from a seed, and leave torch's own random state as it is.

    >>> one, other = (new_network(Architecture(widths=(4, 8)), 7) for _ in range(2))
    >>> bool((one.score.weight == other.score.weight).all())
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResidualUNet(architecture)
