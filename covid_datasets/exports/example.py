"""``tf.train.Example`` written by hand: the few bytes of Protocol Buffers that it takes, without TensorFlow.

An example is a mapping from keys to lists of whole numbers, of 32-bit floats or of bytes. Every function returns the
bytes of one entry of that mapping, and `example` puts the entries together. A list keeps its kind where it is empty,
because a reader that expects texts refuses an empty list of numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

LIMIT = (1 << 31) - 1
"""How long a message of Protocol Buffers may be, in bytes; TensorFlow parses no longer one."""
_VALUE, _PAIR_VALUE = b"\x0a", b"\x12"
_BYTES, _FLOATS, _INTS = b"\x0a", b"\x12", b"\x1a"


def varint(number: int) -> bytes:
    """Write a whole number in groups of seven bits, the lowest first.

    >>> varint(300).hex(), len(varint(-1))
    ('ac02', 10)
    """
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def ints(key: str, values: Sequence[int]) -> bytes:
    """Write an entry of whole numbers.

    >>> ints("label", [1]).hex()
    '0a0e0a056c6162656c12051a030a0101'
    """
    packed = b"".join(map(varint, values))
    return _entry(key, _INTS, _VALUE + varint(len(packed)) + packed if values else b"")


def floats(key: str, values: Sequence[float]) -> bytes:
    """Write an entry of floats; each is rounded to 32 bits, which is all that the format has."""
    packed = struct.pack(f"<{len(values)}f", *values)
    return _entry(key, _FLOATS, _VALUE + varint(len(packed)) + packed if values else b"")


def texts(key: str, values: Sequence[bytes]) -> bytes:
    """Write an entry of bytes: texts in UTF-8, or files as they are."""
    return _entry(key, _BYTES, b"".join(part for value in values for part in (_VALUE, varint(len(value)), value)))


def example(entries: Sequence[bytes]) -> bytes:
    """Put entries together to one example."""
    return b"".join((b"\x0a", varint(sum(map(len, entries))), *entries))


def _entry(key: str, kind: bytes, values: bytes) -> bytes:
    name = key.encode()
    head = b"".join((_VALUE, varint(len(name)), name, _PAIR_VALUE))
    inner = kind + varint(len(values))
    size = len(inner) + len(values)
    whole = varint(size)
    return b"".join((b"\x0a", varint(len(head) + len(whole) + size), head, whole, inner, values))
