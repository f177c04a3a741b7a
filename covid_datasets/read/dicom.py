"""One DICOM file: what its header says of a CT image, and its pixels in Hounsfield units, or a clear error.

A file that is cut short, or whose pixels are fewer than its header promises, is an error and never a picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need
from covid_datasets.read import equipment, identity
from covid_datasets.read.bounds import MAX_INFLATED, Counted, border
from covid_datasets.read.hounsfield import Image, check_layout, hounsfield_of, noted, words_again
from covid_datasets.read.pixels import TAGS, damaged, decimals_of, layout, stored_pixels, value_of

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
WHOLE = "a whole DICOM image"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_META_BYTES = 1 << 16
"""Where a file says how the rest of it is encoded."""
_PIXELS = 0x7FE00010
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
_MEANING = (*(tag for tag in TAGS if tag != "PixelData"), *_PADDING)
_HEADER = tuple(
    """
SOPClassUID SOPInstanceUID SeriesInstanceUID PatientID ImageType InstanceNumber AcquisitionNumber NumberOfFrames
Rows Columns ImagePositionPatient ImageOrientationPatient PixelSpacing RescaleSlope RescaleIntercept RescaleType
Modality
""".split()
)
"""Elements that are read; all others are skipped, so that no header can take much memory."""
_BESIDE = (
    *"TemporalPositionIdentifier TemporalPositionIndex BurnedInAnnotation LossyImageCompression".split(),
    *equipment.TAGS,
    *identity.TAGS,
)
"""Elements without which a slice is a slice: one that cannot be read is as if it were not there."""
_SAID = (*_HEADER, *_BESIDE, *_MEANING)
_OF_PIXELS = (*TAGS, "RescaleSlope", "RescaleIntercept", *_PADDING)
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
        image: How to read the pixels of this file without its header; ``None`` where that takes more.
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
    image: Image | None = field(default=None, compare=False, repr=False)

    @property
    def calculated(self) -> str:
        """How the slice was calculated of others; empty where it is an original."""
        return next((kind for word, kind in CALCULATED.items() if word in self.image_type), "")


def read_header(data: bytes, path: str) -> DicomHeader:
    """Read what a file says about its image, without its pixels; a header that just stops is an error."""
    elements, end = _read(data, path, _SAID, stop_before_pixels=True)
    with border(path, WHOLE, data):  # values are parsed when they are asked for, and pydicom raises what it likes
        found = _by_name(elements)
        spacing = numbers(elements, "PixelSpacing", 2)
        image_type = tuple(str(part).upper() for part in several(value_of(found, "ImageType")))
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
            position=numbers(elements, "ImagePositionPatient", 3),
            orientation=numbers(elements, "ImageOrientationPatient", 6),
            spacing=spacing and spacing[::-1],
            slope=number(elements, "RescaleSlope"),
            intercept=number(elements, "RescaleIntercept"),
            unit=text(found, "RescaleType").strip().upper(),
            modality=text(found, "Modality").strip().upper(),
            phase=int(phase) if phase.isdecimal() else None,
            equipment={name: value.strip() for name, value in texts(found, equipment.TAGS).items() if value.strip()},
            flags=tuple(flag for flag, is_so in admitted.items() if is_so),
            identifying=identifying,
            image=_noted(elements, data, end),
        )


def _by_name(elements: Any) -> dict[str, Any]:
    """Return the values of a header by name; asking pydicom for each takes ten times as long."""
    found = {}
    wanted, beside = _numbers_of(_HEADER), dict(zip(_numbers_of(_BESIDE), _BESIDE, strict=True))
    for tag in tuple(elements.keys()):  # going through the elements would end at the first that cannot be read
        if tag in wanted:
            found[elements[tag].keyword] = elements[tag].value
        elif tag in beside:
            try:
                found[elements[tag].keyword] = elements[tag].value
            except Exception:  # as if it were not there, see `_BESIDE`; but it may name somebody
                if beside[tag] in identity.TAGS:
                    found[beside[tag]] = identity.UNREADABLE
    return found


def read_hounsfield(data: bytes, path: str, image: Image | None = None) -> np.ndarray:
    """Read the pixels of a CT image in Hounsfield units, signed 16-bit; padding becomes `AIR`.

    Slope and intercept are the file's own; where it has none there are no Hounsfield units, and this is an error.
    ``image`` is what the header was when it was read before; as long as it is the same, it is not read again.
    """
    with border(path, WHOLE, data):
        words = None if image is None else words_again(data, path, image)
        if image is None or words is None:
            found = read_elements(data, path, _OF_PIXELS)
            image = _image(found, path)
            check_layout(image.layout, data, path)
            words = stored_pixels(found, image.layout, data, path)
        return hounsfield_of(words, image, path)


def _image(found: Any, path: str) -> Image:
    slope, intercept = number(found, "RescaleSlope"), number(found, "RescaleIntercept")
    if slope is None or intercept is None:
        raise DamagedFileError(f"{path}: expected RescaleSlope and RescaleIntercept, found none: no Hounsfield units")
    if slope == 0:
        raise DamagedFileError(f"{path}: expected Hounsfield units, found a slope of 0, which makes all values one")
    padding = tuple(int(value) for name in _PADDING if (value := value_of(found, name)) not in (None, ""))
    return Image(layout(found), slope, intercept, padding)


def _noted(found: Any, data: bytes, end: int) -> Image | None:
    """Note where pixels are; what is odd about them is told when they are read."""
    try:
        return noted(_image(found, ""), str(found.file_meta.TransferSyntaxUID), data, end)
    except Exception:  # whatever is wrong, the same is found again where pixels are read, and told
        return None


def read_elements(data: bytes, path: str, tags: Sequence[str], *, stop_before_pixels: bool = False) -> Any:
    """Read some elements of a file; a file that just stops before its pixels is an error."""
    return _read(data, path, tuple(tags), stop_before_pixels=stop_before_pixels)[0]


def _read(data: bytes, path: str, tags: tuple[str, ...], *, stop_before_pixels: bool) -> tuple[Any, int]:
    """Read some elements, and return where reading ended: before the pixels, if it stops there."""
    need("pydicom")
    import pydicom

    stream = Counted(data)
    with border(path, WHOLE, data):
        if (inflated := _inflated(data, tags, stop_before_pixels)) is not None:
            return inflated, len(data)
        found = pydicom.dcmread(stream, stop_before_pixels=stop_before_pixels, specific_tags=_numbers_of(tags))
        image = found.get("SOPClassUID", CT_IMAGE) == CT_IMAGE
    if stop_before_pixels and image and stream.tell() >= len(data):
        raise damaged(path, data, "no pixels; the file is cut short")
    return found, stream.tell()


@lru_cache(maxsize=32)
def _numbers_of(tags: tuple[str, ...]) -> list[Any]:
    """Return elements as numbers: to look each up by its name takes pydicom as long as to read it."""
    from pydicom.tag import Tag

    return [Tag(name) for name in tags]


def _inflated(data: bytes, tags: tuple[str, ...], stop_before_pixels: bool) -> Any:
    """Read a file whose elements are deflated; ``None`` for any other. pydicom would inflate without a bound."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    # Where it is said further behind, pydicom would inflate it, and `Counted` refuses that.
    if data[128:132] != b"DICM" or data.find(_DEFLATED.encode(), 0, _META_BYTES) < 0:
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
        specific_tags=_numbers_of(tags),
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
    return "\\".join(str(value) for value in several(value_of(found, name)))


def texts(found: Any, names: Iterable[str]) -> dict[str, str]:
    """Return elements as texts, without those that are empty."""
    return {name: value for name in names if (value := text(found, name))}


def numbers(found: Any, name: str, count: int) -> Numbers | None:
    """Return so many finite numbers, or ``None``."""
    values = tuple(map(float, decimals_of(found, name) or several(value_of(found, name))))
    return values if len(values) == count and all(map(isfinite, values)) else None


def number(found: Any, name: str) -> float | None:
    """Return one finite number, or ``None``."""
    values = numbers(found, name, 1)
    return values[0] if values else None


def whole(found: Any, name: str) -> int | None:
    """Return a whole number, or ``None``."""
    value = value_of(found, name)
    return None if value is None or value == "" else int(value)
