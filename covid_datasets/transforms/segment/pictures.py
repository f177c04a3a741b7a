"""Pictures of what was found: outlines over a slice, and the five steps of the region adjacency graph side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.segment.given import mask_of, scan_of
from covid_datasets.transforms.segment.infection import infection_mask, region_steps
from covid_datasets.transforms.segment.levels import is_hounsfield
from covid_datasets.transforms.segment.lungs import Lungs, lung_mask
from covid_datasets.transforms.windows import WINDOWS, windowed

Colour = tuple[int, int, int]
LUNG, GLASS, DENSE = (60, 200, 90), (255, 170, 0), (230, 30, 60)
STEPS = ("lungs", "above the threshold", "regions joined", "infection", "hyper-dense")


def grey_of(plane: np.ndarray, hounsfield: bool | None = None) -> np.ndarray:
    """Make a slice 8-bit grey: Hounsfield units by the lung window, all else from its darkest to its brightest."""
    if is_hounsfield(plane, hounsfield):
        return windowed(plane, WINDOWS["lung"])
    low, high = float(plane.min()), float(plane.max())
    return windowed(plane, (low, high if high > low else low + 1))


def outlined(picture: np.ndarray, masks: Sequence[tuple[np.ndarray, Colour]]) -> np.ndarray:
    """Draw the outlines of masks over a slice or a grey picture, the last one uppermost; rows, columns and RGB.

    >>> square = np.zeros((40, 40), bool)
    >>> square[10:20, 10:20] = True
    >>> drawn = outlined(np.zeros((40, 40), np.uint8), [(square, (255, 0, 0))])
    >>> drawn.shape, int((drawn[..., 0] == 255).sum())
    ((40, 40, 3), 36)
    """
    scan = scan_of(picture, what="picture")
    grey = picture if picture.dtype == np.uint8 else grey_of(picture)
    out = np.repeat(grey[:, :, None], 3, axis=2)
    for mask, colour in masks:
        inside = np.pad(mask_of(mask, scan, "mask")[0] > 0, 1)
        deep = inside[1:-1, 1:-1] & inside[2:, 1:-1] & inside[:-2, 1:-1] & inside[1:-1, 2:] & inside[1:-1, :-2]
        out[inside[1:-1, 1:-1] & ~deep] = colour
    return out


def rag_figure(
    picture: np.ndarray, lungs: Lungs | np.ndarray | None = None, *, hounsfield: bool | None = None
) -> np.ndarray:
    """Show the steps of ``method="rag"`` on one slice, from left to right as `STEPS` names them, in colour.

    >>> from covid_datasets.phantoms.volume import chest_volume
    >>> chest = chest_volume(1, shape=(12, 64, 64), load=0.3)
    >>> rag_figure(chest.voxels[6], chest.lung[6]).shape
    (64, 328, 3)
    """
    scan = scan_of(picture, what="picture")
    if not scan.flat:
        raise UsageError(f"picture: expected one slice, found a shape of {picture.shape}")
    if lungs is None:
        lungs = lung_mask(picture, hounsfield=hounsfield)
    inside = mask_of(lungs.mask if isinstance(lungs, Lungs) else lungs, scan, "lungs")[0] > 0
    grey = grey_of(picture, hounsfield)
    base = np.repeat(np.where(inside, grey, 0)[:, :, None], 3, axis=2)
    panels = [base, *(base.copy() for _ in STEPS[1:])]
    steps = region_steps(picture, inside, hounsfield=hounsfield)
    if steps is not None:
        panels[1][...] = (steps.binary * np.uint8(255))[:, :, None]
        panels[2][...] = _colours(steps.joined)
        mask = infection_mask(picture, inside.astype(np.uint8), hounsfield=hounsfield, method="rag").mask
        panels[3][mask > 0] = GLASS
        panels[4][mask == 2] = DENSE
    gap = np.full((len(grey), 2, 3), 255, np.uint8)
    row = [part for panel in panels for part in (panel, gap)][:-1]
    return np.concatenate(row, axis=1)


def _colours(numbers: np.ndarray) -> np.ndarray:
    """Give each region a colour by its number; no region is black."""
    scattered = (numbers.astype(np.uint64) * np.uint64(2654435761)) & np.uint64(0xFFFFFF)
    rgb = np.stack([(scattered >> np.uint64(shift)) & np.uint64(255) for shift in (0, 8, 16)], axis=-1)
    out: np.ndarray = np.where((numbers > 0)[..., None], 55 + rgb * 200 // 255, 0).astype(np.uint8)
    return out
