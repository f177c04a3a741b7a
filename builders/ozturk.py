"""DarkCovidNet's X-ray set (Ozturk et al.): films of cohen's collection beside films of the NIH, by folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from covid_datasets.catalog.cards import load_card
from covid_datasets.schema import File, Notice, RawFiles, Record

_LABELS = {"Covid-19": "covid19", "No_findings": "no_finding", "Pneumonia": "other_pneumonia"}
"""The NIH's films are older than COVID-19, and their words are a machine's reading of reports."""
_NIH = re.compile(r"(\d{8})_\d{3}\.png")
_PICTURES = {".jpg", ".jpeg", ".png"}


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film that is there or should be, sorted by its path."""
    of_cohen = load_card("ozturk").facts["patients"]
    for path in sorted({*raw.paths(), *raw.expected()}):
        film = PurePosixPath(path)
        if str(film.parent) not in _LABELS or film.suffix.lower() not in _PICTURES:
            yield Notice("extra file", path, f"no film in {', '.join(_LABELS)}", dropped=True)
            continue
        folder, patient = str(film.parent), None
        if folder == "Covid-19" and film.name in of_cohen:
            patient = f"cohen-{of_cohen[film.name]}"
        elif folder != "Covid-19" and (named := _NIH.fullmatch(film.name)):
            patient = f"nih-{named[1]}"
        else:
            yield Notice("unexpected name", path, "it names no film of cohen or the NIH, so whose it is nobody knows")
        yield Record(
            sample_id=path,
            image=File(path),
            modality="CXR",
            patient=patient,
            ties=() if patient else (f"folder:{folder}",),
            label=_LABELS[folder],
            label_raw=folder,
            flags=() if patient else ("name_unread",),
        )
