"""Masks and volumes that are made of raw files when a build reads them: functions for `covid_datasets.schema.Made`.

A mask of zeros and ones out of a label map, of colours, or of crops that are pasted into place; a volume of another
format as NIfTI. Nothing is calculated that the raw files do not say.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import MAX_PIXELS, border, too_large
from covid_datasets.read.encode import encode
from covid_datasets.read.masks import IGNORED as IGNORED
from covid_datasets.read.masks import other_shape, read_mask
from covid_datasets.read.packed import pack
from covid_datasets.read.volumes import read_header, read_slices, volume_bytes
from covid_datasets.schema import Made, Notice, RawReader

FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP")
Value = int | tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class MaskFile:
    """One picture that says where something is.

    Attributes:
        path: The raw file.
        values: Values or colours that are meant; empty: all that are not zero (of colours: not black; never alpha).
        ignore: Values or colours that say "neither", and become `IGNORED`.
        corner: Column and row of its left upper corner, where it is a crop that belongs into a larger picture.
    """

    path: str
    values: tuple[Value, ...] = ()
    ignore: tuple[Value, ...] = ()
    corner: tuple[int, int] | None = None


def picture_mask(
    *files: MaskFile,
    size: tuple[int, int] | None = None,
    empty: Literal["blank", "unknown"] = "blank",
    fit: Literal["refuse", "nearest"] = "refuse",
) -> Made:
    """Refer to the mask that some pictures make together; they are opened when a worker reads it, not here.

    Args:
        files: Where something is, it is in the mask; crops are pasted into place.
        size: Rows and columns of the image, which crops need; else that of the first file.
        empty: ``"unknown"`` where a picture without anything says that nobody annotated it, not that there is nothing:
            there is no mask then, and this is told.
        fit: ``"nearest"`` resizes a file of another size, each pixel to the nearest one; else that is an error.
    """
    return Made(files[0].path, make_mask, (files, size, empty, fit))


def make_mask(raw: RawReader, files: tuple[MaskFile, ...], size: tuple[int, int] | None, empty: str, fit: str) -> bytes:
    """Make the PNG of a mask; `picture_mask` refers to it."""
    mask: np.ndarray | None = None
    for file in files:
        data = raw.read(file.path)
        with border(file.path, "a picture of a mask", data):
            found = _chosen(_pixels(data), file)
        if mask is None:
            rows, columns = size or found.shape
            if rows * columns > MAX_PIXELS:
                raise DamagedFileError(f"{file.path}: expected a mask of at most {MAX_PIXELS:,} pixels, found {size}")
            mask = np.zeros((rows, columns), np.uint8)
        _paste(mask, found, file, fit)
    if mask is None or (empty == "unknown" and not mask.any()):
        raise DamagedFileError(f"{files[0].path}: expected a mask, found nothing in it: nobody annotated this image")
    return encode(mask)


def _paste(mask: np.ndarray, found: np.ndarray, file: MaskFile, fit: str) -> None:
    """Add what a file shows to a mask; what is meant wins over what is ignored."""
    rows, columns = found.shape
    left, top = file.corner or (0, 0)
    if file.corner is None and found.shape != mask.shape:
        if fit != "nearest":
            whole = f"{mask.shape[0]}x{mask.shape[1]}"
            raise DamagedFileError(
                f"{file.path}: expected a mask of {whole} pixels as its image, found {rows}x{columns}"
            )
        picture = Image.fromarray(found).resize(mask.shape[::-1], Image.Resampling.NEAREST)
        found = np.asarray(picture)
        rows, columns = found.shape
    place = mask[top : top + rows, left : left + columns]
    if min(left, top) < 0 or place.shape != found.shape:
        what = f"{rows}x{columns} pixels at column {left}, row {top} of {mask.shape[0]}x{mask.shape[1]}"
        raise DamagedFileError(f"{file.path}: expected a crop inside of its image, found {what}")
    place[(place == 0) & (found == IGNORED)] = IGNORED
    place[found == 1] = 1


def _pixels(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels; the limit is {MAX_PIXELS:,}")
    if image.mode in ("1", "L", "P", "I;16", "I"):
        return np.asarray(image)
    if image.mode == "LA":
        return np.asarray(image.getchannel(0))
    if image.mode not in ("RGB", "RGBA"):
        raise ValueError(f"the mode {image.mode}")
    return np.asarray(image.convert("RGB"))


def _chosen(pixels: np.ndarray, file: MaskFile) -> np.ndarray:
    """Return 1 where a value is meant, `IGNORED` where it is ignored, else 0."""
    chosen = np.zeros(pixels.shape[:2], np.uint8)
    ignored = _any_of(pixels, file.ignore)
    chosen[ignored] = IGNORED
    meant = _any_of(pixels, file.values) if file.values else pixels.any(-1) if pixels.ndim == 3 else pixels != 0
    chosen[meant & ~ignored] = 1
    return chosen


def _any_of(pixels: np.ndarray, values: tuple[Value, ...]) -> np.ndarray:
    found = np.zeros(pixels.shape[:2], bool)
    for value in values:
        wanted = np.asarray(value if pixels.ndim == 3 or isinstance(value, int) else value[0])
        same = pixels == wanted
        found |= same.all(-1) if pixels.ndim == 3 else same
    return found


def other_size(size: tuple[int | None, int | None], data: bytes, path: str) -> Notice | None:
    """Tell of a mask that has another size (width, height) than its image, of which no pixel is looked at."""
    with border(path, "a picture of a mask", data):
        found = Image.open(io.BytesIO(data), formats=FORMATS).size
    if None in size or found == size:
        return None
    what = f"{found[0]}x{found[1]} pixels, its image has {size[0]}x{size[1]}"
    return Notice("mask of another size", path, what)


# --- volumes ---------------------------------------------------------------------------------------------------------

_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}
"""What NIfTI calls a type of numbers."""
_MILLIMETRE = 2


def volume_as_nifti(path: str, *beside: str, expansion: float = 1.0) -> Made:
    """Refer to a volume of another format as the NIfTI file that the column ``volume`` holds.

    The voxels are those of the file, value for value and in its order, without compression; the affine says the same
    place. ``datasets`` reads nothing but NIfTI there, so this is the one form of a volume that is not the publisher's.
    It is not compressed, because of one volume no two versions of zlib need make the same bytes.

    Args:
        path: The volume.
        beside: Files without which it is not whole, such as the voxels of an ``.mhd``.
        expansion: About how many times larger than all these files it is, where they are compressed.
    """
    return Made(f"{path}.nii", make_nifti, (path,), (path, *beside), expansion)


def make_nifti(raw: RawReader, path: str) -> bytes:
    """Make the NIfTI file of a volume; `volume_as_nifti` refers to it.

    It is written slice by slice, so that one volume is in memory beside its file. Bytes that a file holds behind its
    voxels are behind them in what is made too, where whoever measures the volume tells of them.
    """
    data = volume_bytes(raw, path)
    slices = read_slices(data, path)
    header = slices.header
    if why := too_large(header.shape, header.dtype.itemsize, len(data)):
        raise DamagedFileError(
            f"{path}: expected a volume that can be held whole, found {len(data):,} bytes of one: {why}"
        )
    kind = header.values(np.empty(0, header.dtype)).dtype.newbyteorder("<")
    made = io.BytesIO()
    made.write(nifti_header(header.shape, kind, header.affine, header.spacing))
    for plane in slices:
        made.write(np.ascontiguousarray(header.values(plane), kind).data)
    made.write(bytes(slices.surplus))
    return made.getvalue()


def volume_mask(path: str, values: tuple[int, ...] = (), known: tuple[int, ...] = ()) -> Made:
    """Refer to the mask of some labels of a map of labels, as a packed NIfTI file of zeros and ones.

    ``known`` are all labels that the map may have: what is none of them is `IGNORED`, and told.
    """
    arguments = (path, values, known) if known else (path, values)
    return Made(f"{path}.{'-'.join(map(str, values)) or 'mask'}.nii.gz", make_volume_mask, arguments)


def make_volume_mask(raw: RawReader, path: str, values: tuple[int, ...], known: tuple[int, ...] = ()) -> bytes:
    """Make the NIfTI file of a mask; `volume_mask` refers to it."""
    mask = read_mask(volume_bytes(raw, path), path, values, known)
    return pack(nifti_bytes(mask.voxels, mask.header.affine, mask.header.spacing))


def volume_mask_on(image: str, path: str) -> Made:
    """Refer to a mask that lies on the voxels of its image whatever its header says, as packed NIfTI of that place.

    This is for a source of which it is known that headers of masks are wrong and their voxels right; a mask of another
    shape is an error all the same.
    """
    return Made(f"{path}.on.nii.gz", make_volume_mask_on, (image, path))


def make_volume_mask_on(raw: RawReader, image: str, path: str) -> bytes:
    """Make the NIfTI file of a mask in the place of its image; `volume_mask_on` refers to it."""
    header = read_header(volume_bytes(raw, image), image)
    mask = read_mask(volume_bytes(raw, path), path)
    if problem := other_shape(header, mask.header):
        raise DamagedFileError(f"{path}: {problem}")
    return pack(nifti_bytes(mask.voxels, header.affine, header.spacing))


def nifti_bytes(voxels: np.ndarray, affine: np.ndarray | None, spacing: tuple[float, float, float]) -> bytes:
    """Write voxels by (slice, row, column) as NIfTI without compression, byte for byte the same everywhere.

    >>> from covid_datasets.read.nifti import read_volume
    >>> data = nifti_bytes(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([1.0, 1, 5, 1]), (1, 1, 5))
    >>> read_volume(data, "a.nii").voxels.sum(), read_volume(data, "a.nii").header.spacing
    (np.int64(276), (1.0, 1.0, 5.0))
    """
    kind = voxels.dtype.newbyteorder("<")
    return b"".join((nifti_header(voxels.shape, kind, affine, spacing), np.ascontiguousarray(voxels, kind).data))


def nifti_header(
    shape: tuple[int, ...], kind: np.dtype[Any], affine: np.ndarray | None, spacing: tuple[float, ...]
) -> bytes:
    """Write what stands before the voxels of a NIfTI file; ``shape`` is of slices, rows and columns.

    >>> len(nifti_header((2, 3, 4), np.dtype("<i2"), None, (1.0, 1.0, 5.0)))
    352
    """
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, _CODES[kind.str[1:]], 8 * kind.itemsize)
    struct.pack_into("<8f", head, 76, 1.0, *spacing, 0, 0, 0, 0)
    struct.pack_into("<3f", head, 108, 352.0, 1.0, 0.0)
    head[123] = _MILLIMETRE
    if affine is not None:
        struct.pack_into("<h", head, 254, 1)
        struct.pack_into("<12f", head, 280, *affine[:3].ravel())
    head[344:348] = b"n+1\0"
    return bytes(head)
