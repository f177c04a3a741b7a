"""LUNA16: chest CT volumes (MetaImage) of people with nodules, older than COVID-19, in ten folds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.made import volume_as_nifti
from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import Notice, Parts, RawFiles, Record

_HEADER = re.compile(r"(subset[0-9])/([0-9.]+)\.mhd")
_VOXELS = (".raw", ".zraw")


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each header of a volume, by its series."""
    present = raw.sizes()
    series: dict[str, str] = {}
    for path in sorted(present):
        match = _HEADER.fullmatch(path)
        if match and series.setdefault(match[2], path) != path:
            what = f"{series[match[2]]} is used: a series is in one subset"
            yield Notice("file twice", path, what, dropped=True)
        elif not match and not path.endswith(_VOXELS):
            yield Notice("extra file", path, "expected a header (.mhd) and its voxels (.raw); not used", dropped=True)
    for path in sorted(present):
        if path.endswith(_VOXELS) and f"{path.rpartition('.')[0]}.mhd" not in present:
            yield Notice("voxels without a header", path, "no .mhd lies beside it", dropped=True, lost=True)
    people = load_card("luna16").facts["people"]
    for uid, path in sorted(series.items()):
        beside = [path.removesuffix(".mhd") + ending for ending in _VOXELS]
        voxels = next((each for each in beside if each in present), beside[0])
        yield _record(uid, people.get(uid.rpartition(".")[2], uid), path, voxels, bool(raw.options["slices"]))


def _record(uid: str, patient: str, path: str, voxels: str, slices: bool) -> Record:
    larger = 2.2 if voxels.endswith(".zraw") else 1.0
    return Record(
        sample_id=uid,
        image=Parts(path, axial_slices, (path,), (path, voxels), larger) if slices else None,
        volume=None if slices else volume_as_nifti(path, voxels, expansion=larger),
        modality="CT",
        patient=patient,
        study=uid,
        series=uid,
        view="axial" if slices else None,
        label="not_covid19",  # the scans are older than the virus
        license="CC BY 4.0",
        doi="10.1016/j.media.2017.06.015",
        value_range="signed 16-bit, as stored; readers take them as Hounsfield units" if slices else None,
        official_split=path.partition("/")[0],
        source_row={"subset": path.partition("/")[0], "seriesuid": uid},
    )
