"""Small NIfTI files for tests."""

from __future__ import annotations

import gzip
from typing import Any

import nibabel
import numpy as np

# As scanners' files usually come: columns to the patient's left, rows to the front, slices to the head; in RAS.
USUAL = np.array([[-0.7, 0, 0, 30.0], [0, 0.7, 0, -40.0], [0, 0, 8.0, -300.0], [0, 0, 0, 1.0]])


def nifti(
    voxels: np.ndarray,
    affine: np.ndarray = USUAL,
    *,
    packed: bool = True,
    slope: float | None = None,
    intercept: float | None = None,
    located: bool = True,
) -> bytes:
    """Write voxels by (slice, row, column) as they are; slope and intercept are what the header says."""
    image: Any = nibabel.Nifti1Image(voxels.T, affine, dtype=voxels.dtype)
    if not located:
        image.set_sform(affine, 0)
        image.set_qform(affine, 0)
    data = bytearray(image.to_bytes())
    order = image.header.endianness
    if slope is not None:
        data[112:116] = np.array(slope, f"{order}f4").tobytes()
    if intercept is not None:
        data[116:120] = np.array(intercept, f"{order}f4").tobytes()
    return gzip.compress(bytes(data), 1, mtime=0) if packed else bytes(data)


def body(person: int, shape: tuple[int, int, int] = (48, 72, 80)) -> np.ndarray:
    """Draw voxels that change slowly, others for everybody."""
    coarse = np.random.default_rng(person).integers(-1000, 400, (13, 10, 10)).astype(float)
    for axis, side in enumerate(shape):
        at = np.linspace(0, coarse.shape[axis] - 1, side)
        low = np.floor(at).astype(int).clip(max=coarse.shape[axis] - 2)
        share = (at - low).reshape([-1 if axis == each else 1 for each in range(3)])
        coarse = coarse.take(low, axis) * (1 - share) + coarse.take(low + 1, axis) * share
    voxels: np.ndarray = np.rint(coarse).astype(np.int16)
    return voxels
