"""A file that was made here, such as the mask of a volume, packed as gzip, and the hash of what is inside.

A mask takes a byte a voxel and a thousandth of that when it is packed: unpacked, four of them would be several times as
large as their volume. How it is compressed is no promise: other machines may write other bytes.
"""

from __future__ import annotations

import hashlib
import struct
import zlib

from covid_datasets.read.inflate import TornError, engine, gzip_pieces

MARK = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x04\0CD\0\0"
"""A gzip header with a field of ours: tells what was packed here from a file of a publisher, whose bytes count."""


def pack(data: bytes) -> bytes:
    """Pack a file as gzip, without a name or a date.

    >>> import gzip
    >>> gzip.decompress(pack(b"a mask")), len(pack(bytes(10_000))) < 100
    (b'a mask', True)
    """
    packer = engine().compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    end = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"".join((MARK, packer.compress(data), packer.flush(), end))


def inner_digest(data: bytes | memoryview) -> str | None:
    """Return the SHA-256 of what is inside of a file that `pack` wrote; ``None`` of any other file, or a torn one.

    >>> inner_digest(pack(b"a mask")) == hashlib.sha256(b"packed: a mask").hexdigest(), inner_digest(b"a mask")
    (True, None)
    """
    if data[: len(MARK)] != MARK:
        return None
    digest = hashlib.sha256(b"packed: ")
    try:
        for piece in gzip_pieces(bytes(data)):
            digest.update(piece)
    except TornError:
        return None
    return digest.hexdigest()
