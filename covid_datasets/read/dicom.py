"""One DICOM file: what its header says of a CT image, and its pixels in Hounsfield units, or a clear error.

A file that is cut short, or whose pixels are fewer than its header promises, is an error and never a picture.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
AIR = -1024
"""What is darker than air in Hounsfield units is padding around the scan."""
_JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_MAX_SIDE = 1 << 14
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1

Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """What a file says about its image; what it does not say is empty or ``None``.

    Attributes:
        image_type: Such as ``("ORIGINAL", "PRIMARY", "AXIAL")``.
        position: Of the first pixel, in millimetres (LPS).
        orientation: Direction of a row, then of a column.
        spacing: Between pixels along a row, then along a column. (DICOM has it the other way round.)
        unit: RescaleType, what the rescaled values are; Hounsfield units where it is not said.
    """

    path: str
    sop_class: str
    instance: str
    series: str
    patient: str
    image_type: tuple[str, ...]
    number: int | None
    acquisition: int | None
    frames: int
    rows: int
    columns: int
    position: Numbers | None
    orientation: Numbers | None
    spacing: Numbers | None
    slope: float | None
    intercept: float | None
    unit: str


def read_header(data: bytes, path: str) -> DicomHeader:
    """Read what a file says about its image, without its pixels; a header that just stops is an error."""
    found = _read(data, path, stop_before_pixels=True)
    try:
        spacing = _numbers(found, "PixelSpacing", 2)
        return DicomHeader(
            path=path,
            sop_class=str(found.get("SOPClassUID", "")),
            instance=str(found.get("SOPInstanceUID", "")),
            series=str(found.get("SeriesInstanceUID", "")),
            patient=str(found.get("PatientID", "")),
            image_type=tuple(str(part).upper() for part in _several(found.get("ImageType"))),
            number=_whole(found, "InstanceNumber"),
            acquisition=_whole(found, "AcquisitionNumber"),
            frames=_whole(found, "NumberOfFrames") or 1,
            rows=_whole(found, "Rows") or 0,
            columns=_whole(found, "Columns") or 0,
            position=_numbers(found, "ImagePositionPatient", 3),
            orientation=_numbers(found, "ImageOrientationPatient", 6),
            spacing=spacing and spacing[::-1],
            slope=_number(found, "RescaleSlope"),
            intercept=_number(found, "RescaleIntercept"),
            unit=str(found.get("RescaleType") or "").strip().upper(),
        )
    except Exception as error:  # values are parsed when they are asked for, and pydicom lets through what that raises
        raise _damaged(path, data, f"an unreadable header: {error}") from error


def read_hounsfield(data: bytes, path: str) -> np.ndarray:
    """Read the pixels of a CT image in Hounsfield units, signed 16-bit; padding becomes `AIR`.

    Slope and intercept are the file's own; where it has none there are no Hounsfield units, and this is an error.
    """
    found = _read(data, path, stop_before_pixels=False)
    try:
        slope, intercept = _number(found, "RescaleSlope"), _number(found, "RescaleIntercept")
        padding = found.get("PixelPaddingValue")
        padded = None if padding is None else int(padding) & 0xFFFF
    except Exception as error:  # as above: these values are parsed here
        raise _damaged(path, data, f"an unreadable header: {error}") from error
    if slope is None or intercept is None:
        raise DamagedFileError(f"{path}: expected RescaleSlope and RescaleIntercept, found none: no Hounsfield units")
    words = _words(found, data, path)
    outside = None if padded is None else words == padded
    stored = _signed(words, int(found.BitsStored)) if found.PixelRepresentation == 1 else words
    if outside is not None and outside.any():
        stored = np.where(outside, stored[~outside].min() if not outside.all() else 0, stored)
    values = _rescaled(stored, slope, intercept, path)
    if outside is not None:
        values[outside] = AIR
    return values


def _rescaled(stored: np.ndarray, slope: float, intercept: float, path: str) -> np.ndarray:
    """Apply slope and intercept; in 16 bits where that is exact, which it nearly always is."""
    ends = (float(stored.min()) * slope + intercept, float(stored.max()) * slope + intercept)
    if max(ends) > _HIGH or not np.isfinite(ends).all():
        raise DamagedFileError(
            f"{path}: expected Hounsfield units up to {_HIGH:,}, found {max(ends):,.0f} (slope {slope}, "
            f"intercept {intercept})"
        )
    exact = slope == 1 and intercept.is_integer() and _LOW <= intercept <= _HIGH and min(ends) >= _LOW
    if exact and stored.max() <= _HIGH:
        values: np.ndarray = stored.astype(np.int16) + np.int16(intercept)
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


def _words(found: Any, data: bytes, path: str) -> np.ndarray:
    """Return the stored pixels as unsigned 16-bit words, as many as the header promises or an error."""
    try:
        rows, columns = int(found.Rows), int(found.Columns)
        bits, kept = int(found.BitsAllocated), int(found.BitsStored)
        samples, frames = int(found.get("SamplesPerPixel", 1)), int(found.get("NumberOfFrames") or 1)
        syntax, sign = found.file_meta.TransferSyntaxUID, int(found.PixelRepresentation)
        pixels = found.get("PixelData")
    except Exception as error:
        raise _damaged(path, data, f"an unreadable header: {error}") from error
    if pixels is None:
        raise _damaged(path, data, "no pixels; the file is cut short")
    fits = 1 <= rows <= _MAX_SIDE and 1 <= columns <= _MAX_SIDE and 1 <= kept <= 16 and sign in (0, 1)
    if not fits or (bits, samples, frames) != (16, 1, 1):
        what = f"{rows}x{columns} pixels, {samples} channels of {bits} bits ({kept} stored), {frames} frames"
        raise _damaged(path, data, f"{what}; expected one frame of grey 16-bit pixels")
    if syntax.is_encapsulated:
        return _decoded(found, syntax, pixels, (rows, columns), data, path)
    if len(pixels) != rows * columns * 2:
        raise _damaged(path, data, f"{len(pixels):,} bytes of pixels; {rows}x{columns} need {rows * columns * 2:,}")
    order = "<u2" if syntax.is_little_endian else ">u2"
    return np.frombuffer(pixels, order).reshape(rows, columns).astype(np.uint16, copy=False)


def _decoded(found: Any, syntax: str, pixels: bytes, shape: tuple[int, int], data: bytes, path: str) -> np.ndarray:
    """Decode compressed pixels."""
    from pydicom.encaps import generate_frames
    from pydicom.pixels import pixel_array

    try:
        frame = next(generate_frames(pixels, number_of_frames=1))
        if syntax in _JPEG_LOSSLESS:
            # A JPEG that is cut inside decodes to a picture with an invented rest, with no more than a warning.
            if not frame.startswith(_JPEG_BEGIN) or not frame.rstrip(b"\0").endswith(_JPEG_END):
                raise _damaged(path, data, f"a JPEG of {len(frame):,} bytes without its beginning or end")
            array = _jpeg_lossless(found, frame)
        else:
            array = pixel_array(found, raw=True)
    except DamagedFileError:
        raise
    except Exception as error:  # decoders let through whatever they raise
        raise _damaged(path, data, f"compressed pixels that cannot be decoded: {error}") from error
    if array.shape != shape or array.dtype.itemsize > 2:
        raise _damaged(path, data, f"compressed pixels of {array.dtype} {array.shape}; expected 16 bits {shape}")
    if array.dtype.itemsize == 1:
        return array.astype(np.int16).view(np.uint16)
    return array.view(np.uint16)


def _jpeg_lossless(found: Any, frame: bytes) -> np.ndarray:
    """Decode with ``imagecodecs`` where it is installed, which is four times as fast, else with GDCM."""
    from pydicom.pixels import pixel_array

    array: np.ndarray
    try:
        fast: Any = importlib.import_module("imagecodecs")
    except ImportError:
        need("gdcm")
        array = pixel_array(found, raw=True, decoding_plugin="gdcm")
    else:
        array = fast.jpeg8_decode(frame)
    return array


def _read(data: bytes, path: str, *, stop_before_pixels: bool) -> Any:
    need("pydicom")
    import pydicom

    stream = io.BytesIO(data)
    try:
        found = pydicom.dcmread(stream, stop_before_pixels=stop_before_pixels)
        image = found.get("SOPClassUID", CT_IMAGE) == CT_IMAGE
        inflated = found.file_meta.get("TransferSyntaxUID") == _DEFLATED
    except Exception as error:  # pydicom lets through whatever its parsers raise
        raise _damaged(path, data, f"none: {error}") from error
    if stop_before_pixels and image and not inflated and stream.tell() >= len(data):
        raise _damaged(path, data, "no pixels; the file is cut short")
    return found


def _several(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _numbers(found: Any, name: str, count: int) -> Numbers | None:
    values = tuple(float(value) for value in _several(found.get(name)))
    return values if len(values) == count and np.isfinite(values).all() else None


def _number(found: Any, name: str) -> float | None:
    values = _numbers(found, name, 1)
    return values[0] if values else None


def _whole(found: Any, name: str) -> int | None:
    value = found.get(name)
    return None if value is None or value == "" else int(value)


def _damaged(path: str, data: bytes, what: str) -> DamagedFileError:
    text = " ".join(what.split())
    return DamagedFileError(f"{path}: expected a whole DICOM image, found {len(data):,} bytes with {text}")
