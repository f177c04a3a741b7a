"""The pixels of a file with nothing beside them: padding, comments of encoders, overlays in bits that no pixel uses."""

from __future__ import annotations

from typing import Any

import numpy as np

from covid_datasets.own.deidentify.codestream import plain_jpeg, plain_jpeg_2000
from covid_datasets.read.pixels import JPEG, JPEG_2000, JPEG_LS, RLE


def clean_pixels(found: Any) -> list[str]:
    """Clean the pixels of a data set in place; return what was removed, in words.

    Raises:
        ValueError: They are fewer than the header says, or in a form that nobody here can look into.
    """
    syntax = found.file_meta.TransferSyntaxUID
    if "PixelData" not in found:
        raise ValueError("no pixels")
    done = _overlay_bits(found, syntax)
    if not syntax.is_encapsulated:
        return done + _native(found)
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in found:
            delattr(found, name)
    return done + (_again(found) if syntax == RLE else _encapsulated(found, str(syntax)))


def _native(found: Any) -> list[str]:
    values = int(found.Rows) * int(found.Columns) * int(found.get("NumberOfFrames") or 1)
    samples = int(found.get("SamplesPerPixel", 1))
    size = values * samples * int(found.BitsAllocated) // 8
    if str(found.get("PhotometricInterpretation")) == "YBR_FULL_422":
        size = size // 3 * 2
    pixels = found.PixelData
    if int(found.BitsAllocated) not in (8, 16, 32) or size <= 0:
        raise ValueError(f"pixels of {found.BitsAllocated} bits")
    if len(pixels) < size:
        raise ValueError(f"{len(pixels):,} bytes of pixels; the header says {size:,}")
    plain = pixels[: size + size % 2].ljust(size + size % 2, b"\0")
    if plain == pixels:
        return []
    found["PixelData"].value = plain
    return ["bytes behind the pixels"]


def _overlay_bits(found: Any, syntax: Any) -> list[str]:
    """Clear the bits in which old files keep an overlay; other bits above those stored may be a sign."""
    positions = {
        int(element.value)
        for element in found
        if element.tag.group >> 8 == 0x60 and element.tag.element == 0x0102 and element.value
    }
    bits = [bit for bit in positions if int(found.BitsStored) <= bit < 16]
    if not bits or int(found.BitsAllocated) != 16:
        return []
    if syntax.is_encapsulated:
        raise ValueError("an overlay inside compressed pixels")
    order = "<u2" if syntax.is_little_endian else ">u2"
    whole = len(found.PixelData) // 2 * 2
    words = np.frombuffer(found.PixelData[:whole], order)
    cleared = words & np.uint16(~sum(1 << bit for bit in bits) & 0xFFFF)
    if np.array_equal(cleared, words):
        return []
    found["PixelData"].value = cleared.astype(order).tobytes()
    return ["an overlay inside the pixels"]


def _encapsulated(found: Any, syntax: str) -> list[str]:
    from pydicom.encaps import encapsulate, generate_frames

    plain = plain_jpeg if syntax in JPEG + JPEG_LS else plain_jpeg_2000 if syntax in JPEG_2000 else None
    if plain is None:
        raise ValueError(f"pixels in the transfer syntax {syntax}, which nobody here can look into")
    count = int(found.get("NumberOfFrames") or 1)
    frames = list(generate_frames(found.PixelData, number_of_frames=count))
    if len(frames) != count:
        raise ValueError(f"{len(frames):,} compressed frames; the header says {count:,}")
    cleaned = [plain(frame) for frame in frames]
    found["PixelData"].value = encapsulate(cleaned)
    found["PixelData"].is_undefined_length = True
    smaller = any(new != old and new + b"\0" != old for new, old in zip(cleaned, frames, strict=True))
    return ["what stood beside compressed pixels"] if smaller else []


def _again(found: Any) -> list[str]:
    """Decode RLE and encode it anew: its segments may end with anything."""
    from pydicom.uid import RLELossless

    before = found.PixelData
    found.decompress(as_rgb=False, generate_instance_uid=False)
    found.compress(RLELossless, generate_instance_uid=False)
    return ["what stood beside compressed pixels"] if found.PixelData != before else []
