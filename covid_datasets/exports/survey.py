"""What the images of a dataset have in common: TensorFlow Datasets wants to know before the first is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.errors import UsageError
from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.features import feature_types
from covid_datasets.exports.pictures import Look, UnfitImageError, look


@dataclass(slots=True)
class Pictures:
    """What was seen of the images of one column.

    Attributes:
        everywhere: Whether every row has one.
        deep: Whether one of them has more than 8 bits a value; all are then stored with 16.
        signed: Whether one of them has values with a sign.
        channels: How many values a pixel has; 0 where that differs, which it may not where they are deep.
        forms: How many there are of each form.
        rewritten: How many of each form are stored as PNG, because TensorFlow does not read them as they are.
    """

    everywhere: bool = True
    deep: bool = False
    signed: bool = False
    channels: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    rewritten: Counter[str] = field(default_factory=Counter)


def survey(data: Exportable) -> dict[str, Pictures]:
    """Look at the header of every image; ``masks/lung`` is the name of a field of a column."""
    columns = image_columns(data.features)
    seen: dict[str, Counter[Look]] = {name: Counter() for name in columns}
    rows = data.rows
    wanted = sorted({name.partition("/")[0] for name in columns} | {"sample_id"} & set(data.features.names))
    for split in data.splits.values() if columns else ():
        for batch in split.batches(columns=wanted):
            for name in columns:
                seen[name].update(_looks(batch, name))
    return {name: _together(looks, rows) for name, looks in seen.items()}


def image_columns(schema: pa.Schema) -> list[str]:
    """List the columns of images, and the fields of structs that are images."""
    return [name for column, feature in feature_types(schema).items() for name in _images_in(column, feature)]


def _images_in(name: str, feature: Any) -> Iterator[str]:
    if isinstance(feature, dict) and feature.get("_type") == "Image":
        yield name
    elif isinstance(feature, dict) and "_type" not in feature:
        for inner, each in feature.items():
            yield from _images_in(f"{name}/{inner}", each)


def _looks(batch: pa.RecordBatch, name: str) -> Iterator[Look]:
    values = values_at(batch, f"{name}/bytes")
    if values.null_count == len(values):
        return
    for row, value in enumerate(values):
        if value.is_valid:
            try:
                yield look(memoryview(value.as_buffer()))
            except UnfitImageError as error:
                raise unfit_image(batch, row, name, error) from error


def _together(looks: Mapping[Look, int], rows: int) -> Pictures:
    deep = any(each.deep for each in looks)
    found = Pictures(sum(looks.values()) == rows > 0, deep, any(each.signed for each in looks))
    channels = {each.channels for each in looks}
    found.channels = next(iter(channels)) if len(channels) == 1 else 0
    if deep and found.channels not in (1, 3, 4):
        found.channels = 4 if channels & {2, 4} else 3
    for each, count in looks.items():
        found.forms[each.form] += count
        if not each.readable or each.deep != deep:
            found.rewritten[each.form] += count
    return found


def values_at(batch: pa.RecordBatch, path: str) -> pa.Array:
    """Return a column, or a field of one that is a struct: ``"masks/lung"``. A field of null is null."""
    column, *fields = path.split("/")
    found = batch.column(column)
    for name in fields:
        found = pc.struct_field(found, name)
    return found


def unfit_image(batch: pa.RecordBatch, row: int, path: str, error: UnfitImageError) -> UsageError:
    """Say which image of which sample no feature of tfds holds."""
    return UsageError(
        f"tfrecord: {row_name(batch, row)}, column {path!r}: expected an image that PNG holds with 8 or 16 bits, found "
        f"{error}. Next: leave the row or the column out, or export as parquet"
    )


def row_name(batch: pa.RecordBatch, row: int) -> str:
    """Name a row of a batch for people."""
    if "sample_id" in batch.schema.names:
        return f"sample {batch.column('sample_id')[row].as_py()!r}"
    return f"row {row} of a batch"
