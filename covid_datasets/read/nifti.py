"""NIfTI volumes: inflated once and checked, their voxels without a copy, their geometry from the header."""

from __future__ import annotations

import io
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need
from covid_datasets.read.bounds import too_large
from covid_datasets.read.inflate import GZIP, Piece, TornError, check_all_there, gzip_pieces, held, planes
from covid_datasets.read.orientation import elsewhere
from covid_datasets.read.volume import Slices, Volume, VolumeHeader

_MILLIMETRES = {1: 1000.0, 3: 0.001}
"""Units of length of a header, other than millimetres: metres and micrometres."""


class NiftiHeader(VolumeHeader):
    """What a NIfTI file says about its voxels; a slope of 0 in the file means a slope of 1 and an intercept of 0."""

    __slots__ = ()


def read_header(data: bytes, path: str) -> NiftiHeader:
    """Read what the bytes of a ``.nii`` or ``.nii.gz`` file say about the volume, and inflate no more than that."""
    with _telling(data, path):
        return _header(_head(gzip_pieces(data))[0], data, path)


def read_volume(data: bytes, path: str, *, bounded: bool = True) -> Volume:
    """Read the bytes of a ``.nii`` or ``.nii.gz`` file; all of it is inflated and its checksum holds.

    What is foreign is ``bounded``: it is not read if it would take far more memory than its file. What a build holds
    was gone through when it was built, and whoever loads it wants it whatever it takes.

    >>> import nibabel
    >>> stored = nibabel.Nifti1Image(np.zeros((4, 3, 2), np.int16), np.diag([0.7, 0.7, 5.0, 1.0])).to_bytes()
    >>> volume = read_volume(stored, "a.nii")
    >>> volume.voxels.shape, volume.header.spacing
    ((2, 3, 4), (0.7, 0.7, 5.0))
    """
    with _telling(data, path):
        head, pieces = _head(gzip_pieces(data))
        header = _header(head, data, path)
        if bounded:
            _bounded(header, data, whole=True)
        if data.startswith(GZIP):
            return Volume(header, *held(header, pieces))
        check_all_there(header, len(data))
        stored = np.frombuffer(data, np.uint8)[header.offset : header.end].view(header.dtype)
        return Volume(header, stored.reshape(header.shape), len(data) - header.end)


def read_slices(data: bytes, path: str) -> Slices:
    """Read slice by slice what the bytes of a ``.nii`` or ``.nii.gz`` file store."""
    with _telling(data, path):
        head, pieces = _head(gzip_pieces(data))
        header = _header(head, data, path)
        _bounded(header, data, whole=False)
    return Slices(header, _stored(header, pieces, data, path))


def _stored(header: NiftiHeader, pieces: Iterator[Piece], data: bytes, path: str) -> Generator[np.ndarray, None, int]:
    with _telling(data, path):
        return (yield from planes(header, pieces))


@contextmanager
def _telling(data: bytes, path: str) -> Iterator[None]:
    try:
        yield
    except TornError as error:
        raise _damaged(path, data, str(error)) from error


def _bounded(header: NiftiHeader, data: bytes, *, whole: bool) -> None:
    if why := too_large(header.shape, header.dtype.itemsize, len(data), held=whole):
        what = f"the header promises {header.end:,} bytes (shape {header.shape} of {header.dtype})"
        raise TornError(f"{what}: {why}")


def _head(pieces: Iterator[Piece]) -> tuple[bytes, Iterator[Piece]]:
    """Take as many bytes as the longest header has, and give them back with what follows."""
    taken: list[Piece] = []
    while sum(map(len, taken)) < 540 and (piece := next(pieces, None)) is not None:
        taken.append(piece)

    def again() -> Iterator[Piece]:
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
        scale = np.diag([unit, unit, unit, 1.0])
        affine = scale @ header.get_best_affine() if located else None
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
    doubts = () if affine is None else _doubts(header, affine, scale, (slices, rows, columns))
    found = NiftiHeader((slices, rows, columns), dtype, offset, slope, intercept, affine, (x, y, z), doubts=doubts)
    if offset < len(head[:348]):
        raise _damaged(path, data, f"the header promises {found.end:,} bytes (shape {found.shape} of {dtype})")
    return found


def _doubts(
    header: Any, affine: np.ndarray, scale: np.ndarray, shape: tuple[int, int, int]
) -> tuple[tuple[str, str], ...]:
    """Hold the two places that a header may state against each other; the sform counts, as with other readers."""
    if int(header["sform_code"]) <= 0 or int(header["qform_code"]) <= 0:
        return ()
    try:
        other = scale @ header.get_qform()
    except Exception as error:  # a quaternion that is none
        return (("sform and qform differ", f"the sform is used; the qform is none: {error}"),)
    apart = "no place at all" if not np.isfinite(other).all() else elsewhere(affine, other, shape)
    return (("sform and qform differ", f"the sform is used; the qform has {apart}"),) if apart else ()


def _damaged(path: str, data: bytes, what: str) -> DamagedFileError:
    return DamagedFileError(f"{path}: expected a whole NIfTI volume, found {len(data):,} bytes that are none: {what}")
