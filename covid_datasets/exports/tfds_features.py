"""The columns of a dataset as features of TensorFlow Datasets: what ``features.json`` says, and how rows are encoded.

An Example has no nulls. A label that nobody told is -1, a number with a point NaN, a whole number the least of its
type, a truth value -1 beside 0 and 1, a text or file empty. An empty list does not tell whether there is nothing or
nobody said so: ``unknown_lists`` names the lists that are null.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.errors import UsageError
from covid_datasets.exports.example import floats, ints, texts
from covid_datasets.exports.features import feature_types
from covid_datasets.exports.pictures import OFFSET, UnfitImageError, fit, look
from covid_datasets.exports.survey import Pictures, unfit_image, values_at
from covid_datasets.load.missing import UNLABELLED, missing

UNKNOWN_LISTS = "unknown_lists"
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_date, pa.types.is_timestamp)
SCALE = ("hu_slope", "hu_intercept")
_HOME = "tensorflow_datasets.core.features."
Json = dict[str, Any]
Encode = Callable[[pa.RecordBatch], Iterator[bytes]]
"""From a batch to one entry of an Example for each of its rows."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of TensorFlow Datasets: its description, its entries, and the names of classes by feature."""

    json: Json
    entries: tuple[Encode, ...]
    classes: Mapping[str, tuple[str, ...]]


def plan(schema: pa.Schema, survey: Mapping[str, Pictures]) -> dict[str, Feature]:
    """Choose the feature of every column.

    Raises:
        UsageError: A column has a type that no feature holds.
    """
    types = feature_types(schema)
    found = {field.name: _column(field.name, types[field.name], field.type, survey) for field in schema}
    lists = [field.name for field in schema if _is_list(field.type)]
    if lists:
        _free(UNKNOWN_LISTS, schema)
        found[UNKNOWN_LISTS] = Feature(_sequence(_text()), (_UnknownLists(tuple(lists)),), {})
    pictures = survey.get("image")
    if pictures is not None and pictures.signed:
        for number, name in enumerate(SCALE):
            found[name] = Feature(_scalar("float32"), (_Scale(number),), {})
    return found


def _free(name: str, schema: pa.Schema) -> None:
    if name in schema.names:
        raise UsageError(f"tfrecord: expected no column {name!r}, which the export adds. Rename it first")


def _column(name: str, feature: Any, kind: pa.DataType, survey: Mapping[str, Pictures]) -> Feature:
    type_ = feature.get("_type") if isinstance(feature, dict) else None
    if type_ == "Image":
        return _image(name, survey[name])
    if type_ in ("Nifti", "Video", "Audio", "Pdf"):
        return Feature(_text(), (_Single(name, "bytes", texts, b""),), {})
    if isinstance(feature, dict) and type_ is None and pa.types.is_struct(kind):
        children = {
            inner.name: _column(f"{name}/{inner.name}", feature[inner.name], inner.type, survey) for inner in kind
        }
        classes = {
            f"{inner}-{key}" if key else inner: names
            for inner, child in children.items()
            for key, names in child.classes.items()
        }
        json = _dict({inner: child.json for inner, child in children.items()})
        return Feature(json, tuple(each for child in children.values() for each in child.entries), classes)
    if type_ in ("List", "Sequence", "LargeList") and _is_list(kind):
        return _list(name, feature["feature"], kind.value_type)
    if type_ == "ClassLabel":
        names = tuple(feature["names"])
        json = {
            "pythonClassName": f"{_HOME}class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(len(names))},
        }
        return Feature(json, (_Single(name, "", ints, UNLABELLED),), {"": names})
    json, write, null = _value(name, kind)
    return Feature(json, (_Single(name, "", write, null),), {})


def _list(name: str, feature: Any, kind: pa.DataType) -> Feature:
    if pa.types.is_struct(kind):
        children = {inner.name: _value(f"{name}/{inner.name}", inner.type) for inner in kind}
        json = _sequence(_dict({inner: child for inner, (child, _, _) in children.items()}))
        return Feature(json, tuple(_Many(name, inner, write, null) for inner, (_, write, null) in children.items()), {})
    if isinstance(feature, dict) and feature.get("_type") not in ("Value", None):
        raise _unfit(name, f"lists of {feature['_type']}")
    json, write, null = _value(name, kind)
    return Feature(_sequence(json), (_Many(name, "", write, null),), {})


def _value(name: str, kind: pa.DataType) -> tuple[Json, Callable[[str, list[Any]], bytes], Any]:
    """Give the feature of a single value, the function that writes it, and what stands for null."""
    null = missing(kind)
    if pa.types.is_boolean(kind):
        return _scalar("int8"), ints, null
    if pa.types.is_signed_integer(kind):
        return _scalar(str(kind)), ints, null
    if pa.types.is_unsigned_integer(kind) and kind.bit_width < 64:
        return _scalar("int64"), ints, null
    if pa.types.is_floating(kind):
        return _scalar("float32"), floats, null
    if any(is_text(kind) for is_text in _TEXTS):
        return _text(), _write_texts, null
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _text(), texts, null
    raise _unfit(name, str(kind))


def _unfit(name: str, what: str) -> UsageError:
    return UsageError(
        f"tfrecord: column {name!r}: expected numbers, texts, labels, images, files, or lists of values, found {what}. "
        "Next: leave it out with columns=, or export as parquet"
    )


def _image(name: str, pictures: Pictures) -> Feature:
    shape = {"dimensions": ["-1", "-1", str(pictures.channels or -1)]}
    form = {"dtype": "uint16", "encodingFormat": "png"} if pictures.deep else {"dtype": "uint8"}
    json: Json = {"pythonClassName": f"{_HOME}image_feature.Image", "image": {"shape": shape, **form}}
    entry = _Image(name, pictures.channels if pictures.deep else 0)
    always = pictures.everywhere and "/" not in name  # a mask is optional, also where all rows have it
    return Feature(json if always else _sequence(json), (entry,), {})


def _scalar(dtype: str) -> Json:
    return {"pythonClassName": f"{_HOME}scalar.Scalar", "tensor": {"shape": {}, "dtype": dtype, "encoding": "none"}}


def _text() -> Json:
    return {"pythonClassName": f"{_HOME}text_feature.Text", "text": {}}


def _sequence(inner: Json) -> Json:
    return {"pythonClassName": f"{_HOME}sequence_feature.Sequence", "sequence": {"feature": inner, "length": "-1"}}


def _dict(inner: Mapping[str, Json]) -> Json:
    return {"pythonClassName": f"{_HOME}features_dict.FeaturesDict", "featuresDict": {"features": dict(inner)}}


def features_json(features: Mapping[str, Feature]) -> Json:
    """Return what ``features.json`` holds; tfds accepts no other key in it."""
    return {
        "type": f"{_HOME}features_dict.FeaturesDict",
        "content": {"features": {name: feature.json for name, feature in features.items()}},
        "proto_cls": "tensorflow_datasets.FeaturesDict",
    }


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _write_texts(key: str, values: list[Any]) -> bytes:
    return texts(key, [str(value).encode() for value in values])


@dataclass(frozen=True, slots=True)
class _Single:
    """One value a row. ``field`` is what of a file is taken."""

    path: str
    field: str
    write: Callable[[str, list[Any]], bytes]
    null: Any

    def __call__(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        values = values_at(batch, f"{self.path}/{self.field}" if self.field else self.path)
        nothing = self.write(self.path, [self.null])
        if values.null_count == len(values):
            return repeat(nothing, len(values))
        if self.write is floats:
            start = nothing[:-4]  # all floats are of one length, so that only the last four bytes differ
            return (start + struct.pack("<f", value) for value in pc.fill_null(values, self.null).to_pylist())
        return self._each(values, nothing)

    def _each(self, values: pa.Array, nothing: bytes) -> Iterator[bytes]:
        if pa.types.is_binary(values.type):  # files are large, and taken one by one
            for value in values:
                yield self.write(self.path, [value.as_buffer()]) if value.is_valid else nothing
            return
        known: dict[Any, bytes] = {None: nothing}
        for value in values.to_pylist():
            if value not in known:
                known[value] = self.write(self.path, [value])
            yield known[value]


@dataclass(frozen=True, slots=True)
class _Many:
    """A list a row; of a list of structs, one ``field`` of each."""

    path: str
    field: str
    write: Callable[[str, list[Any]], bytes]
    null: Any

    def __call__(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        lists, field, null = values_at(batch, self.path), self.field, self.null
        key = f"{self.path}/{field}" if field else self.path
        nothing = self.write(key, [])
        for values in lists.to_pylist():
            if not values:
                yield nothing
                continue
            found = [value and value[field] for value in values] if field else values
            yield self.write(key, [null if value is None else value for value in found])


@dataclass(frozen=True, slots=True)
class _UnknownLists:
    """The names of the columns of lists that are null."""

    names: tuple[str, ...]

    def __call__(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        known: dict[tuple[bool, ...], bytes] = {}
        for row in zip(*(batch.column(name).is_null().to_pylist() for name in self.names), strict=True):
            if row not in known:
                found = [name for name, null in zip(self.names, row, strict=True) if null]
                known[row] = _write_texts(UNKNOWN_LISTS, found)
            yield known[row]


@dataclass(frozen=True, slots=True)
class _Image:
    """An image a row, in a form that TensorFlow decodes; an empty list of images where there is none."""

    path: str
    deep_channels: int

    def __call__(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        values = values_at(batch, f"{self.path}/bytes")
        nothing = texts(self.path, [])
        if values.null_count == len(values):
            return repeat(nothing, len(values))
        return self._each(batch, values, nothing)

    def _each(self, batch: pa.RecordBatch, values: pa.Array, nothing: bytes) -> Iterator[bytes]:
        for row, value in enumerate(values):
            try:
                yield (
                    texts(self.path, [fit(value.as_py(), deep_channels=self.deep_channels)])
                    if value.is_valid
                    else nothing
                )
            except UnfitImageError as error:
                raise unfit_image(batch, row, self.path, error) from error


@dataclass(frozen=True, slots=True)
class _Scale:
    """What turns stored values into Hounsfield units, the offset of those with a sign included."""

    number: int

    def __call__(self, batch: pa.RecordBatch) -> Iterator[bytes]:
        name = SCALE[self.number]
        names = batch.schema.names
        slopes, intercepts = (
            batch.column(each).to_pylist() if each in names else repeat(None, len(batch)) for each in SCALE
        )
        for value, slope, intercept in zip(values_at(batch, "image/bytes"), slopes, intercepts, strict=True):
            if value.is_valid and look(memoryview(value.as_buffer())).signed:
                slope, intercept = slope if slope is not None else 1.0, intercept or 0.0
                intercept -= OFFSET * slope
            found = (slope, intercept)[self.number]
            yield floats(name, [float("nan") if found is None else found])
