"""Good, questionable or poor: every threshold in one place; ``docs/quality.md`` shows what each one catches.

All measures come from the 8-bit grey image; none needs a model, and all are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

Grade = Literal["good", "questionable", "poor"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where each reason begins."""

    tiny_side: int = 64
    """Shorter side below this: poor. Nothing diagnostic survives."""
    small_side: int = 128
    """Shorter side below this: questionable."""
    constant_deviation: float = 4.0
    """Standard deviation of grey values below this: poor, there is no picture."""
    low_contrast_range: int = 64
    """Distance between the 2nd and 98th percentile below this: questionable."""
    clipped_white: float = 0.40
    """Share of pixels at 255 above this: questionable. In a lung window soft tissue is white by right."""
    clipped_black: float = 0.70
    """Share of pixels at 0 above this: questionable. CT in a lung window is half black by right."""
    padding: float = 0.20
    """Share of rows and columns at the border without content above this: questionable."""
    blur: float = 4.0
    """Mean second difference of neighbouring pixels, in per mille of the contrast, below this: questionable."""
    colour_spread: int = 40
    """A pixel whose channels differ by more than this is coloured."""
    colour_share: float = 0.01
    """Share of coloured pixels above this: questionable (marks drawn on it, or no radiograph at all)."""
    aspect: float = 3.0
    """Longer side over shorter above this: questionable (a strip or a composite)."""
    few_slices: int = 10
    """A volume of fewer slices: questionable. Whole chests, however thinned out, have more."""
    blank_slices: float = 0.10
    """Share of slices of a single value above this: questionable. They were cut off, or the end of the file is lost."""


THRESHOLDS = Thresholds()
POOR = frozenset({"undecodable", "tiny", "near-constant"})
_EXTENSIONS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg", ".mpo"),  # a JPEG with a second picture behind it, as some cameras write
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
}


def grade(reasons: Sequence[str]) -> Grade:
    """Turn reasons into one word.

    >>> grade([]), grade(["blurred"]), grade(["blurred", "tiny"])
    ('good', 'questionable', 'poor')
    """
    if POOR.intersection(reasons):
        return "poor"
    return "questionable" if reasons else "good"


def reasons_against(
    image: Image.Image, grey: Image.Image, reduced: Image.Image, thumb: np.ndarray, path: str
) -> list[str]:
    """List what speaks against an image.

    Args:
        image: As decoded.
        grey: The same as 8-bit grey.
        reduced: The grey image averaged down to a shorter side of 64 to 128, for measures that need no detail.
        thumb: The grey image as a 32x32 array.
        path: The file's name.
    """
    limits = THRESHOLDS
    found = []
    width, height = grey.size
    short, long = min(width, height), max(width, height)
    if short < limits.tiny_side:
        found.append("tiny")
    elif short < limits.small_side:
        found.append("small")
    if long > limits.aspect * short:
        found.append("aspect")
    found += _tone(np.bincount(np.frombuffer(reduced.tobytes(), np.uint8), minlength=256))
    if _padding(thumb) > limits.padding:
        found.append("padding")
    if "near-constant" not in found and detail(grey) < limits.blur:
        found.append("blurred")
    if coloured(image) > limits.colour_share:
        found.append("colour")
    extension = PurePosixPath(path).suffix.lower()
    if extension and image.format in _EXTENSIONS and extension not in _EXTENSIONS[image.format]:
        found.append(f"name says {extension}, content is {image.format}")
    return found


def reasons_against_volume(depth: int, blank: int, low: float, high: float) -> list[str]:
    """List what speaks against a volume, beyond what its middle slice says.

    Args:
        depth: How many slices it has.
        blank: How many of them hold a single value.
        low: Its smallest value.
        high: Its largest value.

    >>> reasons_against_volume(40, 0, -1024.0, 1500.0), reasons_against_volume(3, 2, 0.0, 255.0)
    ([], ['few slices', 'blank slices', 'grey levels, no Hounsfield units'])
    """
    limits = THRESHOLDS
    found = []
    if depth < limits.few_slices:
        found.append("few slices")
    if blank > limits.blank_slices * depth:
        found.append("blank slices")
    if low >= 0 and high <= 255:
        found.append("grey levels, no Hounsfield units")
    return found


_SAMPLED = 32
_MOMENTS = np.stack([np.ones(256, np.int64), np.arange(256), np.arange(256) ** 2])


def _tone(counts: np.ndarray) -> list[str]:
    """Judge the histogram of grey values."""
    limits = THRESHOLDS
    total, first, second = map(int, _MOMENTS @ counts)
    if second / total - (first / total) ** 2 < limits.constant_deviation**2:
        return ["near-constant"]
    found = []
    low, high = np.searchsorted(counts.cumsum(), (0.02 * total, 0.98 * total))
    if high - low < limits.low_contrast_range:
        found.append("low contrast")
    if counts[255] > limits.clipped_white * total or counts[0] > limits.clipped_black * total:
        found.append("clipped")
    return found


def _padding(thumb: np.ndarray) -> float:
    """Share of the thumbnail's rows or columns, whichever is more, that are an empty border."""
    share = 0.0
    for axis in (0, 1):
        empty = (thumb.max(axis) - thumb.min(axis) < 8).tobytes()
        content = empty.strip(b"\1")
        share = max(share, (len(empty) - len(content)) / len(empty))
    return share


def detail(grey: Image.Image) -> float:
    """Mean second difference along the rows of a central band at full resolution, in per mille of its contrast."""
    width, height = grey.size
    box = (
        max(width // 2 - 256, 0),
        max(height // 2 - 12, 0),
        min(width // 2 + 256, width),
        min(height // 2 + 12, height),
    )
    part = np.frombuffer(grey.crop(box).tobytes(), np.uint8).reshape(box[3] - box[1], box[2] - box[0])
    if part.shape[1] < 3:
        return 0.0
    steps = part.astype(np.int16)
    steps = steps[:, 1:] - steps[:, :-1]
    second = np.abs(steps[:, 1:] - steps[:, :-1])
    contrast = max(int(part.max()) - int(part.min()), 1)
    return float(1000.0 * second.sum() / (second.size * contrast))


def coloured(image: Image.Image) -> float:
    """Share of sampled pixels whose channels differ: a radiograph has none."""
    if image.mode not in ("RGB", "RGBA", "P", "CMYK", "YCbCr"):
        return 0.0
    sample = image.resize((_SAMPLED, _SAMPLED), Image.Resampling.NEAREST)
    channels = np.frombuffer(sample.convert("RGB").tobytes(), np.uint8).reshape(-1, 3).astype(np.int16)
    spread = np.abs(channels[:, :2] - channels[:, 1:]) > THRESHOLDS.colour_spread
    return float(np.count_nonzero(spread[:, 0] | spread[:, 1])) / _SAMPLED**2
