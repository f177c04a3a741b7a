"""What a network learns from: calculated chests, and volumes with masks where a user has some."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.phantoms.varied import varied_chest
from covid_datasets.phantoms.volume import ChestVolume, Kind, chest_volume

MEASURED = 1_000_000
"""Seeds of chests that are learned from begin here; those below are for measuring."""
IMAGE, LUNG, INFECTION = "_image.nii.gz", "_lung.nii.gz", "_infection.nii.gz"


class Example(NamedTuple):
    """A volume to learn from: grey levels or Hounsfield units, and what is true of each voxel."""

    voxels: np.ndarray
    lung: np.ndarray
    infection: np.ndarray
    hounsfield: bool


def of_chest(chest: ChestVolume) -> Example:
    """Take a calculated chest as an example."""
    return Example(chest.voxels, chest.lung, chest.infection, True)


def phantom_examples(chests: int, seed: int) -> Iterator[Example]:
    """Calculate chests to learn from: three of four varied ones, the others plain; none is one that is measured on."""
    kinds: Sequence[Sequence[Kind]] = (("ground_glass",), ("consolidation",), ("crazy_paving", "consolidation"),
                                       ("ground_glass", "consolidation"))  # fmt: skip
    for number in range(chests):
        state = MEASURED + seed * 100_000 + number
        random = np.random.default_rng(state)
        if number % 4:
            yield of_chest(varied_chest(state, shape=(12, 128, 128)))
        else:
            shape = (int(random.integers(8, 26)), 128, 128)
            load = float(random.uniform(0, 0.6))
            mixed = kinds[number // 4 % len(kinds)]
            yield of_chest(chest_volume(state, shape=shape, noise=float(random.uniform(0, 60)), load=load, kinds=mixed))


def examples_of(folder: str | os.PathLike[str]) -> Iterator[tuple[str, Example]]:
    """Read volumes with masks of lungs and of infection (2 where it is dense), as ``X_image.nii.gz`` and beside it.

    Raises:
        UsageError: There is none, or a mask is missing or of another shape.
    """
    from covid_datasets.read.nifti import read_volume
    from covid_datasets.transforms.segment.levels import is_hounsfield

    paths = sorted(Path(folder).glob(f"*{IMAGE}"))
    if not paths:
        raise UsageError(f"{folder}: expected volumes called X{IMAGE}, with X{LUNG} and X{INFECTION}, found none")
    for path in paths:
        name = path.name.removesuffix(IMAGE)
        found = []
        for ending in (IMAGE, LUNG, INFECTION):
            beside = path.with_name(name + ending)
            if not beside.is_file():
                raise UsageError(f"{beside}: expected a mask beside {path.name}, found nothing")
            found.append(read_volume(beside.read_bytes(), beside.name).voxels)
        voxels, lung, infection = found
        if not voxels.shape == lung.shape == infection.shape:
            raise UsageError(
                f"{path}: expected masks of its shape {voxels.shape}, found {lung.shape} and {infection.shape}"
            )
        yield name, Example(voxels, lung, infection, is_hounsfield(voxels, None))
