"""What the first bytes of a file tell: its container, the parts before the pixels, and how strongly it is compressed.

No pixel is decoded. Programs leave a hand of their own here: which parts a file has tells who saved it, and with what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_PARTS = 64
"""Parts before the pixels that are looked at; no camera or program writes more."""
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"\x1f\x8b", "NIfTI, gzip"),
    (b"\x1a\x45\xdf\xa3", "Matroska"),
)
_LATER = ((b"WEBP", 8, "WebP"), (b"AVI ", 8, "AVI"), (b"ftyp", 4, "MP4"), (b"n+1\0", 344, "NIfTI"))
"""Signatures that do not stand at the beginning: what, where, whose."""
_MARKERS = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless", 0xDD: "restart", 0xFE: "comment"}
_TABLES = 0xDB
_SCAN = 0xDA
_QUANTISATIONS = 64


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the pixels of a file; ``None`` where it does not say.

    Attributes:
        container: "PNG", "JPEG", ...
        parts: The parts before the pixels in their order, each once: "sRGB gAMA pHYs".
        coarseness: The sum of the first table by which a JPEG was quantised: 64 loses next to nothing.
    """

    container: str | None = None
    parts: str | None = None
    coarseness: int | None = None


def head_of(data: memoryview) -> Head:
    """Read the head of a file; what is cut off or nonsense ends it.

    >>> head_of(memoryview(b"GIF89a")), head_of(memoryview(b"?"))
    (Head(container='GIF', parts=None, coarseness=None), Head(container=None, parts=None, coarseness=None))
    """
    beginning = bytes(data[:512])
    container = next((name for magic, name in _MAGIC if beginning.startswith(magic)), None)
    container = container or next((name for magic, at, name in _LATER if beginning[at:].startswith(magic)), None)
    if container == "PNG":
        return Head(container, _once(_chunks(data)))
    if container == "JPEG":
        segments = list(_segments(data))
        tables = [body for marker, body in segments if marker == _TABLES]
        return Head(container, _once(_name(*each) for each in segments), _coarseness(tables[0]) if tables else None)
    return Head(container)


def _chunks(data: memoryview) -> Iterator[str]:
    """Name the chunks of a PNG between its header and its pixels."""
    at = 8
    for _ in range(MAX_PARTS):
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        if len(kind) < 4 or not kind.isalpha() or kind == b"IDAT":
            return
        if kind == b"IHDR" and bytes(data[at + 20 : at + 21]) == b"\1":
            yield "interlaced"
        elif kind != b"IHDR":
            yield kind.decode("ascii")
        at += 12 + length


def _segments(data: memoryview) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the first bytes of each segment of a JPEG before its pixels."""
    at = 2
    for _ in range(MAX_PARTS):
        if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] == _SCAN:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], bytes(data[at + 4 : at + 2 + min(max(length, 2), 256)])
        at += 2 + length


def _name(marker: int, body: bytes) -> str:
    if 0xE0 <= marker <= 0xEF:
        word = body[:12].split(b"\0")[0].split(b"/")[-1].strip()
        return f"APP{marker - 0xE0}" + (f" {word.decode('ascii')}" if word.isalnum() and word.isascii() else "")
    return _MARKERS.get(marker, "")


def _coarseness(table: bytes) -> int | None:
    """Sum the first quantisation table, whose numbers have 8 or 16 bits."""
    wide = bool(table) and table[0] >> 4
    numbers = table[1 : 1 + _QUANTISATIONS * (2 if wide else 1)]
    if len(numbers) < _QUANTISATIONS * (2 if wide else 1):
        return None
    return (
        sum(int.from_bytes(numbers[at : at + 2], "big") for at in range(0, len(numbers), 2)) if wide else sum(numbers)
    )


def _once(names: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, names))) or "none"
