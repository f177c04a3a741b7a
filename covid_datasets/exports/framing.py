"""The file format TFRecord: records one after the other, each with its length and with checksums of both."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from covid_datasets.errors import DamagedFileError, MissingExtraError
from covid_datasets.extras import need

OVERHEAD = 16
"""Bytes that a record takes beside its content."""


@lru_cache(maxsize=1)
def checksums() -> Any:
    """Return the module that computes CRC-32C, where it does so in compiled code.

    Raises:
        MissingExtraError: It is not installed, or only in pure Python, which is two thousand times slower.
    """
    need("google_crc32c")
    import google_crc32c

    if google_crc32c.implementation != "c":
        raise MissingExtraError(
            "google_crc32c: expected its compiled implementation, found 'python', which takes minutes for each "
            "gigabyte. Next: install a wheel of it for this system: pip install --force-reinstall google-crc32c"
        )
    return google_crc32c


def masked(checksum: int) -> int:
    """Turn a checksum into the form that TFRecord stores, so that data with checksums in it has one of its own.

    >>> hex(masked(0xE3069283))
    '0xc78ab0e5'
    """
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write_record(file: IO[bytes], payload: bytes) -> int:
    """Append a record and return how many bytes it takes."""
    crc = checksums().value
    length = struct.pack("<Q", len(payload))
    file.write(length + struct.pack("<I", masked(crc(length))))
    file.write(payload)
    file.write(struct.pack("<I", masked(crc(payload))))
    return len(payload) + OVERHEAD


def record_lengths(path: Path) -> Iterator[int]:
    """Go through a file from length to length, without reading what the records hold.

    Raises:
        DamagedFileError: The file ends within a record, or a length does not fit its checksum.
    """
    crc, size, at = checksums().value, path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            head = file.read(12)
            length, found = struct.unpack("<QI", head) if len(head) == 12 else (0, -1)
            if found != masked(crc(head[:8])) or at + length + OVERHEAD > size:
                raise DamagedFileError(f"{path}: expected a whole record at byte {at:,}, found a broken one")
            yield length
            at += length + OVERHEAD
            file.seek(at)
