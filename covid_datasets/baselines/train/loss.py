"""What a step makes smaller: how wrong classes, numbers or risks are, and the masks where a network draws some."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.load.fixed.view import UNKNOWN


def joint_loss(outputs: Any, batch: dict[str, Any], recipe: Recipe) -> torch.Tensor:
    """Add the cross-entropy of the classes and, weighted, that of the masks that the recipe draws."""
    if not recipe.draws:
        return of_classes(outputs, batch, recipe)
    scores, drawn = outputs
    first = len(recipe.masks)
    return of_classes(scores, batch, recipe) + recipe.mask_weight * of_masks(drawn, batch["masks"][:, first:])


def of_classes(scores: torch.Tensor, batch: dict[str, Any], recipe: Recipe) -> torch.Tensor:
    """Return the cross-entropy of classes or levels, the squared error of numbers, or what Cox makes of risks."""
    target, truth = recipe.target, batch["label"]
    if target is None or target.kind == "ordinal":
        return functional.cross_entropy(scores.float(), truth, label_smoothing=recipe.smoothing)
    if target.kind == "survival":
        return of_risks(scores.float()[:, 0], truth)
    low, high = target.bounds
    return functional.mse_loss(scores.float()[:, 0] / (high - low), truth / (high - low))


def of_risks(risks: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the partial likelihood of Cox (1972), negative and for each death, of signed days (see `Target`).

    At each death those are compared who were known to live until that day; those who die on one day are compared with
    each other, too (Breslow). Where nobody died nothing is learned.

    >>> round(float(of_risks(torch.zeros(3), torch.tensor([1.0, -2.0, -3.0]))), 4)
    1.0986
    """
    died = truth > 0
    if not died.any():
        return risks.sum() * 0
    days = truth.abs()
    at_risk = days[None, :] >= days[died][:, None]
    others = risks[None, :].expand(len(at_risk), -1).masked_fill(~at_risk, float("-inf"))
    return (others.logsumexp(1) - risks[died]).mean()


def of_drawing(drawn: torch.Tensor, masks: torch.Tensor, counts: torch.Tensor | None = None) -> torch.Tensor:
    """Add the cross-entropy of pixels and what Dice misses, of masks that are all that a network draws.

    ``counts`` says how much each pixel counts in the cross-entropy, where not all count alike.

    >>> perfect = of_drawing(torch.tensor([[[[20.0, -20.0]]]]), torch.tensor([[[[1, 0]]]]))
    >>> round(float(perfect), 3)
    0.0
    """
    known = (masks != UNKNOWN).float()
    likely, truth = drawn.float().sigmoid() * known, (masks == 1).float()
    both = (likely * truth).sum((0, 2, 3))
    dice = (2 * both + 1) / (likely.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    return of_masks(drawn, masks, counts) + (1 - dice).mean()


def dense_counts(masks: torch.Tensor, recipe: Recipe) -> torch.Tensor | None:
    """Say how much each pixel counts, where a recipe lets lung count more that is consolidated.

    >>> from covid_datasets.baselines.recipe import read_recipe
    >>> masks = torch.tensor([[1, 1], [0, 1], [0, 1]])[None, :, None]  # lung, infection, consolidation
    >>> dense_counts(masks, read_recipe("segment-chests"))[0, :, 0].tolist()
    [[1.0, 9.0], [1.0, 1.0], [1.0, 1.0]]
    """
    if not recipe.dense_counts:
        return None
    counts = torch.ones(masks.shape, device=masks.device)
    counts[:, recipe.draws.index("lung")] += recipe.dense_counts * (masks[:, recipe.draws.index("consolidation")] == 1)
    return counts


def of_masks(drawn: torch.Tensor, masks: torch.Tensor, counts: torch.Tensor | None = None) -> torch.Tensor:
    """Return the cross-entropy of each pixel that somebody drew; where nobody drew a mask nothing is learned of it.

    >>> drawn = torch.zeros(2, 1, 4, 4)
    >>> masks = torch.stack([torch.ones(1, 4, 4), torch.full((1, 4, 4), float(UNKNOWN))])
    >>> round(float(of_masks(drawn, masks)), 4), float(of_masks(drawn, masks[1:].expand(2, -1, -1, -1)))
    (0.6931, 0.0)
    """
    known = masks != UNKNOWN
    each = functional.binary_cross_entropy_with_logits(drawn.float(), (masks == 1).float(), counts, reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)
