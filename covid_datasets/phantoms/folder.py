"""Calculated chests as a folder of NIfTI volumes with masks and a table: data of one's own that belong to nobody."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from covid_datasets.disk import make_folder, write_file
from covid_datasets.phantoms.varied import varied_chest
from covid_datasets.phantoms.volume import CONSOLIDATION, ChestVolume, Kind, chest_volume
from covid_datasets.read.made import nifti_bytes

LEARNED = 1_000_000
"""Seeds of chests that are learned from begin here; those below are for measuring."""
TABLE = "chests.csv"
MASKS = ("lung", "infection", "consolidation")
_KINDS: Sequence[Sequence[Kind]] = (("ground_glass",), ("consolidation",), ("crazy_paving", "consolidation"),
                                    ("ground_glass", "consolidation"))  # fmt: skip
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_chests(folder: str | os.PathLike[str], chests: int = 260, seed: int = 0) -> Path:
    """Calculate chests to learn from, and write them as `write_volumes` does: `load_dataset` reads the folder.

    Three of four are varied ones, the others plain; none is one that is measured on.

    >>> import tempfile
    >>> from covid_datasets import load_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = load_dataset(write_chests(folder, 1), "slices", split="all", framework="numpy", cache_dir=folder)
    ...     sorted(name for name, mask in rows[0]["masks"].items() if mask is not None)
    ['consolidation', 'infection', 'lung']
    """
    numbers = range(chests)
    return write_volumes(folder, ((f"chest-{number:04d}", learned_chest(number, seed)) for number in numbers))


def learned_chest(number: int, seed: int = 0) -> ChestVolume:
    """Calculate one of the chests of a seed that are learned from."""
    state = LEARNED + seed * 100_000 + number
    if number % 4:
        return varied_chest(state, shape=(12, 128, 128))
    random = np.random.default_rng(state)
    shape = (int(random.integers(8, 26)), 128, 128)
    load, noise = float(random.uniform(0, 0.6)), float(random.uniform(0, 60))
    return chest_volume(state, shape=shape, noise=noise, load=load, kinds=_KINDS[number // 4 % len(_KINDS)])


def write_volumes(
    folder: str | os.PathLike[str], chests: Iterable[tuple[str, ChestVolume]], splits: Iterable[str] = ()
) -> Path:
    """Write chests by their names, each with its masks beside it and a row of the table; return the folder."""
    path = Path(folder)
    make_folder(path / "masks")
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "patient", "split", *(f"mask_{name}" for name in MASKS)])
    said = iter(splits)
    for name, chest in chests:
        affine = _TO_RAS @ np.diag([*chest.spacing, 1.0])
        for where, voxels in _files(name, chest):
            write_file(path / where, nifti_bytes(voxels, affine, chest.spacing), durable=False)
        table.writerow([f"{name}.nii", name, next(said, ""), *(_mask(name, what) for what in MASKS)])
    write_file(path / TABLE, text.getvalue().encode(), durable=False)
    return path


def _files(name: str, chest: ChestVolume) -> Iterator[tuple[str, np.ndarray]]:
    yield f"{name}.nii", chest.voxels
    found = (chest.lung > 0, chest.infection > 0, chest.infection == CONSOLIDATION)
    for what, mask in zip(MASKS, found, strict=True):
        yield _mask(name, what), mask.astype(np.uint8)


def _mask(name: str, what: str) -> str:
    return f"masks/{name}_{what}.nii"
