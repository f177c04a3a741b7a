"""Maps of what a network looked at: Grad-CAM of a layer, saliency of the pixels, and occlusion, which asks it anew.

Everything here needs the extra ``[torch]``. A network is left as it was: mode, gradients and hooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from covid_datasets.errors import UsageError, did_you_mean

Maps = NDArray[np.float32]
"""For each image a map of its rows and columns, nowhere negative, that sums to 1; or to 0 where there is nothing."""
BATCH = 32


def grad_cam(model: torch.nn.Module, images: torch.Tensor, classes: Sequence[int], layer: str | None = None) -> Maps:
    """Weigh the channels of a layer by how much each raises the score of a class, averaged over the image.

    Args:
        model: Takes N×C×H×W and returns N×classes.
        images: What it takes.
        classes: For each image the class whose score is explained.
        layer: The layer's name in ``model.named_modules()``; the last one that gives maps, if none is named.

    Returns:
        N×H×W: Selvaraju et al. 2017, "Grad-CAM", brought to the size of the images.

    Raises:
        UsageError: There is no such layer, or it gives no maps.

    >>> _ = torch.manual_seed(0)
    >>> layers = torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 2)
    >>> maps = grad_cam(torch.nn.Sequential(*layers), torch.rand(3, 1, 8, 8), [0, 1, 1], layer="0")
    >>> maps.shape
    (3, 8, 8)
    """
    _check(images, classes)
    chosen = _layer(model, images[:1], layer)
    found = []
    for part, of in _batches(images, classes):
        kept: list[torch.Tensor] = []
        with _asked(model), _watched(chosen, kept), torch.enable_grad():
            given = part.detach().clone().requires_grad_()  # so that also a frozen network has a gradient
            score = _scores(model, given, of)
            activation = kept[-1]
            (slope,) = torch.autograd.grad(score, activation, allow_unused=True)
        slope = torch.zeros_like(activation) if slope is None else slope
        weights = slope.mean(dim=(2, 3), keepdim=True)
        raised = functional.relu((weights * activation).sum(1, keepdim=True).detach().float())
        found.append(functional.interpolate(raised, part.shape[2:], mode="bilinear", align_corners=False)[:, 0])
    return _shares(torch.cat(found))


def saliency(model: torch.nn.Module, images: torch.Tensor, classes: Sequence[int]) -> Maps:
    """Say how much the score of a class changes with each pixel: the size of its gradient, over all channels.

    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> saliency(model, torch.rand(1, 1, 2, 2), [1]).shape
    (1, 2, 2)
    """
    _check(images, classes)
    found = []
    for part, of in _batches(images, classes):
        with _asked(model), torch.enable_grad():
            given = part.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(_scores(model, given, of), given)
        found.append(slope.abs().amax(1).float())
    return _shares(torch.cat(found))


def occlusion(model: torch.nn.Module, images: torch.Tensor, classes: Sequence[int], cells: int = 8) -> Maps:
    """Say how much the score of a class falls where a part of the image is made grey: the network is asked, not read.

    Each of ``cells`` × ``cells`` parts is replaced by the mean of its image, one after the other.

    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))
    >>> occlusion(model, torch.rand(1, 1, 4, 4), [1], cells=2).shape
    (1, 4, 4)
    """
    _check(images, classes)
    height, width = images.shape[2:]
    if not 1 <= cells <= min(height, width):
        raise UsageError(
            f"cells: expected a number from 1 to {min(height, width)}, the side of an image, found {cells}"
        )
    rows, columns = (np.linspace(0, side, cells + 1).astype(int) for side in (height, width))
    found = torch.zeros(len(images), height, width)
    with _asked(model), torch.no_grad():
        for start in range(0, len(images), BATCH):
            part, of = images[start : start + BATCH], torch.as_tensor(classes[start : start + BATCH])
            whole = _each_score(model, part, of)
            grey = part.mean(dim=(2, 3), keepdim=True)
            for top, bottom in pairwise(rows):
                for left, right in pairwise(columns):
                    hidden = part.clone()
                    hidden[:, :, top:bottom, left:right] = grey
                    fall = (whole - _each_score(model, hidden, of)).clamp(min=0).cpu()
                    found[start : start + BATCH, top:bottom, left:right] = fall[:, None, None]
    return _shares(found)


def random_maps(count: int, height: int, width: int, *, seed: int, cells: int = 7) -> Maps:
    """Draw maps that know nothing, as coarse as those of a deep layer: what every other map has to differ from.

    >>> bool((random_maps(2, 8, 8, seed=0) == random_maps(2, 8, 8, seed=0)).all())
    True
    """
    drawn = np.random.default_rng(seed).random((count, 1, min(cells, height), min(cells, width)), dtype=np.float32)
    larger = functional.interpolate(torch.from_numpy(drawn), (height, width), mode="bilinear", align_corners=False)
    return _shares(larger[:, 0])


def _check(images: torch.Tensor, classes: Sequence[int]) -> None:
    if images.ndim != 4 or not len(images):
        raise UsageError(f"images: expected N×C×H×W with one or more, found a shape of {tuple(images.shape)}")
    if len(classes) != len(images):
        raise UsageError(f"classes: expected one for each of {len(images)} images, found {len(classes)}")


def _layer(model: torch.nn.Module, image: torch.Tensor, name: str | None) -> torch.nn.Module:
    """Find a layer by its name, or the last one that gives maps of more than one pixel."""
    layers = dict(model.named_modules())
    if name is not None and (name not in layers or not name):
        raise UsageError(
            f"layer: expected the name of a layer, found {name!r}{did_you_mean(name, filter(None, layers))}"
        )
    shapes: dict[str, tuple[int, ...]] = {}

    def noted(of: str) -> Any:
        def note(module: torch.nn.Module, given: Any, result: Any) -> None:
            if isinstance(result, torch.Tensor):
                shapes[of] = tuple(result.shape)

        return note

    hooks = [module.register_forward_hook(noted(each)) for each, module in layers.items() if each]
    try:
        with _asked(model), torch.no_grad():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    maps = [each for each, shape in shapes.items() if len(shape) == 4 and min(shape[2:]) > 1]
    if name is not None and name not in maps:
        raise UsageError(f"layer: expected one that gives maps, as {', '.join(maps[-3:])}, found {name!r}")
    if not maps:
        raise UsageError("model: expected one with a layer that gives maps, found none; use saliency or occlusion")
    return layers[name or maps[-1]]


@contextmanager
def _asked(model: torch.nn.Module) -> Iterator[None]:
    """Ask a model as it is used, and leave each part of it in the mode that it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def _watched(layer: torch.nn.Module, kept: list[torch.Tensor]) -> Iterator[None]:
    """Keep what a layer gives. A copy is kept, for the next layer may change it in place."""

    def keep(module: torch.nn.Module, given: Any, result: torch.Tensor) -> torch.Tensor:
        kept.append(result)
        return result.clone()

    hook = layer.register_forward_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def _batches(images: torch.Tensor, classes: Sequence[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH], torch.as_tensor(list(classes[start : start + BATCH]))


def _scores(model: torch.nn.Module, images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Sum the scores of the images, each of its class: the gradient of each is its own."""
    return _each_score(model, images, classes).sum()


def _each_score(model: torch.nn.Module, images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    found = model(images)
    if found.ndim != 2 or not 0 <= int(classes.min()) <= int(classes.max()) < found.shape[1]:
        raise UsageError(
            f"classes: expected numbers of the scores {tuple(found.shape)}, found {sorted(set(classes.tolist()))}"
        )
    return found.gather(1, classes.to(found.device)[:, None])[:, 0]


def _shares(maps: torch.Tensor) -> Maps:
    total = maps.sum(dim=(1, 2), keepdim=True)
    shares: Maps = torch.where(total > 0, maps / total.clamp(min=1e-30), torch.zeros_like(maps)).cpu().numpy()
    return shares
