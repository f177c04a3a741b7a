"""Axial slices of a NIfTI volume with those of its masks, as the parts of one record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.formats.nifti import Header, Volume, difference, hounsfield, read_mask, read_volume
from covid_datasets.formats.orientation import orientation, perpendicular, position, spacing, turned
from covid_datasets.schema import Notice, Part, RawReader


def axial_slices(raw: RawReader, path: str, masks: tuple[tuple[str, str], ...] = ()) -> Iterator[Part | Notice]:
    """Yield the slices of a volume from the feet up, as Hounsfield units, displayed as radiologists are used to.

    To be the function of `covid_datasets.schema.Parts`. ``masks`` are names and paths; one that is not on the grid of
    the volume is told and left out. Slices whose values are no 16-bit numbers are told and left out.
    """
    drawn: dict[str, tuple[Header, np.ndarray]] = {}
    for name, mask_path in masks:  # before the volume, because one that is stored as floats is the larger one
        yield from _read_mask(raw, name, mask_path, drawn)
    volume = read_volume(raw.read(path), path)
    masks_of = dict(masks)
    for name in list(drawn):
        problem = difference(volume.header, drawn[name][0])
        if problem:
            del drawn[name]
            yield Notice("mask not usable", masks_of[name], problem)
        elif volume.header.affine is not None and drawn[name][0].affine is None:
            yield Notice("mask without orientation", masks_of[name], "taken as the image's, which has the same shape")
    yield from _told(volume, path)
    shown, affine = turned(volume.stored, volume.header.affine)
    turned_masks = {name: turned(mask, volume.header.affine)[0] for name, (_, mask) in drawn.items()}
    digits = max(3, len(str(len(shown) - 1)))
    unfit: dict[str, list[str]] = {}
    for number, stored in enumerate(shown):
        pixels, problem = hounsfield(volume.values(stored))
        if problem:
            unfit.setdefault(problem.partition(",")[0], []).append(f"{number}: {problem}")
            continue
        yield Part(
            f"{number:0{digits}}",
            f"{path}/{number:0{digits}}",
            pixels,
            {name: np.ascontiguousarray(mask[number]) for name, mask in turned_masks.items()},
            _fields(volume.header, affine, number),
            typical=number == len(shown) // 2,
        )
    for kind, found in unfit.items():
        what = f"{len(found)} of {len(shown)} slices are left out, the first is slice {found[0]}"
        yield Notice(f"slices with {kind}", path, what, dropped=True)


def _fields(header: Header, affine: np.ndarray | None, number: int) -> dict[str, Any]:
    if affine is None:
        return {"part_index": number, "spacing": header.spacing if all(header.spacing) else None}
    return {
        "part_index": number,
        "position": position(affine, number),
        "orientation": orientation(affine),
        "spacing": spacing(affine),
    }


def _read_mask(raw: RawReader, name: str, path: str, drawn: dict[str, tuple[Header, np.ndarray]]) -> Iterator[Notice]:
    try:
        header, mask, odd = read_mask(raw.read(path), path)
    except DamagedFileError as error:
        yield Notice("mask not usable", path, str(error))
        return
    drawn[name] = (header, mask)
    if odd:
        yield Notice("mask with other values", path, f"expected 0 and 1, found {odd}; above 0.5 is taken as 1")


def _told(volume: Volume, path: str) -> Iterator[Notice]:
    if volume.surplus:
        yield Notice("bytes behind the voxels", path, f"{volume.surplus:,} bytes that the header does not account for")
    if volume.header.affine is None:
        yield Notice("no orientation", path, "the header has no usable affine; slices are as stored, in no known place")
    elif not perpendicular(volume.header.affine):
        yield Notice("axes not perpendicular", path, "spacing and orientation do not tell the shear; position does")
