"""CT Images in COVID-19 (NIH, TCIA): chest CT volumes whose names are all that is said of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import ranges
from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record

_FILE = re.compile(r"volume-covid19-A-([0-9]{4}(?:_[01]|_day[0-9]{3})?)\.nii(?:\.gz)?")
_EXPANSION = {True: 1.2, False: 1.0}
"""Slices are stored without loss, a little less well packed than a volume is."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each scan that the collection has or that is here, by its number and day."""
    files: dict[str, str] = {}
    for path in sorted(raw.sizes(), reverse=True):  # .nii.gz, the publisher's, before .nii
        if not (match := _FILE.fullmatch(path)):
            yield Notice("extra file", path, "expected volume-covid19-A-<number>.nii.gz; not used", dropped=True)
        elif files.setdefault(match[1], path) != path:
            yield Notice("file twice", path, f"{files[match[1]]} is used", dropped=True)
    listed = set(_listed())
    for scan in sorted(files.keys() | listed):
        path = files.get(scan, f"volume-covid19-A-{scan}.nii.gz")
        if scan not in listed:
            yield Notice("file not in the list", path, "the collection has none of this name; kept")
        yield _record(scan, path, bool(raw.options["slices"]))


def _listed() -> Iterator[str]:
    """Name the scans of the collection: ``0003``, ``0028_1``, ``0700_day007``."""
    facts = load_card("ct_images_in_covid19").facts["scans"]
    for number, scans in facts.items():
        if number == "one":
            yield from (f"{each:04}" for each in ranges(scans.replace(" ", ""), ";"))
        else:
            yield from (f"{number}_{scan}" for scan in scans.split())


def _record(scan: str, path: str, slices: bool) -> Record:
    number, _, which = scan.partition("_")
    said = {"day": which.removeprefix("day")} if which.startswith("day") else {"scan": which} if which else {}
    return Record(
        sample_id=scan,
        image=Parts(path, axial_slices, (path,), (path,), _EXPANSION[path.endswith(".gz")]) if slices else None,
        volume=None if slices else File(path),
        modality="CT",
        patient=number,
        study=scan,
        series=scan,
        view="axial" if slices else None,
        label="covid19",  # only people with a positive test are in the collection
        clinical={"rt_pcr_positive": True},
        license="CC BY 4.0",
        doi="10.7937/TCIA.2020.GQRY-NC81",
        value_range="signed 16-bit, as stored; that they are Hounsfield units is not stated" if slices else None,
        source_row={"number": number, **said},
    )
