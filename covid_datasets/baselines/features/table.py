"""`image_features`: what can be named of a picture as one table: rates, zones, a histogram of the lungs, texture."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from covid_datasets.baselines.evaluate.lbp import lbp_features
from covid_datasets.catalog.cards import Name, names_in
from covid_datasets.errors import UsageError
from covid_datasets.extras import need
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.splits import ABOUT, load_splits
from covid_datasets.progress import progress
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import Lungs, lung_mask
from covid_datasets.transforms.segment.quantify import quantify

WINDOW = (-1000.0, 400.0)
"""The Hounsfield units that become black and white, where a picture has such."""
BINS = 16
"""Of the histogram of the lungs, from black to white."""
SIDE = 256
"""Rows and columns of the picture whose texture is looked at."""
SIDES, LEVELS = ("left", "right"), ("upper", "middle", "lower")
"""Of the picture as it is drawn: of a radiograph the left side is the patient's right one."""
FIRST = ("sample_id", "patient_id", "group", "split", "label", "lungs_from")
"""Columns of the table that are no features."""
_PUBLISHED = "source"
_COLUMNS = ("sample_id", "image", "masks", "modality", "hu_slope", "hu_intercept")


def image_features(
    name: Name | Sequence[Name],
    *,
    config: str | None = None,
    scheme: str = "patient",
    cache_dir: str | os.PathLike[str] | None = None,
    **filters: Any,
) -> pa.Table:
    """Describe each picture of a finished build by features that have a name, beside its split and label.

    A feature is called by its group and its name: ``rate.infected`` and ``rate.dense``, shares of the lungs; the same
    of six zones, as in ``zones.left_lower``; ``histogram.00`` to ``.15``, which share of the lungs is how bright, from
    -1000 to 400 Hounsfield units or from black to white; and ``texture``, local binary patterns of the whole picture.
    Masks are those of the publisher; else of CT they are made (`lung_mask`, `infection_mask`), and of anything else
    there are none. What is not known is null: of a picture without lungs there is only texture.

    Args:
        name: A dataset, or a list of them.
        config: Its config.
        scheme: The split scheme.
        cache_dir: Where the build is.
        **filters: Only rows with these values, as in `load_dataset`: ``modality="CT"``.
    """
    need("scipy")
    names = names_in(name)
    table = load_splits(names[0] if len(names) == 1 else names, scheme, config=config, cache_dir=cache_dir)
    where = {row["sample_id"]: row for row in table.to_pylist()}
    of = names[0] if len(names) == 1 else list(names)
    loaded = load_dataset(of, config, framework="numpy", columns=_COLUMNS, cache_dir=cache_dir, **filters)
    found: list[dict[str, Any]] = []
    with progress("Describing", unit="pictures") as display:
        for rows in loaded.values():
            display.add("pictures", len(rows))
            for row in rows:
                display.advance("pictures")
                if row["image"] is not None and where[row["sample_id"]]["split"]:
                    said = {column: where[row["sample_id"]][column] for column in FIRST[:-1]}
                    found.append(said | features_of(row["image"], row["masks"] or {}, row["modality"]))
    if not found:
        raise UsageError(
            f"{', '.join(map(str, names))}: expected pictures, found none; volumes and videos are not read"
        )
    told = pa.table({column: [row[column] for row in found] for column in found[0]})
    return told.replace_schema_metadata({ABOUT: table.schema.metadata[ABOUT]})


def features_of(pixels: np.ndarray, masks: Mapping[str, np.ndarray | None], modality: str | None) -> dict[str, Any]:
    """Describe one picture, which is in Hounsfield units where it has 16 bits.

    >>> found = features_of(np.full((64, 64), 90, np.uint8), {"lung": np.eye(64, dtype=np.uint8)}, "CXR")
    >>> found["lungs_from"], found["rate.infected"], found["histogram.05"], len(found)
    ('source', None, 1.0, 969)
    """
    grey = _grey(pixels)
    lungs, origin = _lungs(grey, masks, modality)
    ill = _infection(grey, lungs, masks, modality)
    inside = None if lungs is None else _mask(lungs) > 0
    values: dict[str, float | None] = {}
    total = quantify(grey, lungs, ill) if lungs is not None and ill is not None else None
    values["rate.infected"] = None if total is None else total.infection_rate
    values["rate.dense"] = None if total is None else total.dense_rate
    values |= _zones(inside, ill)
    bright = _as_bytes(grey)
    counts = None if inside is None else np.bincount(bright[inside] // (256 // BINS), minlength=BINS)
    for number in range(BINS):
        values[f"histogram.{number:02}"] = None if counts is None else float(counts[number] / counts.sum())
    small = np.asarray(Image.fromarray(bright).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    values |= {f"texture.{number:03}": float(value) for number, value in enumerate(lbp_features(small))}
    return {"lungs_from": origin, **values}


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3:
        return np.asarray(Image.fromarray(pixels[..., :3].astype(np.uint8)).convert("L"))
    return pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels


def _as_bytes(grey: np.ndarray) -> np.ndarray:
    if grey.dtype == np.uint8:
        return grey
    low, high = WINDOW if grey.min() < 0 else (float(grey.min()), max(float(grey.max()), float(grey.min()) + 1))
    return (np.clip((grey.astype(float) - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _published(masks: Mapping[str, np.ndarray | None], name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    mask = masks.get(name)
    if mask is None:
        return None
    flat = (mask if mask.ndim == 2 else mask.max(-1)) > 0
    if flat.shape != shape:
        flat = np.asarray(Image.fromarray(flat).resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    return flat.astype(np.uint8)


def _lungs(
    grey: np.ndarray, masks: Mapping[str, np.ndarray | None], modality: str | None
) -> tuple[Lungs | np.ndarray | None, str | None]:
    """Return the lungs, and where they are from; ``None`` where there are none."""
    drawn = _published(masks, "lung", grey.shape)
    if drawn is not None and drawn.any():
        return drawn, _PUBLISHED
    if modality != "CT":
        return None, None
    try:
        found = lung_mask(grey)
    except UsageError:  # a picture that no lungs can be looked for in, as one of two rows
        return None, None
    return (None, None) if found.empty else (found, found.method)


def _infection(
    grey: np.ndarray, lungs: Lungs | np.ndarray | None, masks: Mapping[str, np.ndarray | None], modality: str | None
) -> np.ndarray | None:
    if lungs is None:
        return None
    drawn = _published(masks, "infection", grey.shape)
    if drawn is not None:
        dense = _published(masks, "consolidation", grey.shape)
        return drawn if dense is None else np.where(drawn & dense, 2, drawn).astype(np.uint8)
    if modality != "CT":
        return None
    found = infection_mask(grey, lungs)
    return None if found.rate is None else found.mask


def _mask(lungs: Lungs | np.ndarray) -> np.ndarray:
    return lungs.mask if isinstance(lungs, Lungs) else lungs


def _zones(inside: np.ndarray | None, ill: np.ndarray | None) -> dict[str, float | None]:
    """Return the share that is infected of six zones: the halves and thirds of the box around the lungs, as drawn."""
    names = [f"zones.{side}_{level}" for side in SIDES for level in LEVELS]
    if inside is None or ill is None or not inside.any():
        return dict.fromkeys(names)
    found: dict[str, float | None] = {}
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    middle = (columns[0] + columns[-1] + 1) // 2
    ends = [math.floor(rows[0] + (rows[-1] + 1 - rows[0]) * third / 3) for third in range(4)]
    halves = (slice(None, middle), slice(middle, None))
    zones = [(slice(ends[third], ends[third + 1]), half) for half in halves for third in range(3)]
    for name, zone in zip(names, zones, strict=True):
        lung = int(inside[zone].sum())
        found[name] = float(((ill[zone] > 0) & inside[zone]).sum() / lung) if lung else None
    return found
