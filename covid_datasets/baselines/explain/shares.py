"""How much of what a network looked at lies in the lungs, in lesions and in zones: numbers, where pictures persuade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.report import plain
from covid_datasets.errors import UsageError

LUNG = "lung"
ZONES = ("upper", "middle", "lower")
"""Thirds of the rows that have lung, as an image is drawn: from the top."""
OUTSIDE = "outside"
RESAMPLES = 1000
Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """Of what is attended to, the share in a region, beside the share of the image that the region is.

    Attributes:
        region: "lung", "infection", "upper", "outside", ...
        attention: Mean over images, with a 95 % interval over groups.
        area: What a map that knows nothing has there on average.
        enrichment: Attention for each share of area: 1 is chance.
        images: Images that have the region and a map.
    """

    region: str
    attention: Interval
    area: Interval
    enrichment: Interval
    images: int

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        numbers = {name: plain(getattr(self, name)) for name in ("attention", "area", "enrichment")}
        return {"region": self.region, "images": self.images, **numbers}

    def __str__(self) -> str:
        """Say it for people."""
        return f"{self.region}: {self.attention} of attention on {self.area.value:.3f} of the image"


def attention_shares(
    maps: NDArray[np.floating[Any]],
    masks: Mapping[str, Masks],
    groups: Sequence[object] | None = None,
    *,
    seed: int = 0,
) -> dict[str, Share]:
    """Measure where maps lie: in each mask, outside of the lungs, and in the upper, middle and lower third of them.

    Args:
        maps: N×H×W, as `grad_cam` gives them. One that is nought everywhere says nothing and is left out.
        masks: N×H×W each, by name, such as "lung" and "infection". An image whose mask is empty is left out of it.
        groups: Whose images are drawn together for the intervals: patients. Without them each image is by itself.
        seed: Of the draws.

    >>> maps = np.zeros((4, 6, 6)); maps[:, 1:3, 1:3] = 0.25
    >>> lung = np.zeros((4, 6, 6), bool); lung[:, :, 1:5] = True
    >>> found = attention_shares(maps, {"lung": lung})
    >>> found["lung"].attention.value, round(found["lung"].enrichment.value, 2), found["outside"].attention.value
    (1.0, 1.5, 0.0)
    >>> [round(found[zone].attention.value, 2) for zone in ("upper", "middle", "lower")]
    [0.5, 0.5, 0.0]
    """
    known = np.asarray(maps, dtype=float)
    regions = {name: np.asarray(mask, dtype=bool) for name, mask in masks.items()}
    for name, mask in regions.items():
        if mask.shape != known.shape or known.ndim != 3:
            raise UsageError(f"masks: expected {name} of the shape of the maps, {known.shape}, found {mask.shape}")
    if groups is not None and len(groups) != len(known):
        raise UsageError(f"groups: expected one for each of {len(known)} maps, found {len(groups)}")
    if (known < 0).any() or not np.isfinite(known).all():
        raise UsageError("maps: expected numbers from 0 on, found negative ones or what is no number")
    if LUNG in regions:
        lung = regions[LUNG]
        regions |= dict(zip(ZONES, _thirds(lung), strict=True))
        regions[OUTSIDE] = ~lung & _present(lung)[:, None, None]
    of = list(range(len(known))) if groups is None else list(groups)
    return {name: _share(name, known, mask, of, seed) for name, mask in regions.items()}


def _thirds(lung: Masks) -> list[Masks]:
    """Cut each lung mask into three parts of as many rows."""
    has: Masks = np.logical_or.reduce(lung, axis=2)
    rows = np.arange(lung.shape[1])
    first, last = has.argmax(1), lung.shape[1] - has[:, ::-1].argmax(1)
    number = (rows[None, :] - first[:, None]) * 3 // np.maximum(last - first, 1)[:, None]
    return [lung & (number == third)[:, :, None] for third in range(3)]


def _present(mask: Masks) -> Masks:
    """Tell of each image whether the mask has anything on it."""
    found: Masks = np.logical_or.reduce(mask, axis=(1, 2))
    return found


def _share(name: str, maps: Numbers, mask: Masks, groups: Sequence[object], seed: int) -> Share:
    total = maps.sum((1, 2))
    kept = np.flatnonzero((total > 0) & _present(mask))
    inside = (maps * mask).sum((1, 2))[kept] / total[kept]
    area = mask.mean((1, 2))[kept]

    def measure(weights: Numbers) -> dict[str, float]:
        count = float(weights.sum())
        if not count:
            return dict.fromkeys(("attention", "area", "enrichment"), float("nan"))
        attention, size = float(weights @ inside) / count, float(weights @ area) / count
        return {"attention": attention, "area": size, "enrichment": attention / size}

    of = [groups[row] for row in kept.tolist()]
    found = intervals(measure, of, percentiles(len(set(map(str, of)))), resamples=RESAMPLES, seed=seed)
    return Share(name, found["attention"], found["area"], found["enrichment"], len(kept))
