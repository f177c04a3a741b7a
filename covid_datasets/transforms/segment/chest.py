"""The chest without what is around it: padding and frames trimmed, and the body found by threshold and convex hull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.transforms.segment.coarse import coarser, filled, islands, opened, sizes
from covid_datasets.transforms.segment.doubts import Doubt, confidence_of, reasons_of
from covid_datasets.transforms.segment.given import scan_of
from covid_datasets.transforms.segment.levels import otsu
from covid_datasets.transforms.segment.lungs import lung_mask

FINE = 256
"""Pixels across a picture that the body is looked for on, about."""
EVEN = 0.02
"""Of the range of values, what differs by less along a line is one value: padding that went through JPEG."""
FAINT = 0.5
"""Of the way to the threshold, what is darker is outside of a radiograph's body: lungs are brighter than that."""
LEAST = 0.1
"""Share of the picture that a body has at least."""

Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class ChestCrop:
    """A chest that was cut out.

    Attributes:
        pixels: What is inside the box; of a volume, of each slice.
        box: Left, top, width and height in the picture that was given.
        hull: The convex hull of the body, on the pixels of the picture that was given.
        modality: What it was taken for.
        confidence: From 0 to 1.
        reasons: What is doubtful.
    """

    pixels: np.ndarray
    box: Box
    hull: np.ndarray
    modality: str
    confidence: float
    reasons: tuple[str, ...]


def padding_box(picture: np.ndarray) -> Box:
    """Say what is left without padding: lines at the border that are of one value each, whatever value that is.

    >>> padded = np.pad(np.arange(1600.0).reshape(40, 40), ((3, 0), (0, 5)))
    >>> padding_box(padded)
    (0, 3, 40, 40)
    """
    scan = scan_of(picture, what="picture")
    low, high = scan.voxels.min(axis=0).astype(np.float64), scan.voxels.max(axis=0).astype(np.float64)
    even = EVEN * float(high.max() - low.min())
    rows = (high.max(axis=1) - low.min(axis=1)) > even
    columns = (high.max(axis=0) - low.min(axis=0)) > even
    if not rows.any() or not columns.any():
        return 0, 0, len(columns), len(rows)
    (top, bottom), (left, right) = (np.flatnonzero(lines)[[0, -1]].tolist() for lines in (rows, columns))
    # A line of padding crosses other padding at its ends, which may have another value.
    inner = (slice(top, bottom + 1), slice(left, right + 1))
    rows = (high[inner].max(axis=1) - low[inner].min(axis=1)) > even
    columns = (high[inner].max(axis=0) - low[inner].min(axis=0)) > even
    (up, down), (first, last) = (np.flatnonzero(lines)[[0, -1]].tolist() for lines in (rows, columns))
    return left + first, top + up, last - first + 1, down - up + 1


def crop_to_chest(
    picture: np.ndarray,
    *,
    modality: Literal["CT", "CXR"] | None = None,
    margin: float = 0.02,
    outside: Literal["keep", "blank"] = "keep",
) -> ChestCrop:
    """Cut the chest out of a radiograph, a CT picture or a CT volume: threshold, largest island, convex hull.

    Args:
        picture: Rows and columns, or slices, rows and columns: a volume gets one box that holds the body of all slices.
        modality: Whether it is a CT or a radiograph (CXR); by default a CT is what lungs are found in.
        margin: How much of its size is left around the body.
        outside: "blank" sets what is not in the hull to the lowest value: the table, letters, wires beside the body.

    Raises:
        UsageError: Channels, NaN, or an argument that is none of these.

    >>> slice_ = np.full((64, 64), -1000, np.int16)
    >>> slice_[12:52, 4:60] = 40
    >>> slice_[20:44, 10:28] = slice_[20:44, 36:54] = -850
    >>> crop_to_chest(slice_, margin=0).box
    (4, 12, 56, 40)
    """
    scan = scan_of(picture, what="picture")
    if modality not in (None, "CT", "CXR") or outside not in ("keep", "blank") or not 0 <= margin <= 0.5:
        raise UsageError(
            "crop_to_chest: expected modality 'CT', 'CXR' or None, outside 'keep' or 'blank', and a margin from 0 to "
            f"0.5, found {modality!r}, {outside!r}, {margin!r}"
        )
    left, top, width, height = padding_box(picture)
    if min(width, height) < 32:
        left, top, height, width = 0, 0, *scan.voxels.shape[1:]
    inner = scan.voxels[:, top : top + height, left : left + width]
    found = modality or ("CXR" if scan.flat and lung_mask(inner[0]).empty else "CT")
    body, doubts = _body(inner, found)
    if modality is None and scan.flat:
        doubts.append(Doubt(f"taken for a {found} by its looks: say modality= where it is known", 0.8))
    hull = np.zeros(scan.voxels.shape[1:], bool)
    hull[top : top + height, left : left + width] = body
    box = _box(hull, margin)
    pixels = scan.voxels
    if outside == "blank":
        pixels = np.where(hull, pixels, pixels.min())
    cut = pixels[:, box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    return ChestCrop(scan.as_given(cut), box, hull, found, confidence_of(doubts), reasons_of(doubts))


def _body(voxels: np.ndarray, modality: str) -> tuple[np.ndarray, list[Doubt]]:
    """Find the convex hull of all slices' bodies; of the whole picture where there is none, with a reason."""
    factor = max(1, min(voxels.shape[1:]) // FINE)
    coarse = coarser(voxels, factor)
    shape = voxels.shape[1:]
    everything = np.ones(shape, bool)
    threshold = otsu(coarse)
    if threshold is None:
        return everything, [Doubt("all values are one: nothing is cut off", 0.0)]
    low = float(coarse.min())
    bright = coarse > (threshold if modality == "CT" else low + FAINT * (threshold - low))
    numbers, count = islands(opened(filled(bright), 2))
    area = sizes(numbers, count)
    area[0] = 0
    keep = area >= max(0.3 * area.max(), LEAST * coarse[0].size)
    keep[0] = False
    body = keep[numbers].any(axis=0)
    if not body.any():
        return everything, [Doubt(f"no body: nothing bright has {LEAST:.0%} of the picture; nothing is cut off", 0.2)]
    doubts = []
    if body.mean() > 0.9:
        doubts.append(Doubt("the body fills the picture: there is nothing to cut off", 0.9))
    hull = convex_hull(body)
    rows = np.minimum(np.arange(shape[0]) // factor, hull.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) // factor, hull.shape[1] - 1)
    return hull[rows][:, columns], doubts


def convex_hull(mask: np.ndarray) -> np.ndarray:
    """Fill what lies between any two pixels of a mask.

    >>> convex_hull(np.array([[1, 0, 1], [0, 0, 0], [1, 0, 0]], bool)).astype(int).tolist()
    [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    """
    out = np.zeros(mask.shape, bool)
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return out
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows][:, ::-1].argmax(axis=1)
    between = np.arange(rows[0], rows[-1] + 1)
    left = np.interp(between, *_lower(rows, first))
    right = -np.interp(between, *_lower(rows, -last))
    columns = np.arange(mask.shape[1])[None, :]
    out[between] = (columns >= np.ceil(left - 1e-9)[:, None]) & (columns <= np.floor(right + 1e-9)[:, None])
    return out


def _lower(x: np.ndarray, y: np.ndarray) -> tuple[list[int], list[int]]:
    """Choose the points that no line between two others passes below (Andrew's monotone chain)."""
    chain: list[tuple[int, int]] = []
    for at, value in zip(x.tolist(), y.tolist(), strict=True):
        while len(chain) > 1:
            (x1, y1), (x2, y2) = chain[-2:]
            if (x2 - x1) * (value - y1) - (y2 - y1) * (at - x1) > 0:
                break
            chain.pop()
        chain.append((at, value))
    return [at for at, _ in chain], [value for _, value in chain]


def _box(hull: np.ndarray, margin: float) -> Box:
    ends = []
    for axis in (0, 1):
        there = np.flatnonzero(hull.any(axis=axis))
        more = round(margin * len(there))
        ends.append((max(int(there[0]) - more, 0), min(int(there[-1]) + 1 + more, hull.shape[1 - axis])))
    (left, right), (top, bottom) = ends
    return left, top, right - left, bottom - top
