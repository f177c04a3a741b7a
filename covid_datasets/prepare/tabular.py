"""Tables without images in the same spine: a record is many rows, checked, digested and written as they are.

A place on a day is no patient, so nothing is assigned, judged or compared: the columns are those of the card, and one
row of the index stands for all rows of a record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.errors import DamagedFileError, InvalidRecordError
from covid_datasets.features import arrow_schema
from covid_datasets.prepare.columnar import arrow_array
from covid_datasets.prepare.contents import CheckedFiles
from covid_datasets.prepare.pieces import PARTS, PieceWriter, Task
from covid_datasets.schema import Notice, Record, Rows


def write_tables(task: Task) -> int:
    """Write one piece of a table: the rows of its records; return its number."""
    piece = PieceWriter(task, arrow_schema(task.columns))
    with piece.open() as sink:
        held, size = list[pa.Table](), 0
        for number, record in task.piece.rows:
            for item in record_rows(task, record):
                if isinstance(item, Notice):
                    piece.notices.append(item)
                    continue
                held.append(item)
                piece.index.append(_index_row(task.dataset, number, record, item))
                size += piece.index[-1]["bytes"]
            if size >= task.batch_bytes:
                sink.write_table(pa.concat_tables(held).combine_chunks())
                held, size = [], 0
        if held:
            sink.write_table(pa.concat_tables(held).combine_chunks())
    return task.piece.number


def record_rows(task: Task, record: Record) -> Iterator[pa.Table | Notice]:
    """Yield what is odd about a record, then all its rows as one table; none where its files are damaged."""
    rows, schema = record.rows, arrow_schema(task.columns)
    assert isinstance(rows, Rows)
    batches: list[pa.Table] = []
    try:
        for item in rows.function(CheckedFiles(task.raw), *rows.arguments):
            if isinstance(item, Notice):
                yield item
            else:
                batches.append(_checked(item, schema, f"builder {task.dataset}, record {record.sample_id!r}"))
    except DamagedFileError as error:
        yield Notice("damaged file", rows.path, str(error), dropped=True, lost=True)
        return
    yield pa.concat_tables([pa.Table.from_batches([], schema), *batches]).combine_chunks()


def table_rows(task: Task) -> Iterator[dict[str, Any] | Notice]:
    """Yield the rows of a piece one by one, for who streams them."""
    for _, record in task.piece.rows:
        for item in record_rows(task, record):
            if isinstance(item, Notice):
                yield item
            else:
                for batch in item.to_batches(max_chunksize=1024):
                    yield from batch.to_pylist()


def table_digest(table: pa.Table) -> str:
    """Digest the values of a table: the same for any cut into batches, and on every machine and release of Arrow.

    >>> table = pa.table({"deaths": [1, None, 3], "place": ["a", "b", None]})
    >>> table_digest(table) == table_digest(pa.concat_tables([table[:1], table[1:]]))
    True
    >>> table_digest(table) == table_digest(table[1:])
    False
    """
    digest = hashlib.sha256(f"{table.num_rows} rows\n".encode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        parts = [hashlib.sha256() for _ in range(3)]
        for chunk in column.chunks:
            for part, values in zip(parts, _buffers(chunk), strict=True):
                part.update(values)
        sums = " ".join(part.hexdigest() for part in parts)
        digest.update(f"{name} {column.type}: {sums}\n".encode())
    return digest.hexdigest()


def _buffers(chunk: pa.Array) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return which values are there, the values or the lengths of texts, and the texts, as plain bytes.

    What Arrow keeps under a null is not defined, so it counts as zero, or as the empty text.
    """
    here = _bits(chunk.buffers()[0], chunk) if chunk.null_count else np.ones(len(chunk), np.uint8)
    if not pa.types.is_string(chunk.type):
        values = _values(chunk)
        return here, np.where(here, values, 0) if chunk.null_count else values, b""
    if chunk.null_count:
        import pyarrow.compute as pc  # here, so that loading a finished build does without it

        chunk = pc.fill_null(chunk, "")
    offsets = np.frombuffer(chunk.buffers()[1] or bytes(4), "<i4")[chunk.offset : chunk.offset + len(chunk) + 1]
    return here, np.diff(offsets), memoryview(chunk.buffers()[2] or b"")[int(offsets[0]) : int(offsets[-1])]


def _values(chunk: pa.Array) -> np.ndarray:
    """Return the values of an array as numbers of a fixed width: those of a truth value are 0 and 1."""
    if pa.types.is_boolean(chunk.type):
        return _bits(chunk.buffers()[1], chunk)
    width = chunk.type.bit_width // 8
    return np.frombuffer(chunk.buffers()[1] or b"", f"<i{width}")[chunk.offset : chunk.offset + len(chunk)]


def _bits(buffer: pa.Buffer | None, chunk: pa.Array) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(buffer or b"", np.uint8), bitorder="little")
    return bits[chunk.offset : chunk.offset + len(chunk)]


_PYTHON: dict[str, set[type]] = {
    "string": {str},
    "bool": {bool},
    "int32": {int},
    "int64": {int},
    "double": {float, int},
    "date32[day]": {date},
    "timestamp[s]": {datetime},
}
"""Arrow's name of a type -> the types of its values; a truncated or guessed value is worse than an error."""


def _from_columns(columns: Mapping[str, Any], schema: pa.Schema, where: str) -> pa.Table:
    """Make a table of lists and of single values, which stand in every row."""
    counts = {name: len(values) for name, values in columns.items() if isinstance(values, list)}
    if len(set(counts.values())) != 1 or columns.keys() - set(schema.names):
        raise InvalidRecordError(
            f"{where}: expected lists of one length for columns of {', '.join(schema.names)}, found "
            f"{', '.join(columns)} with lists of {counts or 'no length'}"
        )
    count = next(iter(counts.values()))
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        types = set(map(type, values)) if isinstance(values, list) else {type(values)}
        if wrong := types - _PYTHON[str(field.type)] - {type(None)}:
            found = ", ".join(sorted(each.__name__ for each in wrong))
            raise InvalidRecordError(f"{where}: column {field.name!r}: expected {field.type}, found {found}")
        if isinstance(values, list):
            arrays.append(arrow_array(values, field.type))
        elif values is None:
            arrays.append(pa.nulls(count, field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(values, field.type), count))
    return pa.Table.from_arrays(arrays, schema=schema)


def _checked(found: Mapping[str, Any] | pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """Hold what a function yields against the columns of the card."""
    table = found if isinstance(found, pa.Table) else _from_columns(found, schema, where)
    if not table.schema.equals(schema):
        wanted, have = ({field.name: str(field.type) for field in each} for each in (schema, table.schema))
        wrong = [f"{name}: expected {kind}, found {have.get(name, 'nothing')}" for name, kind in wanted.items()]
        wrong = [line for line, (name, kind) in zip(wrong, wanted.items(), strict=True) if have.get(name) != kind]
        wrong += [f"{name}: expected nothing, found {kind}" for name, kind in have.items() if name not in wanted]
        raise InvalidRecordError(
            f"{where}: rows do not have the columns of the card: {'; '.join(wrong) or 'expected another order'}"
        )
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type) and any(_has_nan(chunk) for chunk in column.chunks):
            raise InvalidRecordError(f"{where}: column {name!r}: expected numbers or nulls, found NaN")
    return table.replace_schema_metadata(schema.metadata)


def _has_nan(chunk: pa.Array) -> bool:
    _, values, _ = _buffers(chunk)
    return bool(np.isnan(values.view("<f8")).any())


def _index_row(dataset: str, number: int, record: Record, table: pa.Table) -> dict[str, Any]:
    """Assemble the row of the index for a record: its id, its digest, and how many stored rows it stands for."""
    return {
        "row": number * PARTS,
        "sample_id": f"{dataset}/{record.sample_id}",
        "ties": [],
        "bytes": table.nbytes,
        "blank": True,
        "row_sha256": table_digest(table),
        "rows": table.num_rows,
    }
