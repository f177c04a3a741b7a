"""Training with a label for each patient or series: what a loop trains, and how whole units are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from covid_datasets.baselines.networks.pooling import Pooled
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.loss import of_classes
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.score import Judged, Scores, inputs, measured, told
from covid_datasets.baselines.train.units import Units


@dataclass(frozen=True, eq=False)
class Judge:
    """Scores the units of some rows.

    Attributes:
        units: Whose rows are whose.
        batches: Of slices one by one, where they are pooled; of volumes, where a network sees these.
    """

    recipe: Recipe
    units: Units
    batches: Any
    machine: Machine

    @classmethod
    def of(cls, data: Data, part: str, recipe: Recipe, machine: Machine) -> Judge:
        """Take a part of a split."""
        make = data.unit_batches if recipe.in_depth else data.batches
        return cls(recipe, data.units(part, recipe), make(part, recipe, 0, device=machine.device), machine)

    def __call__(self, network: nn.Module) -> tuple[Scores, np.ndarray | None]:
        """Score each unit, by all of its slices, and say which share each row has in that, where it is pooled.

        Slices are seen batch by batch, so memory does not grow with a unit but by the features of its slices.
        """
        was_training = network.training
        network.eval()
        with torch.no_grad(), self.machine.numbers():
            found, shares = self._pooled(network) if isinstance(network, Pooled) else (self._seen(network), None)
        network.train(was_training)
        labels = torch.from_numpy(self.units.labels)
        loss = float(functional.cross_entropy(found, labels))
        said = told(found).numpy()
        return Scores(said, self.units.labels, loss, measured(said, self.units.labels, self.recipe)), shares

    def _seen(self, network: nn.Module) -> torch.Tensor:
        shown = len(self.recipe.masks)
        scores = [network(inputs(batch, shown, self.machine), batch["sizes"]).float().cpu() for batch in self.batches]
        return torch.cat(scores)

    def _pooled(self, network: Pooled) -> tuple[torch.Tensor, np.ndarray]:
        shown = len(self.recipe.masks)
        features = torch.cat([network.features(inputs(batch, shown, self.machine)) for batch in self.batches])
        shares, scores = np.empty(len(features), np.float32), []
        for rows in self.units.rows:
            scored, shares_of = network.pooled(features[torch.from_numpy(rows).to(features.device)])
            scores.append(scored.float().cpu())
            shares[rows] = shares_of.cpu().numpy()
        return torch.stack(scores), shares


@dataclass(eq=False)
class Weighing:
    """A classifier of patients or series that is trained on their labels, and judged on validation."""

    recipe: Recipe
    module: nn.Module
    training: Any
    validation: Judge | None
    machine: Machine
    name: str = "training"

    @classmethod
    def of(cls, data: Data, recipe: Recipe, network: nn.Module, machine: Machine, seed: int) -> Weighing:
        """Put a network together with the data of its recipe."""
        place = {"rank": machine.rank, "world": machine.world, "device": machine.device}
        training = data.unit_batches("train", recipe, seed, **place)
        validation = Judge.of(data, "validation", recipe, machine) if "validation" in data.rows else None
        return cls(recipe, network, training, validation, machine)

    def loss(self, applied: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Return how wrong the classes are."""
        scores = applied(inputs(batch, len(self.recipe.masks), self.machine), batch["sizes"])
        return of_classes(scores, batch, self.recipe)

    def judged(self) -> Judged | None:
        """Score the units of validation."""
        return self.validation(self.module)[0].judged if self.validation else None

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all of the network."""
        found: dict[str, torch.Tensor] = self.module.state_dict()
        return found
