"""SARS-CoV-2 CT-scan dataset (Soares, Angelov et al., São Paulo): slices in two folders, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.schema import File, Notice, RawFiles, Record

_SLICE = re.compile(r"(COVID|non-COVID)/((?:Covid|Non-Covid) \([0-9]+\)\.png)")
_LABELS = {"COVID": "covid19", "non-COVID": "not_covid19"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each slice, sorted by its path, also of those that this copy lacks."""
    for path in sorted({*raw.expected(), *raw.sizes()}):
        if not (found := _SLICE.fullmatch(path)):
            yield Notice("extra file", path, "expected COVID/Covid (1).png and the like; not used", dropped=True)
            continue
        folder, name = found.groups()
        yield Record(
            sample_id=name,
            image=File(path),
            modality="CT",
            label=_LABELS[folder],
            label_raw=folder,
            location="São Paulo, Brazil",
            country="Brazil",
            value_range="8-bit, windowed and cropped before publication; Hounsfield units are lost",
        )
