"""Training a network that draws masks: what a step makes smaller, how an epoch is judged, and what a run gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from covid_datasets.baselines.evaluate.overlap import Counts, write_counts
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.segment.weights import WEIGHTS, load_weights, save_weights
from covid_datasets.baselines.train.data import Data
from covid_datasets.baselines.train.loss import dense_counts, of_drawing
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.names import PREDICTIONS
from covid_datasets.baselines.train.score import Judged, inputs
from covid_datasets.load.fixed.view import UNKNOWN

LIKELY = 0.5


@dataclass(eq=False)
class Segmenting:
    """A network that is trained on masks, and judged by its Dice on validation."""

    recipe: Recipe
    module: nn.Module
    training: Any
    validation: Any
    machine: Machine
    name: str = "training"

    @classmethod
    def of(cls, data: Data, recipe: Recipe, network: nn.Module, machine: Machine, seed: int) -> Segmenting:
        """Put a network together with the data of its recipe."""
        training, validation = data.learned_and_judged(recipe, machine, seed)
        # Convolutions with few channels take a fifth less of a processor, too, with channels last.
        return cls(recipe, network.to(memory_format=torch.channels_last), training, validation, machine)

    def loss(self, applied: nn.Module, batch: dict[str, Any]) -> torch.Tensor:
        """Return how wrong the masks are; where nobody drew one, nothing is learned of it."""
        counts = dense_counts(batch["masks"], self.recipe)
        return of_drawing(applied(_seen(batch, self.machine)), batch["masks"], counts)

    def judged(self) -> Judged | None:
        """Judge validation by the mean over masks of their Dice in all pixels."""
        if self.validation is None:
            return None
        self.module.eval()
        pixels, losses = torch.zeros(2, len(self.recipe.draws), dtype=torch.float64), []
        with torch.no_grad(), self.machine.numbers():
            for batch in self.validation:
                drawn = self.module(_seen(batch, self.machine)).float()
                known, truth = batch["masks"] != UNKNOWN, batch["masks"] == 1
                found = (drawn > 0) & known
                sums = ((found & truth).sum((0, 2, 3)) * 2, found.sum((0, 2, 3)) + truth.sum((0, 2, 3)))
                pixels += torch.stack(sums).cpu().double()
                losses.append(float(of_drawing(drawn, batch["masks"])))
        self.module.train()
        dice = (pixels[0] / pixels[1].clamp(min=1)).tolist()
        good, loss = float(np.mean(dice)), float(np.mean(losses))
        each = {f"dice_{name}": value for name, value in zip(self.recipe.draws, dice, strict=True)}
        return Judged({"dice": good, **each}, loss)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return all of the network."""
        found: dict[str, torch.Tensor] = self.module.state_dict()
        return found


def _seen(batch: dict[str, Any], machine: Machine) -> torch.Tensor:
    return inputs(batch, 0, machine).contiguous(memory_format=torch.channels_last)


def write_drawn(path: Path, network: Any, data: Data, recipe: Recipe, config: dict[str, Any], machine: Machine) -> None:
    """Write weights that others can take, and what these draw of validation and test; the table is written last."""
    save_weights(network.cpu(), path / WEIGHTS, _card(recipe, config))
    taken = machine.placed(load_weights(path / WEIGHTS).network).eval()  # what is scored is what will be used
    found = [drawn_in(part, taken, data, recipe, machine) for part in ("validation", "test") if part in data.rows]
    write_counts(path / PREDICTIONS, recipe.draws, [row for rows in found for row in rows])


def drawn_in(part: str, network: Any, data: Data, recipe: Recipe, machine: Machine) -> Iterator[Counts]:
    """Count, in each row of a part, the pixels of each mask: the true ones, those that are drawn, and both."""
    rows, batches = data.rows[part], data.batches(part, recipe, 0, device=machine.device)
    chosen, number = batches.chosen, 0
    for batch in batches:
        with torch.no_grad(), machine.numbers():
            likely = network(_seen(batch, machine)).float().sigmoid().cpu()
        for each in likely:
            row = rows[number]
            built = chosen.builds[int(chosen.build_of[number])]
            height, width = row["image"].shape[:2]
            drawn = functional.interpolate(each[None], (height, width), mode="bilinear", align_corners=False)[0]
            yield Counts.of(row, part, built.fingerprint, dict(zip(recipe.draws, drawn.numpy() > LIKELY, strict=True)))
            number += 1


def _card(recipe: Recipe, config: dict[str, Any]) -> dict[str, Any]:
    """Say what weights are, for whoever gets them alone."""
    names = [build["id"] for build in config["builds"]]
    known = ("scheme", "seed", "fingerprint", "split_hash")
    return {
        "name": f"{config['recipe_name']}-{'-'.join(names)}".replace("/", "_"),
        "task": f"{', '.join(recipe.draws)}, {'2-D' if recipe.around == 1 else f'2.5-D, of {recipe.around} slices'}",
        "trained_on": [f"train of {', '.join(names)}, {', '.join(f'{key} {config[key]}' for key in known)}"],
        "intended_use": "research on images like those that it learned from. Not for diagnosis",
        "license": f"that of what it learned from: covid-datasets info {' '.join(names)}",
        "figures": config["figures"],
    }
