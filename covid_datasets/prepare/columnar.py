"""Python rows to Arrow batches through plain buffers.

``pyarrow.array`` would import pandas where it is installed, which costs more time and memory than writing a shard.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence, Sized
from datetime import datetime, timedelta
from itertools import accumulate
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
    # A batch has few rows and many columns, so plain Python is quicker here than NumPy and its set-up.
    here = [value is not None for value in values]
    nulls = here.count(False)
    if nulls == len(values):  # most columns of most sources
        return pa.nulls(len(values), kind)
    valid = _bits(here) if nulls else None
    if pa.types.is_struct(kind):
        children = [arrow_array([value and value.get(field.name) for value in values], field.type) for field in kind]
        return pa.Array.from_buffers(kind, len(values), [valid], nulls, children=children)
    if pa.types.is_list(kind):
        lists = [() if value is None else value for value in values]
        child = arrow_array([item for value in lists for item in value], kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [valid, _offsets(lists)], nulls, children=[child])
    if pa.types.is_string(kind):
        values = [b"" if value is None else value.encode() for value in values]
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        data = [value or b"" for value in values]
        return pa.Array.from_buffers(kind, len(values), [valid, _offsets(data), _joined(data)], nulls)
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, len(values), [valid, _bits([bool(value) for value in values])], nulls)
    if pa.types.is_date32(kind):
        values = [None if value is None else value.toordinal() - EPOCH.toordinal() for value in values]
    elif pa.types.is_timestamp(kind):
        values = [None if value is None else (value - EPOCH) // _SECOND for value in values]
    plain = [0 if value is None else value for value in values]  # not "or": that would make 0.0 of -0.0
    numbers = np.array(plain, dtype=_NUMPY.get(str(kind), str(kind)))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)], nulls)


def whole_numbers(values: np.ndarray) -> pa.Array:
    """Make an array of 64-bit numbers, such as those of rows, of one of NumPy; nothing is copied.

    >>> whole_numbers(np.arange(3)).to_pylist()
    [0, 1, 2]
    """
    numbers = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def is_known(column: pa.ChunkedArray) -> np.ndarray:
    """Tell of each value whether it is not null, without pandas.

    >>> is_known(pa.chunked_array([arrow_array([1, None], pa.int64()), arrow_array([3], pa.int64())])).tolist()
    [True, False, True]
    """
    found = [np.empty(0, bool)]
    for chunk in column.is_valid().chunks:
        bits = np.unpackbits(np.frombuffer(chunk.buffers()[1], np.uint8), bitorder="little")
        found.append(bits[chunk.offset : chunk.offset + len(chunk)].astype(bool))
    return np.concatenate(found)


def _bits(truth: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(truth, bitorder="little"))


def _joined(values: Sequence[bytes | memoryview]) -> pa.Buffer:
    """Put values together; those that lie side by side in one memory already are not copied."""
    if all(isinstance(value, memoryview) for value in values):
        buffers = [pa.py_buffer(value) for value in values]
        ends = [buffer.address + buffer.size for buffer in buffers]
        if ends[:-1] == [buffer.address for buffer in buffers[1:]]:
            whole = pa.py_buffer(values[0].obj)  # type: ignore[union-attr]
            return whole.slice(buffers[0].address - whole.address, ends[-1] - buffers[0].address)
    return pa.py_buffer(b"".join(values))


def _offsets(values: Sequence[Sized]) -> pa.Buffer:
    """Ends of variable-length values; a batch is bounded far below what 32 bits can count."""
    try:
        return pa.py_buffer(array("i", accumulate(map(len, values), initial=0)))
    except OverflowError as error:
        total = sum(map(len, values))
        raise OverflowError(f"a batch of {total:,} bytes does not fit one Arrow array; the limit is 2 GiB") from error
