"""The loop: epoch after epoch, step after step, from wherever a training was stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.asked import Asked
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.baselines.train.names import CHECKPOINT, STATE, VALIDATION, decided
from covid_datasets.baselines.train.score import Judged
from covid_datasets.baselines.train.state import Progress, read_state, write_state, write_tensors
from covid_datasets.baselines.train.task import Task
from covid_datasets.errors import TrainingError
from covid_datasets.progress import Display


def optimizer_of(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of a recipe."""
    common: dict[str, Any] = {"lr": recipe.rate, "weight_decay": recipe.weight_decay}
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(network.parameters(), **common)
        case "adamw":
            return torch.optim.AdamW(network.parameters(), **common)
        case "sgd":
            return torch.optim.SGD(network.parameters(), momentum=recipe.momentum, **common)


class Loop:
    """A training: the task, its optimizer, and how far it is.

    After each epoch, and after every ``checkpoint_steps`` steps within one, all of it is kept in one file, from which
    a loop of the same data goes on. What happens in a step follows from the seed, the epoch and its place in it.
    """

    def __init__(self, asked: Asked, task: Task, machine: Machine, out: Path) -> None:
        """Go on from the state in ``out``, where there is one."""
        self.asked, self.task, self.machine, self.out = asked, task, machine, out
        self.recipe, self.training = task.recipe, task.training
        self.network = machine.placed(task.module)
        self.optimizer = optimizer_of(self.recipe, self.network)
        self.progress = Progress()
        if (out / STATE).exists():
            self.progress = read_state(out / STATE, self.network, self.optimizer)
        self._applied: nn.Module = self.network
        on_gpu = machine.device.type == "cuda"
        if machine.world > 1:
            self._applied = DistributedDataParallel(self.network, device_ids=[machine.device] if on_gpu else None)
        if asked.compile and on_gpu:
            self._applied = torch.compile(self._applied)

    def run(self, display: Display, after_epoch: Callable[[Progress], object]) -> Progress:
        """Train until the last epoch, or until validation has not become better for as long as the recipe waits."""
        at = self.progress
        total = self.recipe.epochs * len(self.training)
        display.add(self.task.name, total)
        display.advance(self.task.name, at.epoch * len(self.training) + at.steps)
        while not at.finished:
            seconds, waited = self._epoch(display)
            self._after_epoch(seconds, waited)
            after_epoch(at)
            row = at.history[-1]
            judged = "".join(f", validation {name} {value:.3f}" for name, value in decided(row)[:1])
            if self.machine.is_first:
                display.note(f"{self.task.name}, epoch {row['epoch']}: loss {row['loss']:.4f}{judged}")
        return at

    def _epoch(self, display: Display) -> tuple[float, float]:
        """Go through an epoch, or what is left of it; say how long that took, and how much of it was waiting."""
        at, batches = self.progress, self.training
        batches.load_state_dict({"seed": self.asked.seed, "epoch": at.epoch, "seen": at.seen})
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(at.epoch)
        self.network.train()
        losses = torch.tensor(at.loss, device=self.machine.device)
        whole, began, waited = len(batches), time.perf_counter(), 0.0
        stream = iter(batches)
        while True:
            asked_at = time.perf_counter()
            batch = next(stream, None)
            waited += time.perf_counter() - asked_at
            if batch is None:
                break
            losses += self._step(batch)
            at.steps += 1
            display.advance(self.task.name)
            if at.steps % self.asked.checkpoint_steps == 0 and at.steps < whole:
                at.seen = batches.state_dict()["seen"]
                self._keep(losses)
        at.loss = self._checked(losses)
        return time.perf_counter() - began, waited

    def _step(self, batch: dict[str, Any]) -> torch.Tensor:
        at = self.progress
        self.machine.seed(self.asked.seed, at.epoch, at.steps)
        self.optimizer.zero_grad(set_to_none=True)
        with self.machine.numbers():
            loss = self.task.loss(self._applied, batch)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _checked(self, losses: torch.Tensor) -> float:
        """Return the sum of losses, and stop where it is no number: what is kept was made before."""
        total = float(self.machine.mean(losses))
        if not math.isfinite(total):
            at = self.progress
            kept = "the checkpoint before that is kept" if (self.out / STATE).exists() else "nothing was kept yet"
            raise TrainingError(
                f"{self.out}: expected a loss, found none in the {at.steps} steps of epoch {at.epoch + 1}: weights or "
                f"pixels are not finite, and {kept}. Next: train anew with a lower rate than {self.recipe.rate:g}"
            )
        return total

    def _keep(self, losses: torch.Tensor) -> None:
        self.progress.loss = self._checked(losses)
        losses.fill_(self.progress.loss)
        if self.machine.is_first:
            write_state(self.out / STATE, self.network, self.optimizer, self.progress)

    def _after_epoch(self, seconds: float, waited: float) -> None:
        """Judge an epoch on validation alone, keep its weights where it is the best, and go on to the next one."""
        at, recipe = self.progress, self.recipe
        row: dict[str, Any] = {"epoch": at.epoch + 1, "loss": at.loss / max(at.steps, 1)}
        row["rate"] = recipe.rate_at(at.epoch)
        told: Judged | None = self.machine.told_by_first([self.task.judged() if self.machine.is_first else None])[0]
        best = told is None
        if told is not None:
            measures, loss = told.measures, told.loss
            row |= {VALIDATION + name: value for name, value in measures.items()} | {f"{VALIDATION}loss": loss}
            first = next(iter(measures.values()))
            judged = -1.0 if math.isnan(first) else first  # where it says nothing the loss decides
            best = at.best_epoch < 0 or (judged, -loss) > (at.best[0], -at.best[1])
            at.best = (judged, loss) if best else at.best
        at.best_epoch = at.epoch if best else at.best_epoch
        images = at.steps * recipe.batch_size * self.machine.world
        row |= {"seconds": round(seconds, 3), "images_per_second": round(images / max(seconds, 1e-9), 1)}
        row["waiting"] = round(waited / max(seconds, 1e-9), 4)
        at.history.append(row)
        at.epoch, at.seen, at.steps, at.loss = at.epoch + 1, 0, 0, 0.0
        waits = told is not None and 0 < recipe.patience < at.epoch - at.best_epoch
        at.finished = at.epoch >= recipe.epochs or waits
        if self.machine.is_first:
            if best:
                about = {"epoch": at.best_epoch + 1, "network": recipe.network}
                write_tensors(self.out / CHECKPOINT, self.task.weights(), about)
            write_state(self.out / STATE, self.network, self.optimizer, at)
