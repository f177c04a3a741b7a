"""`to_tf`: what `load_dataset` returns as a ``tf.data.Dataset``, read from the build itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from covid_datasets.errors import UsageError
from covid_datasets.extras import need
from covid_datasets.features import arrow_schema, features_dict
from covid_datasets.load.rows import NumpyRows, decoded
from covid_datasets.load.tf_fields import Field, Fields, Pixels, fields_of, known_fields
from covid_datasets.splits.subset import GROUP

if TYPE_CHECKING:
    import tensorflow as tf

_COLOUR = ("RGB", "RGBA", "P", "CMYK")
_SHALLOW = (*_COLOUR, "1", "L", "LA")
"""Modes of Pillow with 8 bits a value, or fewer."""
_SCALE = ("hu_slope", "hu_intercept")


class _Source:
    """Rows by number, with decoded arrays; the type and feature of each column."""

    def __init__(self, columns: Mapping[str, tuple[Any, pa.DataType]], row: Callable[[int], dict[str, Any]]) -> None:
        self.columns, self.row = columns, row
        self.count, self.modes, self.scaled = 0, set[str | None](), False


def to_tf(
    ds: Any,
    *,
    columns: Sequence[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
) -> Any:
    """Return a ``tf.data.Dataset`` of dictionaries, or a dictionary of these where ``ds`` has several splits.

    Images are uint8 where all have 8 bits, else float32: Hounsfield units, or what was stored. An unknown label is -1,
    an unknown number NaN, or the least of its type where it is a whole number; an unknown text is empty.
    ``masks_known`` says which masks a row has.

    Args:
        ds: What `load_dataset` returned with ``framework="numpy"``, ``"torch"`` or ``"hf"``.
        columns: Those that you want, such as ``["image", "label"]``; nothing else is read.
        image_size: Height and width of images and masks, as one number or two; without it all keep their own.
        channels: 1 or 3 values a pixel; without it 1 where all images are grey, else 3.
        batch_size: Rows of a batch, the last of which may be shorter. What differs in size becomes a ragged tensor.
        shuffle: Whether each epoch has another order of all rows.
        seed: Chooses these orders.

    >>> from covid_datasets import load_dataset
    >>> rows = load_dataset("phantom", "small", split="train", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> to_tf(rows, columns=["image", "label"], image_size=64, batch_size=8).element_spec["image"].shape
    TensorShape([None, 64, 64, 1])
    """
    need("tensorflow")
    options: dict[str, Any] = {
        "columns": columns,
        "image_size": image_size,
        "channels": channels,
        "batch_size": batch_size,
    }
    if isinstance(ds, Mapping):
        return {name: to_tf(rows, **options, shuffle=shuffle, seed=seed) for name, rows in ds.items()}
    if channels not in (None, 1, 3):
        raise UsageError(f"channels: expected 1 or 3, found {channels!r}")
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise UsageError(f"batch_size: expected a whole number, 1 or more, found {batch_size!r}")
    size = _size(image_size)
    source = _source(ds, columns)
    pixels = Pixels(*_look(source, channels), size)
    fields: dict[str, Fields] = {}
    for name, (feature, kind) in source.columns.items():
        fields |= {name: fields_of(name, feature, kind, pixels)} | known_fields(name, feature)
    return _dataset(source, fields, batch_size, seed if shuffle else None)


def _size(given: Any) -> tuple[int, int] | None:
    if given is None:
        return None
    sides = (given, given) if isinstance(given, int) else tuple(given) if isinstance(given, list | tuple) else ()
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UsageError(f"image_size: expected a whole number of pixels, or height and width, found {given!r}")
    return sides


def _look(source: _Source, channels: int | None) -> tuple[str, int]:
    """Choose type and channels of the images from the modes of all of them."""
    modes = {mode for mode in source.modes if mode is not None}
    shallow = modes <= set(_SHALLOW) and not source.scaled
    return "uint8" if shallow else "float32", channels or (3 if modes & set(_COLOUR) else 1)


def _dataset(source: _Source, fields: dict[str, Fields], batch_size: int | None, seed: int | None) -> tf.data.Dataset:
    import tensorflow as tf

    flat: list[tuple[tuple[str, ...], Field]] = list(_flat(fields, ()))
    together = batch_size is not None and all(None not in field.shape for _, field in flat)

    def fetch(number: np.ndarray) -> list[Any]:
        row = source.row(int(number))
        return [field.take(_at(row, field.of or path)) for path, field in flat]

    def fetch_batch(numbers: np.ndarray) -> list[Any]:
        columns = zip(*map(fetch, numbers), strict=True)
        types = (object if field.dtype == "string" else field.dtype for _, field in flat)
        return [np.array(values, dtype) for values, dtype in zip(columns, types, strict=True)]

    def load(numbers: tf.Tensor) -> Any:
        types = [tf.as_dtype(field.dtype) for _, field in flat]
        values = tf.numpy_function(fetch_batch if together else fetch, [numbers], types)
        found: dict[str, Any] = {}
        for (path, field), value in zip(flat, values, strict=True):
            value.set_shape((None, *field.shape) if together else field.shape)
            place = found
            for name in path[:-1]:
                place = place.setdefault(name, {})
            place[path[-1]] = value
        return found

    numbers = tf.data.Dataset.range(source.count)
    if seed is not None and source.count > 1:
        numbers = numbers.shuffle(source.count, seed=seed, reshuffle_each_iteration=True)
    if together:  # one call of Python for a batch, not for a row
        numbers = numbers.batch(batch_size)
    rows = numbers.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if batch_size is not None and not together:
        rows = rows.ragged_batch(batch_size)
    return rows.prefetch(tf.data.AUTOTUNE)


def _flat(fields: Fields, path: tuple[str, ...]) -> Any:
    if isinstance(fields, Field):
        yield path, fields
        return
    for name, inner in fields.items():
        yield from _flat(inner, (*path, name))


def _at(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Take a value out of a row; of a list of structs, the whole list, of which the field takes its part."""
    value: Any = row[path[0]]
    for name in path[1:]:
        if value is None or isinstance(value, list):
            return value
        value = value[name]
    return value


def _source(ds: Any, columns: Sequence[str] | None) -> _Source:
    for name in ("rows", "numpy_rows"):  # as tensors of torch
        ds = inner if isinstance(inner := getattr(ds, name, None), NumpyRows) else ds
    if isinstance(ds, NumpyRows):
        return _of_numpy(ds, columns)
    if type(ds).__module__.partition(".")[0] == "datasets" and hasattr(ds, "with_format") and hasattr(ds, "__len__"):
        return _of_huggingface(ds, columns)
    raise UsageError(
        "to_tf: expected what load_dataset returns with framework='numpy', 'torch' or 'hf' and without streaming, "
        f"found {type(ds).__name__}"
    )


def _chosen(held: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    if columns is not None and (isinstance(columns, str) or not columns):
        raise UsageError(f"columns: expected a list of names, found {columns!r}")
    for name in columns or ():
        if name not in held:
            raise UsageError(f"columns: expected some of {', '.join(held)}, found {name!r}")
    return list(columns or held)


def _of_numpy(rows: NumpyRows, columns: Sequence[str] | None) -> _Source:
    chosen = _chosen(rows.column_names, columns)
    picked = NumpyRows(rows.parts, replace(rows.form, columns=tuple(chosen)))
    table = next((part.build.columns for part in rows.parts), {}) or None
    stored = next((part.build.stored_columns for part in rows.parts), None)
    features, schema = features_dict(stored), arrow_schema(stored)
    text = ({"dtype": "string", "_type": "Value"}, pa.string())
    found = _Source(
        {name: text if name == GROUP else (features[name], schema.field(name).type) for name in chosen},
        picked.__getitem__,
    )
    found.count = len(rows)
    if "image" in chosen and not table:
        found.modes = set(rows.column("pixel_mode").unique().to_pylist())
        slope = rows.column("hu_slope")
        found.scaled = slope.null_count < len(slope)
    return found


def _of_huggingface(ds: Any, columns: Sequence[str] | None) -> _Source:
    chosen = _chosen(ds.column_names, columns)
    scale = [name for name in _SCALE if "image" in chosen and name in ds.column_names and name not in chosen]
    stored = ds.select_columns([*chosen, *scale]).with_format("arrow")
    features, schema = ds.features.to_dict(), ds.features.arrow_schema

    def row(number: int) -> dict[str, Any]:
        return decoded(stored[number : number + 1].to_pylist()[0])

    found = _Source({name: (features[name], schema.field(name).type) for name in chosen}, row)
    found.count = len(ds)
    if "image" in chosen:
        found.modes = _modes(ds)
        found.scaled = "hu_slope" in ds.column_names and any(each is not None for each in ds["hu_slope"])
    return found


def _modes(ds: Any) -> set[str | None]:
    """Tell the modes of all images: from their column, else from their headers."""
    if "pixel_mode" in ds.column_names:
        return set(ds["pixel_mode"])
    import io

    from PIL import Image

    images = ds.select_columns(["image"]).with_format("arrow")
    found: set[str | None] = set()
    for batch in images.iter(256):
        for image in batch.column("image").to_pylist():
            found.add(None if image is None else Image.open(io.BytesIO(image["bytes"])).mode)
    return found
