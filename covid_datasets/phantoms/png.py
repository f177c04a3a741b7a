"""A PNG writer without compression: compressors differ between machines, and these bytes are the same on all."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from covid_datasets.read.png import END, chunk, head


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Write an 8-bit grayscale PNG without compression, whose bytes no zlib version can change."""
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = pixels
    data = lines.tobytes()
    blocks = [data[start : start + 65535] for start in range(0, len(data), 65535)]
    stored = b"".join(
        struct.pack("<BHH", number == len(blocks) - 1, len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    )
    packed = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(data))
    return b"".join((head(pixels), chunk(b"IDAT", packed), END))
