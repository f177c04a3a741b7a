"""Weights of a network as a safetensors file with a card beside it: what they were trained on, and their digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from covid_datasets.baselines.segment.unet import OUTPUTS, Architecture, ResidualUNet, new_network
from covid_datasets.disk import make_folder, read_json, write_file, write_json
from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.vocabulary import MASKS

SHIPPED = Path(__file__).with_name("shipped") / "unet_phantoms.safetensors"
"""Trained on calculated chests alone, so that they may be given away."""
CARD = ("name", "task", "trained_on", "intended_use", "license", "figures")
"""What a card says besides architecture, size and digest."""
MOST = 64 << 20
"""Bytes that a file of weights has at most."""
_WIDEST = 1024
WEIGHTS = "weights.safetensors"
"""What the folder of a run has, with its card beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A network that was trained, and what is known about it.

    Attributes:
        network: Ready to be asked.
        card: What it was trained on, for what it is meant, its licence and figures.
        sha256: Digest of the file.
    """

    network: ResidualUNet
    card: Mapping[str, Any]
    sha256: str

    @property
    def name(self) -> str:
        """Its name with the first letters of its digest, so that a result says which weights made it."""
        return f"{self.card['name']}@{self.sha256[:8]}"


def save_weights(network: ResidualUNet, path: str | os.PathLike[str], card: Mapping[str, Any]) -> Path:
    """Write weights in 16 bits, and their card beside them: the same name, ending in ``.json``.

    Args:
        network: What was trained.
        path: A file that ends in ``.safetensors``.
        card: At least name, task, trained_on, intended_use, license and figures.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise UsageError(f"{path}: expected a name that ends in .safetensors")
    if missing := [key for key in CARD if key not in card]:
        raise UsageError(f"card: expected {', '.join(CARD)}, found none of {', '.join(missing)}")
    halves = {name: value.detach().to(torch.float16).contiguous() for name, value in network.state_dict().items()}
    if bad := [name for name, value in halves.items() if not bool(torch.isfinite(value).all())]:
        raise UsageError(f"{path}: expected numbers, found none in {bad[0]}: the training has failed")
    data = save(halves, {"architecture": json.dumps(asdict(network.architecture))})
    make_folder(path.parent)
    write_file(path, data)
    said = {**card, "architecture": asdict(network.architecture), "bytes": len(data)}
    write_json(path.with_suffix(".json"), {**said, "sha256": hashlib.sha256(data).hexdigest()})
    return path


def load_weights(path: str | os.PathLike[str] | None = None) -> Weights:
    """Read weights and check them against their card; by default those that ship with this library.

    The folder of a run that draws masks is as good as the file in it.

    Raises:
        UsageError: There is no such file, or it holds weights of something else.
        DamagedFileError: It is not the file that its card tells of.

    >>> weights = load_weights()
    >>> weights.card["license"], weights.network.architecture.outputs
    ('Apache-2.0', ('lung', 'infection', 'dense'))
    """
    path = Path(path) if path is not None else SHIPPED
    path = path / WEIGHTS if path.is_dir() else path
    beside = path.with_suffix(".json")
    for each in (path, beside):
        if not each.is_file():
            raise UsageError(
                f"{each}: expected weights (.safetensors) with their card (.json) beside them, found nothing"
            )
    if path.stat().st_size > MOST:
        raise UsageError(f"{path}: expected weights of at most {MOST:,} bytes, found {path.stat().st_size:,}")
    data = path.read_bytes()
    card = read_json(beside)
    digest = hashlib.sha256(data).hexdigest()
    if missing := [key for key in (*CARD, "sha256") if key not in card]:
        raise DamagedFileError(f"{beside}: expected a card of weights, found nothing about {', '.join(missing)}")
    if digest != card["sha256"]:
        raise DamagedFileError(
            f"{path}: expected the digest {card['sha256']} that its card names, found {digest}. "
            "Next: get the file again, or train anew with covid-datasets train --recipe segment-small"
        )
    return Weights(_network(path, data), card, digest)


def _network(path: Path, data: bytes) -> ResidualUNet:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        length = int.from_bytes(data[:8], "little")
        said = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        found = load(data)
    except (SafetensorError, ValueError, AttributeError) as error:
        raise DamagedFileError(f"{path}: expected safetensors, found {error}") from error
    network = new_network(_architecture(path, said), 0)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    other = {name for name, value in found.items() if expected.get(name) != tuple(value.shape)} | (
        expected.keys() - found
    )
    if other:
        name = min(other)
        shape = tuple(found[name].shape) if name in found else "nothing"
        raise UsageError(
            f"{path}: expected weights of a residual U-Net, {name} of {expected.get(name, 'no such name')}, found "
            f"{shape}: they belong to another architecture"
        )
    if bad := [name for name, value in found.items() if not bool(torch.isfinite(value).all())]:
        raise DamagedFileError(f"{path}: expected numbers, found none in {bad[0]}")
    network.load_state_dict({name: value.to(torch.float32) for name, value in found.items()})
    return network.to(memory_format=torch.channels_last).eval()  # type: ignore[no-any-return]


def _architecture(path: Path, said: Mapping[str, str]) -> Architecture:
    try:
        given = json.loads(said["architecture"])
        found = Architecture(
            int(given["slices"]),
            tuple(map(int, given["widths"])),
            int(given["side"]),
            tuple(given["outputs"]),
            bool(given.get("as_view", False)),
            bool(given.get("adds", not given.get("as_view", False))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: expected weights of a residual U-Net of ours, found no architecture in the file ({error})"
        ) from error
    fits = found.slices % 2 and 0 < found.slices < 16 and 1 < len(found.widths) < 8
    known = set(found.outputs) <= set(MASKS) if found.as_view else found.outputs == OUTPUTS
    fits = fits and bool(found.outputs) and known
    if not fits or not all(0 < width <= _WIDEST for width in found.widths) or found.side % found.multiple:
        raise UsageError(f"{path}: expected weights of a residual U-Net of ours, found {found}")
    return found


def scores(network: ResidualUNet, small: Any) -> np.ndarray:
    """Ask a network about slices that were made small for it; as probabilities, outputs first."""
    from covid_datasets.baselines.segment.slices import SLAB, neighbours

    found = []
    with torch.inference_mode():
        for at in range(0, len(small), SLAB):
            numbers = np.arange(at, min(at + SLAB, len(small)))
            seen = small[neighbours(numbers, len(small), network.architecture.slices)]
            found.append(network(seen.contiguous(memory_format=torch.channels_last)).sigmoid())
    likely: np.ndarray = torch.cat(found).movedim(1, 0).numpy()
    return likely
