"""What a model says of images, in the order of the rows: a probability for each class, a number, or a risk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from covid_datasets.audits.traits.auc import Pairs
from covid_datasets.baselines.evaluate.graded import Lived, Ranks, correlation, quadratic_kappa
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.loss import of_classes
from covid_datasets.baselines.train.machine import Machine


@dataclass(frozen=True, slots=True)
class Judged:
    """How good an epoch is: the first measure decides, the higher the better, and of equal ones the lower loss."""

    measures: dict[str, float]
    loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What is said of some rows, a line for each, with what is true and the mean loss.

    Attributes:
        told: A column of probabilities for each class or level; or one column of numbers or risks.
        truth: The number of the class or level, the number, or signed days (see `Target`).
        loss: As in training, without smoothing.
        measures: How good it is; the first one, of which more is better, says which epoch is the best.
    """

    told: np.ndarray
    truth: np.ndarray
    loss: float
    measures: Mapping[str, float]

    @property
    def judged(self) -> Judged:
        """What decides which epoch is the best."""
        return Judged(dict(self.measures), self.loss)


def measured(told: np.ndarray, truth: np.ndarray, recipe: Recipe) -> dict[str, float]:
    """Measure what is said of some rows."""
    if recipe.target is None:
        return {"auc": auc(told, truth), "accuracy": float((told.argmax(1) == truth).mean())}
    ones = np.ones(len(truth))
    if recipe.target.kind == "survival":
        return Lived(truth, told[:, 0], [str(row) for row in range(len(truth))])(ones)
    ordinal = recipe.target.kind == "ordinal"
    expected = told @ np.arange(told.shape[1]) if ordinal else told[:, 0]
    said = told.argmax(1) if ordinal else expected
    ranks = Ranks.of(np.round(expected, 9))(ones), Ranks.of(truth)(ones)
    return {"rank": correlation(*ranks, ones), "kappa": quadratic_kappa(truth.astype(float), said.astype(float), ones)}


def auc(told: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under the ROC curve: of the second class of two, else the mean of each against the others.

    Classes that nobody here has are left out; without any pair it is no number.
    """
    columns = [1] if told.shape[1] == 2 else range(told.shape[1])
    ones, stratum = np.ones(len(truth)), np.zeros(len(truth))
    found = [Pairs.of(told[:, each], truth == each, stratum).auc(ones) for each in columns]
    known = [each for each in found if not np.isnan(each)]
    return float(np.mean(known)) if known else float("nan")


def inputs(batch: dict[str, Any], shown: int, machine: Machine) -> torch.Tensor:
    """Put the first masks of a batch, those that are shown, beside its images, as channels of 0 and 1."""
    images = batch["image"]
    if shown:
        images = torch.cat([images, (batch["masks"][:, :shown] == 1).to(images.dtype)], 1)
    return machine.images(images)


def told(outputs: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of classes and levels; what is one column is no probability, and stays."""
    return outputs.double().softmax(1) if outputs.shape[1] > 1 else outputs.double()


Labelled = Callable[[dict[str, Any]], dict[str, Any]]
"""Gives a batch what is true of its images; see `Data.labelled`."""


def scores_of(network: nn.Module, batches: Any, recipe: Recipe, machine: Machine, labelled: Labelled) -> Scores:
    """Apply a network to all rows, whose batches are not shuffled."""
    was_training = network.training
    network.eval()
    found, labels = [], []
    for batch in batches:
        with torch.no_grad(), machine.numbers():
            found.append(network(inputs(batch, len(recipe.masks), machine)).float().cpu())
        labels.append(labelled(batch)["label"].cpu().clone())
    network.train(was_training)
    outputs, truth = torch.cat(found), torch.cat(labels)
    loss = float(of_classes(outputs, {"label": truth}, replace(recipe, smoothing=0.0)))
    said = told(outputs).numpy()
    return Scores(said, truth.numpy(), loss, measured(said, truth.numpy(), recipe))
