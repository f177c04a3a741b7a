"""A multiclass dataset of CT scans for COVID-19 (Soares, Angelov et al., São Paulo): slices in folders of patients."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.schema import File, Notice, RawFiles, Record

_SLICE = re.compile(r"(Covid|Healthy|Others)/([^/]+)/[^/]+\.png")
_LABELS = {"Covid": "covid19", "Healthy": "no_finding", "Others": "not_covid19"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each slice, sorted by its path, which is its id: names repeat from folder to folder."""
    for path in raw.paths():
        if not (found := _SLICE.fullmatch(path)):
            yield Notice(
                "extra file", path, "expected Covid/<patient>/<slice>.png and the like; not used", dropped=True
            )
            continue
        folder, patient = found.groups()
        yield Record(
            sample_id=path,
            image=File(path),
            modality="CT",
            patient=f"{folder}/{patient}",  # names of folders may be given anew in each class
            label=_LABELS[folder],
            label_raw=folder,
            location="São Paulo, Brazil",
            country="Brazil",
            value_range="8-bit, windowed before publication; Hounsfield units are lost",
        )
