"""The columns of a dataset as tensors of TensorFlow: the type of each, and the value that a row has of it.

TensorFlow has no nulls: `missing` says what stands for them. Images are arrays of height, width and channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from covid_datasets.errors import UsageError
from covid_datasets.load.missing import UNLABELLED, missing

Take = Callable[[Any], Any]
"""From the value that a row has to the array that TensorFlow gets."""


@dataclass(frozen=True, slots=True)
class Field:
    """A tensor of each row; ``None`` in the shape is a size that differs from row to row.

    ``of`` says which value of a row it is made of, where that is not the one of its own name.
    """

    dtype: str
    shape: tuple[int | None, ...]
    take: Take
    of: tuple[str, ...] = ()


Fields = Field | dict[str, "Fields"]


@dataclass(frozen=True, slots=True)
class Pixels:
    """What all images have in common: their type, their channels, and a height and width where one is asked for."""

    dtype: str
    channels: int
    size: tuple[int, int] | None


def fields_of(name: str, feature: Any, kind: pa.DataType, pixels: Pixels) -> Fields:
    """Choose the tensors of a column; a struct has some for each of its fields."""
    type_ = feature.get("_type") if isinstance(feature, Mapping) else None
    sides = pixels.size or (None, None)
    if type_ == "Image" and name == "image":
        return Field(pixels.dtype, (*sides, pixels.channels), lambda value: _image(value, pixels))
    if type_ == "Image":
        mask = Pixels("uint8", 1, pixels.size)
        return Field("uint8", (*sides, 1), lambda value: image_array(value, mask, Image.Resampling.NEAREST))
    if type_ == "Nifti":
        return Field("float32", (None, None, None), _volume)
    if type_ in ("Video", "Audio", "Pdf"):
        return Field("string", (), lambda value: b"" if value is None else value["bytes"])
    if type_ == "ClassLabel":
        return Field("int64", (), lambda value: np.int64(UNLABELLED if value is None else value))
    if pa.types.is_struct(kind):
        return {each.name: fields_of(each.name, feature[each.name], each.type, pixels) for each in kind}
    if pa.types.is_list(kind):
        return _lists(name, kind.value_type)
    dtype, null = _value(name, kind)
    return Field(dtype, (), lambda value: _one(null if value is None else value, dtype))


def known_fields(name: str, feature: Any) -> dict[str, Fields]:
    """Tell of each mask whether a row has it: one that it lacks has no pixels, or zeros, as one that is empty."""
    if not isinstance(feature, Mapping) or "_type" in feature or not feature:
        return {}
    if any(not isinstance(each, Mapping) or each.get("_type") not in ("Image", "Nifti") for each in feature.values()):
        return {}
    return {
        f"{name}_known": {
            each: Field("bool", (), lambda value: np.bool_(value is not None), (name, each)) for each in feature
        }
    }


def _lists(name: str, kind: pa.DataType) -> Fields:
    if pa.types.is_struct(kind):
        return {each.name: _list(f"{name}.{each.name}", each.type, each.name) for each in kind}
    return _list(name, kind, "")


def _list(name: str, kind: pa.DataType, key: str) -> Field:
    dtype, null = _value(name, kind)

    def take(values: Sequence[Any] | None) -> np.ndarray:
        told = [each and each[key] for each in values or ()] if key else list(values or ())
        found = [_one(null if each is None else each, dtype) for each in told]
        return np.array(found, object if dtype == "string" else dtype)

    return Field(dtype, (None,), take)


def _value(name: str, kind: pa.DataType) -> tuple[str, Any]:
    null = missing(kind)
    if pa.types.is_boolean(kind):
        return "int8", null
    if pa.types.is_signed_integer(kind):
        return str(kind), null
    if pa.types.is_unsigned_integer(kind):
        return "int64", null
    if pa.types.is_floating(kind):
        return "float32", null
    if pa.types.is_nested(kind):
        raise UsageError(f"to_tf: column {name!r}: expected single values or lists of them, found {kind}. Leave it out")
    return "string", null


def _one(value: Any, dtype: str) -> Any:
    if dtype != "string":
        return np.dtype(dtype).type(value)
    return value if isinstance(value, bytes) else str(value).encode()


def _volume(value: np.ndarray | None) -> np.ndarray:
    return np.zeros((0, 0, 0), np.float32) if value is None else value.astype(np.float32)


def _image(value: np.ndarray | None, pixels: Pixels) -> np.ndarray:
    if value is None and pixels.size is not None:
        raise UsageError("image_size: expected rows with images, found one without. Leave out the rows that have none")
    return image_array(value, pixels)


def image_array(
    value: np.ndarray | None, pixels: Pixels, how: Image.Resampling = Image.Resampling.BILINEAR
) -> np.ndarray:
    """Give a decoded image the channels, the size and the type of all; one that is not there has no pixels, or zeros.

    >>> image_array(np.zeros((4, 6), np.uint8), Pixels("float32", 3, (2, 2))).shape
    (2, 2, 3)
    """
    if value is None:
        return np.zeros((*(pixels.size or (0, 0)), pixels.channels), pixels.dtype)
    value = value.astype(np.uint8) * 255 if value.dtype == bool else value
    planes = [value] if value.ndim == 2 else [value[..., number] for number in range(value.shape[2])]
    planes = planes[: {2: 1, 4: 3}.get(len(planes), len(planes))]  # without transparency
    if len(planes) == 3 and pixels.channels == 1:
        red, green, blue = planes
        weighed = red * 0.299 + green * 0.587 + blue * 0.114
        planes = [weighed.round().astype(value.dtype) if value.dtype.kind in "ui" else weighed]
    if pixels.size is not None:
        planes = [_resized(plane, pixels.size, how) for plane in planes]
    planes = planes * pixels.channels if len(planes) == 1 else planes
    return np.stack(planes, axis=-1).astype(pixels.dtype, copy=False)


def _resized(plane: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    """Resize with a filter as wide as the scale demands, so that nothing aliases; values keep their range."""
    if plane.shape == size:
        return plane
    image = Image.fromarray(plane if plane.dtype == np.uint8 else plane.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), how))
