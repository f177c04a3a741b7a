"""One DICOM file: what its header says of a CT image, and its pixels in Hounsfield units, or a clear error.

A file that is cut short, or whose pixels are fewer than its header promises, is an error and never a picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need
from covid_datasets.read import equipment, identity
from covid_datasets.read.bounds import MAX_INFLATED, MAX_SLICE_PIXELS, Counted, border
from covid_datasets.read.pixels import TAGS, Layout, damaged, layout, stored_pixels

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
AIR = -1024
"""What is darker than air in Hounsfield units is padding around the scan."""
WHOLE = "a whole DICOM image"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PIXELS = 0x7FE00010
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_HEADER = """
SOPClassUID SOPInstanceUID SeriesInstanceUID PatientID ImageType InstanceNumber AcquisitionNumber NumberOfFrames
Rows Columns ImagePositionPatient ImageOrientationPatient PixelSpacing RescaleSlope RescaleIntercept RescaleType
Modality
""".split()
"""Elements that are read; all others are skipped, so that no header can take much memory."""
_BESIDE = (
    *"TemporalPositionIdentifier TemporalPositionIndex BurnedInAnnotation LossyImageCompression".split(),
    *equipment.TAGS,
    *identity.TAGS,
)
"""Elements without which a slice is a slice: one that cannot be read is as if it were not there."""

CALCULATED = {
    **dict.fromkeys(("MIP", "MINIP", "MIN_IP", "MAX_IP", "AVERAGE", "AVG", "PROJECTION IMAGE"), "projection"),
    **dict.fromkeys(("MPR", "CPR", "REFORMATTED", "CSA MPR", "CSA RESAMPLED", "RESAMPLED"), "reformatted"),
}
"""Words of ImageType that say that a slice was calculated of others, and how; a projection is no slice at all."""

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
        phase: Which of several times it shows.
        equipment: What made it, by the names of the elements, as they are written.
        flags: What the header admits: text in its pixels, compression with loss, names.
        identifying: The elements that may say who somebody is; never what they say.
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
    modality: str
    phase: int | None
    equipment: Mapping[str, str]
    flags: tuple[str, ...]
    identifying: tuple[str, ...]

    @property
    def calculated(self) -> str:
        """How the slice was calculated of others; empty where it is an original."""
        return next((kind for word, kind in CALCULATED.items() if word in self.image_type), "")


def read_header(data: bytes, path: str) -> DicomHeader:
    """Read what a file says about its image, without its pixels; a header that just stops is an error."""
    elements = read_elements(data, path, [*_HEADER, *_BESIDE], stop_before_pixels=True)
    with border(path, WHOLE, data):  # values are parsed when they are asked for, and pydicom raises what it likes
        found = _by_name(elements)
        spacing = numbers(found, "PixelSpacing", 2)
        image_type = tuple(str(part).upper() for part in several(found.get("ImageType")))
        identifying = identity.identifying(texts(found, identity.TAGS))
        admitted = {
            "burned_in_annotation": text(found, "BurnedInAnnotation").strip().upper() == "YES",
            "lossy_compression": text(found, "LossyImageCompression").strip() == "01",
            identity.FLAG: bool(identifying),
            **{kind: any(CALCULATED.get(word) == kind for word in image_type) for kind in CALCULATED.values()},
        }
        phase = text(found, "TemporalPositionIdentifier") or text(found, "TemporalPositionIndex")
        return DicomHeader(
            path=path,
            sop_class=text(found, "SOPClassUID"),
            instance=text(found, "SOPInstanceUID"),
            series=text(found, "SeriesInstanceUID"),
            patient=text(found, "PatientID"),
            image_type=image_type,
            number=whole(found, "InstanceNumber"),
            acquisition=whole(found, "AcquisitionNumber"),
            frames=whole(found, "NumberOfFrames") or 1,
            rows=whole(found, "Rows") or 0,
            columns=whole(found, "Columns") or 0,
            position=numbers(found, "ImagePositionPatient", 3),
            orientation=numbers(found, "ImageOrientationPatient", 6),
            spacing=spacing and spacing[::-1],
            slope=number(found, "RescaleSlope"),
            intercept=number(found, "RescaleIntercept"),
            unit=text(found, "RescaleType").strip().upper(),
            modality=text(found, "Modality").strip().upper(),
            phase=int(phase) if phase.isdecimal() else None,
            equipment={name: value.strip() for name, value in texts(found, equipment.TAGS).items() if value.strip()},
            flags=tuple(flag for flag, is_so in admitted.items() if is_so),
            identifying=identifying,
        )


def _by_name(elements: Any) -> dict[str, Any]:
    """Return the values of elements by name; asking pydicom for each takes ten times as long."""
    found = {}
    for tag in tuple(elements.keys()):  # going through the elements would end at the first that cannot be read
        try:
            element = elements[tag]
        except Exception:
            if int(tag) in _numbered(_BESIDE):
                continue
            raise
        found[element.keyword] = element.value
    return found


def read_hounsfield(data: bytes, path: str) -> np.ndarray:
    """Read the pixels of a CT image in Hounsfield units, signed 16-bit; padding becomes `AIR`.

    Slope and intercept are the file's own; where it has none there are no Hounsfield units, and this is an error.
    """
    found = read_elements(data, path, [*TAGS, "RescaleSlope", "RescaleIntercept", *_PADDING])
    with border(path, WHOLE, data):  # as above: these values are parsed here
        slope, intercept = number(found, "RescaleSlope"), number(found, "RescaleIntercept")
        if slope is None or intercept is None:
            raise DamagedFileError(
                f"{path}: expected RescaleSlope and RescaleIntercept, found none: no Hounsfield units"
            )
        if slope == 0:
            raise DamagedFileError(f"{path}: expected Hounsfield units, found a slope of 0, which makes all values one")
        words, what = _words(found, data, path)
        stored = _meant(words, what)
        outside = _padding(found, words, stored, what)
    if outside is not None and outside.any():
        stored = np.where(outside, stored[~outside].min() if not outside.all() else 0, stored)
    values = _rescaled(stored, slope, intercept, path)
    if outside is not None:
        values[outside] = AIR
    return values


def _padding(found: Any, words: np.ndarray, stored: np.ndarray, what: Layout) -> np.ndarray | None:
    """Tell which pixels are padding: those of one value, or of a range; ``None`` where the header names none."""
    ends = [int(value) for name in _PADDING if (value := found.get(name)) not in (None, "")]
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


def _words(found: Any, data: bytes, path: str) -> tuple[np.ndarray, Layout]:
    """Return the stored pixels of a slice as unsigned 16-bit words, as many as the header promises or an error."""
    what = layout(found)
    fits = 1 <= what.rows * what.columns <= MAX_SLICE_PIXELS and what.rows > 0 and 1 <= what.stored <= 16
    if not fits or (what.allocated, what.channels, what.frames) != (16, 1, 1):
        raise damaged(path, data, f"{what}; expected one frame of grey 16-bit pixels, {MAX_SLICE_PIXELS:,} at most")
    return stored_pixels(found, what, data, path), what


def read_elements(data: bytes, path: str, tags: Sequence[str], *, stop_before_pixels: bool = False) -> Any:
    """Read some elements of a file; a file that just stops before its pixels is an error."""
    need("pydicom")
    import pydicom

    stream = Counted(data)
    with border(path, WHOLE, data):
        if (inflated := _inflated(data, tags, stop_before_pixels)) is not None:
            return inflated
        found = pydicom.dcmread(stream, stop_before_pixels=stop_before_pixels, specific_tags=_numbered(tuple(tags)))
        image = found.get("SOPClassUID", CT_IMAGE) == CT_IMAGE
    if stop_before_pixels and image and stream.tell() >= len(data):
        raise damaged(path, data, "no pixels; the file is cut short")
    return found


@lru_cache(maxsize=16)
def _numbered(names: tuple[str, ...]) -> list[Any]:
    """Return the tags of some elements: pydicom looks each name up for each file."""
    from pydicom.tag import Tag

    return [Tag(name) for name in names]


def _inflated(data: bytes, tags: Sequence[str], stop_before_pixels: bool) -> Any:
    """Read a file whose elements are deflated; ``None`` for any other. pydicom would inflate without a bound."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    if _DEFLATED.encode() not in data or data[128:132] != b"DICM":
        return None
    stream = Counted(data)
    stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != _DEFLATED:
        return None
    packed = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = packed.decompress(data[stream.tell() :], MAX_INFLATED)
    if not packed.eof:
        raise ValueError(f"what is deflated is torn, or more than {MAX_INFLATED:,} bytes")
    found = read_dataset(
        Counted(plain),
        False,
        True,
        stop_when=(lambda tag, vr, length: tag == _PIXELS) if stop_before_pixels else None,
        specific_tags=[tag_for_keyword(name) for name in tags],
    )
    found.file_meta = FileMetaDataset(meta)
    return found


def several(value: Any) -> list[Any]:
    """Return one value, or several, or none as a list."""
    if value is None or value == "":
        return []
    # A name is no list, though it can be gone through letter by letter.
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]


def text(found: Any, name: str) -> str:
    """Return an element as text; several values are joined as DICOM does."""
    return "\\".join(str(value) for value in several(found.get(name)))


def texts(found: Any, names: Iterable[str]) -> dict[str, str]:
    """Return elements as texts, without those that are empty."""
    return {name: value for name in names if (value := text(found, name))}


def numbers(found: Any, name: str, count: int) -> Numbers | None:
    """Return so many finite numbers, or ``None``."""
    values = tuple(float(value) for value in several(found.get(name)))
    return values if len(values) == count and np.isfinite(values).all() else None


def number(found: Any, name: str) -> float | None:
    """Return one finite number, or ``None``."""
    values = numbers(found, name, 1)
    return values[0] if values else None


def whole(found: Any, name: str) -> int | None:
    """Return a whole number, or ``None``."""
    value = found.get(name)
    return None if value is None or value == "" else int(value)
