"""Bytes of a volume to what is known about it; imported only where a source has volumes."""

from __future__ import annotations

import numpy as np
import xxhash
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import Measured, UndecodableError, measure_image, window
from covid_datasets.measure.quality import grade, reasons_against_volume
from covid_datasets.read.orientation import perpendicular, turned
from covid_datasets.read.volume import VolumeHeader, hounsfield
from covid_datasets.read.volumes import read_slices


def measure_volume(data: bytes, sha256: str, path: str) -> Measured:
    """Inflate and check a volume, slice by slice; its middle axial slice stands for it where pictures are compared.

    The pixel hash is over the stored order of the voxels as 16-bit numbers where they fit, so that the same volume in
    another type, or compressed otherwise, has the same one.
    """
    try:
        slices = read_slices(data, path)
        header = slices.header
        depth, height, width = header.shape
        digest = xxhash.xxh3_128(f"{depth}x{height}x{width}:".encode())
        low, high, blank, finite = np.inf, -np.inf, 0, True
        middle = _Middle(header)
        for number, stored in enumerate(slices):
            all_values = header.values(stored)
            middle.take(number, all_values)
            values, unfit = hounsfield(all_values)
            digest.update(np.ascontiguousarray(values, "<f8" if unfit else "<i2").data)
            if unfit and values.dtype.kind == "f" and not (here := np.isfinite(values)).all():
                values, finite = values[here], False
            if values.size:
                least, most = float(values.min()), float(values.max())
                low, high, blank = min(low, least), max(high, most), blank + (least == most)
    except DamagedFileError as error:
        raise UndecodableError(str(error)) from error
    seen = measure_image(Image.fromarray(_grey(np.nan_to_num(middle.pixels), low, high)), sha256, path)
    reasons = [*(seen.quality_reasons or ()), *reasons_against_volume(depth, blank, low, high)]
    told = {
        "no orientation": header.affine is None,
        "axes not perpendicular": header.affine is not None and not perpendicular(header.affine),
        "not all are numbers": not finite,
        f"{slices.surplus:,} bytes behind the voxels": slices.surplus > 0,
    }
    reasons += [reason for reason, is_so in told.items() if is_so] + [kind for kind, _ in header.doubts]
    return Measured(
        sha256=sha256,
        width=width,
        height=height,
        depth=depth,
        spacing=header.spacing,
        value_range=f"{low:g} to {high:g}" if low <= high else "no numbers",
        pixel_mode=header.dtype.name,
        pixel_hash=digest.hexdigest(),
        phash=seen.phash,
        looks=seen.looks,
        quality=grade(reasons),
        quality_reasons=tuple(reasons),
    )


def _grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Show a slice by the window of all CT; by the range of its volume where nothing is as dark as air."""
    if low < 0 or low >= high:
        return window(values)
    shown: np.ndarray = np.rint((values.astype(np.float64) - low) * (255 / (high - low))).clip(0, 255)
    return shown.astype(np.uint8)


class _Middle:
    """The middle axial slice, put together from stored slices, whichever of the three axes these go along."""

    def __init__(self, header: VolumeHeader) -> None:
        self._at = []
        for axis, side in enumerate(header.shape):
            number = np.arange(side).reshape([-1 if other == axis else 1 for other in range(3)])
            shown = turned(np.broadcast_to(number, header.shape), header.affine)[0]
            self._at.append(shown[len(shown) // 2])
        self._slices = set(np.unique(self._at[0]).tolist())
        self.pixels = np.empty(0)

    def take(self, number: int, values: np.ndarray) -> None:
        """Take from a stored slice what of it is in the middle."""
        if number not in self._slices:
            return
        slices, rows, columns = self._at
        if not self.pixels.size:
            self.pixels = np.empty(slices.shape, values.dtype)
        here = slices == number
        self.pixels[here] = values[rows[here], columns[here]]
