"""MedSeg's COVID-19 CT segmentation: a pile of slices from SIRM, and nine volumes from Radiopaedia, with masks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from covid_datasets.read.levels import Grey
from covid_datasets.read.made import volume_mask
from covid_datasets.read.slices import axial_slices, piled_pictures
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record

Labels = Mapping[str, tuple[int, ...]]
_TISSUES: Labels = {"infection": (1, 2), "ground_glass": (1,), "consolidation": (2,), "effusion": (3,)}
_LUNGS: Labels = {"lung": (1, 2)}
"""Name of a mask -> the labels that it is made of, in the maps of lesions and in those of lungs."""
_MAPS = {"tr_mask.nii.gz": _TISSUES, "tr_lungmasks_updated.nii.gz": _LUNGS}
_VOLUME = re.compile(r"rp_(im|msk|lung_msk)/([0-9]{1,9})\.nii(?:\.gz)?")
_DOIS = {"A": "10.6084/m9.figshare.13521488.v2", "B": "10.6084/m9.figshare.13521509.v2"}
_EXPANSION = 4.0


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each stack of part A, or for each volume of part B, by its number."""
    yield from _volumes(raw) if raw.options["part_b"] else _stacks(raw)


def _stacks(raw: RawFiles) -> Iterator[Record | Notice]:
    for name, path, maps, split in (("tr", "tr_im.nii.gz", _MAPS, "train"), ("val", "val_im.nii.gz", {}, "test")):
        drawn = [mask for each, names in maps.items() if raw.has(each) for mask in _of(each, names)]
        for each in maps:
            if not raw.has(each):
                yield Notice("mask missing", each, f"the slices of {path} are without what it shows")
            elif not raw.has(path):
                yield Notice("mask without slices", each, f"{path} is not there", dropped=True)
        files = (path, *(each for each in maps if raw.has(each)))
        yield Record(
            sample_id=name,
            image=Parts(path, piled_pictures, (path, tuple(drawn), Grey()), files, _EXPANSION),
            modality="CT",
            view="axial",
            label="covid19",
            country="Italy",
            doi=_DOIS["A"],
            official_split=split,
            source_row={"stack": path},
        )


def _volumes(raw: RawFiles) -> Iterator[Record | Notice]:
    found: dict[str, dict[str, str]] = {"im": {}, "msk": {}, "lung_msk": {}}
    for path in sorted(raw.sizes(), reverse=True):  # .nii.gz, the publisher's, before .nii
        if not (match := _VOLUME.fullmatch(path)):
            yield Notice("extra file", path, "neither a volume nor a mask of one")
        elif (first := found[match[1]].setdefault(match[2], path)) != path:
            yield Notice("file twice", path, f"{first} is used", dropped=True)
    for number, path in sorted(found["im"].items()):
        yield from _volume(raw, number, path, found["msk"].pop(number, None), found["lung_msk"].pop(number, None))
    for path in (*found["msk"].values(), *found["lung_msk"].values()):
        yield Notice("mask without a volume", path, "no volume has its number", dropped=True)


def _volume(raw: RawFiles, number: str, path: str, lesions: str | None, lungs: str | None) -> Iterator[Record | Notice]:
    for folder, mask in (("rp_msk", lesions), ("rp_lung_msk", lungs)):
        if mask is None:
            yield Notice("mask missing", path, f"no file of its number in {folder}; the volume is kept without")
    drawn = (*_of(lesions, _TISSUES), *_of(lungs, _LUNGS))
    files = (path, *filter(None, (lesions, lungs)))
    slices = bool(raw.options["slices"])
    yield Record(
        sample_id=f"rp-{number}",
        image=Parts(path, axial_slices, (path, drawn, Grey()), files, _EXPANSION) if slices else None,
        volume=None if slices else File(path),
        volume_masks={} if slices else {name: volume_mask(at, values, known) for name, at, values, known in drawn},
        modality="CT",
        patient=f"rp-{number}",
        series=f"rp-{number}",
        view="axial" if slices else None,
        label="covid19",
        doi=_DOIS["B"],
        source_row={"volume": path},
    )


def _of(path: str | None, names: Labels) -> list[tuple[str, str, tuple[int, ...], tuple[int, ...]]]:
    """Say which masks a map of labels gives; a label that is in none of them is none that anybody has explained."""
    known = tuple(sorted({label for values in names.values() for label in values}))
    return [(name, path, values, known) for name, values in names.items()] if path else []
