"""COVID-19-20 challenge: chest CT volumes of people with COVID-19, those of the training with masks of the lesions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record

_FOLDERS = {"Train": "train", "Validation": "validation", "COVID-19-20_TestSet": "test"}
_FILE = re.compile(
    r"(?:COVID-19-20_v2/)?([\w-]+)/volume-covid19-A-(([0-9]{4})(?:_[01])?)_(ct|seg)\.nii(?:\.gz)?", re.ASCII
)
_EXPANSION = {True: 1.2, False: 1.0}
"""Slices are stored without loss, a little less well packed than a volume is."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each volume by its number: those of the training first, then validation and test."""
    files: dict[tuple[str, str, str], str] = {}
    for path in sorted(raw.sizes(), reverse=True):  # .nii.gz, the publisher's, before .nii
        match = _FILE.fullmatch(path)
        if not match or match[1] not in _FOLDERS:
            what = f"expected <folder>/volume-covid19-A-<number>_ct.nii.gz with one of {', '.join(_FOLDERS)}; not used"
            yield Notice("extra file", path, what, dropped=True)
        elif files.setdefault((match[1], match[2], match[4]), path) != path:
            yield Notice("file twice", path, f"{files[match[1], match[2], match[4]]} is used", dropped=True)
    found = {(folder, scan) for folder, scan, _ in files}
    for folder, scan in sorted(found, key=lambda each: (list(_FOLDERS).index(each[0]), each[1])):
        volume, mask = files.get((folder, scan, "ct")), files.get((folder, scan, "seg"))
        if volume is None:
            expected = (mask or "").replace("_seg.", "_ct.")
            yield Notice("missing file", expected, f"its mask {mask} is here; not used", dropped=True, lost=True)
            continue
        if mask is None and folder == "Train":
            yield Notice("mask missing", volume, "every volume of the training has one; the volume is kept")
        yield _record(folder, scan, volume, mask, bool(raw.options["slices"]))


def _record(folder: str, scan: str, path: str, mask: str | None, slices: bool) -> Record:
    drawn = (("infection", mask),) if mask else ()
    paths = (path, mask) if mask else (path,)
    return Record(
        sample_id=f"{folder}/{scan}",
        image=Parts(path, axial_slices, (path, drawn), paths, _EXPANSION[path.endswith(".gz")]) if slices else None,
        volume=None if slices else File(path),
        volume_masks={"infection": File(mask)} if mask and not slices else {},
        modality="CT",
        patient=scan[:4],
        study=scan,
        series=scan,
        view="axial" if slices else None,
        label="covid19",  # the challenge is on nobody else
        clinical={"rt_pcr_positive": True if folder != "COVID-19-20_TestSet" else None},
        doi="10.7937/TCIA.2020.GQRY-NC81",
        value_range="signed 16-bit, as stored; that they are Hounsfield units is not stated" if slices else None,
        official_split=_FOLDERS[folder],
        source_row={"folder": folder, "scan": scan},
    )
