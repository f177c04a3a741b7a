"""MetaImage volumes (.mha, and .mhd with a file of voxels): a small text header, then voxels, plain or in zlib.

The header's axes are those of DICOM (to the left, the back, the head); here they become those of NIfTI, so that all
that follows is the same for both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import MAX_TEXT_HEADER, border, too_large
from covid_datasets.read.inflate import Piece, TornError, check_all_there, held, planes, zlib_pieces
from covid_datasets.read.volume import Slices, Volume, VolumeHeader
from covid_datasets.schema import RawReader

EXPECTED = "a whole MetaImage volume"
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
"""Types of voxels; a MET_LONG has 4 bytes, whatever the machine."""
LOCAL = "LOCAL"
_DATA = "ElementDataFile"
_LOCALS = ("LOCAL", "Local", "local")
_UNIT = 1e-3
"""How much longer or shorter than 1 a direction may be."""
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class MetaHeader(VolumeHeader):
    """What a MetaImage file says about its voxels.

    Attributes:
        said: Every field of the header as its text: ``PatientAge`` and others that publishers add.
        compressed: Whether the voxels are a zlib stream.
    """

    said: Mapping[str, str]
    compressed: bool


def read_header(data: bytes, path: str) -> MetaHeader:
    r"""Read what the bytes of an ``.mha`` file, or of an ``.mhd``, say about the volume.

    >>> header = read_header(b"NDims = 3\nDimSize = 2 3 4\nElementSpacing = 1 1 5\nElementType = MET_SHORT\n"
    ...                      b"TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementDataFile = LOCAL\n", "a.mha")
    >>> header.shape, header.spacing, header.dtype.name
    ((4, 3, 2), (1.0, 1.0, 5.0), 'int16')
    """
    with border(path, EXPECTED, data):
        return _header(*_fields(data))


def read_volume(data: bytes, path: str) -> Volume:
    """Read the bytes of an ``.mha`` file; all voxels are there, and a checksum that there is holds."""
    header = read_header(data, path)
    with _telling(data, path):
        _local(header)
        if why := too_large(header.shape, header.dtype.itemsize, len(data)):
            raise TornError(why)
        if header.compressed:
            return Volume(header, *held(header, _pieces(header, data)))
        check_all_there(header, len(data))
        stored = np.frombuffer(data, np.uint8)[header.offset : header.end].view(header.dtype)
        return Volume(header, stored.reshape(header.shape), len(data) - header.end)


def read_slices(data: bytes, path: str) -> Slices:
    """Read slice by slice what the bytes of an ``.mha`` file store."""
    header = read_header(data, path)
    with _telling(data, path):
        _local(header)
        if why := too_large(header.shape, header.dtype.itemsize, len(data), held=False):
            raise TornError(why)
    return Slices(header, _stored(header, data, path))


def said(raw: RawReader, path: str) -> Mapping[str, str]:
    """Read the fields of a header alone, of a file of any size: ``PatientAge`` and others that publishers add."""
    with raw.open(path) as stream:
        head = stream.read(MAX_TEXT_HEADER)
    with border(path, EXPECTED, head):
        return _fields(head)[0]


def joined(raw: RawReader, path: str) -> bytes:
    """Return an ``.mhd`` header and the file of its voxels, which lies beside it, as the bytes of one ``.mha``."""
    text = raw.read(path)
    with border(path, EXPECTED, text):
        fields, end = _fields(text)
        name = fields[_DATA]
        if name in _LOCALS:
            return text
        plain = name == PurePosixPath(name).name and name.isprintable() and not set(name) & {*"\\%"}
        if not plain or not name or name.startswith((".", "LIST")):
            raise ValueError(f"its voxels are in {name!r}; expected one file in the same folder")
        skipped = int(fields.pop("HeaderSize", "0"))
    voxels = raw.read(str(PurePosixPath(path).with_name(name)))
    with border(path, EXPECTED, text):
        if skipped == -1:
            skipped = len(voxels) - _header({**fields, _DATA: LOCAL}, end).bytes
        if not 0 <= skipped <= len(voxels):
            raise ValueError(f"HeaderSize {skipped:,} of {len(voxels):,} bytes")
    lines = [f"{key} = {LOCAL if key == _DATA else value}\n" for key, value in fields.items()]
    return b"".join(["".join(lines).encode("latin-1"), memoryview(voxels)[skipped:]])


def _fields(data: bytes) -> tuple[dict[str, str], int]:
    """Read the lines of a header, and where the voxels begin behind it."""
    fields: dict[str, str] = {}
    at = 0
    while _DATA not in fields:
        end = data.find(b"\n", at, MAX_TEXT_HEADER)
        last = end < 0 and len(data) <= MAX_TEXT_HEADER  # an .mhd may end without a line break
        line = data[at : len(data) if last else end].decode("latin-1")
        key, is_there, value = (part.strip() for part in line.partition("="))
        if not is_there or not key.isprintable() or (end < 0 and not last):
            raise ValueError(f"its header has the line {line[:80]!r}; expected 'name = value', up to {_DATA}")
        if fields.setdefault(key, value) != value:
            raise ValueError(f"its header says {key} twice: {fields[key][:80]!r} and {value[:80]!r}")
        at = len(data) if last else end + 1
    return fields, at


def _header(fields: Mapping[str, str], offset: int) -> MetaHeader:
    dimensions = int(fields["NDims"])
    sides = _numbers(fields, "DimSize", dimensions)
    whole = all(side.is_integer() for side in sides)
    if dimensions < 3 or any(side != 1 for side in sides[3:]) or min(sides) < 1 or max(sides) >= 1 << 31 or not whole:
        raise ValueError(f"DimSize {fields['DimSize'][:80]}; expected three axes")
    columns, rows, slices = (int(side) for side in sides[:3])
    if int(fields.get("ElementNumberOfChannels", "1")) != 1:
        raise ValueError(f"{fields['ElementNumberOfChannels']} channels; expected one")
    if not _is_true(fields.get("BinaryData", "True")) or int(fields.get("HeaderSize", "0")) > 0:
        raise ValueError("voxels as text, or behind another header; expected binary ones")
    scaled = (float(fields.get(f"ElementToIntensityFunction{name}", so)) for name, so in (("Slope", 1), ("Offset", 0)))
    if tuple(scaled) != (1.0, 0.0):
        raise ValueError("an ElementToIntensityFunction, which no program reads alike; expected none")
    if fields["ElementType"] not in TYPES:
        raise ValueError(f"ElementType {fields['ElementType']}; expected one of {', '.join(TYPES)}")
    swapped = fields.get("ElementByteOrderMSB", fields.get("BinaryDataByteOrderMSB", "False"))
    dtype = np.dtype((">" if _is_true(swapped) else "<") + TYPES[fields["ElementType"]])
    affine, spacing = _place(fields, dimensions)
    return MetaHeader(
        shape=(slices, rows, columns),
        dtype=dtype,
        offset=offset,
        slope=1.0,
        intercept=0.0,
        affine=affine,
        spacing=spacing,
        said=dict(fields),
        compressed=_is_true(fields.get("CompressedData", "False")),
    )


def _place(fields: Mapping[str, str], dimensions: int) -> tuple[np.ndarray | None, tuple[float, float, float]]:
    """Return the affine in the axes of NIfTI, ``None`` where nothing says it, and the size of a voxel."""
    named = next((name for name in ("ElementSpacing", "ElementSize") if name in fields), None)
    sides = np.abs(_numbers(fields, named, dimensions)[:3]) if named else np.zeros(3)
    x, y, z = (round(float(side), 6) for side in sides)
    turned = next((name for name in ("TransformMatrix", "Rotation", "Orientation") if name in fields), None)
    if turned is None or not sides.all():
        return None, (x, y, z)
    # A line of the matrix is the direction of an axis of voxels.
    directions = np.array(_numbers(fields, turned, dimensions**2)).reshape(dimensions, dimensions)[:3, :3].T
    moved = next((name for name in ("Offset", "Position", "Origin") if name in fields), None)
    patient = np.eye(4)
    patient[:3, :3] = directions * sides
    patient[:3, 3] = _numbers(fields, moved, dimensions)[:3] if moved else 0.0
    unit = np.abs(np.linalg.norm(directions, axis=0) - 1).max() <= _UNIT  # else two fields say how large a voxel is
    usable = unit and abs(np.linalg.det(patient[:3, :3])) > 1e-9
    return (_LPS @ patient if usable else None), (x, y, z)


def _numbers(fields: Mapping[str, str], name: str, count: int) -> list[float]:
    values = [float(value) for value in fields[name].split()]
    if len(values) != count or not np.isfinite(values).all():
        raise ValueError(f"{name} {fields[name][:80]!r}; expected {count} numbers")
    return values


def _is_true(text: str) -> bool:
    return text[:1].upper() in ("T", "1")


def _local(header: MetaHeader) -> None:
    if header.said[_DATA] not in _LOCALS:
        raise TornError(f"its voxels are in {header.said[_DATA]!r}, beside it")


def _pieces(header: MetaHeader, data: bytes) -> Iterator[Piece]:
    yield memoryview(data)[: header.offset]
    rest = memoryview(data)[header.offset :]
    if not header.compressed:
        yield rest
        return
    size = int(header.said.get("CompressedDataSize", "0") or 0)
    if size and size != len(rest):
        raise TornError(f"{len(rest):,} bytes behind the header, which promises {size:,}")
    yield from zlib_pieces(rest)


def _stored(header: MetaHeader, data: bytes, path: str) -> Generator[np.ndarray, None, int]:
    with _telling(data, path):
        return (yield from planes(header, _pieces(header, data)))


@contextmanager
def _telling(data: bytes, path: str) -> Iterator[None]:
    try:
        yield
    except (TornError, ValueError) as error:
        what = f"found {len(data):,} bytes that are none: {error}"
        raise DamagedFileError(f"{path}: expected {EXPECTED}, {what}") from error
