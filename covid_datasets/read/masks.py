"""Masks of NIfTI volumes: read as 0 and 1, and held against the voxels of their image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.nifti import NiftiHeader, read_header, read_volume
from covid_datasets.schema import Notice

SAME_PLACE = 0.1
"""Two grids are one where no corner is further apart than this share of a voxel's shortest side."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Voxels by (slice, row, column): 1 where the stored value is above a half, else 0.

    ``odd`` are some of the stored values that are neither 0 nor 1.
    """

    header: NiftiHeader
    voxels: np.ndarray
    odd: tuple[float, ...]


def read_mask(data: bytes, path: str) -> Mask:
    """Read the bytes of a ``.nii`` or ``.nii.gz`` file as a mask."""
    volume = read_volume(data, path)
    voxels = np.empty(volume.header.shape, np.uint8)
    odd: set[float] = set()
    for stored, plane in zip(volume.stored, voxels, strict=True):
        values = volume.values(stored)
        np.copyto(plane, values > 0.5)
        if not np.array_equal(values, plane):
            odd.update(np.unique(values[values != plane])[:5].tolist())
    return Mask(volume.header, voxels, tuple(sorted(odd)[:5]))


def check_mask(image: bytes, image_path: str, data: bytes, path: str) -> Iterator[Notice]:
    """Say what is odd about a mask.

    Raises:
        DamagedFileError: It is damaged, or does not lie on the voxels of its image.
    """
    mask = read_mask(data, path)
    header = read_header(image, image_path)
    if problem := difference(header, mask.header):
        raise DamagedFileError(f"{path}: {problem}")
    yield from told(header, mask, path)


def told(image: NiftiHeader, mask: Mask, path: str) -> Iterator[Notice]:
    """Say what is odd about a mask that lies on the voxels of its image."""
    if mask.odd:
        what = f"expected 0 and 1, found {', '.join(f'{value:g}' for value in mask.odd)}; above 0.5 counts as 1"
        yield Notice("mask with other values", path, what)
    if image.affine is not None and mask.header.affine is None:
        yield Notice("mask without orientation", path, "taken to be the image's, which has the same shape")


def difference(image: NiftiHeader, mask: NiftiHeader) -> str:
    """Say why a mask does not lie on the voxels of an image; nothing where it does."""
    if image.shape != mask.shape:
        return f"expected the shape {image.shape} of its image, found {mask.shape} (slices, rows, columns)"
    if image.affine is None or mask.affine is None:
        return ""
    corners = np.array([(*corner, 1) for corner in product(*((0, size - 1) for size in image.shape[::-1]))])
    apart = float(np.sqrt((((image.affine - mask.affine) @ corners.T)[:3] ** 2).sum(axis=0)).max())
    if apart > SAME_PLACE * min(image.spacing):
        return f"expected the place of its image, found a corner that is {apart:.3g} mm apart"
    return ""
