"""Ways of using a few labelled images: each takes which rows these are, and scores all rows of test."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from covid_datasets.baselines.networks.named import network_of
from covid_datasets.baselines.networks.of_recipe import classifier_of
from covid_datasets.baselines.networks.siamese import Siamese
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.score import inputs

AS_TRAINED = "as trained, no label used"
COMPARED = "compared with them"
PROBE = "linear probe of its features"
TUNED = "fine-tuned with them"
Way = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Rows of each class to a probability of each class, for every row."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network makes of all rows: features before its last layer, what that gives, and probabilities."""

    features: torch.Tensor
    outputs: torch.Tensor
    probabilities: np.ndarray


def seen_by(network: nn.Module, batches: Any, recipe: Recipe, machine: Machine) -> Seen:
    """Go through all rows once."""
    kept: list[torch.Tensor] = []
    inner = classifier_of(network)
    last = inner.get_submodule(network_of(recipe.network).last)
    hook = last.register_forward_pre_hook(lambda layer, given: kept.append(given[0].flatten(1).float().cpu()))
    outputs, scores = [], []
    network.eval()
    try:
        for batch in batches:
            with torch.no_grad(), machine.numbers():
                images = inputs(batch, len(recipe.masks), machine)
                if isinstance(network, Siamese):
                    outputs.append(network.features(images))
                    scores.append(network.compared(outputs[-1], network.references))
                else:
                    outputs.append(network(images))
                    scores.append(outputs[-1])
    finally:
        hook.remove()
    probabilities = torch.cat(scores).double().softmax(1).cpu().numpy()
    return Seen(torch.cat(kept), torch.cat(outputs).float(), probabilities)


def compared(network: nn.Module, seen: Seen) -> Way:
    """Score by likeness: as a Siamese network learned it, else by the angle to the mean features of each class."""

    def way(shots: Sequence[np.ndarray]) -> np.ndarray:
        with torch.no_grad():
            if isinstance(network, Siamese):
                references = torch.stack([seen.outputs[torch.from_numpy(rows)] for rows in shots])
                scores = network.compared(seen.outputs, references)
            else:
                unit = functional.normalize(seen.features, dim=1)
                means = torch.stack([unit[torch.from_numpy(rows)].mean(0) for rows in shots])
                scores = unit @ functional.normalize(means, dim=1).T
        found: np.ndarray = scores.double().softmax(1).cpu().numpy()
        return found

    return way


def regressed(features: np.ndarray) -> Way:
    """Learn a logistic regression of features from the labelled rows alone."""
    from sklearn.linear_model import LogisticRegression

    def way(shots: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.concatenate(shots)
        classes = np.repeat(np.arange(len(shots)), [len(each) for each in shots])
        found: np.ndarray = LogisticRegression(max_iter=2000).fit(features[rows], classes).predict_proba(features)
        return found

    return way


def tuned(network: nn.Module, batches: Any, recipe: Recipe, machine: Machine, steps: int) -> Way:
    """Train all layers on with the labelled rows, as they are stored, and go through all rows again.

    Statistics of batches stay those of training, for a few images say less; the rate is half of the recipe's.
    """

    def way(shots: Sequence[np.ndarray]) -> np.ndarray:
        own = copy.deepcopy(network).eval()
        images = inputs(batches.of_rows(np.concatenate(shots)), len(recipe.masks), machine)
        classes = np.repeat(np.arange(len(shots)), [len(each) for each in shots])
        labels = torch.from_numpy(classes).to(machine.device)
        by = torch.optim.Adam(own.parameters(), recipe.rate / 2)
        machine.seed(0)
        for _ in range(steps):
            by.zero_grad(set_to_none=True)
            with machine.numbers():
                loss = functional.cross_entropy(own(images).float(), labels)
            loss.backward()
            by.step()
        return seen_by(own, batches, recipe, machine).probabilities

    return way
