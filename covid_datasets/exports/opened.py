"""One split in whatever form `load_dataset` returned it -> a `Split` of stored columns, and its sources."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.disk import is_full, refused
from covid_datasets.errors import UsageError
from covid_datasets.exports.features import feature_types, is_file, with_features
from covid_datasets.exports.source import Source, source_of, sources_of
from covid_datasets.exports.split import Split
from covid_datasets.features import arrow_schema
from covid_datasets.load.rows import NumpyRows

Opened = tuple[Split, tuple[Source, ...]]


def opened(rows: Any) -> Opened:
    """Open one split: rows of Hugging Face, streams too, of NumPy, torch or pandas, or an Arrow table."""
    library = type(rows).__module__.partition(".")[0]
    if isinstance(rows, NumpyRows):
        return _of_numpy(rows)
    if isinstance(inner := getattr(rows, "numpy_rows", None), NumpyRows):
        return _of_numpy(inner)  # as tensors of torch
    if library == "datasets" and hasattr(rows, "with_format") and hasattr(rows, "__len__"):
        return _of_huggingface(rows)
    if library == "pandas" and hasattr(rows, "columns"):
        return _of_table(_from_pandas(rows))
    if isinstance(rows, pa.Table):
        return _of_table(rows)
    if library == "datasets" and hasattr(rows, "with_format"):
        return _of_stream(rows)
    raise UsageError(
        f"export: expected what load_dataset returns, or the name of a dataset, found {type(rows).__name__}"
    )


def _of_numpy(rows: NumpyRows) -> Opened:
    stored = arrow_schema(next((part.build.stored_columns for part in rows.parts), None))
    types = feature_types(stored)
    if rows.form.classes and "label" in types:
        types["label"] = {"_type": "ClassLabel", "names": list(rows.form.label_names)}
    fields = [stored.field(name) if name in types else pa.field(name, pa.string()) for name in rows.form.columns]
    named = {field.name: types.get(field.name, {"_type": "Value", "dtype": "string"}) for field in fields}
    split = Split(len(rows), with_features(fields, named), rows.stored)
    return split, tuple(source_of(part.build) for part in rows.parts)


def _of_huggingface(dataset: Any) -> Opened:
    schema = dataset.features.arrow_schema
    types = feature_types(schema)

    def read(start: int, stop: int, names: Sequence[str]) -> pa.Table:
        return _with_bytes(dataset.select_columns(list(names)).with_format("arrow")[start:stop], types)

    split = Split(len(dataset), with_features(list(schema), types), read)
    return split, sources_of(dataset.info.description or "", split)


def _of_stream(dataset: Any) -> Opened:
    """Write the rows of a stream down first: a format has to know how many they are, and goes through them again.

    The file has no name, so it is gone with this process, whatever ends it.
    """
    if dataset.features is None:
        raise UsageError("export: expected a stream with features, found none. Cast it, or load without streaming=True")
    schema = dataset.features.arrow_schema
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the map below needs it open
        with pa.ipc.new_stream(pa.PythonFile(file, "w"), schema) as writer:
            for row in dataset.with_format(None).decode(False):
                writer.write_batch(pa.RecordBatch.from_pylist([row], schema))
        file.flush()
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if not is_full(error):
            raise
        raise refused(Path(tempfile.gettempdir()), error, "A stream is written there first.") from error
    split, _ = _of_table(pa.ipc.open_stream(pa.py_buffer(held)).read_all())
    return split, sources_of(dataset.info.description or "", split)


def _with_bytes(table: pa.Table, types: Mapping[str, Any]) -> pa.Table:
    """Read files that rows name and do not hold: what a user adds to a dataset may lie anywhere on this machine."""
    if not any(_is_named_only(table.column(name), types[name]) for name in table.column_names):
        return table
    from datasets.table import embed_table_storage

    return embed_table_storage(table)


def _is_named_only(column: pa.ChunkedArray, feature: Any) -> bool:
    if is_file(feature):
        held, path = pc.struct_field(column, ["bytes"]), pc.struct_field(column, ["path"])
        return bool(pc.any(pc.and_(pc.is_null(held), pc.is_valid(path))).as_py())
    if isinstance(feature, Mapping) and not isinstance(feature.get("_type"), str):
        return any(_is_named_only(pc.struct_field(column, [name]), kind) for name, kind in feature.items())
    return False


def _of_table(table: pa.Table) -> Opened:
    def read(start: int, stop: int, names: Sequence[str]) -> pa.Table:
        return table.select(list(names)).slice(start, stop - start)

    split = Split(len(table), with_features(list(table.schema), feature_types(table.schema)), read)
    return split, sources_of("", split)


def _from_pandas(frame: Any) -> pa.Table:
    """Give a data frame its stored types back: categories become numbers again."""
    stored = arrow_schema()
    types = feature_types(stored)
    if "label" in frame.columns and hasattr(frame["label"], "cat"):
        types["label"] = {"_type": "ClassLabel", "names": list(frame["label"].cat.categories)}
        codes = frame["label"].cat.codes.astype("Int64")
        frame = frame.assign(label=codes.mask(codes < 0))
    names = [str(name) for name in frame.columns]
    known = [name for name in names if name in types]
    others = pa.Table.from_pandas(frame.drop(columns=known), preserve_index=False)
    texts = pa.large_string()
    fields = [column.with_type(pa.string() if column.type == texts else column.type) for column in others.schema]
    others = others.cast(pa.schema(fields))
    columns = {name: pa.array(frame[name].to_list(), stored.field(name).type, from_pandas=True) for name in known}
    table = pa.table({name: columns[name] if name in known else others.column(name) for name in names})
    types |= feature_types(others.schema)
    return table.replace_schema_metadata(with_features(list(table.schema), types).metadata)
