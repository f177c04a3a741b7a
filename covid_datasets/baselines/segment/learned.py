"""Lungs and infection by a network, as methods of `lung_mask` and `infection_mask`.

The classical mask stays as it is, and with it every refusal of what is no CT. The network adds what it is sure of:
consolidation, which is as dense as the chest wall, so that only the shape of the lungs shows it.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from covid_datasets.baselines.segment.taught import ILL, LUNGS, DrawnInfection, DrawnLungs, check_draws
from covid_datasets.extras import need
from covid_datasets.transforms.segment.coarse import grown, islands, opened, sizes
from covid_datasets.transforms.segment.given import BODY_MM, Scan
from covid_datasets.transforms.segment.levels import is_hounsfield

if TYPE_CHECKING:
    from covid_datasets.baselines.segment.unet import ResidualUNet

SURE, LIKELY = 0.9, 0.5
"""What is likely is added where some of it is sure; chosen on calculated chests, which hardly mind."""
RIM_MM = 5.0
"""Half of what is thinner than consolidation: a rim of the lung, where the classical border is the better one."""
LEAST_MM2 = 150.0
"""Area of the least part that is added to a lung in a slice."""
GROUND_GLASS, DENSE = 1, 2
SLAB = 16
LIGHTER = 0.15
"""Of black to grey: a scan is seen as it is, mirrored, darker and lighter, and the least likely of all counts."""
TOUCHES, WHITE_MM2 = 0.12, 2000.0
"""Share of what surrounds a part that is added that has to be lung, where it is no larger than that: a white lung."""
DARK = 5.0
"""Percent of lung that is darker than what is an airway."""
TRIED = 3
"""Slices with most lung, by which it is seen whether a scan lies on its back."""


def learned_lungs(weights: str | os.PathLike[str] | None = None) -> LearnedLungs | DrawnLungs:
    """Make a method for `lung_mask` that keeps dense consolidation; by default with the weights that ship.

    Args:
        weights: The folder of a run that draws lungs, as `train` makes it with the recipe "segment-small", or its file
            of weights; or one that ``python -m covid_datasets.baselines.segment`` wrote.

    >>> from covid_datasets import lung_mask
    >>> from covid_datasets.phantoms.volume import chest_volume
    >>> chest = chest_volume(1, shape=(12, 64, 64), load=0.4, kinds=("consolidation",))
    >>> plain = lung_mask(chest.voxels, spacing=chest.spacing)
    >>> learned = lung_mask(chest.voxels, spacing=chest.spacing, method=learned_lungs())
    >>> dense = chest.infection == 2
    >>> bool((learned.mask[dense] > 0).mean() > (plain.mask[dense] > 0).mean())
    True
    """
    need("torch", "safetensors", "scipy")
    from covid_datasets.baselines.segment.weights import load_weights

    found = load_weights(weights)
    return lungs_by(found.network, found.name)


def lungs_by(network: ResidualUNet, name: str) -> LearnedLungs | DrawnLungs:
    """Make a method for `lung_mask` of a network that is at hand."""
    check_draws(network, LUNGS, name)
    if network.architecture.as_view:
        return DrawnLungs(name, network)
    return LearnedLungs(name, _Asked(network))


def infection_by(network: ResidualUNet, name: str) -> LearnedInfection | DrawnInfection:
    """Make a method for `infection_mask` of a network that is at hand."""
    check_draws(network, ILL, name)
    if network.architecture.as_view:
        return DrawnInfection(name, network)
    return LearnedInfection(name, _Asked(network))


def learned_infection(weights: str | os.PathLike[str] | None = None) -> LearnedInfection | DrawnInfection:
    """Make a method for `infection_mask`; by default with the weights that ship, or as for `learned_lungs`.

    >>> from covid_datasets import infection_mask
    >>> from covid_datasets.phantoms.volume import chest_volume
    >>> chest = chest_volume(1, shape=(12, 64, 64), load=0.3)
    >>> found = infection_mask(chest.voxels, chest.lung, spacing=chest.spacing, method=learned_infection())
    >>> found.method.startswith("unet_phantoms@"), (chest.infection[found.mask > 0] > 0).mean() > 0.9
    (True, np.True_)
    """
    need("torch", "safetensors")
    from covid_datasets.baselines.segment.weights import load_weights

    found = load_weights(weights)
    return infection_by(found.network, found.name)


class _Asked:
    """A network that is asked about scans."""

    def __init__(self, network: ResidualUNet) -> None:
        self.network = network

    def likely(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Give probabilities of lung, infection and dense parts, small as the network sees them; the least of views.

        It has learned from chests whose back is below; where nobody says how rows lead, the lungs that are known do.
        """
        from covid_datasets.baselines.segment.slices import shown
        from covid_datasets.baselines.segment.weights import scores

        side = self.network.architecture.side
        planes = shown(scan.voxels, is_hounsfield(scan.voxels, scan.hounsfield), side)
        over = scan.codes[1:2] == "A"
        if not scan.codes:
            most = np.sort(np.argsort(lungs.sum(axis=(1, 2)))[-TRIED:])
            known = small(lungs[most] > 0, side) > 0.5
            straight = scores(self.network, planes[most])[0] > LIKELY
            turned = scores(self.network, planes[most].flip(1))[0][:, ::-1] > LIKELY
            over = bool((turned == known).sum() > (straight == known).sum())
        planes = planes.flip(1) if over else planes
        views = [scores(self.network, planes), scores(self.network, planes.flip(2))[..., ::-1]]
        views += [scores(self.network, (planes + lighter).clamp(-1, 1)) for lighter in (-LIGHTER, LIGHTER)]
        likely: np.ndarray = np.minimum.reduce(views)
        return likely[:, :, ::-1] if over else likely


def brought_back(likely: np.ndarray, shape: tuple[int, ...], *, stretched: bool = False) -> np.ndarray:
    """Bring small probabilities to the rows and columns of the scan, and say where something is likely.

    They were fitted into the square that the network sees, or ``stretched`` to it.
    """
    import torch

    from covid_datasets.baselines.segment.slices import larger

    out = np.empty((len(likely), *shape[-2:]), bool)
    for at in range(0, len(likely), SLAB):
        part = torch.from_numpy(np.ascontiguousarray(likely[at : at + SLAB]))[:, None]
        size = (shape[-2], shape[-1])
        part = larger(part, (1, 1) if stretched else size, size)[:, 0]
        out[at : at + SLAB] = (part > LIKELY).numpy()
    return out


@dataclass(frozen=True, slots=True, eq=False)
class LearnedLungs:
    """Adds to the classical lungs what a network is sure of; see `learned_lungs`."""

    name: str
    asked: _Asked

    def mended(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Say where lung is: what was found, and what is sure to be lung besides."""
        likely = self.asked.likely(scan, lungs)[0]
        side = likely.shape[-1]
        pixel = (
            max(scan.voxels.shape[1:]) / side * (math.sqrt(scan.spacing[0] * scan.spacing[1]) if scan.spacing else 0)
        )
        pixel = pixel or BODY_MM / side
        known = small(lungs > 0, side) > 0.5
        new = _large((likely > LIKELY) & ~known, likely > SURE, pixel)
        new = _at_lung(new, known, pixel) & ~self._airways(scan, lungs, side)
        # What is beside the new part belongs to it as far as it is likely: no gap is left between both.
        out = brought_back(np.where(grown(new, 2), likely, 0), scan.voxels.shape)
        out |= lungs > 0
        return out

    def _airways(self, scan: Scan, lungs: np.ndarray, side: int) -> np.ndarray:
        """Find what is darker than lung: air without lung around it."""
        from covid_datasets.baselines.segment.slices import shown

        planes = shown(scan.voxels, is_hounsfield(scan.voxels, scan.hounsfield), side).numpy()
        values = planes[small(lungs > 0, side) > 0.9]
        out: np.ndarray = planes < (np.percentile(values, DARK) if len(values) else -1.0)
        return grown(out, 1)


def _at_lung(new: np.ndarray, known: np.ndarray, pixel: float) -> np.ndarray:
    """Keep parts that lie at lung, and those that are as large as a white lung."""
    numbers, count = islands(new)
    area = np.maximum(sizes(numbers, count), 1)
    keep = area * pixel**2 >= WHITE_MM2
    ring = grown(new, 2) & ~new
    owner = numbers.copy()
    for _ in range(2):  # each pixel of the ring belongs to a part beside it
        for axis, way in ((1, 1), (1, -1), (2, 1), (2, -1)):
            beside = np.roll(owner, way, axis)
            owner = np.where((owner == 0) & ring, beside, owner)
    around = sizes(owner, count, ring)
    keep |= sizes(owner, count, ring & known) >= TOUCHES * np.maximum(around, 1)
    keep[0] = False
    out: np.ndarray = keep[numbers]
    return out


def _large(mask: np.ndarray, sure: np.ndarray, pixel: float) -> np.ndarray:
    """Keep parts that are wider than a rim, large, and somewhere sure."""
    kept = grown(opened(mask, max(1, round(RIM_MM / pixel))), 1) & mask
    numbers, count = islands(kept)
    keep = (sizes(numbers, count) * pixel**2 >= LEAST_MM2) & (sizes(numbers, count, sure) > 0)
    keep[0] = False
    out: np.ndarray = keep[numbers]
    return out


def small(mask: np.ndarray, side: int) -> np.ndarray:
    """Make a mask as small as the network sees it: the share of each pixel that it has."""
    import torch

    from covid_datasets.baselines.segment.slices import smaller

    parts = [
        (smaller(torch.from_numpy(mask[at : at + SLAB].astype(np.float32) * 2 - 1), side).numpy() + 1) / 2
        for at in range(0, len(mask), SLAB)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class LearnedInfection:
    """Finds infection by a network; see `learned_infection`."""

    name: str
    asked: _Asked

    def __call__(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Say what is infected in the lungs, and what is dense."""
        _, ill, dense = self.asked.likely(scan, lungs)
        found = brought_back(ill, scan.voxels.shape)
        kinds = np.where(brought_back(dense, scan.voxels.shape), DENSE, GROUND_GLASS)
        return np.where(found & lungs, kinds, 0).astype(np.uint8)
