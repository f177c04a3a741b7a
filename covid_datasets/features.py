"""The columns of a build as an Arrow schema that Hugging Face ``datasets`` reads as Image and ClassLabel.

Written by hand from `schema.COLUMNS`, or the columns of a table, so that a build needs pyarrow and nothing heavier.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.schema import COLUMNS

_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_FILE_FEATURES = {"image": "Image", "nifti": "Nifti", "video": "Video"}
"""Our type -> the feature of ``datasets`` that decodes it; stored are the bytes and the name of a file."""


def _arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, str) and kind in _FILE_FEATURES:
        return _FILE
    if kind == "label":
        return pa.int64()
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(inner)) for name, inner in kind.items()])
    return pa.type_for_alias(kind)


def _feature(kind: Any) -> dict[str, Any]:
    if kind == "video":  # handed out as it is stored: decoding would take torchcodec and FFmpeg for every row
        return {"_type": _FILE_FEATURES[kind], "decode": False}
    if isinstance(kind, str) and kind in _FILE_FEATURES:
        return {"_type": _FILE_FEATURES[kind]}
    if kind == "label":
        return {"names": list(label_names()), "_type": "ClassLabel"}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0]), "_type": "List"}
    if isinstance(kind, dict):
        return {name: _feature(inner) for name, inner in kind.items()}
    return {"dtype": kind, "_type": "Value"}


def features_dict(columns: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the features in the form of ``datasets.Features.to_dict()``; ``columns`` are those of a table."""
    return {name: _feature(kind) for name, kind in (columns or COLUMNS).items()}


def arrow_schema(columns: Mapping[str, Any] | None = None) -> pa.Schema:
    """Return the stored schema, with the features in its metadata as ``datasets`` writes them.

    >>> arrow_schema().field("label").type
    DataType(int64)
    >>> arrow_schema({"date": "date32", "deaths": "int64"}).field("date").type
    DataType(date32[day])
    """
    fields = [pa.field(name, _arrow(kind)) for name, kind in (columns or COLUMNS).items()]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features_dict(columns)}})})
