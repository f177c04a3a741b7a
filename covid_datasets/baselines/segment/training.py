"""A network learns to segment: one loop, the same result from the same seed, and it goes on where it was stopped."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from covid_datasets.baselines.segment.slices import Pool, batch
from covid_datasets.baselines.segment.unet import Architecture, ResidualUNet, new_network
from covid_datasets.disk import make_folder, refused, whole
from covid_datasets.errors import BuildError, DamagedFileError, UsageError

KEEP = 50
"""Steps between two states on the disk."""
DENSE_COUNTS = 8.0
"""How much more a dense part of a lung counts."""
STATE = "state.safetensors"


class TrainingError(BuildError):
    """Training cannot go on; the last good state is kept."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is trained.

    Attributes:
        steps: Batches.
        batch: Slices of a batch.
        rate: The highest rate of learning; it rises for a twentieth of the steps and falls as a cosine.
        seed: What weights and batches are drawn from.
        threads: Of the processor; 1 gives the same bits on every machine of a kind.
    """

    steps: int = 2000
    batch: int = 12
    rate: float = 3e-3
    seed: int = 0
    threads: int = 1


def train(
    pool: Pool,
    plan: Plan,
    architecture: Architecture | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    start: ResidualUNet | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> ResidualUNet:
    """Train a network on slices; in a ``folder`` it keeps its state, and the same call goes on from there.

    Args:
        pool: What is learned from.
        plan: How.
        architecture: What is built, by default the one that ships; that of ``start`` where one is given.
        folder: Where the state is kept; by default nowhere.
        start: A network to go on from, which stays as it is.
        on_step: Is told the number of each step, and the loss.

    Raises:
        TrainingError: The loss is no number any more.
        UsageError: The folder holds the state of another training.
    """
    architecture = start.architecture if start else architecture or Architecture()
    network: ResidualUNet = new_network(architecture, plan.seed).to(memory_format=torch.channels_last)
    if start:
        network.load_state_dict(start.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=1e-3)
    state = _State(Path(folder) / STATE if folder else None, json.dumps([repr(plan), repr(architecture), len(pool)]))
    begun = state.load(network, optimiser)
    threads = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        network.train()
        for step in range(begun, plan.steps):
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * _share(step, plan.steps)
            random = np.random.default_rng((plan.seed, step))
            images, truth = batch(pool, random, plan.batch, architecture.slices, architecture.side)
            loss = loss_of(network(images.contiguous(memory_format=torch.channels_last)), truth)
            lost = float(loss.detach())
            if not math.isfinite(lost):
                where = f" {state.path} holds step {state.step} of it." if state.path and state.step else ""
                raise TrainingError(
                    f"step {step}: expected a loss, found {lost}.{where} Next: train with a lower rate than "
                    f"{plan.rate:g}, and look for values in the data that are no numbers"
                )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            if on_step:
                on_step(step, lost)
            if (step + 1) % KEEP == 0 or step + 1 == plan.steps:
                state.save(network, optimiser, step + 1)
    finally:
        torch.set_num_threads(threads)
    network.eval()
    return network


def loss_of(scores: Any, truth: Any) -> Any:
    """Add cross entropy and what Dice misses, of all channels.

    Dense parts are few, and no darkness tells that they are lung: there, missing lung counts more.
    """
    truth = truth.to(scores.dtype)
    weights = torch.ones_like(truth)
    weights[:, 0] += DENSE_COUNTS * truth[:, -1]
    entropy = functional.binary_cross_entropy_with_logits(scores, truth, weights)
    likely = scores.sigmoid()
    both = (likely * truth).sum(dim=(0, 2, 3))
    dice = (2 * both + 1) / (likely.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3)) + 1)
    return 4 * entropy + (1 - dice).mean()


def _share(step: int, steps: int) -> float:
    rising = min(1.0, (step + 1) / max(steps / 20, 1))
    return rising * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


class _State:
    """What a training needs to go on: weights, and the two means that Adam keeps of each."""

    def __init__(self, path: Path | None, what: str) -> None:
        self.path, self.what, self.step = path, what, 0

    def load(self, network: ResidualUNet, optimiser: Any) -> int:
        """Take up what was kept, and give the step to go on with."""
        if self.path is None or not self.path.exists():
            return 0
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, "pt") as kept:
                said = kept.metadata() or {}
                if said.get("training") != self.what:
                    raise UsageError(
                        f"{self.path}: expected the state of this training, found that of another one. "
                        "Next: choose a new folder, or remove the file"
                    )
                found = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
            network.load_state_dict({name[2:]: value for name, value in found.items() if name.startswith("w ")})
            self.step = int(said["step"])
            for name, parameter in network.named_parameters():
                optimiser.state[parameter] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": found[f"m {name}"].clone(memory_format=torch.preserve_format),
                    "exp_avg_sq": found[f"v {name}"].clone(memory_format=torch.preserve_format),
                }
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise DamagedFileError(
                f"{self.path}: expected the state of a training, found {error}. Next: remove it"
            ) from error
        return self.step

    def save(self, network: ResidualUNet, optimiser: Any, step: int) -> None:
        """Keep the state, whole or not at all."""
        if self.path is None:
            return
        from safetensors.torch import save_file

        found = {f"w {name}": value.contiguous() for name, value in network.state_dict().items()}
        for name, parameter in network.named_parameters():
            found[f"m {name}"] = optimiser.state[parameter]["exp_avg"].contiguous()
            found[f"v {name}"] = optimiser.state[parameter]["exp_avg_sq"].contiguous()
        make_folder(self.path.parent)
        try:
            with whole(self.path) as private:
                save_file(found, private, {"training": self.what, "step": str(step)})
        except OSError as error:
            raise refused(self.path, error, f"Step {self.step} is kept.") from error
        self.step = step
