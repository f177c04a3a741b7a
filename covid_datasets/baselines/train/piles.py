"""Slices of one's own that are scored together: each volume and DICOM series, and the pictures of each folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from covid_datasets.baselines.networks.pooling import Pooled
from covid_datasets.baselines.recipe import Recipe
from covid_datasets.baselines.train.machine import Machine
from covid_datasets.errors import CovidDatasetsError, DamagedFileError
from covid_datasets.load.fixed.lot import scale_of, scaled
from covid_datasets.load.fixed.pixels import Encoded, decoded_picture, render
from covid_datasets.load.fixed.view import View, make_view
from covid_datasets.own.files import Item
from covid_datasets.read.encode import encode
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import Notice

_VOLUMES = ("volume", "metaimage", "series")
MOST_SLICES = 4096
"""Of a pile: more are no scan of one patient, and their features and thumbnails are held at once."""


@dataclass(frozen=True, slots=True)
class Pile:
    """What gets one score: the path of a volume or series, or the folder of pictures, and what is in it."""

    name: str
    items: tuple[Item, ...]


def piles_of(items: Sequence[Item], recipe: Recipe) -> tuple[list[Pile], list[str]]:
    """Sort what a folder holds into piles; say what is in none."""
    piles = [Pile(item.path, (item,)) for item in items if item.kind in _VOLUMES]
    left_out = [
        f"{item.path}: expected slices, found a {item.kind}" for item in items if item.kind in ("video", "film")
    ]
    pictures = [item for item in items if item.kind == "picture"]
    if recipe.in_depth:
        what = "expected a volume or a DICOM series, for nobody tells where in a body the pictures of a folder lie"
        return piles, left_out + [f"{item.path}: {what}" for item in pictures]
    for folder in sorted({item.folder for item in pictures}):
        piles.append(Pile(folder or ".", tuple(item for item in pictures if item.folder == folder)))
    return sorted(piles, key=lambda pile: pile.name), left_out


def pile_scored(
    raw: Any, pile: Pile, network: nn.Module, recipe: Recipe, machine: Machine, left_out: list[str]
) -> list[float] | None:
    """Return the probability of each class; ``None`` where nothing of a pile can be seen, and ``left_out`` says why."""
    view = make_view(recipe.image_size, channels=recipe.channels)
    mean, std = (each if len(each) > 1 else each[0] for each in (recipe.mean, recipe.std))
    thumbnails: list[np.ndarray] = []
    try:
        for found in _slices(raw, pile, view):
            if isinstance(found, np.ndarray):
                thumbnails.append(found)
                if len(thumbnails) > MOST_SLICES:
                    raise DamagedFileError(f"{pile.name}: expected at most {MOST_SLICES:,} slices, found more")
            else:
                left_out.append(found)
    except CovidDatasetsError as error:
        left_out.append(str(error))
        return None
    if len(thumbnails) < (2 if recipe.in_depth else 1):
        left_out.append(f"{pile.name}: expected slices, found {len(thumbnails)} that can be seen")
        return None
    if recipe.in_depth:
        middles = (np.arange(recipe.slices) + 0.5) * len(thumbnails) / recipe.slices
        thumbnails = [thumbnails[int(number)] for number in middles]
    scale = scale_of(view, mean, std)

    def images(part: Sequence[np.ndarray]) -> torch.Tensor:
        pixels = np.stack(part).astype(np.float32)
        for each in pixels:
            scaled(each, scale)
        return machine.images(torch.from_numpy(pixels).to(machine.device))

    with torch.no_grad(), machine.numbers():
        if isinstance(network, Pooled):
            size = recipe.slices
            parts = [thumbnails[first : first + size] for first in range(0, len(thumbnails), size)]
            scores, _ = network.pooled(torch.cat([network.features(images(part)) for part in parts]))
        else:
            scores = network(images(thumbnails), [len(thumbnails)])[0]
    chances: list[float] = scores.double().softmax(0).cpu().tolist()
    return chances


def _slices(raw: Any, pile: Pile, view: View) -> Iterator[np.ndarray | str]:
    """Yield each slice as a training would see it, or what is wrong with it; one volume is in memory at a time."""
    for item in pile.items:
        if item.kind == "picture":
            found = decoded_picture(raw, view, item.path)
            yield found if isinstance(found, np.ndarray) else str(found)
            continue
        parts = (
            series_parts(raw, item.files, Wanted(item.path)) if item.kind == "series" else axial_slices(raw, item.path)
        )
        for part in parts:
            if isinstance(part, Notice):
                if part.dropped:
                    yield f"{part.where}: {part.what}"
                continue
            out = np.empty(view.shape, np.uint8)
            render(Encoded(encode(part.pixels), part.path), view, out)
            yield out
