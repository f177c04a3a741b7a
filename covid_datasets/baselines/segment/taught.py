"""Lungs and infection by a network that learned from the masks of a dataset, as methods of `lung_mask` and others.

Unlike the weights that ship, which only add to the classical lungs, such a network draws all of them: it has seen what
readers of that dataset call lung. What is no CT is refused as before, because the classical search is asked first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.view import DEFAULT_WINDOW
from covid_datasets.transforms.segment.given import Scan
from covid_datasets.transforms.segment.levels import is_hounsfield
from covid_datasets.transforms.windows import windowed

if TYPE_CHECKING:
    from covid_datasets.baselines.segment.unet import ResidualUNet

LUNGS = ("lung", "left_lung", "right_lung")
ILL = ("infection", "ground_glass", "consolidation")
DENSE = ("consolidation",)
_FLIPPED = ("I", "A", "R")
"""Where slices, rows and columns lead in a scan that is turned over, compared with how datasets show it."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLungs:
    """Draws the lungs of what the classical search takes for a CT."""

    name: str
    network: ResidualUNet

    def mended(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Say where lung is."""
        return drawn(self.network, scan, LUNGS)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnInfection:
    """Draws what is infected in lungs that are given."""

    name: str
    network: ResidualUNet

    def __call__(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Say what is infected, and where a network draws consolidation, what is dense."""
        kinds = drawn(self.network, scan, ILL).astype(np.uint8)
        if set(DENSE) & set(self.network.architecture.outputs):
            kinds[drawn(self.network, scan, DENSE)] = 2
        kinds *= lungs
        return kinds


def check_draws(network: ResidualUNet, names: Sequence[str], name: str) -> None:
    """Refuse weights that draw none of some masks."""
    outputs = network.architecture.outputs
    if not set(names) & set(outputs):
        raise UsageError(f"{name}: expected weights that draw {names[0]}, found some that draw {', '.join(outputs)}")


def drawn(network: ResidualUNet, scan: Scan, names: Sequence[str]) -> np.ndarray:
    """Say where any of some masks is more likely than not, on the pixels of a scan."""
    import torch

    from covid_datasets.baselines.segment.learned import brought_back
    from covid_datasets.baselines.segment.weights import scores

    architecture = network.architecture
    codes = scan.codes[::-1]
    turned = tuple(axis for axis, code in enumerate(codes) if code in _FLIPPED)
    seen = torch.from_numpy(planes(np.flip(scan.voxels, turned), is_hounsfield(scan.voxels, scan.hounsfield),
                                   architecture.side))  # fmt: skip
    chosen = [number for number, name in enumerate(architecture.outputs) if name in names]
    likely = scores(network, seen)[chosen].max(0)
    return np.flip(brought_back(likely, scan.voxels.shape, stretched=True), turned)


def planes(voxels: np.ndarray, hounsfield: bool, side: int) -> np.ndarray:
    """Make slices as views of datasets have them, and as training sees them: black is -1 and white is 1.

    >>> white, black = np.full((2, 64, 48), 400, np.int16), np.zeros((1, 8, 8), np.uint8)
    >>> float(planes(white, True, 16).min()), float(planes(black, False, 4).max())
    (1.0, -1.0)
    """
    from covid_datasets.baselines.segment.slices import limits

    window = DEFAULT_WINDOW if hounsfield else (0.0, 255.0) if voxels.dtype == np.uint8 else limits(voxels, False)
    out = np.empty((len(voxels), side, side), np.float32)
    for number, plane in enumerate(voxels):
        grey = Image.fromarray(plane if plane.dtype == np.uint8 else windowed(plane, window))
        out[number] = np.asarray(grey.resize((side, side), Image.Resampling.BILINEAR))
    return out / 127.5 - 1
