"""Arrays of NumPy (``.npy``), without ever unpickling: a header that is checked, and so many numbers as it promises."""

from __future__ import annotations

import io
import math

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.schema import RawReader

MAX_HEADER = 10_000
"""Characters of a header, which is parsed as Python literals."""


def read_npy(raw: RawReader, path: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read an array of numbers of the wanted shape, ``None`` where any length will do.

    Objects, which only pickle can read, are an error, and so is a header that promises more or less than there is.

    >>> class Files:
    ...     def read(self, path: str) -> bytes:
    ...         np.save(out := io.BytesIO(), np.eye(2))
    ...         return out.getvalue()
    >>> read_npy(Files(), "labels.npy", (None, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    data = raw.read(path)
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format")
        found, by_columns, dtype = read(stream, max_header_size=MAX_HEADER)
    except Exception as error:  # NumPy raises whatever parsing the header raises
        raise DamagedFileError(f"{path}: expected an array of NumPy, found {len(data):,} bytes: {error}") from error
    if dtype.hasobject or dtype.kind not in "iufb":
        raise DamagedFileError(f"{path}: expected an array of numbers, found {dtype}, which may hold anything")
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
        wanted = " x ".join("any" if side is None else str(side) for side in shape)
        raise DamagedFileError(f"{path}: expected {wanted} numbers, found {' x '.join(map(str, found)) or 'one'}")
    begin = stream.tell()
    if math.prod(found) * dtype.itemsize != len(data) - begin:
        size = f"{len(data) - begin:,} bytes"
        raise DamagedFileError(f"{path}: expected {math.prod(found):,} numbers of {dtype}, found {size} of them")
    return np.frombuffer(data, dtype, offset=begin).reshape(found, order="F" if by_columns else "C")
