"""Small MetaImage files for tests."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.nifti import USUAL

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def mha(
    voxels: np.ndarray, affine: np.ndarray = USUAL, *, packed: bool = True, data_file: str = "LOCAL", **said: Any
) -> bytes:
    """Write voxels by (slice, row, column) as SimpleITK does; the affine is that of NIfTI; ``None`` removes a field."""
    patient = LPS @ affine
    sides = np.sqrt((patient[:3, :3] ** 2).sum(axis=0))
    kinds = {"i1": "CHAR", "u1": "UCHAR", "i2": "SHORT", "u2": "USHORT", "i4": "INT", "f4": "FLOAT", "f8": "DOUBLE"}
    stored = voxels.tobytes()
    data = zlib.compress(stored, 1) if packed else stored
    fields: dict[str, Any] = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": voxels.dtype.byteorder == ">",
        "CompressedData": packed,
        "CompressedDataSize": len(data) if packed else None,
        "TransformMatrix": " ".join(f"{value:.17g}" for value in (patient[:3, :3] / sides).T.ravel()),
        "Offset": " ".join(f"{value:.17g}" for value in patient[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": " ".join(f"{value:.17g}" for value in sides),
        "DimSize": " ".join(map(str, voxels.shape[::-1])),
        "ElementType": f"MET_{kinds[voxels.dtype.str[1:]]}",
    }
    fields |= said
    lines = [f"{key} = {value}\n" for key, value in fields.items() if value is not None]
    header = "".join([*lines, f"ElementDataFile = {data_file}\n"]).encode()
    return header + data if data_file == "LOCAL" else header


def write_metaimage(path: Path, voxels: np.ndarray) -> None:
    """Write an ``.mha``, or an ``.mhd`` with its voxels in a ``.raw`` beside it."""
    beside = path.with_suffix(".raw") if path.suffix.lower() == ".mhd" else None
    path.write_bytes(mha(voxels, packed=False, data_file=beside.name if beside else "LOCAL"))
    if beside:
        beside.write_bytes(voxels.tobytes())
