"""Bytes of a video to what is known about it; imported only where a source has videos."""

from __future__ import annotations

import numpy as np
import xxhash
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import Measured, UndecodableError, measure_image, to_grey
from covid_datasets.measure.looks import Looks, looks_at, looks_in, reduced
from covid_datasets.read.video import Frame, brightness, frames, pixels, planes

COMPARED = 8
"""Frames that are compared, at least, where there are so many; and fewer than twice as many."""


def measure_video(data: bytes, sha256: str, path: str) -> Measured:
    """Decode and hash every frame; some of them are compared with pictures and with frames of other videos.

    The last one whose number, from 1, is a power of two stands for the video where a single one is wanted: one from its
    second half, known without decoding twice and without holding more than one.
    """
    digest = xxhash.xxh3_128()
    shown: Frame | None = None
    compared = _Compared()
    count = 0
    try:
        for frame in frames(data, path):
            count = frame.number + 1
            if count & frame.number == 0:
                shown = frame
            compared.take(frame)
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
        looks=(seen.looks or ()) + compared.looks(shown),
        quality=seen.quality,
        quality_reasons=seen.quality_reasons,
    )


class _Compared:
    """Frames evenly over all of a video, however long it comes to be: each whose number is a multiple of a step.

    The step is a power of two. So a copy that was cut short has the same frames, or every second one of them too, and
    of one that begins later, or that is slower, some are next to one of them. Only what looks need is held.
    """

    def __init__(self) -> None:
        self._step = 1
        self._kept: list[tuple[int, Image.Image]] = []

    def take(self, frame: Frame) -> None:
        """Keep a frame if it is one of those."""
        if (frame.number + 1) % self._step:
            return
        self._kept.append((frame.number, reduced(to_grey(Image.fromarray(brightness(frame))))))
        if len(self._kept) == 2 * COMPARED:
            self._kept, self._step = self._kept[1::2], 2 * self._step

    def looks(self, besides: Frame) -> Looks:
        """Look at them, but for the one that stands for the video anyway."""
        others = ((number, seen) for number, seen in self._kept if number != besides.number)
        return tuple(look for number, seen in others for look in looks_at(f"frame {number}", looks_in(seen)))
