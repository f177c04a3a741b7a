"""The pixels of a slice of CT in Hounsfield units, and where they are in a file whose header was read before."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np
from xxhash import xxh3_128_digest

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import MAX_SLICE_PIXELS
from covid_datasets.read.pixels import NATIVE, Layout, damaged, is_read_alone, pixels_of

AIR = -1024
"""What is darker than air in Hounsfield units is padding around the scan."""
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_PIXELS = 0x00107FE0
"""The element of pixels as it is written, group first."""
_UNDEFINED = 0xFFFFFFFF
_LAST = b"\xfe\xff\xdd\xe0\0\0\0\0"
"""Ends pixels that are compressed."""


@dataclass(frozen=True, slots=True)
class Image:
    """What pixels mean, and where they are in a file whose header was read before.

    Attributes:
        layout: What a stored value is.
        slope: From stored values to Hounsfield units, as is ``intercept``.
        padding: The value that is no image, or both ends of a range of them.
        syntax: How pixels are encoded.
        at: Where they begin; 0 where nobody noted it.
        length: How many bytes they have; ``None`` where they go on to the end.
        head: Digest of all bytes before them: of another header this says nothing.
    """

    layout: Layout
    slope: float
    intercept: float
    padding: tuple[int, ...]
    syntax: str = ""
    at: int = 0
    length: int | None = None
    head: bytes = b""


def noted(image: Image, syntax: str, data: bytes, end: int) -> Image | None:
    """Note where the element is that begins at ``end``; ``None`` where more than its place is needed to read it."""
    implicit = syntax == NATIVE[0]
    tag, kind, length = struct.unpack_from("<I2s2xI" if not implicit else "<I0sI", data.ljust(end + 12), end)
    if tag != _PIXELS or (not implicit and kind not in (b"OW", b"OB")) or not is_read_alone(syntax):
        return None
    what, native = image.layout, syntax in NATIVE
    if length != (what.rows * what.columns * what.channels * what.allocated // 8 if native else _UNDEFINED):
        return None
    at = end + (8 if implicit else 12)
    head = xxh3_128_digest(memoryview(data)[:at])
    return replace(image, syntax=syntax, at=at, length=length if native else None, head=head)


def words_again(data: bytes, path: str, image: Image) -> np.ndarray | None:
    """Read the pixels of a file whose header was read before; ``None`` where it is another, or ends elsewhere."""
    end = len(data) if image.length is None else image.at + image.length
    torn = end > len(data) or (image.length is None and not data.endswith(_LAST))
    if torn or not image.at or xxh3_128_digest(memoryview(data)[: image.at]) != image.head:
        return None
    check_layout(image.layout, data, path)
    pixels = data[image.at :] if image.length is None else memoryview(data)[image.at : end]
    return pixels_of(pixels, image.syntax, image.layout, data, path)


def hounsfield_of(words: np.ndarray, image: Image, path: str) -> np.ndarray:
    """Make Hounsfield units, signed 16-bit, of stored values; padding becomes `AIR`."""
    stored = _meant(words, image.layout)
    outside = _padding(image, words, stored)
    if outside is not None and outside.any():
        stored = np.where(outside, stored[~outside].min() if not outside.all() else 0, stored)
    values = _rescaled(stored, image.slope, image.intercept, path)
    if outside is not None:
        values[outside] = AIR
    return values


def _padding(image: Image, words: np.ndarray, stored: np.ndarray) -> np.ndarray | None:
    """Tell which pixels are padding: those of one value, or of a range; ``None`` where the header names none."""
    what, ends = image.layout, image.padding
    if not ends:
        return None
    # A value with a sign may be written without one and the other way round, as all of its 16 bits or as those stored.
    outside: np.ndarray = (words == ends[0] & 0xFFFF) | (stored == ends[0])
    if len(ends) == 2:
        written = np.array([end & 0xFFFF for end in ends], np.uint16)
        low, high = sorted((_signed(written, 16) if what.signed else written).tolist())
        outside |= (stored >= low) & (stored <= high)
    return outside


def _meant(words: np.ndarray, what: Layout) -> np.ndarray:
    """Read words as values; bits beyond those stored mean something else, such as an overlay."""
    if what.signed:
        return _signed(words, what.stored)
    return words if what.stored == 16 else words & np.uint16((1 << what.stored) - 1)


def _rescaled(stored: np.ndarray, slope: float, intercept: float, path: str) -> np.ndarray:
    """Apply slope and intercept; in 16 bits where that is exact, which it nearly always is."""
    low, high = float(stored.min()), float(stored.max())
    ends = (low * slope + intercept, high * slope + intercept)
    if max(ends) > _HIGH or not np.isfinite(ends).all():
        raise DamagedFileError(
            f"{path}: expected Hounsfield units up to {_HIGH:,}, found {max(ends):,.0f} (slope {slope}, "
            f"intercept {intercept})"
        )
    exact = slope == 1 and intercept.is_integer() and _LOW <= intercept <= _HIGH and min(ends) >= _LOW
    if exact and high <= _HIGH:
        values: np.ndarray = stored.view(np.int16) + np.int16(intercept)  # a bit of the sign is never set
        np.maximum(values, np.int16(AIR), out=values)
        return values
    scaled = stored.astype(np.float64) * slope + intercept
    rounded: np.ndarray = np.rint(np.maximum(scaled, AIR)).astype(np.int16)
    return rounded


def _signed(words: np.ndarray, bits: int) -> np.ndarray:
    """Read unsigned words as signed values of so many bits."""
    spare = 16 - bits
    signed = words.view(np.int16)
    return signed if spare == 0 else (signed << spare) >> spare


def check_layout(what: Layout, data: bytes, path: str) -> None:
    """Raise where pixels are no slice, or more than a slice may have."""
    fits = 1 <= what.rows * what.columns <= MAX_SLICE_PIXELS and what.rows > 0 and 1 <= what.stored <= 16
    if not fits or (what.allocated, what.channels, what.frames) != (16, 1, 1):
        raise damaged(path, data, f"{what}; expected one frame of grey 16-bit pixels, {MAX_SLICE_PIXELS:,} at most")
