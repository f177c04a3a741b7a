"""A network that also draws masks: an atrous pyramid over its last maps, as DeepLab has it (Chen and others, 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

RATES = (6, 12, 18)
"""How far apart the pixels are that a branch sees."""


class Branch(nn.Sequential):
    """A convolution without bias, its normalisation and a ReLU."""

    def __init__(self, before: int, after: int, size: int = 1, rate: int = 1) -> None:
        """Make the layers."""
        padding = rate * (size // 2)
        convolution = nn.Conv2d(before, after, size, padding=padding, dilation=rate, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


class Pyramid(nn.Module):
    """Sees maps at several distances and as a whole, and gives a map of scores for each mask."""

    def __init__(self, before: int, masks: int, inner: int) -> None:
        """Make the branches."""
        super().__init__()
        self.branches = nn.ModuleList([Branch(before, inner), *(Branch(before, inner, 3, rate) for rate in RATES)])
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(before, inner, 1), nn.ReLU(inplace=True))
        self.together = Branch(inner * (len(self.branches) + 1), inner)
        self.scores = nn.Conv2d(inner, masks, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return a score for each mask and pixel of the maps."""
        whole = self.whole(maps).expand(-1, -1, *maps.shape[2:])
        seen = [branch(maps) for branch in self.branches]
        return self.scores(self.together(torch.cat([*seen, whole], 1)))


class Drawing(nn.Module):
    """A network for classification with a pyramid beside its last layers.

    In training it returns the scores of the classes and those of the masks, N×masks×H×W; else the former alone, as
    torchvision's Inception does with its auxiliary head, so that whatever applies a classifier can apply it.
    """

    def __init__(self, network: nn.Module, maps: str, channels: int, masks: int, inner: int) -> None:
        """Take a network, the name of the layer that gives its last maps, and how many channels its images have."""
        super().__init__()
        self.network = network
        self._maps: list[torch.Tensor] = []
        network.get_submodule(maps).register_forward_hook(self._keep)
        with torch.no_grad():  # how many maps there are is known when there are some
            network.eval()(torch.zeros(1, channels, 96, 96))
        network.train()
        self.pyramid = Pyramid(self._maps.pop().shape[1], masks, inner)

    def _keep(self, layer: nn.Module, given: Any, result: torch.Tensor) -> None:
        self._maps[:] = [result]

    def forward(self, images: torch.Tensor) -> Any:
        """Return the scores of the classes; in training those of the masks, too."""
        scores = self.network(images)
        maps = self._maps.pop()  # or else the memory of a step would be held until the next one
        if not self.training:
            return scores
        drawn = self.pyramid(maps)
        return scores, functional.interpolate(drawn, images.shape[2:], mode="bilinear", align_corners=False)
