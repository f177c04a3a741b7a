"""What rows of finished builds show, as pictures in grey: the image, some frames of a video, slices of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from PIL import Image

from covid_datasets.columns import CONTENT
from covid_datasets.errors import DamagedFileError
from covid_datasets.load.stored import open_table
from covid_datasets.measure.image import UndecodableError, decode, grey_of, to_grey, window
from covid_datasets.prepare.result import Built

FRAMES = 4
"""Frames of a video that stand for it, at least, where it has so many; and fewer than twice as many."""
SLICES = (0.25, 0.5, 0.75)
"""Where the axial slices lie that stand for a volume."""


class Shown:
    """The pictures of several builds, in the order of their joint index, decoded when they are asked for."""

    def __init__(self, builds: Sequence[Built]) -> None:
        """Take finished builds; nothing is decoded yet."""
        tables = [open_table(built) for built in builds]
        self._columns = {
            name: pa.chunked_array([chunk for table in tables for chunk in table[name].chunks])
            for name in (*CONTENT, "hu_slope", "hu_intercept")
        }

    def picture(self, row: int) -> Image.Image | None:
        """Return the image of a row, where it has one that can be decoded; a build need not have decoded it."""
        image, slope, intercept = (self._columns[name][row].as_py() for name in ("image", "hu_slope", "hu_intercept"))
        if image is None:
            return None
        try:
            return grey_of(decode(image["bytes"]), None if slope is None else (slope, intercept))
        except UndecodableError:  # nothing bears out then what its name says
            return None

    def pictures(self, row: int) -> list[Image.Image]:
        """Return what stands for a row: its image, or some of its frames or slices; nothing where it has none."""
        if (picture := self.picture(row)) is not None:
            return [picture]
        video, volume = (self._columns[name][row].as_py() for name in ("video", "volume"))
        try:
            if video is not None:
                return frames_of(video["bytes"], video["path"])
            return [] if volume is None else slices_of(volume["bytes"], volume["path"])
        except DamagedFileError:  # what can't be decoded shows nothing
            return []


def frames_of(data: bytes, path: str) -> list[Image.Image]:
    """Decode a video once and keep some of its frames, evenly over all of it, however many these are."""
    from covid_datasets.read.video import Frame, frames, pixels  # an extra

    step = 1
    kept: list[Frame] = []
    for frame in frames(data, path):
        if frame.number % step == 0:
            kept.append(frame)
        if len(kept) == 2 * FRAMES:
            kept, step = kept[::2], 2 * step
    return [to_grey(Image.fromarray(pixels(frame))) for frame in kept]


def slices_of(data: bytes, path: str) -> list[Image.Image]:
    """Show some axial slices of a volume: by the window of all CT, or by their range where there is no air."""
    from covid_datasets.read.orientation import turned  # these two need an extra
    from covid_datasets.read.volumes import read_volume

    volume = read_volume(data, path)
    axial = turned(volume.stored, volume.header.affine)[0]
    shown = (np.nan_to_num(volume.values(axial[int(len(axial) * place)])) for place in SLICES)
    return [
        Image.fromarray(window(values)) if values.min() < 0 else to_grey(Image.fromarray(values.astype(np.float32)))
        for values in shown
    ]
