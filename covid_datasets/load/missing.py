"""What stands for an unknown value where there is no null: in TensorFlow, and in files made for it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

UNLABELLED = -1
"""The label that nobody told."""


def missing(kind: pa.DataType) -> Any:
    """Return what stands for null: NaN, the least whole number of a type, -1 beside 0 and 1, an empty text.

    >>> missing(pa.float64()), missing(pa.int32()), missing(pa.bool_()), missing(pa.string()), missing(pa.binary())
    (nan, -2147483648, -1, '', b'')
    """
    if pa.types.is_boolean(kind):
        return -1
    if pa.types.is_unsigned_integer(kind):
        return -(1 << 63)
    if pa.types.is_integer(kind):
        return -(1 << (kind.bit_width - 1))
    if pa.types.is_floating(kind):
        return float("nan")
    return b"" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else ""
