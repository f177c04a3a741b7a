"""VGG-16 (Simonyan and Zisserman, 2014), as configuration D of the paper, without batch normalisation."""

from __future__ import annotations

import torch
from torch import nn

from covid_datasets.baselines.networks.width import narrowed

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels of each stage, and how many convolutions it has; each ends with a pooling."""


class VGG(nn.Module):
    """Thirteen convolutions of 3 by 3 and three linear layers; parameters have the names of torchvision."""

    def __init__(self, classes: int, channels: int, width: float) -> None:
        """Make the layers."""
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for full, depth in STAGES:
            for _ in range(depth):
                layers += [nn.Conv2d(before, narrowed(full, width), 3, padding=1), nn.ReLU(inplace=True)]
                before = narrowed(full, width)
            layers.append(nn.MaxPool2d(2))
        hidden = narrowed(4096, width)
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(before * 49, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(hidden, classes),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one score for each class."""
        return self.classifier(self.avgpool(self.features(images)).flatten(1))
