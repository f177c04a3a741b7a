"""One record and its measured image as a stored row, and as a row of the index."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any, TypeVar

import pyarrow as pa

from covid_datasets.catalog.equipment import manufacturer
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.measure.image import Measured
from covid_datasets.prepare.plan import full_patient_id
from covid_datasets.read.encode import digest
from covid_datasets.schema import COLUMNS, CONTENT, Parts, Record, Reference
from covid_datasets.vocabulary import MASKS

T = TypeVar("T")

_NUMBERS = {name: kind for name, kind in COLUMNS.items() if "float64" in repr(kind)}
"""Columns with numbers that have a fraction, alone or inside."""

INDEX_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("sample_id", pa.string()),
        ("patient_id", pa.string()),
        ("patient_known", pa.bool_()),
        ("ties", pa.list_(pa.string())),
        ("official_split", pa.string()),
        ("label", pa.string()),
        ("modality", pa.string()),
        ("survival", pa.bool_()),
        ("license", pa.string()),
        ("quality", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("blank", pa.bool_()),
        ("pixel_hash", pa.string()),
        ("phash", pa.string()),
        ("looks", pa.list_(pa.struct([("part", pa.string()), ("thumb", pa.binary()), ("hashes", pa.binary())]))),
        ("row_sha256", pa.string()),
        ("rows", pa.int64()),
    ]
)

SHEET = "sheet"
"""What `prepare.sheets` needs of a row and the index has not; it stays in the piece, as looks do."""
PIECE_SCHEMA = INDEX_SCHEMA.append(
    pa.field(
        SHEET,
        pa.struct(
            [(name, pa.string()) for name in ("file", "study_id", "series_id", "source_url")]
            + [(name, pa.list_(pa.string())) for name in ("quality_reasons", "flags")]
            + [(name, pa.int32()) for name in ("width", "height", "depth")]
        ),
    )
)
"""The index of a piece of samples."""
_SHEET = [each.name for each in PIECE_SCHEMA.field(SHEET).type if each.name != "file"]


def stored_row(
    dataset: str, record: Record, data: bytes | memoryview, masks: dict[str, bytes], measured: Measured
) -> dict[str, Any]:
    """Assemble the columns of `schema.COLUMNS`; ``data`` are the bytes of the image, volume or video."""
    row = {
        "dataset": dataset,
        "sample_id": f"{dataset}/{record.sample_id}",
        "patient_id": full_patient_id(dataset, record),
        "patient_known": record.patient is not None,
        "study_id": f"{dataset}/{record.study}" if record.study is not None else None,
        "image": _file(record.image, data),
        "volume": _file(record.volume, data),
        "video": _file(record.video, data),
        "modality": record.modality,
        "view": record.view,
        "label": None if record.label is None else label_names().index(record.label),
        "label_raw": record.label_raw,
        "severity": record.severity,
        "severity_scores": [{"name": name, "value": value} for name, value in sorted(record.severity_scores.items())],
        "masks": {name: _file(record.masks.get(name), masks.get(name)) for name in MASKS},
        "volume_masks": {name: _file(record.volume_masks.get(name), masks.get(name)) for name in MASKS},
        "boxes": None if record.boxes is None else [asdict(box) for box in record.boxes],
        "sex": record.sex,
        "age": record.age,
        "offset_days": record.offset_days,
        "survival": record.survival,
        "outcome": record.outcome,
        "symptoms": _items(record.symptoms),
        "symptoms_raw": record.symptoms_raw,
        "comorbidities": _items(record.comorbidities),
        "treatments": _items(record.treatments),
        "smoking": record.smoking,
        "blood_type": record.blood_type,
        "race": record.race,
        "ethnicity": record.ethnicity,
        "clinical": record.clinical,
        "location": record.location,
        "country": record.country,
        "date": record.date,
        "license": record.license,
        "source_url": record.source_url,
        "doi": record.doi,
        "caption": record.caption,
        "series_id": f"{dataset}/{record.series}" if record.series is not None else None,
        "part_index": record.part_index,
        "seconds": record.seconds,
        "position": record.position,
        "orientation": record.orientation,
        "spacing": record.spacing or measured.spacing,
        "value_range": record.value_range or measured.value_range,
        "hu_slope": record.hu_slope,
        "hu_intercept": record.hu_intercept,
        "manufacturer": manufacturer(record.manufacturer),
        "scanner_model": record.scanner_model,
        "kernel": record.kernel,
        "kvp": record.kvp,
        "slice_thickness_mm": record.slice_thickness_mm,
        "width": measured.width,
        "height": measured.height,
        "depth": measured.depth,
        "pixel_mode": measured.pixel_mode,
        "sha256": measured.sha256,
        "pixel_hash": measured.pixel_hash,
        "phash": measured.phash,
        "quality": measured.quality,
        "quality_reasons": _items(measured.quality_reasons),
        "flags": list(record.flags),
        "source_row": json.dumps(dict(record.source_row), ensure_ascii=False, sort_keys=True),
    }
    return row | {name: _as_stored(kind, row[name]) for name, kind in _NUMBERS.items()}


def _file(reference: Reference | Parts | None, data: bytes | memoryview | None) -> dict[str, Any] | None:
    return None if reference is None or data is None else {"bytes": data, "path": reference.path}


def _path(row: dict[str, Any]) -> str | None:
    return next((row[kind]["path"] for kind in CONTENT if row[kind]), None)


def _items(values: tuple[T, ...] | None) -> list[T] | None:
    return None if values is None else list(values)


def _as_stored(kind: Any, value: Any) -> Any:
    """Make a value what is read back of it: as text, so in a digest, the whole number 1 is not the stored 1.0.

    >>> _as_stored(["float64"], (1, 2.5)), _as_stored({"a": "bool", "b": "float64"}, {"b": 1})
    ([1.0, 2.5], {'a': None, 'b': 1.0})
    """
    if value is None:
        return None
    if isinstance(kind, list):
        return [_as_stored(kind[0], item) for item in value]
    if isinstance(kind, dict):
        return {name: _as_stored(inner, value.get(name)) for name, inner in kind.items()}
    return float(value) if kind == "float64" else value


def index_row(
    number: int,
    record: Record,
    row: dict[str, Any],
    size: int,
    measured: Measured,
    *,
    typical: bool = True,
    blank: bool = False,
) -> dict[str, Any]:
    """Assemble a row of the index of a piece, with the digest of everything in the stored row.

    A row that is not ``typical`` takes no part in the search for near-duplicates; one that is ``blank`` proves nothing
    by having the bytes or pixels of another.
    """
    return {
        "row": number,
        "sample_id": row["sample_id"],
        "patient_id": row["patient_id"],
        "patient_known": row["patient_known"],
        "ties": list(record.ties),
        "official_split": record.official_split,
        "label": record.label,
        "modality": record.modality,
        "survival": record.survival,
        "license": record.license,
        "quality": measured.quality,
        "bytes": size,
        "sha256": measured.sha256,
        "blank": blank,
        "pixel_hash": measured.pixel_hash,
        "phash": measured.phash if typical else None,
        "looks": [asdict(look) for look in measured.looks or ()] if typical else None,
        "row_sha256": row_digest(row),
        "rows": 1,
        SHEET: {name: row[name] for name in _SHEET} | {"file": _path(row)},
    }


def row_digest(row: dict[str, Any]) -> str:
    """Digest a stored row; what it shows is there through its hash, its masks through theirs."""
    plain = row | {kind: row[kind] and row[kind]["path"] for kind in CONTENT}
    for kind in ("masks", "volume_masks"):
        masks = {name: mask and [mask["path"], digest(mask["bytes"])] for name, mask in row[kind].items()}
        plain |= {kind: masks}
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
