"""Lungs and infection by a network, as methods of `lung_mask` and `infection_mask`.

The classical mask stays as it is, and with it every refusal of what is no CT. The network adds what it is sure of:
consolidation, which is as dense as the chest wall, so that only the shape of the lungs shows it.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from covid_datasets.baselines.segment.taught import ILL, LUNGS, DrawnInfection, DrawnLungs, check_draws, planes
from covid_datasets.extras import need
from covid_datasets.transforms.segment.coarse import grown, islands, opened, sizes, slabs
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
            of weights. Those of the recipe "segment-chests" add to the classical lungs, as those that ship do.

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
    if not network.architecture.adds:
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
    """A network that is asked about scans, which are fitted into the square that it sees, or stretched to it."""

    def __init__(self, network: ResidualUNet) -> None:
        self.network, self.side = network, network.architecture.side
        self.stretched = network.architecture.as_view

    def shown(self, scan: Scan) -> Any:
        """Make slices as the network sees them."""
        import torch

        from covid_datasets.baselines.segment.slices import shown

        hounsfield = is_hounsfield(scan.voxels, scan.hounsfield)
        if self.stretched:
            return torch.from_numpy(planes(scan.voxels, hounsfield, self.side))
        return shown(scan.voxels, hounsfield, self.side)

    def small(self, mask: np.ndarray) -> np.ndarray:
        """Make a mask as small as the network sees it: the share of each pixel that it has."""
        import torch

        from covid_datasets.baselines.segment.slices import smaller

        def of(slab: np.ndarray) -> np.ndarray:
            signed = torch.from_numpy((slab > 0).astype(np.float32) * 2 - 1)
            out: np.ndarray = (smaller(signed, self.side, stretched=self.stretched).numpy() + 1) / 2
            return out

        return np.concatenate([of(mask[slab]) for slab in slabs(len(mask))])

    def likely(self, scan: Scan, lungs: np.ndarray, seen: Any) -> np.ndarray:
        """Give probabilities of each output, small as the network sees them; the least of several views.

        It has learned from chests whose back is below; where nobody says how rows lead, the lungs that are known do.
        """
        from covid_datasets.baselines.segment.weights import scores

        over = scan.codes[1:2] == "A"
        if not scan.codes:
            most = np.sort(np.argsort(lungs.sum(axis=(1, 2)))[-TRIED:])
            known, lung = self.small(lungs[most]) > 0.5, self.network.architecture.outputs.index("lung")
            straight = scores(self.network, seen[most])[lung] > LIKELY
            turned = scores(self.network, seen[most].flip(1))[lung][:, ::-1] > LIKELY
            over = bool((turned == known).sum() > (straight == known).sum())
        seen = seen.flip(1) if over else seen
        likely = scores(self.network, seen)
        np.minimum(likely, scores(self.network, seen.flip(2))[..., ::-1], out=likely)
        for lighter in (-LIGHTER, LIGHTER):
            np.minimum(likely, scores(self.network, (seen + lighter).clamp(-1, 1)), out=likely)
        return likely[:, :, ::-1] if over else likely

    def large(self, likely: np.ndarray, scan: Scan) -> np.ndarray:
        """Say where something is likely, on the rows and columns of a scan."""
        return brought_back(likely, scan.voxels.shape, stretched=self.stretched)


def brought_back(likely: np.ndarray, shape: tuple[int, ...], *, stretched: bool = False) -> np.ndarray:
    """Bring small probabilities to the rows and columns of the scan, and say where something is likely.

    They were fitted into the square that the network sees, or ``stretched`` to it.
    """
    import torch

    from covid_datasets.baselines.segment.slices import larger

    out, size = np.empty((len(likely), *shape[-2:]), bool), (shape[-2], shape[-1])
    for slab in slabs(len(likely)):
        part = torch.from_numpy(np.ascontiguousarray(likely[slab]))[:, None]
        out[slab] = (larger(part, (1, 1) if stretched else size, size)[:, 0] > LIKELY).numpy()
    return out


@dataclass(frozen=True, slots=True, eq=False)
class LearnedLungs:
    """Adds to the classical lungs what a network is sure of; see `learned_lungs`."""

    name: str
    asked: _Asked

    def mended(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Say where lung is: what was found, and what is sure to be lung besides."""
        seen, side = self.asked.shown(scan), self.asked.side
        likely = self.asked.likely(scan, lungs, seen)[self.asked.network.architecture.outputs.index("lung")]
        pixel = (
            max(scan.voxels.shape[1:]) / side * (math.sqrt(scan.spacing[0] * scan.spacing[1]) if scan.spacing else 0)
        )
        pixel = pixel or BODY_MM / side
        share = self.asked.small(lungs)
        known = share > 0.5
        new = _large((likely > LIKELY) & ~known, likely > SURE, pixel)
        new = _at_lung(new, known, pixel) & ~_airways(seen.numpy(), share)
        # What is beside the new part belongs to it as far as it is likely: no gap is left between both.
        out = self.asked.large(np.where(grown(new, 2), likely, 0), scan)
        for slab in slabs(len(out)):
            out[slab] |= lungs[slab] > 0
        return out


def _airways(seen: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Find what is darker than lung: air without lung around it."""
    values = seen[share > 0.9]
    return grown(seen < (np.percentile(values, DARK) if len(values) else -1.0), 1)


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


@dataclass(frozen=True, slots=True, eq=False)
class LearnedInfection:
    """Finds infection by a network; see `learned_infection`."""

    name: str
    asked: _Asked

    def __call__(self, scan: Scan, lungs: np.ndarray) -> np.ndarray:
        """Say what is infected in the lungs, and what is dense."""
        _, ill, dense = self.asked.likely(scan, lungs, self.asked.shown(scan))
        kinds = self.asked.large(ill, scan).view(np.uint8)
        kinds *= lungs
        solid = self.asked.large(dense, scan)
        solid &= kinds.view(bool)
        kinds += solid
        return kinds
