"""Augmented COVID-19 X-ray Images: augmented copies of unnamed films, in two folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from covid_datasets.schema import File, Notice, RawFiles, Record

_LABELS = {"COVID-19": "covid19", "Non-COVID-19": "not_covid19"}
_PICTURES = {".jpg", ".jpeg", ".png"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture that is there or should be, sorted by its path."""
    for path in sorted({*raw.paths(), *raw.expected()}):
        picture = PurePosixPath(path)
        if str(picture.parent) not in _LABELS or picture.suffix.lower() not in _PICTURES:
            yield Notice("extra file", path, f"no picture in {' or '.join(_LABELS)}", dropped=True)
            continue
        yield Record(
            sample_id=path,
            image=File(path),
            modality="CXR",
            label=_LABELS[str(picture.parent)],
            label_raw=str(picture.parent),
            doi="10.17632/2fxz4px6d8.4",
        )
