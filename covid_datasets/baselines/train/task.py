"""What a loop trains: a module and its batches, what a step makes smaller, and how an epoch is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.likening import Likening
from covid_datasets.baselines.train.loss import joint_loss
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.score import Judged, inputs, scores_of
from covid_datasets.baselines.train.segmenting import Segmenting
from covid_datasets.baselines.train.weighing import Weighing


class Task(Protocol):
    """Anything that a loop can train.

    Attributes:
        name: What it is called where progress is shown.
        recipe: How many epochs, which rate, which optimizer.
        module: What is trained, and kept in a state.
        training: The batches of an epoch.
    """

    name: str
    recipe: Recipe
    module: nn.Module
    training: Any

    def loss(self, applied: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Return what a step makes smaller; ``applied`` is the module, compiled or shared among processes."""

    def judged(self) -> Judged | None:
        """Judge validation; ``None`` where there is none, and every epoch is better than the one before."""

    def weights(self) -> dict[str, torch.Tensor]:
        """Return what is kept of the best epoch."""


@dataclass(eq=False)
class Classifying:
    """A network that is trained on labels or a target, and judged on validation."""

    recipe: Recipe
    module: nn.Module
    training: Any
    validation: Any
    machine: Machine
    data: Data
    name: str = "training"

    @classmethod
    def of(cls, data: Data, recipe: Recipe, network: nn.Module, machine: Machine, seed: int) -> Classifying:
        """Put a network together with the data of its recipe."""
        training, validation = data.learned_and_judged(recipe, machine, seed)
        return cls(recipe, network, training, validation, machine, data)

    def loss(self, applied: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Return how wrong the scores are, and the masks where the network draws some."""
        outputs = applied(inputs(batch, len(self.recipe.masks), self.machine))
        return joint_loss(outputs, self.data.labelled(batch), self.recipe)

    def judged(self) -> Judged | None:
        """Score validation."""
        if self.validation is None:
            return None
        return scores_of(self.module, self.validation, self.recipe, self.machine, self.data.labelled).judged

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all of the network."""
        found: dict[str, torch.Tensor] = self.module.state_dict()
        return found


def task_of(data: Data, recipe: Recipe, network: nn.Module, machine: Machine, seed: int) -> Task:
    """Put a network together with the data of its recipe, as what is learned and judged says."""
    one_by_one = Likening if recipe.siamese else Segmenting if recipe.draws_alone else Classifying
    kind = one_by_one if recipe.unit == "image" else Weighing
    return kind.of(data, recipe, network, machine, seed)
