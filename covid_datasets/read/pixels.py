"""The stored pixels of a DICOM file, raw or compressed: as many as its header promises, or an error.

What a compressed frame says of its own size is read before it is decoded: a file of 664 bytes may hold a JPEG that
claims four thousand million pixels.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need

NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Not compressed, in the usual byte order."""
RLE = "1.2.840.10008.1.2.5"
JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
"""Baseline, extended, and two that lose nothing."""
JPEG_LS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (80, 81))
JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91))
TAGS = """
Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel NumberOfFrames
PhotometricInterpretation PlanarConfiguration PixelData ExtendedOffsetTable ExtendedOffsetTableLengths
""".split()
"""Elements that say what the pixels are."""
_BEGIN = {**dict.fromkeys(JPEG + JPEG_LS, b"\xff\xd8"), **dict.fromkeys(JPEG_2000, b"\xff\x4f")}
_END = b"\xff\xd9"
_FAST = {
    **dict.fromkeys(JPEG, "jpeg8_decode"),
    **dict.fromkeys(JPEG_LS, "jpegls_decode"),
    **dict.fromkeys(JPEG_2000, "jpeg2k_decode"),
}
_NO_SIZE = {0xC4, 0xC8, 0xCC}
"""Markers among those of a JPEG's frame that say something else: its tables."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says of its pixels.

    Attributes:
        allocated: Bits that a value has in the file.
        stored: Bits of these that mean something.
        highest: The highest of them, counted from 0.
    """

    rows: int
    columns: int
    channels: int
    frames: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    planar: bool
    highest: int

    def __str__(self) -> str:
        """Say it as errors do."""
        where = "" if self.highest == self.stored - 1 else f" in bits up to {self.highest}"
        bits = f"{self.channels} channels of {self.allocated} bits ({self.stored} stored{where})"
        return f"{self.rows}x{self.columns} pixels, {bits}, {self.frames} frames"


@lru_cache(maxsize=512)
def _number_of(tag: str) -> Any:
    """Return the number of an element by its name."""
    from pydicom.tag import Tag

    return Tag(tag)


def value_of(found: Any, name: str) -> Any:
    """Return what an element holds, ``None`` where there is none of that name; pydicom raises and catches for these."""
    if not hasattr(found, "get_item"):  # not of pydicom: values by name, as of a header in JSON
        return found.get(name)
    return found[tag].value if (tag := _number_of(name)) in found else None


def decimals_of(found: Any, name: str) -> list[bytes]:
    """Return the numbers of an element as they are written, if as text: pydicom checks and wraps each of them."""
    if not hasattr(found, "get_item"):  # see `value_of`
        return []
    item: Any = found.get_item(tag) if (tag := _number_of(name)) in found else None
    if item is None or item.VR not in ("DS", "IS") or not isinstance(item.value, bytes) or not item.value:
        return []
    return item.value.strip(b" \0").split(b"\\")


def layout(found: Any) -> Layout:
    """Read what a header says; what it leaves out or says wrongly is an error."""
    try:
        sign = int(value_of(found, "PixelRepresentation"))
        if sign not in (0, 1):
            raise ValueError(f"PixelRepresentation {sign}")
        return Layout(
            rows=int(value_of(found, "Rows")),
            columns=int(value_of(found, "Columns")),
            channels=int(found.get("SamplesPerPixel", 1)),
            frames=int(value_of(found, "NumberOfFrames") or 1),
            allocated=int(value_of(found, "BitsAllocated")),
            stored=int(value_of(found, "BitsStored")),
            signed=sign == 1,
            photometric=str(value_of(found, "PhotometricInterpretation") or "").strip().upper(),
            planar=int(value_of(found, "PlanarConfiguration") or 0) == 1,
            highest=_highest(found),
        )
    except Exception as error:  # values are parsed when they are asked for, and pydicom raises what it likes
        raise ValueError(f"an unreadable header: {error}") from error


def _highest(found: Any) -> int:
    """Return the highest bit that is stored, counted from 0; where nobody says it, values begin at the lowest."""
    said = value_of(found, "HighBit")
    return int(value_of(found, "BitsStored")) - 1 if said is None or said == "" else int(said)


def stored_pixels(found: Any, what: Layout, data: bytes, path: str) -> np.ndarray:
    """Return unsigned values of 8 or 16 bits by (row, column), or (row, column, channel).

    Whoever calls this has checked that ``what`` is one frame within the bounds of `covid_datasets.read.bounds`.
    """
    pixels = found.get("PixelData")
    if pixels is None and what.highest == what.stored - 1:
        raise damaged(path, data, "no pixels; the file is cut short")
    return pixels_of(pixels, found.file_meta.TransferSyntaxUID, what, data, path, found)


def is_read_alone(syntax: str) -> bool:
    """Tell whether `pixels_of` needs nothing of the header but the layout."""
    return syntax in NATIVE or (syntax in _BEGIN and _codecs() is not None)


def pixels_of(pixels: Any, syntax: str, what: Layout, data: bytes, path: str, found: Any = None) -> np.ndarray:
    """Do what `stored_pixels` does with the value of an element of pixels; ``found`` is its header, where needed."""
    from pydicom.uid import UID

    if what.highest != what.stored - 1:
        raise damaged(path, data, f"{what}, which is not supported")
    uid = UID(syntax)
    shape = (what.rows, what.columns) if what.channels == 1 else (what.rows, what.columns, what.channels)
    if uid.is_encapsulated:
        return _decoded(pixels, found, syntax, what, shape, data, path)
    size = int(np.prod(shape)) * what.allocated // 8
    if len(pixels) != size + (size % 2 if what.allocated == 8 else 0):
        raise damaged(path, data, f"{len(pixels):,} bytes of pixels; {what.rows}x{what.columns} need {size:,}")
    if what.allocated == 8 and not uid.is_little_endian:
        raise damaged(path, data, "8-bit pixels in words of the other byte order, which nobody writes any more")
    order = "u1" if what.allocated == 8 else "<u2" if uid.is_little_endian else ">u2"
    values = np.frombuffer(pixels, order, count=int(np.prod(shape)))
    if what.planar and what.channels > 1:
        return np.ascontiguousarray(np.moveaxis(values.reshape(what.channels, what.rows, what.columns), 0, -1))
    return values.reshape(shape).astype(values.dtype.newbyteorder("="), copy=False)


def _decoded(
    pixels: Any, found: Any, syntax: str, what: Layout, shape: tuple[int, ...], data: bytes, path: str
) -> np.ndarray:
    """Decode compressed pixels."""
    from pydicom.encaps import generate_frames
    from pydicom.pixels import pixel_array

    try:
        frame = next(generate_frames(pixels, number_of_frames=1))
        if syntax == RLE:
            array: np.ndarray = pixel_array(found, raw=True)
        elif syntax not in _BEGIN:
            raise damaged(path, data, f"pixels in the transfer syntax {syntax}, which is not supported")
        elif what.channels != 1:
            raise damaged(path, data, f"compressed colours ({what.photometric}), which are not supported")
        else:
            # A JPEG that is cut inside decodes to a picture with an invented rest, with no more than a warning.
            if not frame.startswith(_BEGIN[syntax]) or not frame.rstrip(b"\0").endswith(_END):
                kind = "JPEG 2000" if syntax in JPEG_2000 else "JPEG"
                raise damaged(path, data, f"a {kind} of {len(frame):,} bytes without its beginning or end")
            said = stated_size(frame)
            if said != (what.rows, what.columns, 1):
                raise damaged(path, data, f"a compressed picture of {said}; the header says {(*shape, 1)}")
            array = _picture(found, syntax, frame)
    except DamagedFileError:
        raise
    except Exception as error:  # decoders let through whatever they raise
        raise damaged(path, data, f"compressed pixels that cannot be decoded: {error}") from error
    if array.shape != shape or array.dtype.itemsize > what.allocated // 8 or array.dtype.kind not in "ui":
        bits = f"{what.allocated} bits {shape}"
        raise damaged(path, data, f"compressed pixels of {array.dtype} {array.shape}; expected {bits}")
    if array.dtype.itemsize == 1 and what.allocated == 16:
        return array.astype(np.int16).view(np.uint16)
    return array.view(np.uint8 if array.dtype.itemsize == 1 else np.uint16)


def _picture(found: Any, syntax: str, frame: bytes) -> np.ndarray:
    """Decode with ``imagecodecs`` where it is installed, which is four times as fast, else with GDCM."""
    from pydicom.pixels import pixel_array

    array: np.ndarray
    if (codecs := _codecs()) is not None:
        array = getattr(codecs, _FAST[syntax])(frame)
    else:
        need("gdcm")
        array = pixel_array(found, raw=True, decoding_plugin="gdcm")
    return array


def _codecs() -> Any:
    try:
        return importlib.import_module("imagecodecs")
    except ImportError:
        return None


def stated_size(frame: bytes) -> tuple[int, int, int] | None:
    """Read rows, columns and channels from the header of a JPEG, JPEG-LS or JPEG 2000; ``None`` where it has none.

    >>> stated_size(bytes.fromhex("ffd8 ffc3 000b 08 ffdc ffdc 01 011100"))
    (65500, 65500, 1)
    """
    if frame[:4] == b"\xff\x4f\xff\x51":
        if len(frame) < 42:
            return None
        right, lower, left, upper = (int.from_bytes(frame[at : at + 4]) for at in (8, 12, 16, 20))
        return lower - upper, right - left, int.from_bytes(frame[40:42])
    at = 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF:  # filled up
            at += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in _NO_SIZE) or marker == 0xF7:
            rows, columns = (int.from_bytes(frame[at + offset : at + offset + 2]) for offset in (5, 7))
            return (rows, columns, frame[at + 9]) if len(frame) > at + 9 else None
        at += 2 + int.from_bytes(frame[at + 2 : at + 4])
    return None


def damaged(path: str, data: bytes, what: str) -> DamagedFileError:
    """Say that a file is no whole image, and what it is."""
    text = " ".join(what.split())
    return DamagedFileError(f"{path}: expected a whole DICOM image, found {len(data):,} bytes with {text}")
