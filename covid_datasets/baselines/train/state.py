"""The state of a training as one file of tensors: whole or not there, and read without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from covid_datasets.disk import write_file
from covid_datasets.errors import DamagedFileError

_KEY = "covid_datasets"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: The epoch that comes next, or is being gone through.
        seen: How many of its images all processes together have seen.
        steps: In how many steps.
        loss: The sum of their losses.
        best: AUC and loss on validation of the best epoch.
        best_epoch: Which that was; -1 before the first.
        history: What was measured after each epoch.
        finished: Whether it has come to its end.
    """

    epoch: int = 0
    seen: int = 0
    steps: int = 0
    loss: float = 0.0
    best: tuple[float, float] = (-1.0, float("inf"))
    best_epoch: int = -1
    history: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, and what they are, under a private name first: where that fails, the older file stays."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    kept = "The checkpoint before this one is kept, and the same command goes on from it."
    write_file(path, save(plain, {_KEY: json.dumps(about)}), keeps=kept)


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read tensors, and what they are."""
    data = path.read_bytes()
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about = json.loads(header["__metadata__"][_KEY])
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"{path}: expected the state of a training, found a file that is cut or of something else. Next: remove "
            "the folder of the run, and train anew"
        ) from error
    return tensors, about


def write_state(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write all that a training needs to go on."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for number, values in optimizer.state_dict()["state"].items():
        kept = {name: value for name, value in values.items() if value is not None}  # SGD without momentum
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in kept.items()}
    write_tensors(path, tensors, asdict(progress))


def read_state(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Go on from where a training was."""
    tensors, about = read_tensors(path)
    of_optimizer: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            number, _, key = rest.partition(".")
            of_optimizer.setdefault(int(number), {})[key] = value
    network.load_state_dict({name[8:]: value for name, value in tensors.items() if name.startswith("network.")})
    optimizer.load_state_dict({"state": of_optimizer, "param_groups": optimizer.state_dict()["param_groups"]})
    return Progress(**about | {"best": tuple(about["best"])})
