"""A volume and its masks in another grid, as NIfTI; imported only where a source has volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import UndecodableError
from covid_datasets.measure.volume import measure_volume
from covid_datasets.prepare.derived.asked import Derivation
from covid_datasets.prepare.derived.derive import told_of
from covid_datasets.prepare.derived.place import NoPlaceError, Place, place_of_volume, to_ras
from covid_datasets.prepare.derived.scan import EVERYWHERE, At, DerivedVolume, derive_volume, mask_voxels
from covid_datasets.prepare.derived.slices import KEEP, kept_only
from covid_datasets.prepare.derived.values import Values, range_text, shown, volume_values
from covid_datasets.read.encode import digest
from covid_datasets.read.made import nifti_header
from covid_datasets.read.orientation import spacing
from covid_datasets.read.stack import view_of
from covid_datasets.read.volume import VolumeHeader
from covid_datasets.read.volumes import read_volume
from covid_datasets.schema import Notice
from covid_datasets.transforms.derive.checked import unmade
from covid_datasets.transforms.grids import Regrid, nearest_planes, planes

_ENDS = re.compile(r"\S+ to \S+|no numbers")
"""What a volume measures where its source says nothing of its values."""


def volume_row(row: Mapping[str, Any], wanted: Derivation) -> tuple[dict[str, Any], list[Notice]]:
    """Give the columns of a row whose volume is brought to another grid, with its masks on the same voxels.

    Raises:
        NoPlaceError: That cannot be.
    """
    stored = row["volume"]
    try:
        volume = read_volume(stored["bytes"], stored["path"])
        header, values = volume.header, volume_values(volume, stored["path"])
    except DamagedFileError as error:
        if wanted.made is not None and not wanted.shows_anew:  # nothing is found in it, and it stays what it is
            nothing = unmade(wanted.made, 1, str(error))
            return nothing.columns[0], list(told_of(wanted.made, row["sample_id"], nothing))
        raise NoPlaceError(str(error)) from error
    del volume
    whole = place_of_volume(header)
    found = derive_volume(row, wanted, header, values) if wanted.derive else None
    values, place, at = (values, whole, EVERYWHERE) if found is None else (found.values, found.place(whole), found.at)
    shape = values.pixels.shape
    grid = place.grid((shape[0], shape[1], shape[2]), wanted)
    moved = place.moved(grid)
    if found is not None and found.as_it_was and not wanted.shows_anew:
        masks = {**row["volume_masks"], **_derived_masks(found, _named(stored["path"]), grid, moved)}
        return {"volume_masks": masks, **found.columns, **found.counted(masks, row["sample_id"])}, list(found.told)
    kind = np.dtype(np.uint8) if wanted.window and values.hounsfield else values.pixels.dtype
    written = _written(_shown(values, grid, wanted, found), kind, grid, moved)
    windowed = wanted.window if values.hounsfield else None
    told = []
    if wanted.window and not values.hounsfield:
        what = "its values are shown as they were, and no window is applied"
        told = [Notice("no Hounsfield units", row["sample_id"], what)]
    del values  # two volumes are in memory, and never three
    made = bytes(written)
    del written
    masks, lost = _masks(row, header, grid, moved, at)
    path = _named(stored["path"])
    masks |= {} if found is None else _derived_masks(found, path, grid, moved)
    changed = {
        "volume": {"bytes": made, "path": path},
        "volume_masks": dict.fromkeys(row["volume_masks"]) | masks,
        **_measured(made, path),
        **({} if grid.same and at == EVERYWHERE else _placed(row, grid, moved)),
    }
    if found is not None:
        changed |= {**found.columns, **found.counted(changed["volume_masks"], row["sample_id"])}
        told += found.told
    if windowed:
        changed["value_range"] = range_text(windowed)
    elif row["value_range"] and not _ENDS.fullmatch(row["value_range"]):  # what its source says of them
        changed["value_range"] = row["value_range"]
    return changed, [*told, *lost]


def _shown(values: Values, grid: Regrid, wanted: Derivation, found: DerivedVolume | None) -> Iterator[np.ndarray]:
    """Yield the slices of the new grid as they are stored."""
    made = (shown(plane, values, wanted.window)[0] for plane in planes(values.pixels, grid))
    if found is None or found.keep is None:
        yield from made
        return
    for plane, kept in zip(made, nearest_planes(found.keep, grid), strict=True):
        yield kept_only(plane, {KEEP: kept}, deep=wanted.window is None)[0]


def _derived_masks(found: DerivedVolume, path: str, grid: Regrid, moved: Place) -> dict[str, dict[str, Any]]:
    stem = path.removesuffix(".nii")
    made = ((name, nearest_planes(mask, grid)) for name, mask in found.masks.items())
    return {
        name: {"bytes": bytes(_written(mask, np.dtype(np.uint8), grid, moved)), "path": f"{stem}.{name}.nii"}
        for name, mask in made
    }


def _placed(row: Mapping[str, Any], grid: Regrid, moved: Place) -> dict[str, Any]:
    """Say anew what the row says, beside its file, of where its voxels are."""
    there = moved.columns(0)
    found = {name: there[name] for name in ("position", "orientation") if row[name] is not None}
    return found if grid.turned[2][0] == 2 else found | {"view": view_of(tuple(there["orientation"]))}


def _measured(made: bytes, path: str) -> dict[str, Any]:
    try:
        measured = measure_volume(made, digest(made), path)
    except UndecodableError as error:
        raise NoPlaceError(str(error)) from error
    names = ("width", "height", "depth", "value_range", "pixel_mode", "sha256", "pixel_hash", "phash")
    return {name: getattr(measured, name) for name in names} | {"spacing": list(measured.spacing or ()) or None}


def _masks(
    row: Mapping[str, Any], header: VolumeHeader, grid: Regrid, moved: Place, at: At
) -> tuple[dict[str, dict[str, Any]], list[Notice]]:
    found: dict[str, dict[str, Any]] = {}
    lost: list[Notice] = []
    for name, stored in row["volume_masks"].items():
        if stored is None:
            continue
        try:
            voxels = mask_voxels(stored["bytes"], stored["path"], header)[at]
        except DamagedFileError as error:
            lost.append(Notice("mask not usable", row["sample_id"], str(error)))
            continue
        made = bytes(_written(nearest_planes(voxels, grid), np.dtype(np.uint8), grid, moved))
        found[name] = {"bytes": made, "path": _named(stored["path"])}
    return found, lost


def _written(slices: Iterator[np.ndarray], kind: np.dtype[Any], grid: Regrid, place: Place) -> bytearray:
    """Write slices into a NIfTI file as they come, so that no volume is in memory beside it."""
    affine = to_ras(place.affine) if place.located else None
    sides = spacing(place.affine)[: place.spaced] or (0.0, 0.0, 0.0)
    head = nifti_header(grid.shape, kind.newbyteorder("<"), affine, sides)
    out = bytearray(len(head) + prod(grid.shape) * kind.itemsize)
    out[: len(head)] = head
    voxels = np.frombuffer(out, kind.newbyteorder("<"), offset=len(head)).reshape(grid.shape)
    for number, plane in enumerate(slices):
        voxels[number] = plane
    return out


def _named(path: str) -> str:
    """Name a volume that is no longer compressed.

    >>> _named("studies/CT-1/study_0255.nii.gz"), _named("a/b.mha")
    ('studies/CT-1/study_0255.nii', 'a/b.nii')
    """
    plain = path.removesuffix(".gz")
    return f"{PurePosixPath(plain).with_suffix('.nii')}"
