"""Lungs and infection by a small U-Net, beside the classical methods: the same volumes, phantoms and figures.

    python -m benchmarks.segmentation_learned real FOLDER    weights that ship, and leave-one-volume-out
    python -m benchmarks.segmentation_learned phantoms       the curves, and chests that differ as people do

Leave-one-volume-out: the weights that ship learn on from all volumes but one, beside as many slices of phantoms, as
`train` does it with the recipe "segment-chests" and the changes below, and are asked about the one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.segmentation import Known, changes, dice, phantom, plain_threshold, real, recall, summed
from covid_datasets import train
from covid_datasets.baselines.segment.learned import infection_by, lungs_by
from covid_datasets.baselines.segment.unet import ResidualUNet
from covid_datasets.baselines.segment.weights import SHIPPED, load_weights
from covid_datasets.load.fixed.view import DEFAULT_WINDOW
from covid_datasets.phantoms.folder import learned_chest, write_volumes
from covid_datasets.phantoms.varied import varied_chest
from covid_datasets.phantoms.volume import ChestVolume
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import Lungs, lung_mask

LEAVE_OUT = {"rate": 1e-3, "warmup": 0, "epochs": 12}
"""50 steps of 12 slices."""
BESIDE = 2
"""Calculated chests beside three volumes: as many slices of either."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("real")
    one.add_argument("folder", type=Path)
    one.add_argument("--weights", type=Path)
    one.set_defaults(run=lambda given: table(given.folder, given.weights))
    one = commands.add_parser("phantoms")
    one.add_argument("--seeds", type=int, default=4)
    one.add_argument("--weights", type=Path)
    one.set_defaults(run=lambda given: curves(given.seeds, given.weights))
    given = parser.parse_args()
    given.run(given)


def without(volumes: list[Known], name: str, weights: Path) -> ResidualUNet:
    """Let the network learn on from all volumes but one, which is the test that every split has."""
    chests = [(known.name, as_chest(known)) for known in volumes]
    chests += [(f"chest-{number}", learned_chest(number, seed=1)) for number in range(BESIDE)]
    splits = ["test" if each == name else "train" for each, _ in chests]
    with tempfile.TemporaryDirectory() as folder:
        own = write_volumes(Path(folder) / "chests", chests, splits)
        run = train(
            str(own), Path(folder) / "run", "segment-chests", config="slices", scheme="official", device="cpu",
            cache_dir=Path(folder) / "cache", weights=weights, changes=LEAVE_OUT,
        )  # fmt: skip
        return load_weights(run.path).network


def as_chest(known: Known) -> ChestVolume:
    """Take grey levels for the window in which views of datasets show Hounsfield units: a network sees the same."""
    low, high = DEFAULT_WINDOW
    grey = known.voxels.dtype == np.uint8
    voxels = (low + known.voxels * ((high - low) / 255)).round() if grey else known.voxels
    ill = known.infection.astype(np.uint8) + (known.dense if known.dense is not None else np.uint8(0))
    return ChestVolume(voxels.astype(np.int16), known.lung.astype(np.uint8), ill, known.spacing or (1.0, 1.0, 1.0))


def lungs_of(known: Known, method: Any) -> Lungs:
    return lung_mask(known.voxels, spacing=known.spacing, method=method)


def table(folder: Path, weights: Path | None) -> None:
    """Print lungs, then rates by each pair of methods, then what all volumes say together."""
    shipped = load_weights(weights)
    print(f"{shipped.name}; Dice of the lungs and recall of lesions in them")
    ways = ("threshold", "classical", "learned", "left out")
    print(f"{'volume':<10}{'lesions':>8}" + "".join(f"{way:>16}" for way in ways))
    pairs: dict[str, list[float]] = {}
    truth = []
    volumes = list(real(folder))
    for known in volumes:
        left_out = without(volumes, known.name, weights or SHIPPED)
        networks = {"learned": shipped.network, "left out": left_out}
        found = {"classical": lungs_of(known, "classical")}
        found |= {way: lungs_of(known, lungs_by(network, way)) for way, network in networks.items()}
        masks = {"threshold": plain_threshold(known), **{way: lungs.mask > 0 for way, lungs in found.items()}}
        lesions = known.infection & known.lung
        cells = "".join(f"{dice(masks[way], known.lung):>8.3f}{recall(masks[way], lesions):>8.3f}" for way in ways)
        print(f"{known.name:<10}{known.rate:>8.1%}{cells}", flush=True)
        truth.append(100 * known.rate)
        found["true lungs"] = known.lung.astype(np.uint8)  # type: ignore[assignment]
        finders: dict[str, Any] = {"threshold": "threshold"}
        finders |= {way: infection_by(network, way) for way, network in networks.items()}
        for lungs, finder in (("classical", "threshold"), ("learned", "threshold"), ("left out", "threshold"),
                              ("learned", "learned"), ("left out", "left out"), ("true lungs", "threshold"),
                              ("true lungs", "learned"), ("true lungs", "left out")):  # fmt: skip
            got = infection_mask(known.voxels, found[lungs], spacing=known.spacing, method=finders[finder])
            pairs.setdefault(f"{finder} infection, {lungs} lungs", []).append(100 * (got.rate or 0))
    print("\nrates in points: true " + " ".join(f"{rate:.2f}" for rate in truth))
    for name, rates in pairs.items():
        print(f"{name}: {' '.join(f'{rate:.2f}' for rate in rates)}")
        summed("   ", np.array(rates) - np.array(truth))


def curves(seeds: int, weights: Path | None) -> None:
    """Print means over phantoms that were not learned from, one thing changed at a time."""
    network = load_weights(weights).network
    print(f"{'':<38}{'classical lungs':>24}{'learned lungs':>24}{'rate off, points':>24}")
    print(f"{'':<38}" + 2 * f"{'Dice':>8}{'lowest':>8}{'recall':>8}" + f"{'classical':>12}{'learned':>12}{'both':>8}")
    made: list[tuple[str, Callable[[int], Known]]] = [
        (name, partial(phantom, name, made=how)) for name, how in changes()
    ]
    for name, chest in [*made, ("chests that differ as people do", varied)]:
        rows = []
        for seed in range(seeds if chest is not varied else 8 * seeds):
            known = chest(seed)
            if not known.lung.any():
                continue
            row, rates = [], []
            for method in ("classical", lungs_by(network, "learned")):
                lungs = lungs_of(known, method)
                row += [dice(lungs.mask > 0, known.lung), recall(lungs.mask > 0, known.infection)]
                got = infection_mask(known.voxels, lungs, spacing=known.spacing)
                rates.append(100 * abs((got.rate or 0) - known.rate))
            got = infection_mask(known.voxels, lungs, spacing=known.spacing, method=infection_by(network, "learned"))
            rates.append(100 * abs((got.rate or 0) - known.rate))
            row[1::2] = row[1::2] if known.infection.any() else [np.nan, np.nan]
            rows.append([*row, *rates])
        cells = np.array(rows)
        mean = np.nanmean(cells, axis=0) if np.isfinite(cells).any(axis=0).all() else cells.mean(axis=0)
        said = "".join(f"{mean[at]:>8.3f}{cells[:, at].min():>8.3f}{mean[at + 1]:>8.3f}" for at in (0, 2))
        print(f"{name:<38}{said}{mean[4]:>12.2f}{mean[5]:>12.2f}{mean[6]:>8.2f}", flush=True)


def varied(seed: int) -> Known:
    chest = varied_chest(seed, shape=(12, 192, 192))
    return Known(f"{seed}", chest.voxels, chest.lung > 0, chest.infection > 0, chest.spacing)


if __name__ == "__main__":
    main()
