"""Encoded images in a form that TensorFlow decodes to the stored values: as they are wherever it can read them."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from covid_datasets.load.rows import decode_array
from covid_datasets.read.encode import decode_deep, encode, is_hounsfield

OFFSET = 1 << 15
"""What is added to values with a sign, so that they become values without one: HU -1000 is stored as 31768."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_CHANNELS = {"1": 1, "L": 1, "I": 1, "I;16": 1, "I;16B": 1, "LA": 2, "RGB": 3, "P": 3, "CMYK": 3, "RGBA": 4}


class UnfitImageError(ValueError):
    """No form that TensorFlow reads holds this image; the message says what was found."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the header of an encoded image says.

    Attributes:
        form: "PNG", "JPEG", "TIFF", …
        readable: Whether TensorFlow decodes these bytes, through the Image feature of tfds, to what they show.
        deep: Whether it has more than 8 bits a value.
        signed: Whether its values have a sign: Hounsfield units.
        channels: How many values a pixel has; 0 where the header does not say.
    """

    form: str
    readable: bool
    deep: bool
    signed: bool
    channels: int


def look(data: bytes | memoryview) -> Look:
    """Read the header of an encoded image.

    >>> look(encode(np.zeros((2, 3), np.int16)))
    Look(form='TIFF', readable=False, deep=True, signed=True, channels=1)
    """
    view = memoryview(data).cast("B")  # a buffer of Arrow has signed bytes
    head = bytes(view[:26])
    if head[:8] == _PNG and head[12:16] == b"IHDR" and len(head) == 26:
        depth, colour = head[24:]
        channels = 0 if colour == 3 else _PNG_CHANNELS.get(colour, 0)  # nothing says yet whether a palette has holes
        return Look("PNG", True, depth == 16 and colour == 0, False, channels)
    if channels := _jpeg_channels(view):
        return Look("JPEG", True, False, False, channels)
    try:
        image = Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnfitImageError(f"{len(data):,} bytes that are no image which Pillow knows") from error
    if image.mode not in _CHANNELS:
        raise UnfitImageError(f"{image.format} of mode {image.mode}")
    deep = image.mode.startswith("I")
    return Look(str(image.format), False, deep, deep and is_hounsfield(image), _CHANNELS[image.mode])


def _jpeg_channels(data: memoryview) -> int:
    """Tell how many values a pixel of a JPEG has, from its frame header; 0 of what TensorFlow would not read."""
    at = 2 if bytes(data[:3]) == b"\xff\xd8\xff" else len(data)
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[at + 9] if data[at + 4] == 8 and data[at + 9] in (1, 3) else 0
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return 0


def fit(data: bytes, *, deep_channels: int = 0) -> bytes:
    """Return an image that the Image feature of tfds decodes: the same bytes where it can, else a PNG of the values.

    Args:
        data: An encoded image.
        deep_channels: How many values of 16 bits a pixel has in the feature. All of its images then have so many, with
            their values unchanged: grey in colour, and opaque where others are transparent. 0 where it has 8 bits.
    """
    found = look(data)
    deep = deep_channels > 0
    if found.readable and found.deep == deep and (not deep or found.channels == deep_channels):
        return data
    values = _values(data, found)
    if not deep:
        if values.dtype == np.uint8 and (values.ndim == 2 or values.shape[2] == 3):
            return encode(values)
        raise UnfitImageError(f"{found.form} of {values.dtype} and shape {values.shape}")
    whole_bytes = values.dtype == np.uint8
    if values.dtype == np.int16:
        values = values.astype(np.int32) + OFFSET
    if not np.issubdtype(values.dtype, np.integer) or values.min(initial=0) < 0 or values.max(initial=0) >= 1 << 16:
        raise UnfitImageError(f"{found.form} with values of {values.dtype} that 16 bits do not hold")
    return png16(_spread(values.astype(np.uint16), deep_channels, opaque=255 if whole_bytes else 65535))


def _spread(values: np.ndarray, channels: int, opaque: int) -> np.ndarray:
    """Give an image as many channels as all have: grey in colour, and opaque where others have transparency."""
    planes = [values] if values.ndim == 2 else list(np.moveaxis(values, -1, 0))
    colours, transparency = (planes[:-1], planes[-1:]) if len(planes) in (2, 4) else (planes, [])
    if channels == 1:
        return colours[0]
    colours = colours * 3 if len(colours) == 1 else colours
    transparency = transparency or [np.full_like(colours[0], opaque)]
    return np.stack([*colours, *transparency][:channels], axis=-1)


def _values(data: bytes, found: Look) -> np.ndarray:
    if (stored := decode_deep(data)) is not None:
        return stored
    try:
        image = Image.open(io.BytesIO(data))
        if image.mode == "CMYK":
            return np.asarray(image.convert("RGB"))
        values = decode_array(data)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnfitImageError(f"{found.form} that cannot be decoded: {error}") from error
    return values.astype(np.uint8) * 255 if values.dtype == bool else values


def png16(values: np.ndarray) -> bytes:
    """Write a PNG of 16 bits a value, grey or in colour, which Pillow writes in grey only.

    Each line is stored as its difference from the one above, which compresses well and takes no search.

    >>> np.asarray(Image.open(io.BytesIO(png16(np.array([[3000, 65535]], np.uint16))))).tolist()
    [[3000, 65535]]
    """
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    colour = {count: kind for kind, count in _PNG_CHANNELS.items() if kind != 3}[channels]
    lines = np.ascontiguousarray(values, ">u2").view(np.uint8).reshape(height, -1)
    filtered = np.full((height, lines.shape[1] + 1), 2, np.uint8)
    filtered[:1, 1:] = lines[:1]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.data, 1)), (b"IEND", b""))
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
        for name, body in chunks
    )
