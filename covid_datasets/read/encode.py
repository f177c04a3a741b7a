"""Encode a part of a volume or video as an image that every reader of images decodes to the same values."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets.read.packed import inner_digest
from covid_datasets.read.png import read_png, write_png

_SHORT, _LONG = 3, 4
_FORMATS = {np.dtype(np.uint16): 1, np.dtype(np.int16): 2}
"""What a TIFF calls a value with and without a sign."""
_TIFF = b"II*\0"
_HEADER_BYTES = 8 + 2 + 10 * 12 + 4


def encode(pixels: np.ndarray) -> bytes:
    """Encode 16-bit values as TIFF without compression, 8-bit grey or colour as PNG.

    Values with a sign are Hounsfield units; those without are what a detector counted. Both files are written here. No
    version of any library gives other bytes of a TIFF; how a PNG is compressed may differ, so `digest` looks inside.

    >>> encode(np.zeros((2, 3), np.int16))[:2], encode(np.zeros((2, 3), np.uint8))[1:4]
    (b'II', b'PNG')
    """
    if pixels.dtype in _FORMATS and pixels.ndim == 2:
        return _tiff(pixels)
    if pixels.dtype == np.uint8 and (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        return write_png(pixels)
    raise TypeError(
        "expected 16-bit values (rows, columns) or 8-bit values (rows, columns[, 3]), "
        f"found {pixels.dtype} {pixels.shape}"
    )


class Room:
    """Memory that slices are encoded into side by side, and again once they are written.

    To get fresh memory for each slice from the system takes longer than to fill it.

    >>> room = Room(1 << 12)
    >>> air = np.full((20, 30), -1000, np.int16)
    >>> encode_into(air, room) == encode_into(air, room) == encode(air)
    True
    """

    def __init__(self, size: int) -> None:
        self._all = np.empty(size, np.uint8).data
        self._used = 0

    def take(self, size: int) -> memoryview | None:
        """Return the next so many bytes, ``None`` where there are not so many."""
        if size > len(self._all) - self._used:
            return None
        self._used += size
        return self._all[self._used - size : self._used]

    def clear(self) -> None:
        """Begin again: what was taken may be overwritten from now on."""
        self._used = 0


def encode_into(pixels: np.ndarray, room: Room | None) -> bytes | memoryview:
    """Do what `encode` does, for a slice of 16 bits in a room where there is one with place for it."""
    if room is None or pixels.dtype not in _FORMATS or pixels.ndim != 2:
        return encode(pixels)
    place = room.take(_HEADER_BYTES + 2 * pixels.size)
    if place is None:
        return encode(pixels)
    place[:_HEADER_BYTES] = _header(pixels.shape[0], pixels.shape[1], pixels.dtype)
    values = np.frombuffer(place, pixels.dtype.newbyteorder("<"), offset=_HEADER_BYTES)
    np.copyto(values.reshape(pixels.shape), pixels)
    return place


def extension(pixels: np.ndarray) -> str:
    """Name the extension that `encode` gives."""
    return ".tiff" if pixels.dtype in _FORMATS else ".png"


def digest(data: bytes | memoryview, pixels: np.ndarray | None = None) -> str:
    """Return the SHA-256 of the bytes of a file; of the pixels, where `encode` compressed them; of what `pack` packed.

    So equal contents have one digest, whatever compressed them where. ``pixels`` are what `encode` was given, if there.

    >>> pixels = np.zeros((2, 3), np.uint8)
    >>> digest(encode(pixels)) == digest(encode(pixels), pixels) != hashlib.sha256(encode(pixels)).hexdigest()
    True
    """
    if pixels is None and (inner := inner_digest(data)):
        return inner
    pixels = read_png(data) if pixels is None else pixels
    if pixels is None or pixels.dtype != np.uint8:
        return hashlib.sha256(data).hexdigest()
    shape = " x ".join(map(str, pixels.shape))
    return hashlib.sha256(f"{shape} pixels: ".encode() + pixels.tobytes()).hexdigest()


def is_hounsfield(image: Image.Image) -> bool:
    """Tell whether a decoded image is a slice that `encode` wrote: signed 16-bit values, Hounsfield units."""
    tags = getattr(image, "tag_v2", {})
    return image.mode == "I" and (tags.get(258), tags.get(339)) == ((16,), (_FORMATS[np.dtype(np.int16)],))


def decode_deep(data: bytes) -> np.ndarray | None:
    """Return the values of a TIFF that `encode` wrote, as fast as memory copies; ``None`` for any other file.

    >>> decode_deep(encode(np.array([[-1024, 40]], np.int16))), decode_deep(b"II*")
    (array([[-1024,    40]], dtype=int16), None)
    """
    if len(data) < _HEADER_BYTES or data[:4] != _TIFF:  # told from four bytes: most images are none of ours
        return None
    width, height = struct.unpack_from("<I8xI", data, 18)
    for kind in _FORMATS:
        if data[:_HEADER_BYTES] == _header(height, width, kind) and len(data) == _HEADER_BYTES + 2 * height * width:
            stored = np.frombuffer(data, kind.newbyteorder("<"), offset=_HEADER_BYTES)
            return stored.reshape(height, width).astype(kind)
    return None


def _tiff(pixels: np.ndarray) -> bytes:
    """Write the one kind of TIFF that we need: a header of fixed size, then the values, as fast as memory copies."""
    values = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    return b"".join((_header(pixels.shape[0], pixels.shape[1], pixels.dtype), values.data))


def _header(height: int, width: int, kind: np.dtype[Any]) -> bytes:
    entries = (
        (256, _LONG, width),
        (257, _LONG, height),
        (258, _SHORT, 16),  # bits
        (259, _SHORT, 1),  # no compression
        (262, _SHORT, 1),  # larger is brighter
        (273, _LONG, _HEADER_BYTES),  # where the values begin
        (277, _SHORT, 1),  # channels
        (278, _LONG, height),  # rows in the only strip
        (279, _LONG, 2 * height * width % (1 << 32)),
        (339, _SHORT, _FORMATS[kind]),
    )
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + fields + bytes(4)
