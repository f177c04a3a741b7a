"""MIDRC-RICORD-1A (RSNA): chest CT of people with COVID-19 as DICOM series, some with outlines by several readers.

Each series of the listing is a record of many slices. Which slices there are the workers find out: nothing here reads a
DICOM file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.catalog.listing import Series, by_folder, difference, read_listing
from covid_datasets.errors import NotThereError
from covid_datasets.read.mdai import NOTHING, Annotations, read_annotations
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.schema import Notice, Parts, RawFiles, Record
from covid_datasets.vocabulary import Sex

_LISTING = "midrc_ricord_1a.tsv"
_ANNOTATIONS = "MIDRC-RICORD-1a_annotations_labelgroup_all_2020-Dec-8.json"
_INFECTION = ("Infectious opacity", "Infectious TIB/micronodules", "Infectious cavity")
_SEX: dict[str, Sex] = {"F": "F", "M": "M"}
_JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
_EXPANSION = 3.0
_PREFIX = "MIDRC-RICORD-1A-"
_YOUNGEST = 18


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each series that is there, sorted as the listing is: by patient, study and series."""
    notes = _annotations(raw)
    yield from notes.notices
    listing = read_listing(_LISTING)
    present = raw.sizes()
    folders = by_folder(present)
    for folder, series in listing.items():
        if raw.options.get("annotated") and series.series not in notes.images:
            continue
        files = tuple(f"{folder}/{name}" for name in folders.get(f"{folder}/", ()))
        if what := difference(series, {path: present[path] for path in files}):
            yield Notice("missing file", folder, f"series {series.series}: {what}", dropped=True, lost=True)
        if files:
            yield _record(series, files, notes)
    known = {series.series for series in listing.values()}
    for lost in sorted(notes.images.keys() - known):
        what = f"{sum(notes.images[lost].values()):,} annotations are of series {lost}, which is not listed"
        yield Notice("annotations of an unknown series", _ANNOTATIONS, what, dropped=True)


def _annotations(raw: RawFiles) -> Annotations:
    if raw.has(_ANNOTATIONS):
        return read_annotations(raw.text(_ANNOTATIONS), _ANNOTATIONS, _INFECTION)
    if raw.options.get("annotated"):
        raise NotThereError(
            f"{_ANNOTATIONS}: the config 'annotated' is the series that it names, and it is not there. Next: download "
            "it from the collection's page at The Cancer Imaging Archive, and pass its folder as data_dir="
        )
    return NOTHING


def _record(series: Series, files: tuple[str, ...], notes: Annotations) -> Record:
    said = {f"{group}: {label}" for group, labels in notes.studies.get(series.study, {}).items() for label in labels}
    age = re.fullmatch(r"(\d{3})Y", series.row["PatientAge"])
    years = float(age[1]) if age else None
    wrong = {
        "age_below_protocol": years is not None and years < _YOUNGEST,
        "body_part_contradicts": series.row["BodyPartExamined"] not in ("", "CHEST"),
    }
    row = dict(series.row) | {"image_annotations": dict(notes.images.get(series.series, {}))}
    wanted = Wanted(series.folder, series.series, series.patient, row)
    outlines = dict(notes.outlines.get(series.series, {}))
    packed = series.row["TransferSyntaxUID"] == _JPEG_LOSSLESS
    return Record(
        sample_id=series.series,
        image=Parts(
            series.folder, series_parts, (files, wanted, outlines), files, expansion=_EXPANSION if packed else 1.0
        ),
        modality="CT",
        patient=series.patient.removeprefix(_PREFIX),
        study=series.study,
        series=series.series,
        label="covid19",
        label_raw="; ".join(sorted(said)) or None,
        sex=_SEX.get(series.row["PatientSex"]),
        age=years,
        flags=tuple(flag for flag, found in wrong.items() if found),
        source_row=row,
    )
