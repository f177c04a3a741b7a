"""What makes of the one score of a network the chances of ordered levels, or a number within bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Head(nn.Module):
    """A network of one score, and what is made of that; the masks that it draws in training pass by."""

    def __init__(self, network: nn.Module) -> None:
        """Take a network."""
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> Any:
        """Return what is made of the score, and the masks where there are some."""
        found = self.network(images)
        if isinstance(found, tuple):
            score, drawn = found
            return self.made(score.float()), drawn
        return self.made(found.float())

    def made(self, scores: torch.Tensor) -> torch.Tensor:
        """Make it."""
        raise NotImplementedError

    def begin(self, truth: np.ndarray) -> None:
        """Begin with what is true of all images together, so that the network learns how they differ."""
        raise NotImplementedError


class Ordered(Head):
    """The logarithm of the chance of each level, by a cumulative link (McCullagh 1980).

    The chance to be above a level is a logistic function of the score less a threshold, and thresholds rise. So the
    levels keep their order, one level more is as far for whoever is ill a little and very, and the cross-entropy
    of these logarithms, which sum to 1, is the likelihood of that model.

    >>> head = Ordered(nn.Identity(), 3)
    >>> head.begin(np.asarray([0, 0, 1, 2]))
    >>> head(torch.zeros(1, 1)).exp().round(decimals=3).tolist()
    [[0.5, 0.25, 0.25]]
    """

    def __init__(self, network: nn.Module, levels: int) -> None:
        """Take a network and the number of levels."""
        super().__init__(network)
        self.first = nn.Parameter(torch.zeros(1))
        self.gaps = nn.Parameter(torch.zeros(levels - 2))

    def made(self, scores: torch.Tensor) -> torch.Tensor:
        """Return a line for each image, a column for each level."""
        gaps = functional.softplus(self.gaps.float())
        above = scores - torch.cat([self.first, self.first + gaps.cumsum(0)])
        nothing = scores.new_zeros(len(scores), 1)
        between = torch.cat([nothing[0], torch.log(-torch.expm1(-gaps)), nothing[0]])
        reached = torch.cat([nothing, functional.logsigmoid(above)], 1)
        ended = torch.cat([functional.logsigmoid(-above), nothing], 1)
        return reached + ended + between

    def begin(self, truth: np.ndarray) -> None:
        """Begin with the shares of the levels."""
        levels = len(self.gaps) + 2
        below = np.asarray([(truth < level).mean() for level in range(1, levels)]).clip(1e-3, 1 - 1e-3)
        thresholds = np.log(below / (1 - below))
        with torch.no_grad():
            self.first.fill_(float(thresholds[0]))
            gaps = np.maximum(np.diff(thresholds), 1e-3)
            self.gaps.copy_(torch.from_numpy(np.log(np.expm1(gaps))))


class Bounded(Head):
    """A number within bounds: a logistic function of the score, stretched."""

    def __init__(self, network: nn.Module, low: float, high: float) -> None:
        """Take a network and the bounds."""
        super().__init__(network)
        self.low, self.high = low, high
        self.first = nn.Parameter(torch.zeros(1))

    def made(self, scores: torch.Tensor) -> torch.Tensor:
        """Return a number for each image, N×1."""
        return self.low + (self.high - self.low) * torch.sigmoid(scores + self.first)

    def begin(self, truth: np.ndarray) -> None:
        """Begin with the mean."""
        share = np.clip((truth.mean() - self.low) / (self.high - self.low), 1e-3, 1 - 1e-3)
        with torch.no_grad():
            self.first.fill_(float(np.log(share / (1 - share))))
