"""Axial slices of a volume with those of its masks, as the parts of one record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.masks import Mask, difference, read_mask, told
from covid_datasets.read.orientation import orientation, perpendicular, position, spacing, turned
from covid_datasets.read.volume import WHOLE, Volume, VolumeHeader, hounsfield
from covid_datasets.read.volumes import read_volume, volume_bytes
from covid_datasets.schema import Notice, Part, RawReader

MaskOf = tuple[str, str] | tuple[str, str, tuple[int, ...]]
"""A name of `vocabulary.MASKS`, a path and, where the file is a map of labels, those that count."""


def axial_slices(raw: RawReader, path: str, masks: tuple[MaskOf, ...] = ()) -> Iterator[Part | Notice]:
    """Yield the slices of a volume from the feet up, as Hounsfield units, displayed as radiologists are used to.

    This is a function for `covid_datasets.schema.Parts`; it reads NIfTI and MetaImage (``.mha``, or ``.mhd`` with its
    file of voxels). ``masks`` are names and paths, and the labels that count where one file holds several:
    ``("lung", "labels.nii.gz", (1, 2))``. Masks that do not lie on the voxels of the volume, and slices whose values
    are no whole numbers of 16 bits, are told and left out.

    >>> import nibabel
    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         return nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.eye(4)).to_bytes()
    >>> [(part.id, part.pixels.shape, part.fields["position"]) for part in axial_slices(Files(), "a.nii")]
    [('000', (3, 4), (-3.0, -2.0, 0.0)), ('001', (3, 4), (-3.0, -2.0, 1.0))]
    """
    drawn: dict[str, Mask] = {}
    for name, mask_path, *labels in masks:  # before the volume: two volumes are never in memory
        try:
            drawn[name] = read_mask(volume_bytes(raw, mask_path), mask_path, *labels)
        except DamagedFileError as error:
            yield Notice("mask not usable", mask_path, str(error))
    volume = read_volume(volume_bytes(raw, path), path)
    yield from _told(volume, path)
    shown, affine = turned(volume.stored, volume.header.affine)
    layers: dict[str, np.ndarray] = {}
    for name, mask_path, *_ in masks:
        if name not in drawn:
            continue
        if problem := difference(volume.header, drawn[name].header):
            yield Notice("mask not usable", mask_path, f"{mask_path}: {problem}")
            continue
        yield from told(volume.header, drawn[name], mask_path)
        layers[name] = turned(drawn[name].voxels, volume.header.affine)[0]
    digits = max(3, len(str(len(shown) - 1)))
    unfit: list[str] = []
    for number, stored in enumerate(shown):
        pixels, problem = hounsfield(volume.values(stored))
        if problem:
            unfit.append(f"slice {number} has {problem}")
            continue
        yield Part(
            f"{number:0{digits}}",
            f"{path}/{number:0{digits}}",
            pixels,
            {name: np.ascontiguousarray(layer[number]) for name, layer in layers.items()},
            _fields(volume.header, affine, number),
            typical=number == len(shown) // 2,
        )
    if unfit:
        what = f"{len(unfit)} of {len(shown)} slices hold no 16-bit Hounsfield units and are left out: {unfit[0]}"
        yield Notice("undecodable (poor)", path, what, dropped=True, lost=True)


def only_picture(raw: RawReader, path: str) -> Iterator[Part]:
    """Yield the one picture of a volume file that holds a film: what a detector counted, unsigned, as it is stored.

    This is a function for `covid_datasets.schema.Parts`. Rows and columns stay as they are: an affine that somebody
    gave a film says nothing of the patient.

    >>> import nibabel
    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         return nibabel.Nifti1Image(np.full((4, 3, 1), 900, np.int16), np.eye(4)).to_bytes()
    >>> [(part.id, part.pixels.shape, part.pixels.dtype.name) for part in only_picture(Files(), "a.nii")]
    [('', (3, 4), 'uint16')]
    """
    volume = read_volume(volume_bytes(raw, path), path)
    if len(volume.stored) != 1:
        raise DamagedFileError(f"{path}: expected one picture, found {len(volume.stored)} slices")
    values = volume.values(volume.stored[0])
    whole = np.rint(values)
    counts = np.isfinite(values).all() and np.abs(values - whole).max() <= WHOLE
    if not counts or whole.min() < 0 or whole.max() >= 1 << 16:
        found = f"values from {values.min():g} to {values.max():g} of {values.dtype}"
        raise DamagedFileError(f"{path}: expected whole numbers from 0 to 65,535, found {found}")
    pixels = whole.astype(np.uint8 if volume.header.dtype.itemsize == 1 else np.uint16)
    columns, rows, _ = volume.header.spacing
    fields = {"spacing": (columns, rows)} if columns and rows else {}
    yield Part("", path, pixels, fields=fields | {"value_range": f"as stored, {pixels.min()} to {pixels.max()}"})


def _fields(header: VolumeHeader, affine: np.ndarray | None, number: int) -> dict[str, Any]:
    if affine is None:
        return {"part_index": number, "spacing": header.spacing if all(header.spacing) else None}
    return {
        "part_index": number,
        "position": position(affine, number),
        "orientation": orientation(affine),
        "spacing": spacing(affine),
    }


def _told(volume: Volume, path: str) -> Iterator[Notice]:
    if volume.surplus:
        yield Notice("bytes behind the voxels", path, f"{volume.surplus:,} bytes that the header does not account for")
    if volume.header.affine is None:
        yield Notice("no orientation", path, "the header has no usable affine; slices are as stored, in no known place")
    elif not perpendicular(volume.header.affine):
        yield Notice("axes not perpendicular", path, "spacing and orientation do not tell the shear; position does")
