"""Bytes of a volume to what is known about it; imported only where a source has volumes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xxhash
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import Measured, UndecodableError, measure_image, window
from covid_datasets.measure.looks import looks_at, looks_of
from covid_datasets.measure.quality import grade, reasons_against_volume
from covid_datasets.read.orientation import axial_axis, perpendicular, turned
from covid_datasets.read.volume import VolumeHeader, hounsfield
from covid_datasets.read.volumes import read_slices

COMPARED = 16
"""Axial slices that are compared, at most."""
LEAST_SIDE = 32
"""Of slices with fewer rows or columns the middle one is compared alone: stripes look like each other, thousandfold."""


def measure_volume(data: bytes, sha256: str, path: str) -> Measured:
    """Inflate and check a volume, slice by slice; some axial slices are compared, and the middle one stands for it.

    The pixel hash is over the stored order of the voxels as 16-bit numbers where they fit, so that the same volume in
    another type, or compressed otherwise, has the same one.
    """
    try:
        slices = read_slices(data, path)
        header = slices.header
        depth, height, width = header.shape
        digest = xxhash.xxh3_128(f"{depth}x{height}x{width}:".encode())
        low, high, blank, finite = np.inf, -np.inf, 0, True
        compared = _Compared(header)
        for number, stored in enumerate(slices):
            compared.take(number, stored)
            values, unfit = hounsfield(header.values(stored))
            digest.update(np.ascontiguousarray(values, "<f8" if unfit else "<i2").data)
            if unfit and values.dtype.kind == "f" and not (here := np.isfinite(values)).all():
                values, finite = values[here], False
            if values.size:
                least, most = float(values.min()), float(values.max())
                low, high, blank = min(low, least), max(high, most), blank + (least == most)
    except DamagedFileError as error:
        raise UndecodableError(str(error)) from error
    shown = ((number, Image.fromarray(_grey(values, low, high))) for number, values in compared.slices())
    seen = measure_image(next(shown)[1], sha256, path)
    others = (look for number, each in shown for look in looks_at(f"slice {number}", looks_of(each)))
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
        looks=(*(seen.looks or ()), *others),
        quality=grade(reasons),
        quality_reasons=tuple(reasons),
    )


def _grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Show a slice by the window of all CT; by the range of its volume where nothing is as dark as air."""
    if low < 0 or low >= high:
        return window(values)
    shown: np.ndarray = np.rint((values.astype(np.float64) - low) * (255 / (high - low))).clip(0, 255)
    return shown.astype(np.uint8)


def places(depth: int) -> list[int]:
    """Tell which of so many slices are compared: as many from either end, for a copy may go the other way.

    >>> places(1), places(9), places(64)
    ([0], [0, 1, 2, 3, 4, 5, 6, 7, 8], [4, 8, 12, 16, 20, 24, 28, 31, 32, 35, 39, 43, 47, 51, 55, 59])
    """
    lower = {depth * place // COMPARED for place in range(1, COMPARED // 2 + 1)}
    return sorted(lower | {depth - 1 - number for number in lower})


class _Compared:
    """Axial slices that are compared, put together from stored slices, whichever of the three axes these go along."""

    def __init__(self, header: VolumeHeader) -> None:
        self._header = header
        self._axis = axial_axis(header.affine)
        depth, *sides = (header.shape[self._axis], *np.delete(header.shape, self._axis).tolist())
        self._numbers = places(depth) if min(sides) >= LEAST_SIDE else [depth // 2]
        shape = list(header.shape)
        shape[self._axis] = len(self._numbers)
        self._stored = np.empty(shape, header.dtype)

    def take(self, number: int, stored: np.ndarray) -> None:
        """Take from a stored slice what of it is in them."""
        if self._axis:
            self._stored[number] = stored.take(self._numbers, self._axis - 1)
        elif number in self._numbers:
            self._stored[self._numbers.index(number)] = stored

    def slices(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each, as it is displayed, with its number from the feet up; the middle one first."""
        shown = turned(self._stored, self._header.affine)[0]
        middle = self._header.shape[self._axis] // 2
        for at, number in sorted(enumerate(self._numbers), key=lambda each: each[1] != middle):
            yield number, np.nan_to_num(self._header.values(shown[at]))
