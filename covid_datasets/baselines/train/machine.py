"""Where a model runs: the device, its number types, and the processes that torchrun starts."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from covid_datasets.errors import UsageError, not_one_of
from covid_datasets.extras import is_installed
from covid_datasets.transforms.joint.numbers import keys

_VERSIONS = ("covid_datasets", "torch", "monai", "safetensors", "numpy", "pyarrow")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class Machine:
    """One process of a training.

    Attributes:
        device: Where tensors are.
        rank: Which of so many processes this is.
        world: How many train together.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process judges and writes."""
        return self.rank == 0

    def placed(self, network: nn.Module) -> nn.Module:
        """Bring a network to the device; there with channels last, in which a GPU's convolutions are fastest."""
        network = network.to(self.device)
        if self.device.type != "cuda":
            return network
        in_depth = any(values.dim() == 5 for values in network.parameters())
        kind = torch.channels_last_3d if in_depth else torch.channels_last
        return network.to(memory_format=kind)

    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Lay images out as the network's weights are."""
        return images.contiguous(memory_format=torch.channels_last) if self.device.type == "cuda" else images

    def numbers(self) -> Any:
        """Return the context in which a network is applied: bfloat16 where the device has it, else float32."""
        fast = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.autocast(self.device.type, torch.bfloat16, enabled=fast)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Average over all processes."""
        if self.world > 1:
            torch.distributed.all_reduce(values)
            values /= self.world
        return values

    def told_by_first(self, values: list[Any]) -> list[Any]:
        """Give every process what the first one found."""
        if self.world > 1:
            torch.distributed.broadcast_object_list(values)
        return values

    def seed(self, *numbers: int) -> None:
        """Seed what layers draw, from where the training is; so it goes on after a kill as if there had been none."""
        torch.manual_seed(int(keys(1, *numbers, self.rank)[0]) >> 1)


def device_of(name: str) -> torch.device:
    """Find a device by its name.

    >>> device_of("cpu")
    device(type='cpu')
    """
    kind, _, number = name.partition(":")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if kind == "auto":
        kind = next(each for each in ("cuda", "mps", "cpu") if there[each])
    if kind not in there or (number and not number.isdecimal()):
        raise UsageError(f"device: {not_one_of(name, DEVICES)}")
    if not there[kind]:
        found = ", ".join(each for each, is_there in there.items() if is_there)
        raise UsageError(f"device: expected one that is there ({found}), found {name!r}")
    return torch.device(f"{kind}:{number}" if number else kind)


@contextmanager
def machine_of(device: str, *, deterministic: bool) -> Iterator[Machine]:
    """Give this process its place, and leave torch as it was: its settings, and its generators of random numbers."""
    world, place = int(os.environ.get("WORLD_SIZE", "1")), device_of(device)
    if world > 1 and place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    before = torch.are_deterministic_algorithms_enabled()
    joined = world > 1 and not torch.distributed.is_initialized()
    if deterministic and place.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch asks for it
    if joined:
        torch.distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    devices = [place] if place.type == "cuda" else []
    try:
        torch.use_deterministic_algorithms(deterministic)
        with torch.random.fork_rng(devices):
            yield Machine(place, torch.distributed.get_rank() if world > 1 else 0, world)
    finally:
        torch.use_deterministic_algorithms(before)
        if joined:
            torch.distributed.destroy_process_group()


def environment(machine: Machine) -> dict[str, Any]:
    """Say what a training ran on: versions, device, threads, processes."""
    versions = {name: version(name) for name in _VERSIONS if is_installed(name)}
    cuda = machine.device.type == "cuda"
    return {
        "versions": versions | {"python": platform.python_version()},
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name(machine.device) if cuda else str(machine.device),
        "threads": torch.get_num_threads(),
        "processes": machine.world,
    }
