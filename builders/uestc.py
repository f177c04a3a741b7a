"""UESTC-COVID-19 (HiLab): CT volumes between 0 and 1 with masks of lesions, of people who are no experts or who are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.read.levels import Grey
from covid_datasets.read.made import volume_mask_on
from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record

_PATH = re.compile(r"part([12])/(image|label)/(.{1,99})\.nii(?:\.gz)?")
_DRAWN_BY = {"1": "people who are no experts", "2": "experts"}
_RANGE = Grey(0, 1)
_RESCALED = "0 to 1: cut to a window of 1500 at -650 and rescaled before publication; no Hounsfield units"
_EXPANSION = 4.0


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each volume, part by part, by its name."""
    images: dict[tuple[str, str], str] = {}
    labels: dict[tuple[str, str], str] = {}
    for path in sorted(raw.sizes(), reverse=True):  # .nii.gz, as others have it, before .nii
        if not (match := _PATH.fullmatch(path)):
            yield Notice("extra file", path, "neither an image nor a label of part 1 or 2", dropped=True)
            continue
        found, key = images if match[2] == "image" else labels, (match[1], match[3])
        if found.setdefault(key, path) != path:
            yield Notice("file twice", path, f"{found[key]} is of the same name and is used", dropped=True)
    for (part, name), path in sorted(images.items()):
        label = labels.pop((part, name), None)
        if label is None:
            yield Notice("mask missing", path, "no label has its name; the volume is kept without")
        slices, drawn = bool(raw.options["slices"]), (("infection", label),) if label else ()
        parts = Parts(path, axial_slices, (path, drawn, _RANGE, True), (path, label) if label else (path,), _EXPANSION)
        yield Record(
            sample_id=f"part{part}/{name}",
            image=parts if slices else None,
            volume=None if slices else File(path),
            volume_masks={} if slices or not label else {"infection": volume_mask_on(path, label)},
            modality="CT",
            patient=f"part{part}-{name}",
            ties=(f"name:{name}",),
            series=f"part{part}/{name}",
            view="axial" if slices else None,
            label="covid19",
            value_range=None if slices else _RESCALED,
            flags=("mask_by_non_experts",) if part == "1" and label else (),
            source_row={"part": part, "labels by": _DRAWN_BY[part]},
        )
    for path in labels.values():
        yield Notice("mask without a volume", path, "no image has its name", dropped=True)
