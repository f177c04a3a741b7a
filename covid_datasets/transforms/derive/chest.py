"""The derived datasets that come with this library: lungs, infection, segmented and cropped chests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.extras import need
from covid_datasets.read.masks import IGNORED
from covid_datasets.transforms.derive.contract import Derived, Sample, derives
from covid_datasets.transforms.segment.chest import crop_to_chest
from covid_datasets.transforms.segment.infection import Finder, infection_mask
from covid_datasets.transforms.segment.lungs import LEFT, RIGHT, Lungs, Mender, lung_mask

WAY = 2
"""Counts up when the same picture would get another mask; datasets that were made before are then made anew."""
SOURCE = "source"
"""What a mask is from that the publisher of the dataset drew."""
NO_BODY = 0.2
"""With this confidence or less, no chest was found to cut out."""
NO_SLICE = "no lung in this slice"
_SAID = {"confidence": float, "reasons": list[str]}
LUNGS = {"lung_mask_from": str, **_SAID}
INFECTION = {"lung_mask_from": str, "infection_mask_from": str, "infection_rate": float, **_SAID}


def infection_rate(masks: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Count the share of the lungs that is infected; nothing where there is no lung.

    >>> infection_rate({"lung": np.array([[1, 2]]), "infection": np.array([[0, 1]])})
    {'infection_rate': 0.5}
    """
    if "lung" not in masks or "infection" not in masks:
        return {"infection_rate": None}
    lung = masks["lung"] > 0
    voxels = int(np.count_nonzero(lung))
    sick = int(np.count_nonzero(lung & (masks["infection"] > 0)))
    return {"infection_rate": sick / voxels if voxels else None}


@derives(LUNGS, modalities=("CT",), series=True, version=WAY)
def lungs(sample: Sample) -> Derived:
    """Give the lungs: 1 the patient's right one, 2 the left; of the picture, where nobody knows the patient's."""
    return lungs_of(sample).derived()


@derives(LUNGS, modalities=("CT",), series=True, version=WAY)
def segmented(sample: Sample) -> Derived:
    """Give the lungs, and nothing else of the picture."""
    found = lungs_of(sample)
    return found.derived(keep=found.mask > 0)


@derives(INFECTION, modalities=("CT",), series=True, version=WAY, counted=infection_rate)
def infection(sample: Sample, method: Literal["threshold", "rag"] = "threshold") -> Derived:
    """Give the lungs and what is infected in them: 1, or 2 where it is hyper-dense."""
    return infection_of(sample, lungs_of(sample), method)


def infection_of(sample: Sample, found: Found, method: Literal["threshold", "rag"] | Finder) -> Derived:
    """Find what is infected in lungs of a sample, where its publisher did not draw it."""
    every = len(sample.rows)
    drawn = sample.drawn.get("infection", (False,) * every)
    ill = _published_infection(sample) if any(drawn) else np.zeros(found.mask.shape, np.uint8)
    told = list(found.reasons)
    confidence, made = found.confidence, ""
    if not all(drawn):
        try:
            given = Lungs(found.mask, "picture", None, found.confidence, found.reasons)
            where: dict[str, Any] = {"spacing": sample.spacing, "orientation": sample.orientation}
            calculated = infection_mask(_grey(sample), given, method=method, **where)
        except UsageError as error:
            confidence, told = 0.0, [*told, str(error)]
        else:
            confidence, told = calculated.confidence, list(calculated.reasons)
            made = _way(calculated.method)
            ill = _by_row(sample, drawn, ill, calculated.mask)
    kept = [{"infection_mask_from": SOURCE if there else made or None} for there in drawn]
    return found.derived({"infection": ill}, kept, confidence, tuple(dict.fromkeys(told)))


@derives({"chest_box": list[float], **_SAID}, modalities=("CT", "CXR"), series=True, version=WAY)
def cropped(sample: Sample, margin: float = 0.02) -> Derived:
    """Cut the chest out of the picture, or one box out of all slices."""
    need("scipy")
    modality = sample.row.get("modality")
    try:
        found = crop_to_chest(_grey(sample), modality=modality, margin=margin)
    except UsageError as error:
        if not 0 <= margin <= 0.5:
            raise
        reason = str(error)
        return Derived(columns={"confidence": 0.0, "reasons": [reason]}, told={reason: len(sample.rows)})
    box = [float(side) for side in found.box]
    said = {"chest_box": box, "confidence": found.confidence, "reasons": list(found.reasons)}
    told = {found.reasons[0]: len(sample.rows)} if found.confidence <= NO_BODY else {}
    return Derived(columns=said, box=found.box, told=told)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Lungs of a sample, each slice from its publisher where there is a mask of it, else calculated."""

    sample: Sample
    mask: np.ndarray
    origins: tuple[str | None, ...]
    confidence: float
    reasons: tuple[str, ...]

    def derived(
        self,
        masks: Mapping[str, np.ndarray] | None = None,
        each: Sequence[Mapping[str, Any]] = (),
        confidence: float | None = None,
        reasons: tuple[str, ...] | None = None,
        keep: np.ndarray | None = None,
    ) -> Derived:
        """Say it for each row: where a row has no lung, its reason stands there, and is counted."""
        confidence = self.confidence if confidence is None else confidence
        reasons = self.reasons if reasons is None else reasons
        there = _any_in_rows(self.sample, self.mask)
        empty = NO_SLICE if any(there) else next(iter(self.reasons), "no lung found")
        rows = []
        for number, lung in enumerate(there):
            why = list(reasons) if lung or not any(there) else [NO_SLICE, *reasons]
            own = each[number] if each else {}
            rows.append({"lung_mask_from": self.origins[number], "confidence": confidence, "reasons": why, **own})
        return Derived(
            each=rows, masks={"lung": self.mask, **(masks or {})}, keep=keep,
            told={empty: there.count(False)} if not all(there) else {},
        )  # fmt: skip


def _way(method: str) -> str:
    """Name a method with the number of its way; weights are named with their digest."""
    return method if "@" in method else f"{method}@{WAY}"


def lungs_of(sample: Sample, method: Literal["classical"] | Mender = "classical") -> Found:
    """Take the lungs of the publisher where there are some, and find the others."""
    need("scipy")
    drawn = _drawn_lungs(sample)
    where: dict[str, Any] = {"spacing": sample.spacing, "orientation": sample.orientation}
    mask = np.zeros(sample.pixels.shape[: 2 + sample.volume], np.uint8)
    origins: list[str | None] = [SOURCE if there else None for there in drawn]
    confidence, reasons = 1.0, list[str]()
    try:
        grey = _grey(sample)
        if not all(drawn):
            found = lung_mask(grey, **where, method=method)
            mask, confidence, reasons = found.mask, found.confidence, list(found.reasons)
            origins = [origin or _way(found.method) for origin in origins]
        if any(drawn):
            published = lung_mask(grey, **where, method=_published_lungs(sample))
            mask = _by_row(sample, drawn, published.mask, mask)
            if all(drawn):
                reasons = list(published.reasons)
                confidence = published.confidence
    except UsageError as error:  # it is no CT that can be segmented: the reason is the result
        confidence, reasons = 0.0, [str(error)]
    return Found(sample, mask, tuple(origins), confidence, tuple(reasons))


def _drawn_lungs(sample: Sample) -> tuple[bool, ...]:
    """Say which rows have lungs from their publisher, as one mask or as both lungs."""
    none = (False,) * len(sample.rows)
    whole, right, left = (sample.drawn.get(name, none) for name in ("lung", "right_lung", "left_lung"))
    return tuple(one or (first and second) for one, first, second in zip(whole, right, left, strict=True))


def _published_lungs(sample: Sample) -> Callable[[Any], np.ndarray]:
    """Give the lungs as published: sides where both are drawn alone, else told apart by where they are."""
    nothing = np.zeros(sample.pixels.shape[: 2 + sample.volume], bool)
    right, left, whole = (_is_set(sample.masks.get(name, nothing)) for name in ("right_lung", "left_lung", "lung"))
    drawn = all(sample.drawn.get("right_lung", (False,))) and all(sample.drawn.get("left_lung", (False,)))
    found = np.where(left, LEFT, np.where(right, RIGHT, 0)) if drawn else (whole | right | left)
    return lambda scan: found.reshape(scan.voxels.shape).astype(np.uint8)


def _published_infection(sample: Sample) -> np.ndarray:
    nothing = np.zeros(sample.pixels.shape[: 2 + sample.volume], bool)
    ill, dense = (_is_set(sample.masks.get(name, nothing)) for name in ("infection", "consolidation"))
    return np.where(ill & dense, 2, ill.astype(np.uint8)).astype(np.uint8)


def _is_set(mask: np.ndarray) -> np.ndarray:
    found: np.ndarray = (
        (mask > 0) & (mask != IGNORED) if mask.max(initial=0) < IGNORED or _has_labels(mask) else mask > 0
    )
    return found


def _has_labels(mask: np.ndarray) -> bool:
    """Tell labels, among which 255 is what nobody is to look at, from a mask of 0 and 255."""
    return bool(((mask > 0) & (mask < IGNORED)).any())


def _by_row(sample: Sample, first: Sequence[bool], one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Take rows of one mask, and the rest of another."""
    if len(set(first)) == 1:
        return one if first[0] else other
    chosen: np.ndarray = np.where(np.array(first)[:, None, None], one, other)
    return chosen


def _any_in_rows(sample: Sample, mask: np.ndarray) -> list[bool]:
    return [bool(mask.any())] if len(sample.rows) == 1 else [bool(plane.any()) for plane in mask]


def _grey(sample: Sample) -> np.ndarray:
    """Make grey of colours, as Pillow does."""
    if sample.volume or sample.pixels.ndim == 2:
        return sample.pixels
    if sample.pixels.shape[2] != 3 or sample.pixels.dtype != np.uint8:
        raise UsageError(f"expected grey or three colours of 8 bits, found {sample.pixels.shape} {sample.pixels.dtype}")
    return np.asarray(Image.fromarray(sample.pixels).convert("L"))
