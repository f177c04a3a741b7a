"""MIDRC-RICORD-1B (RSNA): chest CT of people who tested negative for SARS-CoV-2, one DICOM series a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from covid_datasets.read.listed import listed_series, series_record
from covid_datasets.schema import Notice, RawFiles, Record

_PREFIX = "MIDRC-RICORD-1B-"


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each series that is there, sorted as the listing is: by patient, study and series."""
    for item in listed_series(raw, "midrc_ricord_1b"):
        if isinstance(item, Notice):
            yield item
        else:
            series, files = item
            yield replace(series_record(series, files, series.patient.removeprefix(_PREFIX)), label="not_covid19")
