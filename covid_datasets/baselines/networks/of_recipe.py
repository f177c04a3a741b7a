"""The network that a recipe describes, as training makes it and as everything else makes it again."""

from __future__ import annotations

from typing import Any

from covid_datasets.baselines.networks.named import make_network, network_of
from covid_datasets.baselines.networks.width import narrowed
from covid_datasets.baselines.recipe import Recipe

INNER = 256
"""Channels of the pyramid's branches, at full width."""
ATTENTION = 128
"""Numbers of which the weight of a slice is made, at full width."""


def network_of_recipe(recipe: Recipe, classes: int) -> Any:
    """Make the network of a recipe, with random weights drawn from torch's generator; it draws the recipe's masks.

    Of a recipe whose unit is not the image, it takes the slices of several units, and how many each has. What a target
    is made of is one score.
    """
    if recipe.draws_alone:
        from covid_datasets.baselines.segment.unet import ResidualUNet, architecture_of

        return ResidualUNet(architecture_of(recipe))
    last = recipe.features if recipe.siamese else classes if recipe.target is None else 1
    network = make_network(recipe.network, last, channels=recipe.in_channels, width=recipe.width)
    if recipe.siamese:
        from covid_datasets.baselines.networks.siamese import Siamese

        kept = {"references": recipe.references, "features": recipe.features}
        return Siamese(network, recipe.siamese, classes=classes, **kept)
    if recipe.unit != "image":
        from covid_datasets.baselines.networks.pooling import Pooled, Stacked

        if recipe.in_depth:
            return Stacked(network)
        return Pooled(network, network_of(recipe.network).last, recipe.pooling, narrowed(ATTENTION, recipe.width))
    if recipe.draws:
        from covid_datasets.baselines.networks.drawing import Drawing

        maps, inner = network_of(recipe.network).maps, narrowed(INNER, recipe.width)
        network = Drawing(network, maps, recipe.in_channels, len(recipe.draws), inner)
    if recipe.target is None or recipe.target.kind == "survival":
        return network
    from covid_datasets.baselines.networks.heads import Bounded, Ordered

    return Ordered(network, classes) if recipe.target.kind == "ordinal" else Bounded(network, *recipe.target.bounds)


def classifier_of(network: Any) -> Any:
    """Return the classifier inside of what `network_of_recipe` made, whose parameters have the names of its paper."""
    from covid_datasets.baselines.networks.drawing import Drawing
    from covid_datasets.baselines.networks.heads import Head
    from covid_datasets.baselines.networks.pooling import Pooled, Stacked
    from covid_datasets.baselines.networks.siamese import Siamese

    inner = network.network if isinstance(network, Head) else network
    return inner.network if isinstance(inner, Drawing | Pooled | Siamese | Stacked) else inner
