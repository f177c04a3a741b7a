"""The features of Hugging Face, as an Arrow schema carries them: read, put in one form, and written as YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

FILES = ("Image", "Nifti", "Video", "Audio", "Pdf")
"""Features that are stored as a struct of ``bytes`` and ``path``."""
_NAMES = {"double": "float64", "float": "float32", "halffloat": "float16", "date32[day]": "date32"}
"""Types whose name in Arrow is not the one that ``datasets`` writes."""


def is_file(feature: Any) -> bool:
    """Tell whether a feature is a file: a struct of ``bytes`` and ``path``.

    >>> is_file({"_type": "Image"}), is_file({"dtype": "string", "_type": "Value"})
    (True, False)
    """
    return isinstance(feature, dict) and feature.get("_type") in FILES


def feature_types(schema: pa.Schema) -> dict[str, Any]:
    """Return the feature of each column, in the form of ``datasets.Features.to_dict()``; from its type where none is.

    >>> feature_types(pa.schema([("age", pa.float64())]))
    {'age': {'_type': 'Value', 'dtype': 'float64'}}
    """
    metadata = schema.metadata or {}
    told = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features") or {}
    return {column.name: _sorted(told.get(column.name) or _of_type(column.type)) for column in schema}


def with_features(fields: Sequence[pa.Field], types: Mapping[str, Any]) -> pa.Schema:
    """Make a schema that ``datasets`` reads as these features; the same ones always have the same bytes."""
    chosen = {field.name: _sorted(types[field.name]) for field in fields}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": chosen}})})


def yaml_features(types: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the features as the YAML of a card lists them.

    >>> yaml_features({"label": {"_type": "ClassLabel", "names": ["no", "yes"]}})
    [{'name': 'label', 'dtype': {'class_label': {'names': {'0': 'no', '1': 'yes'}}}}]
    """
    return [{"name": name, **_yaml(feature)} for name, feature in types.items()]


def _yaml(feature: Any) -> dict[str, Any]:
    if isinstance(feature, list):
        feature = {"_type": "List", "feature": feature[0]}
    kind = feature.get("_type")
    if not isinstance(kind, str):
        return {"struct": yaml_features(feature)}
    rest = {key: value for key, value in feature.items() if key not in ("_type", "feature", "length")}
    if kind in ("List", "LargeList", "Sequence"):
        inner = _yaml(feature["feature"])
        length = {"length": feature["length"]} if feature.get("length", -1) != -1 else {}
        value = inner["struct"] if list(inner) == ["struct"] else inner["dtype"] if list(inner) == ["dtype"] else inner
        return {"large_list" if kind == "LargeList" else "list": value, **length}
    if kind == "Value":
        return {"dtype": feature["dtype"]}
    if kind == "ClassLabel":
        return {"dtype": {"class_label": {"names": {str(code): name for code, name in enumerate(feature["names"])}}}}
    return {"dtype": {kind.lower(): rest} if rest else kind.lower()}


def _sorted(feature: Any) -> Any:
    """Put what a feature says in one order, and leave out what is not given; the fields of a struct keep theirs."""
    if isinstance(feature, list):
        return [_sorted(each) for each in feature]
    if not isinstance(feature, dict):
        return feature
    if isinstance(feature.get("_type"), str):
        return {key: _sorted(feature[key]) for key in sorted(feature) if feature[key] is not None}
    return {name: _sorted(each) for name, each in feature.items()}


def _of_type(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return {field.name: _of_type(field.type) for field in kind}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"_type": "List" if pa.types.is_list(kind) else "LargeList", "feature": _of_type(kind.value_type)}
    return {"_type": "Value", "dtype": _NAMES.get(str(kind), str(kind))}
