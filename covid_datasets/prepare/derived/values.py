"""Stored pictures and volumes to values, and values to what a view stores: Hounsfield units, or grey by a window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_datasets.errors import DamagedFileError
from covid_datasets.measure.image import UndecodableError, decode
from covid_datasets.prepare.derived.place import NoPlaceError
from covid_datasets.read.encode import decode_deep, is_hounsfield
from covid_datasets.read.volume import Volume, hounsfield
from covid_datasets.transforms.axes import as_stored
from covid_datasets.transforms.windows import Range, windowed

HU = "Hounsfield units"


@dataclass(frozen=True)
class Values:
    """Pixels, by row and column, with colours behind, and whether they are Hounsfield units."""

    pixels: np.ndarray
    hounsfield: bool

    @property
    def kind(self) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
        """What all slices of a volume must have in common."""
        return self.pixels.dtype, self.pixels.shape, self.hounsfield


def picture_values(row: Mapping[str, Any]) -> Values:
    """Decode the image of a row: Hounsfield units, what a detector counted in 16 bits, or grey or colours in 8.

    Raises:
        NoPlaceError: It is no image, or has values of another kind.
    """
    data: bytes = row["image"]["bytes"]
    scale = None if row["hu_slope"] is None else (row["hu_slope"], row["hu_intercept"])
    pixels, own = decode_deep(data), True
    if pixels is None:
        try:
            image = decode(data)
        except UndecodableError as error:
            raise NoPlaceError(str(error)) from error
        own = is_hounsfield(image)
        if image.mode == "LAB":  # Pillow converts it to nothing else; its first channel is the lightness
            image = image.getchannel(0)
        if image.mode in ("1", "LA", "La"):
            image = image.convert("L")
        elif image.mode not in ("L", "RGB", "I", "F", "I;16", "I;16B"):
            image = image.convert("RGB")
        pixels = np.asarray(image)
    if scale is not None:
        scaled = pixels.astype(np.float64) * scale[0] + scale[1]
        if not np.isfinite(scaled).all():
            raise NoPlaceError("it has values that are no numbers")
        return Values(as_stored(scaled, np.dtype(np.int16)), True)
    if pixels.dtype == np.uint8:
        return Values(pixels, False)
    if own and pixels.dtype in (np.int16, np.int32):  # in 32 bits Pillow gives the signed 16 that were stored
        return Values(pixels.astype(np.int16), True)
    if pixels.dtype.kind in "iu" and pixels.min() >= 0 and pixels.max() < 1 << 16:
        return Values(pixels.astype(np.uint16), False)
    raise NoPlaceError(f"its values are {pixels.dtype}, and nobody says what they are")


def mask_values(data: bytes) -> np.ndarray:
    """Decode a mask: its values in 8 bits, of colours the brightest.

    Raises:
        NoPlaceError: It is no image.
    """
    try:
        pixels = np.asarray(decode(data))
    except UndecodableError as error:
        raise NoPlaceError(str(error)) from error
    pixels = pixels.max(axis=2) if pixels.ndim == 3 else pixels
    return pixels if pixels.dtype == np.uint8 else (pixels > 0).astype(np.uint8)


def shown(values: np.ndarray, of: Values, window: Range | None) -> tuple[np.ndarray, str | None]:
    """Turn calculated values into what is stored, and say what they are where that is another thing than before."""
    pixels = as_stored(values, of.pixels.dtype)
    if not of.hounsfield:
        return pixels, None
    return (pixels, HU) if window is None else (windowed(pixels, window), range_text(window))


def range_text(window: Range) -> str:
    """Say what windowed grey is.

    >>> range_text((-1350, 150))
    'Hounsfield units from -1350 to 150 as 0 to 255'
    """
    return f"{HU} from {window[0]:g} to {window[1]:g} as 0 to 255"


def volume_values(volume: Volume, path: str) -> Values:
    """Take the voxels of a volume, by slice, row and column, where it has numbers only.

    They are Hounsfield units where they are whole numbers of 16 bits and some are below zero, as air is; other whole
    ones are kept as such, and fractions in 32 bits.

    Raises:
        DamagedFileError: Some values are no numbers.
    """
    whole, low = True, np.inf
    for _, here, problem in _planes(volume):
        if problem == "values that are no numbers":
            raise DamagedFileError(f"{path}: expected numbers, found {problem}")
        whole, low = whole and not problem, min(low, float(here.min()))
    if whole and volume.stored.dtype == np.int16 and (volume.header.slope, volume.header.intercept) == (1.0, 0.0):
        return Values(volume.stored, low < 0)
    voxels = np.empty(volume.stored.shape, np.int16 if whole else np.float32)
    for number, here, _ in _planes(volume):
        voxels[number] = here
    return Values(voxels, whole and low < 0)


def _planes(volume: Volume) -> Iterator[tuple[int, np.ndarray, str]]:
    for number, stored in enumerate(volume.stored):
        yield number, *hounsfield(volume.values(stored))
