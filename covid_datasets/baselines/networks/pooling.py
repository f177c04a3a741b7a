"""Patients and volumes: slices that are weighed and added up (Ilse and others, 2018), or stacked and seen as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


class Pooled(nn.Module):
    """Scores a patient by slices: each gives features, a weight says how much they count, and their mean is classified.

    The last layer is linear, so the scores of a patient are the weighted mean of those of the slices. By "attention"
    the weights are learned: how much of a slice counts is a function of its features, which a gate lets through or not.
    By "mean" all slices count alike, and by "max" each feature is that of the slice that has most of it.
    """

    def __init__(self, network: nn.Module, last: str, pooling: str, inner: int) -> None:
        """Take a classifier of pictures, and the name of its last layer."""
        super().__init__()
        self.network, self.last, self.pooling = network, last, pooling
        self._features: list[torch.Tensor] = []
        network.get_submodule(last).register_forward_pre_hook(self._keep)
        if pooling == "attention":
            width = network.get_submodule(last).in_features
            assert isinstance(width, int)
            self.seen, self.gate, self.weight = nn.Linear(width, inner), nn.Linear(width, inner), nn.Linear(inner, 1)

    def _keep(self, layer: nn.Module, given: Any) -> None:
        self._features[:] = [given[0]]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the last layer sees of each slice."""
        self.network(images)
        return self._features.pop()

    def pooled(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of one patient, and the share of each slice in them; shares sum to 1."""
        last = self.network.get_submodule(self.last)
        if self.pooling == "max":
            most, whose = features.max(0)
            shares = torch.bincount(whose, minlength=len(features)) / features.shape[1]
            return last(most), shares
        if self.pooling == "mean":
            shares = torch.full((len(features),), 1 / len(features), device=features.device)
        else:
            gated = torch.tanh(self.seen(features)) * torch.sigmoid(self.gate(features))
            shares = self.weight(gated)[:, 0].float().softmax(0)
        return last(shares.to(features.dtype) @ features), shares

    def forward(self, images: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        """Return the scores of several patients, of whom so many slices each follow one another."""
        parts = self.features(images).split(list(sizes))
        return torch.stack([self.pooled(part)[0] for part in parts])


class Stacked(nn.Module):
    """Scores volumes: slices that follow one another, as many of each, are seen by a network in three dimensions."""

    def __init__(self, network: nn.Module) -> None:
        """Take a classifier of volumes, N×C×D×H×W."""
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        """Return the scores of several volumes."""
        volumes = images.unflatten(0, (len(sizes), -1)).transpose(1, 2).contiguous()
        scores: torch.Tensor = self.network(volumes)
        return scores
