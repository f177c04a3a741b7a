"""How good weights are on calculated chests that they did not learn from: what their card says."""

from __future__ import annotations

import numpy as np

from covid_datasets.baselines.segment.learned import lungs_by
from covid_datasets.baselines.segment.unet import ResidualUNet
from covid_datasets.phantoms.volume import Kind, chest_volume
from covid_datasets.transforms.segment.lungs import lung_mask

CASES: dict[str, tuple[float, tuple[Kind, ...]]] = {
    "30 % mixed": (0.3, ("ground_glass", "consolidation")),
    "30 % consolidation": (0.3, ("consolidation",)),
}
SEEDS = range(2)
SHAPE = (20, 128, 128)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Say how much of two masks is common to both.

    >>> dice(np.array([True, True]), np.array([True, False]))
    0.6666666666666666
    """
    return float(2 * (one & other).sum() / max(int(one.sum()) + int(other.sum()), 1))


def figures(network: ResidualUNet) -> dict[str, dict[str, float]]:
    """Give Dice of the lungs and recall of lesions in them, means over chests, beside those of the classical lungs."""
    found = {}
    for name, (load, kinds) in CASES.items():
        rows = []
        for seed in SEEDS:
            chest = chest_volume(seed, shape=SHAPE, load=load, kinds=kinds)
            lung, ill = chest.lung > 0, chest.infection > 0
            row = []
            for mask in (
                lung_mask(chest.voxels, spacing=chest.spacing).mask > 0,
                lung_mask(chest.voxels, spacing=chest.spacing, method=lungs_by(network, "trained")).mask > 0,
            ):
                row += [dice(mask, lung), float((mask & ill).sum() / ill.sum())]
            rows.append(row)
        mean = np.mean(rows, axis=0).round(3).tolist()
        found[name] = dict(zip(("dice_classical", "recall_classical", "dice", "recall"), mean, strict=True))
    return found
