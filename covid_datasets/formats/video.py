"""Videos through PyAV: decoded once from memory, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xxhash
from PIL import Image

from covid_datasets.build.measure import Measured, UndecodableError, measure_image
from covid_datasets.errors import DamagedFileError
from covid_datasets.extras import need


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: its number, its time in seconds where the file tells it, and its pixels (rows, columns, colours)."""

    number: int
    seconds: float | None
    pixels: np.ndarray


def frames(data: bytes, path: str) -> Iterator[Frame]:
    """Decode every frame of the first video stream, in order."""
    need("av")
    import av

    number = 0
    try:
        with av.open(io.BytesIO(data)) as container:
            if not container.streams.video:
                raise DamagedFileError(f"{path}: expected a video, found a file without a video stream")
            for frame in container.decode(video=0):
                seconds = None if frame.pts is None or frame.time is None else float(frame.time)
                yield Frame(number, seconds, frame.to_ndarray(format="rgb24"))
                number += 1
    except av.error.FFmpegError as error:
        raise DamagedFileError(
            f"{path}: expected a whole video, found {len(data):,} bytes that stop after frame {number}: {error}"
        ) from error
    if not number:
        raise DamagedFileError(f"{path}: expected a video, found no frame in {len(data):,} bytes")


def measure_video(data: bytes, sha256: str, path: str) -> Measured:
    """Decode and hash every frame.

    Where pictures are compared, the last frame whose number is a power of two stands for the video: one from its
    second half, known without decoding twice and without holding more than one.
    """
    digest = xxhash.xxh3_128()
    count, shown = 0, np.zeros((1, 1, 3), np.uint8)
    try:
        for frame in frames(data, path):
            digest.update(np.ascontiguousarray(frame.pixels).data)
            count = frame.number + 1
            if count & frame.number == 0:
                shown = frame.pixels
    except DamagedFileError as error:
        raise UndecodableError(str(error)) from error
    seen = measure_image(Image.fromarray(shown).convert("L"), sha256, path)
    return Measured(
        sha256=sha256,
        width=shown.shape[1],
        height=shown.shape[0],
        depth=count,
        pixel_mode="RGB",
        pixel_hash=digest.hexdigest(),
        phash=seen.phash,
        thumb=seen.thumb,
        quality=seen.quality,
        quality_reasons=seen.quality_reasons,
    )
