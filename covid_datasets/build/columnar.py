"""Python rows to Arrow batches through plain buffers.

``pyarrow.array`` would import pandas where it is installed, which costs more time and memory than writing a shard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_NUMPY = {"double": "float64", "float": "float32", "date32[day]": "int32", "timestamp[s]": "int64"}
"""Arrow's names of types that NumPy calls otherwise."""


def record_batch(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Make a batch of rows, given as dictionaries; a key that is missing is a null.

    >>> record_batch([{"a": "x"}, {}], pa.schema([("a", pa.string())])).to_pydict()
    {'a': ['x', None]}
    """
    arrays = [arrow_array([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def arrow_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Make an array of texts, bytes, numbers, truth values, days, times, lists or structs; ``None`` is null."""
    here = np.fromiter((value is not None for value in values), dtype=bool, count=len(values))
    nulls = len(values) - int(here.sum())
    valid = None if nulls == 0 else _bits(here)
    if pa.types.is_struct(kind):
        children = [arrow_array([value and value.get(field.name) for value in values], field.type) for field in kind]
        return pa.Array.from_buffers(kind, len(values), [valid], nulls, children=children)
    if pa.types.is_list(kind):
        child = arrow_array([item for value in values if value is not None for item in value], kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [valid, _offsets(values, len)], nulls, children=[child])
    if pa.types.is_string(kind):
        values = [value.encode() if value is not None else None for value in values]
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        data = pa.py_buffer(b"".join(value for value in values if value is not None))
        return pa.Array.from_buffers(kind, len(values), [valid, _offsets(values, len), data], nulls)
    if pa.types.is_boolean(kind):
        truth = np.fromiter((bool(value) for value in values), dtype=bool, count=len(values))
        return pa.Array.from_buffers(kind, len(values), [valid, _bits(truth)], nulls)
    if pa.types.is_date32(kind):
        values = [None if value is None else value.toordinal() - EPOCH.toordinal() for value in values]
    elif pa.types.is_timestamp(kind):
        values = [None if value is None else (value - EPOCH) // _SECOND for value in values]
    plain = (0 if value is None else value for value in values)  # not "or": that would make 0.0 of -0.0
    numbers = np.fromiter(plain, dtype=_NUMPY.get(str(kind), str(kind)), count=len(values))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)], nulls)


def _bits(truth: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.packbits(truth, bitorder="little"))


def _offsets(values: Sequence[Any], size: Callable[[Any], int]) -> pa.Buffer:
    """Ends of variable-length values; a batch is bounded far below what 32 bits can count."""
    ends = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(
        np.fromiter((0 if value is None else size(value) for value in values), np.int64, len(values)), out=ends[1:]
    )
    if ends[-1] >= 1 << 31:
        raise OverflowError(f"a batch of {int(ends[-1]):,} bytes does not fit one Arrow array; the limit is 2 GiB")
    return pa.py_buffer(ends.astype(np.int32))
