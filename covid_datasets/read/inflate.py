"""Bytes of a volume as they come out of their compression: piece by piece, counted, and all of them or an error."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Generator, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from covid_datasets.read.bounds import MAX_VOLUME_BYTES
from covid_datasets.read.volume import VolumeHeader

CHUNK = 1 << 17
"""Compressed bytes inflated at once; what comes of them is copied while it is in the cache of a core."""
MAX_PIECE = 1 << 22
"""Bytes that come of them at most; a bomb gives a thousand times what goes in."""
GZIP = b"\x1f\x8b"

Piece = bytes | memoryview


class TornError(ValueError):
    """What was compressed is not whole; the message says how. Readers turn it into a `DamagedFileError`."""


def gzip_pieces(data: bytes) -> Iterator[Piece]:
    """Yield what is inside a gzip file of one or more members, or the data itself where it is none.

    A file that is torn, whose checksum is wrong, or that goes on with something else is an error.
    """
    left = memoryview(data)
    if not data.startswith(GZIP):
        yield left
        return
    while left and any(left[:2]):
        if left[:2] != GZIP:
            raise TornError(f"the last {len(left):,} bytes are no part of the gzip file")
        left = yield from _member(left, zlib.MAX_WBITS | 16, "gzip file")
    if any(left):
        raise TornError(f"the last {len(left):,} bytes are no part of the gzip file")


def zlib_pieces(data: memoryview) -> Iterator[Piece]:
    """Yield what is inside a zlib stream that fills the data; a gzip file in its place is read too."""
    left = yield from _member(data, zlib.MAX_WBITS | (16 if data[:2] == GZIP else 0), "zlib stream")
    if any(left):
        raise TornError(f"the last {len(left):,} bytes are no part of the zlib stream")


def _member(left: memoryview, bits: int, what: str) -> Generator[Piece, None, memoryview]:
    """Yield what one compressed stream holds, and return what comes behind it."""
    member: Any = engine().decompressobj(bits)
    piece: bytes | None = None
    while not member.eof and (left or piece):
        chunk = left[:CHUNK]
        try:
            piece = member.decompress(chunk, MAX_PIECE)
        except (zlib.error, engine().error, OSError, EOFError, ValueError) as error:
            raise TornError(str(error) or type(error).__name__) from error
        left = left[len(chunk) - len(member.unconsumed_tail) - len(member.unused_data) :]
        yield piece or b""
    if not member.eof:
        raise TornError(f"the {what} ends too early")
    return left


def engine() -> ModuleType:
    """Find what packs and unpacks: ``isal`` where it is installed, several times as fast as the standard library."""
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return zlib


def held(header: VolumeHeader, pieces: Iterator[Piece]) -> tuple[np.ndarray, int]:
    """Return all voxels as they are stored, and how many bytes are behind them.

    Written piece by piece, so that neither a header that lies nor a bomb takes more memory than the file gives.
    """
    whole, found = np.empty(header.bytes, np.uint8), 0
    for piece in pieces:
        view = memoryview(piece)[max(header.offset - found, 0) :]
        at = max(found - header.offset, 0)
        kept = np.frombuffer(view[: max(len(whole) - at, 0)], np.uint8)
        whole[at : at + len(kept)] = kept
        found = _counted(found, piece)
    check_all_there(header, found)
    whole.flags.writeable = False
    return whole.view(header.dtype).reshape(header.shape), found - header.end


def planes(header: VolumeHeader, pieces: Iterator[Piece]) -> Generator[np.ndarray, None, int]:
    """Yield slice after slice as it is stored, and return how many bytes are behind them."""
    rows, columns = header.shape[1:]
    size = rows * columns * header.dtype.itemsize
    plane, filled, found = np.empty(size, np.uint8), 0, 0
    for piece in pieces:
        view = memoryview(piece)
        at = min(max(header.offset - found, 0), len(view))
        end = min(header.end - found, len(view))
        while at < end:
            kept = np.frombuffer(view[at : min(at + size - filled, end)], np.uint8)
            plane[filled : filled + len(kept)] = kept
            at, filled = at + len(kept), filled + len(kept)
            if filled == size:
                yield plane.view(header.dtype).reshape(rows, columns)
                plane, filled = np.empty(size, np.uint8), 0
        found = _counted(found, piece)
    check_all_there(header, found)
    return found - header.end


def _counted(found: int, piece: Piece) -> int:
    if found + len(piece) > MAX_VOLUME_BYTES:
        raise TornError(f"more than {MAX_VOLUME_BYTES:,} bytes come out of it")
    return found + len(piece)


def check_all_there(header: VolumeHeader, found: int) -> None:
    """Raise where fewer bytes were found than the header promises."""
    if found < header.end:
        what = f"the header promises {header.end:,} (shape {header.shape} of {header.dtype})"
        raise TornError(f"{found:,} bytes inflated, {what}")
