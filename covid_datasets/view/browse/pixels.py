"""What a row shows, as a stack of planes: one picture, the slices of a volume, or the frames of a video."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets.errors import CovidDatasetsError
from covid_datasets.extras import need
from covid_datasets.measure.image import DEEP, UndecodableError, decode
from covid_datasets.read.encode import is_hounsfield
from covid_datasets.transforms.windows import Range, window_range, windowed

SIDE = 160
"""Rows or columns of a thumbnail, whichever are more."""
FRAMES, HERTZ = 600, 25.0
"""Frames of a video that are shown at most, and of each second."""
AUTO = "auto"
"""The window of Hounsfield units or other deep values that nobody chose: that of lungs, or their own range."""


class NothingShownError(CovidDatasetsError):
    """A row whose picture cannot be decoded, or that has none."""


@dataclass(slots=True)
class Stack:
    """The decoded planes of a row, with what is known of their values.

    Attributes:
        kind: "image", "volume" or "video".
        planes: Each by (row, column), with a third axis for colours; those of a video are JPEG until they are shown.
        hounsfield: Whether values are Hounsfield units, so that a window by name means something.
        hertz: Frames a second.
        marks: Masks by name, each as many planes of yes and no.
    """

    kind: str
    planes: Any
    hounsfield: bool = False
    hertz: float | None = None
    marks: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the planes."""
        return len(self.planes)

    @property
    def nbytes(self) -> int:
        """The memory that is held."""
        held = [self.planes, *self.marks.values()]
        return sum(part.nbytes if isinstance(part, np.ndarray) else sum(map(_size, part)) for part in held)

    def shown(self, number: int, window: str = AUTO) -> Image.Image:
        """Show a plane in grey or colours of 8 bits."""
        plane = self.planes[number]
        if isinstance(plane, bytes):
            return Image.open(io.BytesIO(plane), formats=("JPEG",))
        if plane.dtype == np.uint8 and not self.hounsfield:
            return Image.fromarray(np.ascontiguousarray(plane))
        return Image.fromarray(np.ascontiguousarray(windowed(plane, self._range(plane, window))))

    def marked(self, name: str, number: int) -> Image.Image:
        """Show a mask as white where it is and see-through elsewhere; the page gives it its colour."""
        mask = np.asarray(self.marks[name][number])
        alpha = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
        return Image.merge("LA", (Image.new("L", alpha.size, 255), alpha))

    def _range(self, plane: np.ndarray, window: str) -> Range:
        if window != AUTO:
            ends = window.split(",")
            return window_range(ends if len(ends) > 1 else window)
        if self.hounsfield:
            return window_range("lung")
        known = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
        low, high = np.percentile(known, (0.5, 99.5)) if known.size else (0.0, 1.0)
        return float(low), float(high) if high > low else float(low) + 1.0


def stack_of(row: dict[str, Any]) -> Stack:
    """Decode what a stored row shows, and its masks.

    Raises:
        NothingShownError: It has nothing to show, or nothing that can be decoded.
    """
    if row["image"] is not None:
        values, hounsfield = _values(row["image"]["bytes"], row["hu_slope"], row["hu_intercept"])
        stack = Stack("image", [values], hounsfield)
        for name, mask in (row["masks"] or {}).items():
            if mask is not None:
                marks = _values(mask["bytes"], None, None)[0]
                stack.marks[name] = [marks.any(axis=-1) if marks.ndim == 3 else marks > 0]
        return stack
    if row["volume"] is not None:
        voxels = _voxels(row["volume"])
        hounsfield = row["modality"] == "CT" and bool(len(voxels)) and bool(np.nanmin(voxels) < 0)
        stack = Stack("volume", voxels, hounsfield)
        for name, mask in (row["volume_masks"] or {}).items():
            if mask is not None and (marks := _voxels(mask) > 0).shape == voxels.shape:
                stack.marks[name] = marks
        return stack
    if row["video"] is not None:
        return _frames(row["video"]["bytes"], row["video"]["path"])
    raise NothingShownError("this row has no picture, volume or video")


def thumbnail(picture: Image.Image) -> bytes:
    """Make a picture small, and encode it."""
    small = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return _encoded(small, "JPEG", quality=80)


def small_picture(row: dict[str, Any], look: bytes) -> bytes:
    """Make the thumbnail of a row: of a volume or video the one that its build keeps, where it has one."""
    if row["image"] is not None:
        data = row["image"]["bytes"]
        if row["hu_slope"] is None and (picture := _drafted(data)) is not None:
            return thumbnail(picture)
        return thumbnail(stack_of({**row, "masks": None}).shown(0))
    side = int(len(look) ** 0.5)
    if side and side * side == len(look):
        picture = Image.frombytes("L", (side, side), look)
        return thumbnail(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    stack = stack_of({**row, "volume_masks": None})
    return thumbnail(stack.shown(len(stack) // 2))


def png(picture: Image.Image) -> bytes:
    """Encode a picture without loss, and quickly: it goes no further than to this machine's own browser."""
    return _encoded(picture, "PNG", compress_level=1)


def _drafted(data: bytes) -> Image.Image | None:
    """Decode a JPEG at the size of a thumbnail, which takes a tenth of the time; ``None`` for what is none."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        picture = Image.open(io.BytesIO(data), formats=("JPEG",))
        picture.draft("RGB" if picture.mode != "L" else "L", (SIDE, SIDE))
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NothingShownError("its picture cannot be decoded") from error
    return picture


def _values(data: bytes, slope: float | None, intercept: float | None) -> tuple[np.ndarray, bool]:
    """Decode one picture: 8-bit grey or colours, or deep values, and whether these are Hounsfield units."""
    try:
        picture = decode(data)
    except UndecodableError as error:
        raise NothingShownError(f"its picture cannot be decoded: {error}") from error
    if is_hounsfield(picture):
        return np.asarray(picture).astype(np.int16), True
    if slope is not None and (picture.mode in DEEP or picture.mode == "L"):
        return np.asarray(picture).astype(np.float32) * slope + (intercept or 0.0), True
    if picture.mode in DEEP:
        return np.asarray(picture), False
    return np.asarray(picture if picture.mode == "L" else picture.convert("RGB")), False


def _voxels(stored: dict[str, Any]) -> np.ndarray:
    """Decode a volume and turn it to display: (slice, row, column), seen from the feet."""
    need("nibabel")
    from covid_datasets.read.nifti import read_volume  # these two need an extra
    from covid_datasets.read.orientation import turned

    volume = read_volume(stored["bytes"], stored["path"], bounded=False)
    voxels = volume.voxels
    if voxels.dtype == np.float64:  # what a header scales; half the memory shows the same greys
        voxels = voxels.astype(np.float32)
    return np.asarray(turned(voxels, volume.header.affine)[0])


def _frames(data: bytes, path: str) -> Stack:
    from covid_datasets.read.video import pixels, sample  # needs an extra

    chosen = sample(data, path, hertz=HERTZ, most=FRAMES)
    rate = chosen[0].rate
    step = max(1, int((rate or 0) / HERTZ))
    encoded = [_encoded(Image.fromarray(pixels(frame)), "JPEG", quality=90) for frame in chosen]
    return Stack("video", encoded, hertz=rate / step if rate else None)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _size(part: Sequence[Any] | np.ndarray) -> int:
    return part.nbytes if isinstance(part, np.ndarray) else len(part)
