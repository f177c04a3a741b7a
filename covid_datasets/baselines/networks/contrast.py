"""Momentum contrast (He and others, 2020): a network learns to tell pictures apart before it learns of any label."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional

from covid_datasets.baselines.recipe import Pretraining

_PARTS = 4


class Contrast(nn.Module):
    """Finds a picture, changed in one way, among others by itself, changed in another way.

    Queries are made by the network that is trained, keys by one whose weights slowly follow. The dictionary holds the
    keys of the last pictures; the newest replace the oldest.
    """

    dictionary: torch.Tensor
    place: torch.Tensor

    def __init__(self, network: nn.Module, last: str, settings: Pretraining) -> None:
        """Take a copy of a classifier, with a head of two layers in place of its last one."""
        super().__init__()
        self.last, self.settings = last, settings
        self.network = copy.deepcopy(network)
        inner = self.network.get_submodule(last).in_features
        assert isinstance(inner, int)
        head = nn.Sequential(nn.Linear(inner, inner), nn.ReLU(), nn.Linear(inner, settings.features))
        parent, _, child = last.rpartition(".")
        setattr(self.network.get_submodule(parent), child, head)
        self.keys = copy.deepcopy(self.network).requires_grad_(False)
        random = torch.randn(settings.features, settings.dictionary)
        self.register_buffer("dictionary", functional.normalize(random, dim=0))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Score for each picture how near its two changes are, and then how near each of the dictionary is."""
        queries = functional.normalize(self.network(first).float(), dim=1)
        with torch.no_grad():
            self._follow()
            keys = functional.normalize(self._keys_of(second), dim=1)
        same = (queries * keys).sum(1, keepdim=True)
        scores = torch.cat([same, queries @ self.dictionary.clone()], 1) / self.settings.temperature
        self._remember(keys)
        return scores

    def _follow(self) -> None:
        for slow, fast in zip(self.keys.parameters(), self.network.parameters(), strict=True):
            slow.mul_(self.settings.follows).add_(fast, alpha=1 - self.settings.follows)

    def _keys_of(self, images: torch.Tensor) -> torch.Tensor:
        """Make keys of shuffled parts, so that no key shares the statistics of its batch with its query."""
        order = torch.randperm(len(images)).to(images.device)
        parts = order.chunk(max(1, min(_PARTS, len(images) // 2)))
        keys = torch.empty(len(images), self.settings.features, device=images.device)
        for part in parts:
            keys[part] = self.keys(images[part]).float()
        return keys

    def _remember(self, keys: torch.Tensor) -> None:
        size = self.settings.dictionary
        places = (self.place + torch.arange(len(keys), device=keys.device)) % size
        self.dictionary[:, places] = keys.T
        self.place.copy_((self.place + len(keys)) % size)

    def learned(self) -> dict[str, torch.Tensor]:
        """Return the weights of the network without its head, under the names of the classifier."""
        return {
            name: values for name, values in self.network.state_dict().items() if not name.startswith(f"{self.last}.")
        }
