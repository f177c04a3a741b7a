"""Masks of volumes: read as 0 and 1, and held against the voxels of their image."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import too_large
from covid_datasets.read.orientation import elsewhere
from covid_datasets.read.volume import VolumeHeader
from covid_datasets.read.volumes import read_header, read_slices
from covid_datasets.schema import Notice


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Voxels by (slice, row, column): 1 where the stored value is above a half, else 0.

    ``odd`` are some of the stored values that are neither 0 nor 1.
    """

    header: VolumeHeader
    voxels: np.ndarray
    odd: tuple[float, ...]


def read_mask(data: bytes, path: str, values: Collection[int] = ()) -> Mask:
    """Read the bytes of a volume as a mask, slice by slice: however it is stored, it takes a byte a voxel.

    Args:
        data: The bytes of the file.
        path: What it is called, for errors; its ending says what it is.
        values: The labels that count, where the file is a map of labels: ``(1, 2)`` for both lungs. Others are 0.

    >>> import nibabel
    >>> labels = nibabel.Nifti1Image(np.array([[[0, 1, 2, 3]]], np.uint8), np.eye(4)).to_bytes()
    >>> read_mask(labels, "labels.nii", values=(1, 2)).voxels.ravel().tolist()
    [0, 1, 1, 0]
    """
    slices = read_slices(data, path)
    header = slices.header
    if why := too_large(header.shape, 1, len(data)):
        raise DamagedFileError(f"{path}: expected a mask, found {why}")
    voxels = np.empty(header.shape, np.uint8)
    odd: set[float] = set()
    for stored, plane in zip(slices, voxels, strict=True):
        found = header.values(stored)
        if values:
            np.copyto(plane, np.isin(found, list(values)))
            continue
        np.copyto(plane, found > 0.5)
        if not np.array_equal(found, plane):
            odd.update(np.unique(found[found != plane])[:5].tolist())
    return Mask(header, voxels, tuple(sorted(odd)[:5]))


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


def told(image: VolumeHeader, mask: Mask, path: str) -> Iterator[Notice]:
    """Say what is odd about a mask that lies on the voxels of its image."""
    if mask.odd:
        what = f"expected 0 and 1, found {', '.join(f'{value:g}' for value in mask.odd)}; above 0.5 counts as 1"
        yield Notice("mask with other values", path, what)
    if image.affine is not None and mask.header.affine is None:
        yield Notice("mask without orientation", path, "taken to be the image's, which has the same shape")


def difference(image: VolumeHeader, mask: VolumeHeader) -> str:
    """Say why a mask does not lie on the voxels of an image; nothing where it does."""
    if image.shape != mask.shape:
        return f"expected the shape {image.shape} of its image, found {mask.shape} (slices, rows, columns)"
    if image.affine is None or mask.affine is None:
        return ""
    apart = elsewhere(image.affine, mask.affine, image.shape)
    return f"expected the place of its image, found {apart}" if apart else ""
