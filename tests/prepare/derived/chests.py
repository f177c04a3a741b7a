"""Chests with known lungs as records of a build: a series of slices, a volume, pictures, and what is no CT."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset
from covid_datasets.phantoms.volume import ChestVolume, chest_volume
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.derived.build import build_view
from covid_datasets.prepare.result import Built
from covid_datasets.read.made import nifti_bytes
from covid_datasets.schema import Record
from tests.prepare.derived.records import scan, stack, use

SLICES = 12
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@cache
def chest(seed: int = 1, lungs: Any = "both") -> ChestVolume:
    """Calculate a small chest, once."""
    return chest_volume(seed, shape=(SLICES, 64, 64), load=0.1, lungs=lungs)


def series(name: str, seed: int = 1, **more: Any) -> Record:
    """Describe a chest as slices, from the feet up."""
    own = chest(seed)
    return stack(name, own.voxels, spacing=own.spacing, step=own.spacing[2], **more)


def volume(name: str, seed: int = 1, *, feet_first: bool = False, **more: Any) -> Record:
    """Describe a chest as a NIfTI file, also upside down."""
    own = chest(seed)
    affine = TO_RAS @ np.diag([*own.spacing, 1.0])
    voxels = own.voxels
    if feet_first:
        voxels = voxels[::-1]
        affine = affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, SLICES - 1], [0, 0, 0, 1.0]])
    return scan(name, nifti_bytes(np.ascontiguousarray(voxels), affine, own.spacing), **more)


def grey(number: int, seed: int = 1) -> np.ndarray:
    """Show a slice in an unknown window, as a picture of an article does."""
    found: np.ndarray = np.clip((chest(seed).voxels[number] + 1350.0) / 1500 * 255, 0, 255).astype(np.uint8)
    return found


def built(monkeypatch: pytest.MonkeyPatch, folder: Any, *records: Record) -> Built:
    """Build these records in place of the phantom's."""
    use(monkeypatch, *records)
    return build_dataset("phantom", "small", cache_dir=folder, num_proc=1)


def derived(source: Built, derive: str, num_proc: int = 1, shard_bytes: int | None = None, **view: Any) -> Built:
    """Make a view of a build."""
    wanted = derivation(derive=derive, **view)
    assert wanted is not None
    return build_view(source, wanted, source.path.parents[3], num_proc=num_proc, shard_bytes=shard_bytes)
