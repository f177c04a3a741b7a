"""MobileNetV2 (Sandler and others, 2018): inverted residuals with linear bottlenecks."""

from __future__ import annotations

import torch
from torch import nn

from covid_datasets.baselines.networks.width import narrowed

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels, blocks, and the stride of the first block, as table 2 of the paper has them."""


def convolution(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution with its normalisation and ReLU6."""
    layer = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Expand, filter each channel for itself, and project; added to what came in where shapes allow."""

    def __init__(self, before: int, after: int, stride: int, expansion: int) -> None:
        """Make the layers."""
        super().__init__()
        hidden = before * expansion
        expand = [convolution(before, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.adds = stride == 1 and before == after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Transform features."""
        return images + self.conv(images) if self.adds else self.conv(images)


class MobileNetV2(nn.Module):
    """Seventeen inverted residuals; parameters have the names of torchvision."""

    def __init__(self, classes: int, channels: int, width: float) -> None:
        """Make the layers."""
        super().__init__()
        before, last = narrowed(32, width), narrowed(1280, max(1.0, width))
        layers: list[nn.Module] = [convolution(channels, before, 3, stride=2)]
        for expansion, full, depth, stride in STAGES:
            for number in range(depth):
                after = narrowed(full, width)
                layers.append(InvertedResidual(before, after, stride if number == 0 else 1, expansion))
                before = after
        self.features = nn.Sequential(*layers, convolution(before, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one score for each class."""
        return self.classifier(self.features(images).mean((2, 3)))
