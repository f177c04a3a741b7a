"""NIfTI volumes: inflated once and checked, their voxels without a copy, their geometry from the header."""

from __future__ import annotations

import importlib
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need

MAX_VOLUME_BYTES = 4 << 30
"""No volume of this field is larger; a header that promises more is not believed."""
CHUNK = 1 << 17
"""Compressed bytes inflated at once; what comes of them is copied while it is in the cache of a core."""
WHOLE = 1e-3
"""Values this near to a whole number are that number, written by a program that calculates in floating point."""
MAX_PIECE = 1 << 22
"""Bytes that come of them at most; a bomb gives a thousand times what goes in."""
_GZIP = b"\x1f\x8b"
_MILLIMETRES = {1: 1000.0, 3: 0.001}
"""Units of length of a header, other than millimetres: metres and micrometres."""


@dataclass(frozen=True, slots=True, eq=False)
class NiftiHeader:
    """What a file says about its voxels.

    Attributes:
        shape: Slices, rows and columns, as they are stored.
        dtype: Type of a stored value.
        offset: Where the voxels begin in the inflated file.
        slope: Stored values times ``slope`` plus ``intercept`` are the values; a slope of 0 means 1 and 0.
        intercept: See ``slope``.
        affine: From (column, row, slice) to millimetres in the RAS axes of NIfTI; ``None`` where nothing says it.
        spacing: Size of a voxel along column, row and slice, in millimetres.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    affine: np.ndarray | None
    spacing: tuple[float, float, float]

    @property
    def end(self) -> int:
        """Bytes that an inflated file has at least."""
        return self.offset + int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxels by (slice, row, column), a read-only view of the inflated file, and what its header says.

    ``surplus`` counts bytes behind the voxels, that the header does not account for.
    """

    header: NiftiHeader
    stored: np.ndarray
    surplus: int = 0

    @property
    def voxels(self) -> np.ndarray:
        """The values of all voxels; a copy only where the header scales."""
        return self.values(self.stored)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Scale stored values, such as those of one slice."""
        if (self.header.slope, self.header.intercept) == (1.0, 0.0):
            return stored
        return stored * np.float64(self.header.slope) + self.header.intercept


def read_header(data: bytes, path: str) -> NiftiHeader:
    """Read what the bytes of a ``.nii`` or ``.nii.gz`` file say about the volume, and inflate no more than that."""
    return _header(_head(_pieces(data, path))[0], data, path)


def read_volume(data: bytes, path: str) -> Volume:
    """Read the bytes of a ``.nii`` or ``.nii.gz`` file; all of it is inflated and its checksum holds.

    >>> import nibabel
    >>> stored = nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.diag([0.7, 0.7, 5.0, 1.0])).to_bytes()
    >>> volume = read_volume(stored, "a.nii")
    >>> volume.voxels.shape, volume.header.spacing
    ((2, 3, 4), (0.7, 0.7, 5.0))
    """
    pieces = _pieces(data, path)
    head, rest = _head(pieces)
    header = _header(head, data, path)
    end = header.end
    if not data.startswith(_GZIP):
        whole, found = np.frombuffer(data, np.uint8), len(data)
    else:
        # Written piece by piece, so that neither a header that lies nor a bomb takes more memory than the file gives.
        whole, found = np.empty(end, np.uint8), 0
        for piece in rest:
            kept = piece[: max(end - found, 0)]
            whole[found : found + len(kept)] = np.frombuffer(kept, np.uint8)
            found += len(piece)
            if found > MAX_VOLUME_BYTES:
                raise _damaged(path, data, f"more than {MAX_VOLUME_BYTES:,} bytes come out of it")
        whole.flags.writeable = False
    if found < end:
        what = f"{found:,} bytes inflated, the header promises {end:,} (shape {header.shape} of {header.dtype})"
        raise _damaged(path, data, what)
    stored = whole[header.offset : end].view(header.dtype).reshape(header.shape)
    return Volume(header, stored, found - end)


def hounsfield(values: np.ndarray) -> tuple[np.ndarray, str]:
    """Return values as signed 16-bit numbers and nothing, or unchanged and why they are none.

    >>> hounsfield(np.array([[-1024.0, 40.0001]]))[0].dtype.name, hounsfield(np.array([[0.5]]))[1]
    ('int16', 'values that are no whole numbers, such as 0.5')
    """
    if values.dtype == np.int16:
        return values, ""
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            return values, "values that are no numbers"
        whole = np.rint(values)
        if (off := np.abs(values - whole) > WHOLE).any():
            return values, f"values that are no whole numbers, such as {float(values[off].flat[0]):g}"
        values = whole
    low, high = values.min(), values.max()
    limits = np.iinfo(np.int16)
    if low < limits.min or high > limits.max:
        return values, f"values beyond 16 bits, from {low:g} to {high:g}"
    return values.astype(np.int16), ""


def _pieces(data: bytes, path: str) -> Iterator[bytes | memoryview]:
    """Yield what is inside a gzip file of one or more members, or the data itself where it is none.

    A file that is torn, whose checksum is wrong, or that goes on with something else is an error.
    """
    left = memoryview(data)
    if not data.startswith(_GZIP):
        yield left
        return
    engine = _engine()
    while left and any(left[:2]):
        if left[:2] != _GZIP:
            raise _damaged(path, data, f"the last {len(left):,} bytes are no part of the gzip file")
        member: Any = engine.decompressobj(zlib.MAX_WBITS | 16)
        piece: bytes | None = None
        while not member.eof and (left or piece):
            chunk = left[:CHUNK]
            try:
                piece = member.decompress(chunk, MAX_PIECE)
            except (zlib.error, engine.error, OSError, EOFError, ValueError) as error:
                raise _damaged(path, data, str(error) or type(error).__name__) from error
            left = left[len(chunk) - len(member.unconsumed_tail) - len(member.unused_data) :]
            yield piece
        if not member.eof:
            raise _damaged(path, data, "the gzip file ends too early")
    if any(left):
        raise _damaged(path, data, f"the last {len(left):,} bytes are no part of the gzip file")


def _engine() -> ModuleType:
    """Find what inflates: ``isal`` where it is installed, which is twice as fast as the standard library."""
    try:
        return importlib.import_module("isal.isal_zlib")
    except ImportError:
        return zlib


def _head(pieces: Iterator[bytes | memoryview]) -> tuple[bytes, Iterator[bytes | memoryview]]:
    """Take as many bytes as the longest header has, and give them back with what follows."""
    taken: list[bytes | memoryview] = []
    while sum(map(len, taken)) < 540 and (piece := next(pieces, None)) is not None:
        taken.append(piece)

    def again() -> Iterator[bytes | memoryview]:
        yield from taken
        taken.clear()
        yield from pieces

    return b"".join(piece[:540] for piece in taken)[:540], again()


def _header(head: bytes, data: bytes, path: str) -> NiftiHeader:
    need("nibabel")
    import nibabel

    kinds = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}
    sizes = [struct.unpack(order + "i", head[:4])[0] for order in "<>"] if len(head) >= 348 else []
    kind = next((kinds[size] for size in sizes if size in kinds), None)
    if kind is None:
        raise _damaged(path, data, f"it begins with {head[:8]!r}, which is no NIfTI header")
    try:
        header = kind.from_fileobj(io.BytesIO(head), check=False)
        if bytes(header["magic"].item())[:3] not in (b"n+1", b"n+2"):
            raise _damaged(path, data, f"its header has the mark {header['magic'].item()!r}; expected n+1 or n+2")
        shape, dtype = tuple(map(int, header.get_data_shape())), header.get_data_dtype()
        offset = int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        located = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
        unit = _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
        affine = np.diag([unit, unit, unit, 1.0]) @ header.get_best_affine() if located else None
        sides = np.abs(header["pixdim"][1:4].astype(np.float64)) * unit
    except DamagedFileError:
        raise
    except Exception as error:  # nibabel lets through whatever its readers of headers raise
        raise _damaged(path, data, f"no NIfTI header: {error}") from error
    shape = shape[:3] if shape[3:] and set(shape[3:]) == {1} else shape
    if len(shape) != 3 or min(shape) < 1 or dtype.kind not in "iufb":
        raise _damaged(path, data, f"shape {shape} of {dtype}; expected three axes of numbers")
    if affine is not None and np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 1e-9:
        sides = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    else:
        affine = None
    columns, rows, slices = shape
    x, y, z = (round(float(side), 6) for side in np.nan_to_num(sides))
    slope, intercept = (1.0, 0.0) if slope is None else (float(slope), float(intercept))
    found = NiftiHeader((slices, rows, columns), dtype, offset, slope, intercept, affine, (x, y, z))
    if found.end > MAX_VOLUME_BYTES or offset < len(head[:348]):
        raise _damaged(path, data, f"the header promises {found.end:,} bytes (shape {found.shape} of {dtype})")
    return found


def _damaged(path: str, data: bytes, what: str) -> DamagedFileError:
    return DamagedFileError(f"{path}: expected a whole NIfTI volume, found {len(data):,} bytes that are none: {what}")
