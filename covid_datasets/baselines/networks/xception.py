"""Xception (Chollet, 2017): Inception taken to where every channel is filtered for itself."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from covid_datasets.baselines.networks.width import narrowed

BLOCKS = (
    (64, 128, 2, 2),
    (128, 256, 2, 2),
    (256, 728, 2, 2),
    *[(728, 728, 3, 1)] * 8,
    (728, 1024, 2, 2),
)
"""Channels before and after, separable convolutions, and the stride of each block, as in figure 5 of the paper."""


class SeparableConvolution(nn.Module):
    """A convolution of 3 by 3 of each channel for itself, and then one of 1 by 1 of all channels."""

    def __init__(self, before: int, after: int) -> None:
        """Make both."""
        super().__init__()
        self.conv1 = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
        self.pointwise = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Transform features."""
        return self.pointwise(self.conv1(images))


class Block(nn.Module):
    """Some separable convolutions beside a shortcut. The first block begins without a ReLU, the last one grows late."""

    def __init__(self, before: int, after: int, depth: int, stride: int, *, first: bool, grows_late: bool) -> None:
        """Make the layers."""
        super().__init__()
        sizes = [before, *[before if grows_late else after] * (depth - 1), after]
        layers: list[nn.Module] = []
        for one, other in pairwise(sizes):
            layers += [nn.ReLU(inplace=bool(layers)), SeparableConvolution(one, other), nn.BatchNorm2d(other)]
        layers = layers[1:] if first else layers
        self.rep = nn.Sequential(*layers, *([nn.MaxPool2d(3, stride, 1)] if stride > 1 else []))
        self.skip: nn.Module | None = None
        if stride > 1 or before != after:
            self.skip = nn.Conv2d(before, after, 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(after)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Transform features."""
        beside = images if self.skip is None else self.skipbn(self.skip(images))
        return self.rep(images) + beside


class Xception(nn.Module):
    """Entry, middle and exit flow; parameters have the names of the port that timm calls ``legacy_xception``."""

    def __init__(self, classes: int, channels: int, width: float) -> None:
        """Make the layers."""
        super().__init__()
        size = {full: narrowed(full, width) for full in (32, 64, 128, 256, 728, 1024, 1536, 2048)}
        self.conv1 = nn.Conv2d(channels, size[32], 3, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(size[32])
        self.conv2 = nn.Conv2d(size[32], size[64], 3, bias=False)
        self.bn2 = nn.BatchNorm2d(size[64])
        for number, (before, after, depth, stride) in enumerate(BLOCKS, 1):
            block = Block(size[before], size[after], depth, stride, first=number == 1, grows_late=number == len(BLOCKS))
            self.add_module(f"block{number}", block)
        self.conv3 = SeparableConvolution(size[1024], size[1536])
        self.bn3 = nn.BatchNorm2d(size[1536])
        self.conv4 = SeparableConvolution(size[1536], size[2048])
        self.bn4 = nn.BatchNorm2d(size[2048])
        self.fc = nn.Linear(size[2048], classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one score for each class."""
        found = torch.relu(self.bn1(self.conv1(images)))
        found = torch.relu(self.bn2(self.conv2(found)))
        for number in range(1, len(BLOCKS) + 1):
            found = self.get_submodule(f"block{number}")(found)
        found = torch.relu(self.bn3(self.conv3(found)))
        found = torch.relu(self.bn4(self.conv4(found)))
        return self.fc(found.mean((2, 3)))
