"""One record and its measured image as a stored row, and as a row of the index."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa

from covid_datasets.build.measure import Measured
from covid_datasets.build.plan import full_patient_id
from covid_datasets.schema import CLINICAL, MASKS, Record
from covid_datasets.taxonomy import label_names

INDEX_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("sample_id", pa.string()),
        ("patient_id", pa.string()),
        ("ties", pa.list_(pa.string())),
        ("official_split", pa.string()),
        ("label", pa.string()),
        ("modality", pa.string()),
        ("license", pa.string()),
        ("quality", pa.string()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("pixel_sha256", pa.string()),
        ("phash", pa.string()),
        ("thumb", pa.binary()),
        ("row_sha256", pa.string()),
    ]
)


def stored_row(
    dataset: str, record: Record, image: bytes | None, masks: dict[str, bytes], measured: Measured
) -> dict[str, Any]:
    """Assemble the columns of `schema.COLUMNS`."""
    return {
        "dataset": dataset,
        "sample_id": f"{dataset}/{record.sample_id}",
        "patient_id": full_patient_id(dataset, record),
        "patient_known": record.patient is not None,
        "study_id": f"{dataset}/{record.study}" if record.study is not None else None,
        "image": None if record.image is None else {"bytes": image, "path": record.image.path},
        "modality": record.modality,
        "view": record.view,
        "label": None if record.label is None else label_names().index(record.label),
        "label_raw": record.label_raw,
        "severity": record.severity,
        "severity_scores": [{"name": name, "value": value} for name, value in sorted(record.severity_scores.items())],
        "masks": {name: _mask(record, name, masks) for name in MASKS},
        "sex": record.sex,
        "age": record.age,
        "offset_days": record.offset_days,
        "survival": record.survival,
        "clinical": {name: record.clinical.get(name) for name in CLINICAL},
        "location": record.location,
        "country": record.country,
        "date": record.date,
        "license": record.license,
        "source_url": record.source_url,
        "doi": record.doi,
        "caption": record.caption,
        "spacing": None if record.spacing is None else list(record.spacing),
        "value_range": record.value_range,
        "width": measured.width,
        "height": measured.height,
        "pixel_mode": measured.pixel_mode,
        "sha256": measured.sha256,
        "pixel_sha256": measured.pixel_sha256,
        "phash": measured.phash,
        "quality": measured.quality,
        "quality_reasons": None if measured.quality_reasons is None else list(measured.quality_reasons),
        "flags": list(record.flags),
        "source_row": json.dumps(dict(record.source_row), ensure_ascii=False, sort_keys=True),
    }


def _mask(record: Record, name: str, masks: dict[str, bytes]) -> dict[str, Any] | None:
    return {"bytes": masks[name], "path": record.masks[name].path} if name in masks else None


def index_row(number: int, record: Record, row: dict[str, Any], size: int, measured: Measured) -> dict[str, Any]:
    """Assemble a row of the index, with the digest of everything in the stored row."""
    return {
        "row": number,
        "sample_id": row["sample_id"],
        "patient_id": row["patient_id"],
        "ties": list(record.ties),
        "official_split": record.official_split,
        "label": record.label,
        "modality": record.modality,
        "license": record.license,
        "quality": measured.quality,
        "bytes": size,
        "sha256": measured.sha256,
        "pixel_sha256": measured.pixel_sha256,
        "phash": measured.phash,
        "thumb": measured.thumb,
        "row_sha256": row_digest(row),
    }


def row_digest(row: dict[str, Any]) -> str:
    """Digest a stored row; its image is there through its hash, its masks through theirs."""
    masks = {name: mask and hashlib.sha256(mask["bytes"]).hexdigest() for name, mask in row["masks"].items()}
    plain = row | {"image": row["image"] and row["image"]["path"], "masks": masks}
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
