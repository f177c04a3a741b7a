"""Masks of volumes: read as 0 and 1, or as a map of labels, and held against the voxels of their image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import too_large
from covid_datasets.read.orientation import elsewhere
from covid_datasets.read.volume import WHOLE, VolumeHeader
from covid_datasets.read.volumes import read_header, read_slices
from covid_datasets.schema import Notice

IGNORED = 255
"""The value of a pixel that nobody is to learn or to be tested on; what is meant is 1, all else is 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Voxels by (slice, row, column), a byte each: 0 and 1, or the labels of a map.

    ``odd`` are some of the stored values that were not expected. A map has ``labels``, and where it has none of these
    and no 0, its voxels are `IGNORED`.
    """

    header: VolumeHeader
    voxels: np.ndarray
    odd: tuple[float, ...]
    labels: tuple[int, ...] = ()


def read_mask(data: bytes, path: str, values: Collection[int] = (), known: Collection[int] = ()) -> Mask:
    """Read the bytes of a volume as a mask: 1 where the stored value is above a half, else 0.

    Args:
        data: The bytes of the file.
        path: What it is called, for errors; its ending says what it is.
        values: The labels that count, where the file is a map of labels: ``(1, 2)`` for both lungs. Others are 0.
        known: All labels that the map may have, where that is known: what is none of them is `IGNORED`.

    >>> import nibabel
    >>> labels = nibabel.Nifti1Image(np.array([[[0, 1, 2, 3]]], np.uint8), np.eye(4)).to_bytes()
    >>> read_mask(labels, "labels.nii", values=(1, 2)).voxels.ravel().tolist()
    [0, 1, 1, 0]
    >>> read_mask(labels, "labels.nii", values=(1,), known=(1, 2)).voxels.ravel().tolist()
    [0, 1, 0, 255]
    """
    if values:
        whole = read_labels(data, path, values, known)
        return replace(whole, voxels=chosen(whole.voxels, values))
    odd: set[float] = set()

    def put(found: np.ndarray, plane: np.ndarray) -> None:
        np.copyto(plane, found > 0.5)
        if not np.array_equal(found, plane):
            odd.update(np.unique(found[found != plane])[:5].tolist())

    header, voxels = _read(data, path, put)
    return Mask(header, voxels, tuple(sorted(odd)[:5]))


def read_labels(data: bytes, path: str, values: Collection[int], known: Collection[int] = ()) -> Mask:
    """Read the bytes of a volume as a map of labels, of which several masks are `chosen`.

    Args:
        data: The bytes of the file.
        path: What it is called, for errors.
        values: The labels that are wanted; others are 0.
        known: All labels that the map may have, where that is known: what is none of them is `IGNORED`.

    >>> import nibabel
    >>> stored = nibabel.Nifti1Image(np.array([[[0, 1, 2, 7]]], np.int16), np.eye(4)).to_bytes()
    >>> labels = read_labels(stored, "labels.nii", (1, 2), known=(1, 2))
    >>> labels.voxels.ravel().tolist(), labels.odd, chosen(labels.voxels, (2,)).ravel().tolist()
    ([0, 1, 2, 255], (7.0,), [0, 0, 1, 255])
    """
    labels = sorted({*values, *known})
    if not 1 <= labels[0] <= labels[-1] < IGNORED:
        raise ValueError(f"labels: expected numbers from 1 to {IGNORED - 1}, found {labels}")
    odd: set[float] = set()

    def put(found: np.ndarray, plane: np.ndarray) -> None:
        plane.fill(IGNORED if known else 0)
        for label in (0, *labels):
            plane[found == label if found.dtype.kind in "ui" else np.abs(found - label) <= WHOLE] = label
        if (strange := plane == IGNORED).any():
            odd.update(np.unique(found[strange])[:5].astype(np.float64).tolist())

    header, voxels = _read(data, path, put)
    return Mask(header, voxels, tuple(sorted(odd)[:5]), tuple(labels) if known else ())


def chosen(labels: np.ndarray, values: Collection[int]) -> np.ndarray:
    """Return 1 where a label is one of the values, `IGNORED` where nobody knows what it is, else 0."""
    table = np.zeros(IGNORED + 1, np.uint8)
    table[list(values)] = 1
    table[IGNORED] = IGNORED
    found: np.ndarray = table[labels]
    return found


def _read(data: bytes, path: str, put: Callable[[np.ndarray, np.ndarray], None]) -> tuple[VolumeHeader, np.ndarray]:
    """Go through a volume slice by slice; however it is stored, what is kept of it takes a byte a voxel."""
    slices = read_slices(data, path)
    header = slices.header
    if why := too_large(header.shape, 1, len(data)):
        raise DamagedFileError(f"{path}: expected a mask, found {why}")
    voxels = np.empty(header.shape, np.uint8)
    for stored, plane in zip(slices, voxels, strict=True):
        put(header.values(stored), plane)
    return header, voxels


def check_mask(image: bytes, image_path: str, data: bytes, path: str, known: Collection[int] = ()) -> Iterator[Notice]:
    """Say what is odd about a mask; ``known`` are all labels that it may have, where that is known.

    Raises:
        DamagedFileError: It is damaged, or does not lie on the voxels of its image.
    """
    mask = read_mask(data, path, known, known)
    header = read_header(image, image_path)
    if problem := difference(header, mask.header):
        raise DamagedFileError(f"{path}: {problem}")
    yield from told(header, mask, path)


def told(image: VolumeHeader, mask: Mask, path: str) -> Iterator[Notice]:
    """Say what is odd about a mask that lies on the voxels of its image."""
    if mask.odd:
        expected = f"the labels {', '.join(map(str, (0, *mask.labels)))}" if mask.labels else "0 and 1"
        then = f"these voxels are {IGNORED}, which says neither" if mask.labels else "above 0.5 counts as 1"
        what = f"expected {expected}, found {', '.join(f'{value:g}' for value in mask.odd)}; {then}"
        yield Notice("mask with other values", path, what)
    if image.affine is not None and mask.header.affine is None:
        yield Notice("mask without orientation", path, "taken to be the image's, which has the same shape")


def difference(image: VolumeHeader, mask: VolumeHeader) -> str:
    """Say why a mask does not lie on the voxels of an image; nothing where it does."""
    if problem := other_shape(image, mask):
        return problem
    if image.affine is None or mask.affine is None:
        return ""
    apart = elsewhere(image.affine, mask.affine, image.shape)
    return f"expected the place of its image, found {apart}" if apart else ""


def other_shape(image: VolumeHeader, mask: VolumeHeader) -> str:
    """Say that a mask has not as many voxels as its image along each axis; nothing where it has."""
    if image.shape == mask.shape:
        return ""
    return f"expected the shape {image.shape} of its image, found {mask.shape} (slices, rows, columns)"
