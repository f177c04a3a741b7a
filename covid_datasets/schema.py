"""The harmonised sample: what a builder yields (`Record`) and what a build stores (`COLUMNS`).

Unknown is ``None``, never a made-up value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from covid_datasets.card import Modality

View = Literal["PA", "AP", "AP supine", "AP erect", "lateral", "axial", "coronal", "sagittal"]
Sex = Literal["F", "M"]
MASKS = ("lung", "infection")

CLINICAL = {
    "rt_pcr_positive": "bool",
    "intubated": "bool",
    "intubation_present": "bool",
    "in_icu": "bool",
    "went_icu": "bool",
    "needed_supplemental_o2": "bool",
    "extubated": "bool",
    "temperature_c": "float64",
    "po2_saturation_percent": "float64",
    "po2_mmhg": "float64",
    "leukocytes_per_nl": "float64",
    "neutrophils_per_nl": "float64",
    "lymphocytes_per_nl": "float64",
}
"""Clinical values with their types; the unit is in the name."""


class RawReader(Protocol):
    """What a reference needs to find its bytes."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a raw file."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """Reference to the bytes of one raw file, by its path in the source's tree."""

    path: str

    def read(self, raw: RawReader) -> bytes:
        """Return the untouched bytes."""
        return raw.read(self.path)


@dataclass(frozen=True, slots=True)
class Made:
    """Reference to bytes that a function makes: synthetic data, or a part of a larger file."""

    path: str
    function: Callable[..., bytes]
    arguments: tuple[Any, ...] = ()

    def read(self, raw: RawReader) -> bytes:
        """Make the bytes; the function gets the raw files first."""
        return self.function(raw, *self.arguments)


Reference = File | Made


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sample as its builder describes it: harmonised fields and references to bytes, no pixels.

    ``patient`` is the source's own id for the person, ``None`` where it does not say. ``ties`` are further
    keys ("article:10.1148/x", "figure:...") that two rows share when they may show one person; rows that
    share the patient, the study or a tie never end up in different splits.
    """

    sample_id: str
    image: Reference | None
    modality: Modality | None = None
    patient: str | None = None
    study: str | None = None
    ties: tuple[str, ...] = ()
    view: View | None = None
    label: str | None = None
    label_raw: str | None = None
    severity: str | None = None
    severity_scores: Mapping[str, float] = field(default_factory=dict)
    masks: Mapping[str, Reference] = field(default_factory=dict)
    sex: Sex | None = None
    age: float | None = None
    offset_days: int | None = None
    survival: bool | None = None
    clinical: Mapping[str, bool | float | None] = field(default_factory=dict)
    location: str | None = None
    country: str | None = None
    date: str | None = None
    license: str | None = None
    source_url: str | None = None
    doi: str | None = None
    spacing: tuple[float, ...] | None = None
    value_range: str | None = None
    caption: str | None = None
    flags: tuple[str, ...] = ()
    official_split: str | None = None
    source_row: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a builder met that the report must tell: where, what, and what was done about it.

    ``kind`` groups notices of one sort; ``dropped`` says that a row or file of the source is not in the dataset.
    """

    kind: str
    where: str
    what: str
    dropped: bool = False


# Column name -> type, in stored order. "image" and "label" are Hugging Face features; see covid_datasets.features.
COLUMNS: dict[str, Any] = {
    "dataset": "string",
    "sample_id": "string",
    "patient_id": "string",
    "patient_known": "bool",
    "study_id": "string",
    "image": "image",
    "modality": "string",
    "view": "string",
    "label": "label",
    "label_raw": "string",
    "severity": "string",
    "severity_scores": [{"name": "string", "value": "float64"}],
    "masks": dict.fromkeys(MASKS, "image"),
    "sex": "string",
    "age": "float64",
    "offset_days": "int32",
    "survival": "bool",
    "clinical": CLINICAL,
    "location": "string",
    "country": "string",
    "date": "string",
    "license": "string",
    "source_url": "string",
    "doi": "string",
    "caption": "string",
    "spacing": ["float64"],
    "value_range": "string",
    "width": "int32",
    "height": "int32",
    "pixel_mode": "string",
    "sha256": "string",
    "pixel_sha256": "string",
    "phash": "string",
    "quality": "string",
    "quality_reasons": ["string"],
    "flags": ["string"],
    "source_row": "string",
}
