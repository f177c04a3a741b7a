"""Bytes of a video to what is known about it; imported only where a source has videos."""

from __future__ import annotations

import numpy as np
import xxhash
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import Measured, UndecodableError, measure_image
from covid_datasets.read.video import Frame, frames, pixels, planes


def measure_video(data: bytes, sha256: str, path: str) -> Measured:
    """Decode and hash every frame.

    Where pictures are compared, the last frame whose number is a power of two stands for the video: one from its
    second half, known without decoding twice and without holding more than one.
    """
    digest = xxhash.xxh3_128()
    shown: Frame | None = None
    count = 0
    try:
        for frame in frames(data, path):
            count = frame.number + 1
            if count & frame.number == 0:
                shown = frame
            digest.update(f"{frame.decoded.format.name} {frame.decoded.width}x{frame.decoded.height}:".encode())
            for plane in planes(frame.decoded) or [frame.decoded.to_ndarray(format="rgb24")]:
                digest.update(np.ascontiguousarray(plane).data)
    except DamagedFileError as error:
        raise UndecodableError(str(error)) from error
    assert shown is not None, "a video without a frame is an error"
    seen = measure_image(Image.fromarray(pixels(shown)), sha256, path)
    return Measured(
        sha256=sha256,
        width=seen.width,
        height=seen.height,
        depth=count,
        pixel_mode=shown.decoded.format.name,
        pixel_hash=digest.hexdigest(),
        phash=seen.phash,
        looks=seen.looks,
        quality=seen.quality,
        quality_reasons=seen.quality_reasons,
    )
