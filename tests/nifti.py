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
