"""The network that a recipe describes, as training makes it and as everything else makes it again."""

from __future__ import annotations

from typing import Any

from covid_datasets.baselines.networks.named import make_network, network_of
from covid_datasets.baselines.networks.width import narrowed
from covid_datasets.baselines.recipe import Recipe

INNER = 256
"""Channels of the pyramid's branches, at full width."""


def network_of_recipe(recipe: Recipe, classes: int) -> Any:
    """Make the network of a recipe, with random weights drawn from torch's generator; it draws the recipe's masks."""
    if recipe.draws_alone:
        from covid_datasets.baselines.segment.unet import ResidualUNet, architecture_of

        return ResidualUNet(architecture_of(recipe))
    network = make_network(recipe.network, classes, channels=recipe.in_channels, width=recipe.width)
    if not recipe.draws:
        return network
    from covid_datasets.baselines.networks.drawing import Drawing

    maps, inner = network_of(recipe.network).maps, narrowed(INNER, recipe.width)
    return Drawing(network, maps, recipe.in_channels, len(recipe.draws), inner)


def classifier_of(network: Any) -> Any:
    """Return the classifier inside of what `network_of_recipe` made, whose parameters have the names of its paper."""
    from covid_datasets.baselines.networks.drawing import Drawing

    return network.network if isinstance(network, Drawing) else network
