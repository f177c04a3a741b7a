"""Weights out of a local file: whose they are is checked before one of them is used, and nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_datasets.baselines.networks.layouts import LAYOUTS
from covid_datasets.baselines.networks.named import Network, network_of
from covid_datasets.errors import ChangedUpstreamError, DamagedFileError, UnreadableError, UsageError, words_of
from covid_datasets.extras import need

_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z]+$")
"""Publishers of weights end the names of files with the beginning of their SHA-256."""
_WRAPPED = ("state_dict", "model_state_dict", "model")
_MOST_BYTES = 4 << 30
_COUNTER = "num_batches_tracked"
"""Counts the batches that a normalisation has seen; older files lack it, and nothing needs it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Which weights a network has: the file, its digest, whose names it has, and what was not taken from it."""

    file: str
    sha256: str
    layout: str
    left_out: tuple[str, ...]


def load_weights(network: Any, name: str, path: Path, *, sha256: str = "", image_channels: int = 3) -> Loaded:
    """Give a network the weights of a file: safetensors, or a state dict of torch, which is read without its code.

    The last layer stays random where the file has another number of classes, or no last layer. Of a file for colours
    a grey network gets the sum, which sees a grey picture as three equal channels did; channels of masks begin with
    zeros.

    Args:
        network: What `make_network` returned.
        name: Its name.
        path: The file.
        sha256: What its digest is, or begins with. Where the file's name ends with it, that is checked anyway.
        image_channels: How many of the network's channels are of the image; the others are of masks.

    Raises:
        ChangedUpstreamError: It is another file than the digest says.
        DamagedFileError: It is no file of weights.
        UsageError: They are of another network.
    """
    kind = network_of(name)
    data = _bytes_of(path)
    digest = _checked(path, data, sha256)
    given = _tensors(path, data)
    layout, theirs = _layout_of(kind, name, network, given, path)
    found, left_out = {}, []
    for ours, value in network.state_dict().items():
        if theirs[ours] not in given:  # a counter, or the last layer
            left_out += [] if ours.endswith(_COUNTER) else [ours]
            continue
        tensor = given[theirs[ours]]
        if ours == f"{kind.first}.weight":
            tensor = _for_channels(tensor, value, image_channels)
        elif tensor.numel() == value.numel():
            tensor = tensor.reshape(value.shape)
        if tensor.shape == value.shape:
            found[ours] = tensor
        elif ours.startswith(f"{kind.last}."):
            left_out.append(ours)
        else:
            raise UsageError(
                f"{path}: expected weights of {name}, in which {ours} has the shape {tuple(value.shape)}; found "
                f"{tuple(tensor.shape)}. Weights of others are of the full width, width=1"
            )
    network.load_state_dict(found, strict=False)
    return Loaded(path.name, digest, layout, tuple(left_out))


def _bytes_of(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise DamagedFileError(f"{path}: expected weights, at most {_MOST_BYTES:,} bytes, found {size:,}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: expected a file of weights, found none. Nothing is downloaded: bring the file, or train without"
        ) from error
    except OSError as error:
        raise UnreadableError.of(path, error) from error


def _checked(path: Path, data: bytes, sha256: str) -> str:
    digest = hashlib.sha256(data).hexdigest()
    in_name = _IN_NAME.search(path.name)
    for said, where in ((sha256.lower(), "sha256"), (in_name[1] if in_name else "", "the end of its name")):
        if not digest.startswith(said):
            raise ChangedUpstreamError(
                f"{path}: expected the SHA-256 {said} ({where}), found {digest}: the file is another one, or damaged. "
                "Next: bring it again"
            )
    return digest


def _tensors(path: Path, data: bytes) -> dict[str, Any]:
    """Read tensors by name, and nothing else: a pickle's code is never run."""
    need("torch", "safetensors")
    import io

    import torch
    from safetensors.torch import load

    try:
        found = load(data) if path.suffix == ".safetensors" else torch.load(io.BytesIO(data), "cpu", weights_only=True)
    except Exception as error:  # torch and safetensors let through whatever their parsers raise
        raise DamagedFileError(
            f"{path}: expected weights as safetensors, or a state dict of torch without code, found {words_of(error)}"
        ) from error
    for key in _WRAPPED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(torch.is_tensor(value) for value in found.values()):
        kind = type(found).__name__
        raise DamagedFileError(f"{path}: expected tensors by name, found {kind}; save model.state_dict()")
    return {str(key).removeprefix("module."): value for key, value in found.items()}


def _layout_of(
    kind: Network, name: str, network: Any, given: Mapping[str, Any], path: Path
) -> tuple[str, dict[str, str]]:
    """Find whose names the file has."""
    wanted = list(network.state_dict())
    lacks: dict[str, list[str]] = {}
    for layout, rename in LAYOUTS[kind.family].items():
        theirs = {ours: rename(ours) for ours in wanted}
        due = [name for ours, name in theirs.items() if not ours.startswith(f"{kind.last}.")]
        missing = [each for each in due if each not in given and not each.endswith(_COUNTER)]
        if not missing:
            return layout, theirs
        lacks[layout] = missing
    nearest = min(lacks, key=lambda layout: len(lacks[layout]))
    raise UsageError(
        f"{path}: expected weights of {name}, found those of another network: of {len(wanted):,} parameters "
        f"{len(lacks[nearest]):,} are missing ({', '.join(lacks[nearest][:3])}, ...; names as of {nearest}), and it "
        f"has {', '.join(list(given)[:3])}, ..."
    )


def _for_channels(given: Any, ours: Any, image_channels: int) -> Any:
    """Fit the first convolution to the channels of our images: grey is the sum of colours, masks begin with zeros."""
    if given.shape[1] == ours.shape[1]:
        return given
    if given.shape[0] != ours.shape[0] or given.shape[2:] != ours.shape[2:] or given.shape[1] not in (1, 3):
        return given  # the shapes are compared, and told, by the caller
    fitted = ours.new_zeros(ours.shape)
    if image_channels == 1:
        fitted[:, :1] = given.sum(1, keepdim=True)
    else:
        fitted[:, :3] = given if given.shape[1] == 3 else given.expand(-1, 3, -1, -1) / 3
    return fitted
