"""MIDRC-RICORD-1A (RSNA): chest CT of people with COVID-19 as DICOM series, some with outlines by several readers.

Each series of the listing is a record of many slices. Which slices there are the workers find out: nothing here reads a
DICOM file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from covid_datasets.catalog.listing import Series, read_listing
from covid_datasets.errors import NotThereError
from covid_datasets.read.listed import listed_series, series_record
from covid_datasets.read.mdai import NOTHING, Annotations, read_annotations
from covid_datasets.schema import Notice, RawFiles, Record

_LISTING = "midrc_ricord_1a.tsv"
_ANNOTATIONS = "MIDRC-RICORD-1a_annotations_labelgroup_all_2020-Dec-8.json"
_INFECTION = ("Infectious opacity", "Infectious TIB/micronodules", "Infectious cavity")
_PREFIX = "MIDRC-RICORD-1A-"
_YOUNGEST = 18


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each series that is there, sorted as the listing is: by patient, study and series."""
    notes = _annotations(raw)
    yield from notes.notices
    annotated = bool(raw.options.get("annotated"))
    for item in listed_series(raw, "midrc_ricord_1a", lambda one: not annotated or one.series in notes.images):
        yield item if isinstance(item, Notice) else _record(*item, notes)
    known = {series.series for series in read_listing(_LISTING).values()}
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
    found = series_record(
        series,
        files,
        series.patient.removeprefix(_PREFIX),
        {"image_annotations": dict(notes.images.get(series.series, {}))},
        outlines=dict(notes.outlines.get(series.series, {})),
    )
    wrong = {
        "age_below_protocol": found.age is not None and found.age < _YOUNGEST,
        "body_part_contradicts": series.row["BodyPartExamined"] not in ("", "CHEST"),
    }
    return replace(
        found,
        label="covid19",
        label_raw="; ".join(sorted(said)) or None,
        flags=tuple(flag for flag, found in wrong.items() if found),
    )
