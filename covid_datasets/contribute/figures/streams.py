"""A picture's stream as a file: as it is where it has a format of its own, else as PNG or TIFF without loss."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import MAX_PIXELS, border

ENDINGS = {"/DCTDecode": ".jpg", "/JPXDecode": ".jp2"}
"""Filters whose content is a file by itself."""
RAW = {"/FlateDecode", "/LZWDecode", "/RunLengthDecode", "/ASCII85Decode", "/ASCIIHexDecode"}
"""Filters that give plain values."""
CHANNELS = {"/DeviceGray": 1, "/CalGray": 1, "/DeviceRGB": 3, "/CalRGB": 3, "/DeviceCMYK": 4}
MODES = {1: "L", 3: "RGB", 4: "CMYK"}


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as a file, and its grey values, of which panels are proposed."""

    data: bytes
    ending: str
    original: bool
    grey: np.ndarray


class LeftOutError(Exception):
    """The picture cannot be written, for a reason that is told."""


def stored(stream: Any, name: str) -> Stored:
    """Take the picture of a PDF out of its stream.

    Raises:
        LeftOutError: It is of a kind that cannot be kept without loss, or too large.
        DamagedFileError: Its stream is not what its dictionary says.
    """
    width, height = _number(stream, "/Width"), _number(stream, "/Height")
    if not 0 < width * height <= MAX_PIXELS:
        raise LeftOutError(f"{width} by {height} pixels; the limit is {MAX_PIXELS:,}")
    filters = _filters(stream)
    last = filters[-1] if filters else ""
    if unknown := [each for each in filters[:-1] if each not in RAW]:
        raise LeftOutError(f"filter {unknown[0]} cannot be undone here")
    if last in ENDINGS:
        with border(name, "a stream that can be decoded"):
            data: bytes = stream.get_data()
        return Stored(data, ENDINGS[last], True, _grey(data, name))
    if last and last not in RAW:
        raise LeftOutError(f"filter {last} cannot be undone here")
    with border(name, "a stream that can be decoded"):
        image = _image(stream, stream.get_data(), width, height, name)
    out, ending = io.BytesIO(), ".tif" if image.mode == "CMYK" else ".png"
    image.save(out, "TIFF" if ending == ".tif" else "PNG")
    return Stored(out.getvalue(), ending, False, _as_grey(image))


def _number(stream: Any, key: str) -> int:
    value = _plain(stream.get(key))
    return int(value) if isinstance(value, int) else 0


def _plain(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def _filters(stream: Any) -> list[str]:
    given = _plain(stream.get("/Filter"))
    if given is None:
        return []
    names = [_plain(each) for each in given] if isinstance(given, list) else [given]
    return [str(each) if isinstance(each, str) else "that is no name" for each in names]


def _grey(data: bytes, name: str) -> np.ndarray:
    with border(name, "a picture that can be decoded", data):
        image = Image.open(io.BytesIO(data), formats=["JPEG", "JPEG2000"])
        if image.width * image.height > MAX_PIXELS:
            raise LeftOutError(f"{image.width} by {image.height} pixels; the limit is {MAX_PIXELS:,}")
        return _as_grey(image)


def _as_grey(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        return (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
    return np.asarray(image.convert("L"))


def _image(stream: Any, data: bytes, width: int, height: int, name: str) -> Image.Image:
    """Lay the plain values of a stream out as a picture."""
    if _plain(stream.get("/ImageMask")):
        raise LeftOutError("a stencil, through which a colour is painted, and no picture")
    bits = _number(stream, "/BitsPerComponent")
    space, palette = _space(_plain(stream.get("/ColorSpace")))
    channels = 1 if palette is not None else space
    values = _values(data, bits, width, height, channels, name)
    decode = [float(_plain(each)) for each in _plain(stream.get("/Decode")) or ()]
    if palette is None and decode[:2] == [1.0, 0.0]:
        values = (1 << bits) - 1 - values
    if palette is not None:
        lost = int(values.max(initial=0)) - (len(palette) - 1)
        if lost > 0:
            raise DamagedFileError(f"{name}: expected at most {len(palette)} colours, found {lost} more")
        values = palette[values[:, :, 0]]
    elif bits < 8:
        values = (values.astype(np.uint16) * 255 // ((1 << bits) - 1)).astype(np.uint8)
    if values.dtype == np.uint16:
        if channels != 1:
            raise LeftOutError(f"16 bits in {channels} channels, which no file here can hold without loss")
        return Image.fromarray(values[:, :, 0].astype("<u2"))
    values = np.ascontiguousarray(values)
    return Image.frombytes(MODES[values.shape[2]], (width, height), values.tobytes())


def _space(given: Any) -> tuple[int, np.ndarray | None]:
    """Say how many channels a colour space has, and give the palette of one that has one."""
    if isinstance(given, str):
        if given in CHANNELS:
            return CHANNELS[given], None
        raise LeftOutError(f"colour space {given}")
    if not isinstance(given, list) or not given:
        raise LeftOutError("no colour space")
    kind = str(_plain(given[0]))
    if kind in CHANNELS:
        return CHANNELS[kind], None
    if kind == "/ICCBased" and len(given) > 1:
        channels = _number(_plain(given[1]), "/N")
        if channels in MODES:
            return channels, None
    if kind == "/Indexed" and len(given) > 3:
        base, inner = _space(_plain(given[1]))
        table = _plain(given[3])
        raw = table.get_data() if hasattr(table, "get_data") else getattr(table, "original_bytes", table)
        if inner is None and isinstance(raw, bytes) and 0 < len(raw) <= 1024 and len(raw) // base:
            colours = len(raw) // base
            return base, np.frombuffer(raw[: colours * base], np.uint8).reshape(colours, base)
    raise LeftOutError(f"colour space {kind}")


def _values(data: bytes, bits: int, width: int, height: int, channels: int, name: str) -> np.ndarray:
    """Unpack values of 1 to 16 bits, whose rows begin at a byte."""
    if bits not in (1, 2, 4, 8, 16):
        raise LeftOutError(f"{bits} bits for each value")
    row = -(-width * channels * bits // 8)
    if len(data) < row * height:
        raise DamagedFileError(f"{name}: expected {row * height:,} bytes of values, found {len(data):,}")
    rows = np.frombuffer(data, np.uint8, row * height).reshape(height, row)
    if bits == 16:
        return rows.copy().view(">u2").astype(np.uint16).reshape(height, width, channels)
    if bits < 8:
        parts = [(rows >> shift) & ((1 << bits) - 1) for shift in range(8 - bits, -1, -bits)]
        rows = np.stack(parts, axis=-1).reshape(height, -1)[:, : width * channels]
    return rows.reshape(height, width, channels)
