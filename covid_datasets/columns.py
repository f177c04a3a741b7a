"""The columns of what is stored and loaded, by name; nothing else, so that it costs nothing to know them."""

from __future__ import annotations

from typing import Any

from covid_datasets.vocabulary import CLINICAL, MASKS

CONTENT = ("image", "volume", "video")
"""Columns of which at most one holds what a sample shows."""
GROUP = "group_id"
"""The column of a loaded row that says which rows belong together; it lies in the index of a build."""
INDEX_FILE = "index.arrow"
"""The file of a build that has one small row for each sample."""
SOURCE_INDEX = "source.arrow"
"""In a view, the index of the build that it was made of: what joins its rows with those of other sources."""
ORIGIN = "origin"
"""The column of the index of a view that names the row of its source, by number, whose split and group it shares."""

# Column name -> type, in stored order. "image", "nifti", "video" and "label" are Hugging Face features; see
# covid_datasets.features. Positions and spacings are in millimetres, from patient right to left, front to back and
# feet to head (the LPS axes of DICOM); an orientation is the direction of a row, then of a column. Seconds are those
# since the first frame of a video.
COLUMNS: dict[str, Any] = {
    "dataset": "string",
    "sample_id": "string",
    "patient_id": "string",
    "patient_known": "bool",
    "study_id": "string",
    "image": "image",
    "volume": "nifti",
    "video": "video",
    "modality": "string",
    "view": "string",
    "label": "label",
    "label_raw": "string",
    "severity": "string",
    "severity_scores": [{"name": "string", "value": "float64"}],
    "masks": dict.fromkeys(MASKS, "image"),
    "volume_masks": dict.fromkeys(MASKS, "nifti"),
    "boxes": [{"name": "string"} | dict.fromkeys(("x", "y", "width", "height", "score"), "float64")],
    "sex": "string",
    "age": "float64",
    "offset_days": "int32",
    "survival": "bool",
    "outcome": "string",
    "symptoms": ["string"],
    "symptoms_raw": "string",
    "comorbidities": ["string"],
    "treatments": ["string"],
    "smoking": "string",
    "blood_type": "string",
    "race": "string",
    "ethnicity": "string",
    "clinical": {name: measure.type for name, measure in CLINICAL.items()},
    "location": "string",
    "country": "string",
    "date": "string",
    "license": "string",
    "source_url": "string",
    "doi": "string",
    "caption": "string",
    "series_id": "string",
    "part_index": "int32",
    "seconds": "float64",
    "position": ["float64"],
    "orientation": ["float64"],
    "spacing": ["float64"],
    "value_range": "string",
    "hu_slope": "float64",
    "hu_intercept": "float64",
    "manufacturer": "string",
    "scanner_model": "string",
    "kernel": "string",
    "kvp": "float64",
    "slice_thickness_mm": "float64",
    "width": "int32",
    "height": "int32",
    "depth": "int32",
    "pixel_mode": "string",
    "sha256": "string",
    "pixel_hash": "string",
    "phash": "string",
    "quality": "string",
    "quality_reasons": ["string"],
    "flags": ["string"],
    "source_row": "string",
}
