"""Training by comparison: what pictures of one class have in common, judged by references out of train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from covid_datasets.baselines.networks.siamese import Siamese, likeness_loss
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.score import Judged, inputs, scores_of
from covid_datasets.baselines.train.shots import groups_with, shots_of


@dataclass(eq=False)
class Likening:
    """A Siamese network that is trained on pairs of a batch, and judged on validation as a classifier.

    Attributes:
        references: Rows of train of each class, as many, no two of one group of people where there are enough.
    """

    recipe: Recipe
    module: Siamese
    training: Any
    validation: Any
    references: tuple[np.ndarray, ...]
    machine: Machine
    data: Data
    name: str = "training"

    @classmethod
    def of(cls, data: Data, recipe: Recipe, network: nn.Module, machine: Machine, seed: int) -> Likening:
        """Put a network together with the data of its recipe."""
        assert isinstance(network, Siamese)
        training, validation = data.learned_and_judged(recipe, machine, seed)
        labels, groups = training.chosen.labels, training.chosen.groups
        most = min(recipe.references, *groups_with(labels, groups, data.classes).values())
        chosen = shots_of(labels, groups, data.classes, most, seed)
        return cls(recipe, network, training, validation, chosen, machine, data)

    def loss(self, applied: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Return how badly the pictures of a batch are told apart."""
        features = applied(inputs(batch, len(self.recipe.masks), self.machine))
        return likeness_loss(self.module, features, batch["label"], self.recipe.margin)

    def judged(self) -> Judged | None:
        """Look at the references anew, and score validation by them."""
        self._look()
        if self.validation is None:
            return None
        return scores_of(self.module, self.validation, self.recipe, self.machine, self.data.labelled).judged

    def _look(self) -> None:
        self.module.eval()
        with torch.no_grad(), self.machine.numbers():
            for number, rows in enumerate(self.references):
                batch = self.training.of_rows(np.resize(rows, self.recipe.references))
                found = self.module.features(inputs(batch, len(self.recipe.masks), self.machine))
                self.module.references[number] = found
        self.module.train()

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all of the network, its references among it."""
        found: dict[str, torch.Tensor] = self.module.state_dict()
        return found
