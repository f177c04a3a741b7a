"""Rows of one split as batches of stored columns, bounded in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BATCH_ROWS = 1024
BATCH_BYTES = 32 << 20
"""What a batch may hold at most, where it has more than one row: memory is bounded by it, and by the largest row."""
_ROW_BYTES = 1024
"""About what a row takes beside its files."""
_OF_ANY_LENGTH = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string, pa.types.is_large_string)


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of one split. ``read`` gives those from ``start`` to ``stop`` as a table, without copying their bytes."""

    rows: int
    schema: pa.Schema
    read: Callable[[int, int, Sequence[str]], pa.Table]

    def batches(self, size: int = BATCH_ROWS, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, at most ``size`` of them and about `BATCH_BYTES` at a time."""
        names = list(self.schema.names if columns is None else columns)
        schema = pa.schema([self.schema.field(name) for name in names], self.schema.metadata)
        for start in range(0, self.rows, size):
            block = self.read(start, min(start + size, self.rows), names)
            ends = np.cumsum(_row_bytes(block))
            done = 0
            while done < len(block):
                before = int(ends[done - 1]) if done else 0
                stop = max(int(np.searchsorted(ends, before + BATCH_BYTES, side="right")), done + 1)
                yield _one_batch(block.slice(done, stop - done), schema)
                done = stop

    def bytes(self) -> int:
        """About how many bytes the rows take, from the lengths of their files; no file is read for it."""
        files = [column.name for column in self.schema if _holds_bytes(column.type)]
        names, rest = (files, _ROW_BYTES) if files else (self.schema.names, 0)
        starts = range(0, self.rows, BATCH_ROWS)
        blocks = (self.read(start, min(start + BATCH_ROWS, self.rows), names) for start in starts)
        return sum(int(_row_bytes(block).sum()) for block in blocks) + rest * self.rows


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or (pa.types.is_struct(kind) and any(_holds_bytes(each.type) for each in kind))


def _row_bytes(table: pa.Table) -> np.ndarray:
    """Count the bytes of each row in its files and texts, from their offsets alone."""
    total = np.full(len(table), 8 * table.num_columns, dtype=np.int64)
    for column in table.columns:
        for values in _leaves(column):
            total += pc.fill_null(pc.binary_length(values), 0).to_numpy()
    return total


def _leaves(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    kind = column.type
    if pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _leaves(pc.struct_field(column, [number]))
    elif any(is_kind(kind) for is_kind in _OF_ANY_LENGTH):
        yield column


def _one_batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_one_array(column).cast(wanted.type) for column, wanted in zip(table.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
