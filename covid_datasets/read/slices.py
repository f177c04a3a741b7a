"""Axial slices of a volume with those of its masks, as the parts of one record; pictures of a pile likewise."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.levels import Grey, levels_of
from covid_datasets.read.masks import Mask, chosen, difference, other_shape, read_labels, read_mask, told
from covid_datasets.read.orientation import orientation, perpendicular, position, spacing, turned
from covid_datasets.read.volume import Volume, VolumeHeader, hounsfield
from covid_datasets.read.volumes import read_volume, volume_bytes
from covid_datasets.schema import Notice, Part, RawReader

MaskOf = tuple[str, str] | tuple[str, str, tuple[int, ...]] | tuple[str, str, tuple[int, ...], tuple[int, ...]]
"""A name of `vocabulary.MASKS`, a path and, in a map of labels, those that count, and all that it has."""


def axial_slices(
    raw: RawReader, path: str, masks: tuple[MaskOf, ...] = (), grey: Grey | None = None, aligned: bool = False
) -> Iterator[Part | Notice]:
    """Yield the slices of a volume from the feet up, as Hounsfield units, displayed as radiologists are used to.

    This is a function for `covid_datasets.schema.Parts`; it reads NIfTI and MetaImage (``.mha``, or ``.mhd`` with its
    file of voxels). ``masks`` are names and paths, and the labels that count where one file holds several:
    ``("lung", "labels.nii.gz", (1, 2))``. Where all labels that it may have are given too, as in
    ``("lung", "labels.nii.gz", (1, 2), (1, 2, 3))``, what is none of them is `IGNORED` and told. Masks that do not lie
    on the voxels of the volume, and slices whose values are no whole numbers of 16 bits, are told and left out.
    ``grey`` says that values are no Hounsfield units: they become `Levels`. ``aligned`` is for a source of which it is
    known that masks lie on the voxels of their volume and their headers are wrong: where these differ it is told only.

    >>> import nibabel
    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         return nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.eye(4)).to_bytes()
    >>> [(part.id, part.pixels.shape, part.fields["position"]) for part in axial_slices(Files(), "a.nii")]
    [('000', (3, 4), (-3.0, -2.0, 0.0)), ('001', (3, 4), (-3.0, -2.0, 1.0))]
    """
    volume, drawn = yield from _volume_and_masks(raw, path, masks, aligned=aligned)
    yield from _told(volume, path)
    shown, affine = turned(volume.stored, volume.header.affine)
    layers = {each: turned(mask.voxels, volume.header.affine)[0] for each, mask in drawn.items()}

    def fields(number: int) -> dict[str, Any]:
        return _fields(volume.header, affine, number)

    middle = len(shown) // 2
    yield from _parts(volume, path, shown, layers, masks, grey, fields, lambda number: number == middle)


def piled_pictures(
    raw: RawReader, path: str, masks: tuple[MaskOf, ...] = (), grey: Grey | None = None
) -> Iterator[Part | Notice]:
    """Yield the pictures of a file that is a pile and no volume: its third axis is no anatomy, but a list.

    As `axial_slices`, but each is as it is stored, has no place in a body, and is looked at for near-duplicates by
    itself, because the next one may be of somebody else.

    >>> import nibabel
    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         return nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.eye(4)).to_bytes()
    >>> [(part.id, part.pixels.dtype.name, part.fields) for part in piled_pictures(Files(), "a.nii", (), Grey())][:1]
    [('000', 'uint8', {'value_range': 'grey levels of 8 bits, no Hounsfield units: as stored'})]
    """
    volume, drawn = yield from _volume_and_masks(raw, path, masks)
    layers = {each: mask.voxels for each, mask in drawn.items()}
    yield from _parts(volume, path, volume.stored, layers, masks, grey, lambda number: {}, lambda number: True)


def _volume_and_masks(
    raw: RawReader, path: str, masks: tuple[MaskOf, ...], *, aligned: bool = False
) -> Generator[Notice, None, tuple[Volume, dict[str, Mask]]]:
    """Read masks, each file once, then their volume, so that two volumes are never in memory; masks by their path."""
    wanted: dict[str, tuple[set[int], set[int]]] = {}
    for _, mask_path, *labels in masks:
        for numbers, more in zip(wanted.setdefault(mask_path, (set(), set())), labels, strict=False):
            numbers.update(more)
    if mixed := [each for each in masks if len(each) == 2 and wanted[each[1]][0]]:
        raise ValueError(f"masks: expected labels for every name of {mixed[0][1]}, found none for {mixed[0][0]}")
    drawn: dict[str, Mask] = {}
    for mask_path, (values, known) in wanted.items():
        try:
            data = volume_bytes(raw, mask_path)
            drawn[mask_path] = read_labels(data, mask_path, values, known) if values else read_mask(data, mask_path)
        except DamagedFileError as error:
            yield Notice("mask not usable", mask_path, str(error))
    volume = read_volume(volume_bytes(raw, path), path)
    for mask_path, mask in list(drawn.items()):
        problem = difference(volume.header, mask.header)
        if problem and aligned and not other_shape(volume.header, mask.header):
            yield Notice("mask in another place", mask_path, f"{problem}; its voxels are taken for those of the image")
            problem = ""
        if problem:
            yield Notice("mask not usable", mask_path, f"{mask_path}: {problem}")
            del drawn[mask_path]
        else:
            yield from told(volume.header, mask, mask_path)
    return volume, drawn


def _parts(
    volume: Volume,
    path: str,
    shown: np.ndarray,
    layers: Mapping[str, np.ndarray],
    masks: tuple[MaskOf, ...],
    grey: Grey | None,
    fields: Callable[[int], dict[str, Any]],
    typical: Callable[[int], bool],
) -> Iterator[Part | Notice]:
    levels = None if grey is None else levels_of(volume, grey)
    said = {} if levels is None else {"value_range": levels.words}
    digits = max(3, len(str(len(shown) - 1)))
    unfit: list[str] = []
    for number, stored in enumerate(shown):
        pixels, problem = (levels.of if levels else hounsfield)(volume.values(stored))
        if problem:
            unfit.append(f"slice {number} has {problem}")
            continue
        yield Part(
            f"{number:0{digits}}",
            f"{path}/{number:0{digits}}",
            pixels,
            {name: _layer(layers[at][number], *labels[:1]) for name, at, *labels in masks if at in layers},
            {**fields(number), **said},
            typical=typical(number),
        )
    if unfit:
        expected = f"grey levels ({levels.words})" if levels else "16-bit Hounsfield units"
        what = f"{len(unfit)} of {len(shown)} slices hold no {expected} and are left out: {unfit[0]}"
        yield Notice("undecodable (poor)", path, what, dropped=True, lost=True)


def _layer(plane: np.ndarray, labels: tuple[int, ...] = ()) -> np.ndarray:
    return chosen(plane, labels) if labels else np.ascontiguousarray(plane)


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
    for kind, what in volume.header.doubts:
        yield Notice(kind, path, what)
    if volume.surplus:
        yield Notice("bytes behind the voxels", path, f"{volume.surplus:,} bytes that the header does not account for")
    if volume.header.affine is None:
        yield Notice("no orientation", path, "the header has no usable affine; slices are as stored, in no known place")
    elif not perpendicular(volume.header.affine):
        yield Notice("axes not perpendicular", path, "spacing and orientation do not tell the shear; position does")
