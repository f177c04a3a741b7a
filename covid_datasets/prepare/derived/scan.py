"""A volume as a function sees it, turned to the usual display, and what it derived, back on the stored voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.prepare.derived.asked import Derivation
from covid_datasets.prepare.derived.derive import FAILED, FILES, derive, told_of
from covid_datasets.prepare.derived.place import Place
from covid_datasets.prepare.derived.values import Values
from covid_datasets.read.masks import difference
from covid_datasets.read.nifti import read_volume
from covid_datasets.read.orientation import spacing, turned
from covid_datasets.read.volume import WHOLE, VolumeHeader
from covid_datasets.read.volumes import read_slices
from covid_datasets.schema import Notice
from covid_datasets.transforms.derive.checked import counted
from covid_datasets.transforms.derive.contract import Sample
from covid_datasets.transforms.derive.named import Deriver
from covid_datasets.transforms.orient import believed, codes_of

At = tuple[slice, slice, slice]
"""Slices, rows and columns of a stored volume."""
EVERYWHERE: At = (slice(None), slice(None), slice(None))


@dataclass(frozen=True, slots=True, eq=False)
class DerivedVolume:
    """What was derived of a volume: all on the voxels ``at`` which it is cut out, as they are stored."""

    made: Deriver
    values: Values
    masks: Mapping[str, np.ndarray]
    columns: Mapping[str, Any]
    keep: np.ndarray | None
    at: At
    changed: bool
    told: tuple[Notice, ...]

    def place(self, whole: Place) -> Place:
        """Say where the voxels lie that are left."""
        slices, rows, columns = (part.start or 0 for part in self.at)
        return whole.cut(columns, rows, slices)

    def counted(self, masks: Mapping[str, Any], row: str) -> dict[str, Any]:
        """Give the columns that follow from the masks that it has in the end."""
        if self.made.declared.counted is None:
            return {}
        there = {name: masks[name] for name in self.masks}
        drawn = {name: read_volume(mask["bytes"], mask["path"]).voxels for name, mask in there.items()}
        return counted(self.made, drawn, row)

    @property
    def as_it_was(self) -> bool:
        """Tell whether its voxels are those that are stored."""
        return not self.changed and self.keep is None and self.at == EVERYWHERE


def derive_volume(row: Mapping[str, Any], wanted: Derivation, header: VolumeHeader, values: Values) -> DerivedVolume:
    """Run the function that was asked for on a volume."""
    made = wanted.made
    assert made is not None, "who asked for a function has one"
    where = believed(header.affine)
    pixels, affine = turned(values.pixels, where)
    masks = {}
    for name, stored in row["volume_masks"].items():
        if stored is not None:
            try:
                masks[name] = turned(mask_voxels(stored["bytes"], stored["path"], header), where)[0]
            except DamagedFileError:  # told where the view leaves it out
                continue
    known = header.affine is None and all(np.isfinite(side) and side > 0 for side in header.spacing)
    sample = Sample(
        pixels=pixels,
        volume=True,
        hounsfield=values.hounsfield,
        rows=({name: value for name, value in row.items() if name not in FILES},),
        masks=masks,
        drawn=dict.fromkeys(masks, (True,)),
        spacing=spacing(affine) if affine is not None else tuple(header.spacing) if known else None,
        orientation="" if affine is None else codes_of(affine),
    )
    result, why = derive(made, sample)

    def back(mask: np.ndarray) -> np.ndarray:
        out = np.zeros(values.pixels.shape, mask.dtype)
        turned(out, where)[0][...] = mask
        return out

    at = EVERYWHERE if result.box is None else _stored(result.box, values.pixels.shape, where)
    new = (
        values
        if result.pixels is None
        else Values(back(result.pixels), values.hounsfield and result.pixels.dtype == np.int16)
    )
    failed = (Notice(FAILED, row["sample_id"], why),) if why else ()
    return DerivedVolume(
        made=made,
        values=Values(new.pixels[at], new.hounsfield),
        masks={name: back(mask)[at] for name, mask in result.masks.items()},
        columns=result.columns[0],
        keep=None if result.keep is None else back(result.keep.astype(np.uint8))[at],
        at=at,
        changed=result.pixels is not None,
        told=(*failed, *told_of(made, row["sample_id"], result)),
    )


def _stored(box: tuple[int, int, int, int], shape: tuple[int, ...], where: np.ndarray | None) -> At:
    """Say which stored voxels are in a box of the turned slices."""
    left, top, width, height = box
    parts = []
    for axis in range(3):
        along = np.arange(shape[axis]).reshape([-1 if each == axis else 1 for each in range(3)])
        seen = turned(np.broadcast_to(along, shape), where)[0][:, top : top + height, left : left + width]
        ends = (seen[0, 0, 0], seen[-1, -1, -1])
        parts.append(slice(int(min(ends)), int(max(ends)) + 1))
    return parts[0], parts[1], parts[2]


def mask_voxels(data: bytes, path: str, image: VolumeHeader) -> np.ndarray:
    """Read a mask with its values, a byte each: 0 and 1, or the labels of a map; other numbers above a half are 1.

    Raises:
        DamagedFileError: It is damaged, or does not lie on the voxels of its image.
    """
    slices = read_slices(data, path)
    if problem := difference(image, slices.header):
        raise DamagedFileError(f"{path}: {problem}")
    voxels = np.empty(slices.header.shape, np.uint8)
    for stored, plane in zip(slices, voxels, strict=True):
        found = slices.header.values(stored)
        whole = np.rint(found)
        label = (np.abs(found - whole) <= WHOLE) & (whole >= 0) & (whole <= np.iinfo(np.uint8).max)
        np.copyto(plane, np.where(label, whole, found > 0.5), casting="unsafe")
    return voxels
