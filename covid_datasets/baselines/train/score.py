"""What a model says of images: a probability for each class, in the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from covid_datasets.audits.traits.auc import Pairs
from covid_datasets.baselines.train.machine import Machine


@dataclass(frozen=True, slots=True)
class Judged:
    """How good an epoch is: the higher, the better, and of equal ones the lower loss; and all that is told of it."""

    good: float
    loss: float
    told: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Probabilities of some rows, a line for each and a column for each class, with the labels and the mean loss."""

    probabilities: np.ndarray
    labels: np.ndarray
    loss: float

    @property
    def auc(self) -> float:
        """The area under the ROC curve: of the second class of two, else the mean of each class against the others.

        Classes that nobody here has are left out; without any pair it is no number.
        """
        columns = [1] if self.probabilities.shape[1] == 2 else range(self.probabilities.shape[1])
        ones, stratum = np.ones(len(self.labels)), np.zeros(len(self.labels))
        found = [Pairs.of(self.probabilities[:, each], self.labels == each, stratum).auc(ones) for each in columns]
        known = [each for each in found if not np.isnan(each)]
        return float(np.mean(known)) if known else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of rows whose most probable class is theirs."""
        return float((self.probabilities.argmax(1) == self.labels).mean())

    @property
    def judged(self) -> Judged:
        """Judge them by their AUC."""
        told = {"validation_auc": self.auc, "validation_loss": self.loss, "validation_accuracy": self.accuracy}
        return Judged(self.auc, self.loss, told)


def inputs(batch: dict[str, Any], shown: int, machine: Machine) -> torch.Tensor:
    """Put the first masks of a batch, those that are shown, beside its images, as channels of 0 and 1."""
    images = batch["image"]
    if shown:
        images = torch.cat([images, (batch["masks"][:, :shown] == 1).to(images.dtype)], 1)
    return machine.images(images)


def scores_of(network: nn.Module, batches: Any, shown: int, machine: Machine) -> Scores:
    """Apply a network to all rows, whose batches are not shuffled."""
    was_training = network.training
    network.eval()
    logits, labels = [], []
    for batch in batches:
        with torch.no_grad(), machine.numbers():
            logits.append(network(inputs(batch, shown, machine)).float().cpu())
        labels.append(batch["label"].cpu().clone())
    network.train(was_training)
    outputs, truth = torch.cat(logits), torch.cat(labels)
    loss = float(functional.cross_entropy(outputs, truth))
    return Scores(outputs.double().softmax(1).numpy(), truth.numpy(), loss)
