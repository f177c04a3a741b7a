"""Training without labels: pictures of train, each changed in two ways, are to be found again by each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from covid_datasets.baselines.networks.contrast import Contrast
from covid_datasets.baselines.networks.named import network_of
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.score import Judged, inputs
from covid_datasets.errors import UsageError

FOLDER = Path("pretraining")
"""Where in the folder of a run this is kept."""


@dataclass(eq=False)
class Contrasting:
    """A network that is trained on the pictures of train alone, without their labels."""

    recipe: Recipe
    module: Contrast
    training: Any
    machine: Machine
    name: str = "pretraining"

    @classmethod
    def of(cls, data: Data, recipe: Recipe, classifier: nn.Module, machine: Machine, seed: int) -> Contrasting:
        """Put a copy of a classifier together with the pictures of train, as they are stored."""
        if machine.world > 1:
            raise UsageError(
                f"pretraining: expected one process, because the dictionary is of one, found {machine.world}. Next: "
                "train on one GPU, and begin others with weights= of its pretraining/checkpoint.safetensors"
            )
        assert recipe.pretraining is not None
        stage = recipe.stage_before
        module = Contrast(classifier, network_of(recipe.network).last, recipe.pretraining)
        plain: dict[str, Any] = {"augment": None, "mean": 0.0, "std": 1.0, "device": machine.device}
        return cls(stage, module, data.batches("train", stage, seed, **plain), machine)

    def loss(self, applied: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Return how badly pictures were found again."""
        rng = np.random.default_rng(int(torch.randint(1 << 31, (1,))))  # of the step's own generator
        scores = applied(self._changed(batch, rng), self._changed(batch, rng))
        first = torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        return functional.cross_entropy(scores, first)

    def _changed(self, batch: dict[str, Any], rng: np.random.Generator) -> torch.Tensor:
        images, masks, changes = batch["image"], batch.get("masks"), self.recipe.changes
        if changes is not None:
            names = self.recipe.masks if masks is not None else ()
            images, masks, _ = changes.batch(images, masks, rng=rng, full=(0.0, 1.0), names=names)
        mean, std = (torch.tensor(each, device=images.device)[:, None, None] for each in self._scale)
        found = {"image": (images - mean) / std} | ({} if masks is None else {"masks": masks})
        return inputs(found, len(self.recipe.masks), self.machine)

    @property
    def _scale(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.recipe.mean, self.recipe.std

    def judged(self) -> Judged | None:
        """Judge nothing: without labels the last epoch is the best one."""
        return None

    def weights(self) -> dict[str, torch.Tensor]:
        """Return what a classifier begins with."""
        return self.module.learned()
