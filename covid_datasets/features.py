"""The harmonised columns as an Arrow schema that Hugging Face ``datasets`` reads as Image and ClassLabel.

Written by hand from `schema.COLUMNS`, so that a build needs pyarrow and nothing heavier.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pyarrow as pa

from covid_datasets.schema import COLUMNS
from covid_datasets.taxonomy import label_names

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
    if isinstance(kind, str) and kind in _FILE_FEATURES:
        return {"_type": _FILE_FEATURES[kind]}
    if kind == "label":
        return {"names": list(label_names()), "_type": "ClassLabel"}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0]), "_type": "List"}
    if isinstance(kind, dict):
        return {name: _feature(inner) for name, inner in kind.items()}
    return {"dtype": kind, "_type": "Value"}


@lru_cache(maxsize=1)
def features_dict() -> dict[str, Any]:
    """Return the features in the form of ``datasets.Features.to_dict()``."""
    return {name: _feature(kind) for name, kind in COLUMNS.items()}


@lru_cache(maxsize=1)
def arrow_schema() -> pa.Schema:
    """Return the stored schema, with the features in its metadata as ``datasets`` writes them.

    >>> arrow_schema().field("label").type
    DataType(int64)
    """
    fields = [pa.field(name, _arrow(kind)) for name, kind in COLUMNS.items()]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features_dict()}})})
