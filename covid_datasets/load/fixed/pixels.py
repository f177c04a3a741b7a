"""Encoded bytes to the pixels of a view: the one way there, whether they are stored once or decoded each time."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, UsageError, words_of
from covid_datasets.load.fixed.view import View
from covid_datasets.measure.image import DEEP
from covid_datasets.read.bounds import MAX_PIXELS, border
from covid_datasets.read.encode import decode_deep, is_hounsfield
from covid_datasets.schema import RawReader
from covid_datasets.transforms.windows import windowed


class UnfitError(UsageError):
    """A sample has no place in a view: it is no image, or its values need a window that nobody gave."""

    row = -1
    """Which row of its build it is."""


class Encoded(NamedTuple):
    """The stored bytes of an image or a mask, what it is called, and how its values become Hounsfield units."""

    data: bytes
    name: str
    hounsfield: tuple[float, float] | None = None


def render(sample: Encoded, view: View, out: np.ndarray) -> None:
    """Decode a sample into an array of the shape and type of a view.

    Raises:
        UnfitError: The bytes are no image, or the values need a window that nobody gave.
    """
    try:
        _render(sample, view, out)
    except (UnfitError, MemoryError):
        raise
    except Exception as error:  # Pillow lets through whatever its parsers raise
        raise UnfitError(f"{sample.name}: expected an image, found {words_of(error)}") from error


def decoded_picture(raw: RawReader, view: View, file: str) -> np.ndarray | CovidDatasetsError:
    """Decode a picture of one's own as those of a build; what is wrong with it is told, and stops no other."""
    out = np.empty(view.shape, np.uint8)
    try:
        data = raw.read(file)
        with border(file, "a picture", data), Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DamagedFileError(f"{file}: expected at most {MAX_PIXELS:,} pixels, found {image.size}")
        render(Encoded(data, file), view, out)
    except CovidDatasetsError as error:
        return error
    return out


def _render(sample: Encoded, view: View, out: np.ndarray) -> None:
    deep = decode_deep(sample.data)
    if deep is not None:
        unit = deep.dtype == np.int16 or sample.hounsfield is not None
        return _deep(deep, unit, sample, view, out)
    image = Image.open(io.BytesIO(sample.data))
    if view.draft and view.mask is None:
        height, width = view.image_size
        image.draft("L" if view.channels == 1 else "RGB", (width, height))
    if view.mask is not None:
        inside = Image.fromarray((np.asarray(image) > 0).astype(np.uint8))
        out[0] = np.asarray(_resized(inside, view, Image.Resampling.NEAREST))
        return None
    if image.mode in DEEP or sample.hounsfield is not None or view.dtype == "int16":
        unit = is_hounsfield(image) or sample.hounsfield is not None
        return _deep(np.asarray(image), unit, sample, view, out)
    return _shallow(image, view, out)


def _shallow(image: Image.Image, view: View, out: np.ndarray) -> None:
    if image.mode == "LAB":  # Pillow converts it to nothing else; its first channel is the lightness
        image = image.getchannel(0)
    if view.channels == 1:
        out[0] = np.asarray(_resized(image.convert("L"), view))
    elif image.mode in ("1", "L", "LA"):
        out[:] = np.asarray(_resized(image.convert("L"), view))
    else:
        out[:] = np.moveaxis(np.asarray(_resized(image.convert("RGB"), view)), -1, 0)


def _deep(values: np.ndarray, unit: bool, sample: Encoded, view: View, out: np.ndarray) -> None:
    """Window values of more than 8 bits; Hounsfield units as such, all others as what a detector counted."""
    if values.ndim != 2:
        raise UnfitError(f"{sample.name}: expected one value a pixel, found an array of shape {values.shape}")
    if view.mask is not None:
        inside = Image.fromarray((values > 0).astype(np.uint8))
        out[0] = np.asarray(_resized(inside, view, Image.Resampling.NEAREST))
        return
    if sample.hounsfield is not None:
        values = values.astype(np.float64) * sample.hounsfield[0] + sample.hounsfield[1]
    if view.dtype == "int16":
        if not unit:
            raise UnfitError(f"{sample.name}: expected Hounsfield units, because stored='int16'; found none")
        if values.shape != view.image_size:
            values = np.asarray(_resized(Image.fromarray(values.astype(np.float32)), view))
        out[0] = values if values.dtype == np.int16 else np.clip(np.rint(values), -(1 << 15), (1 << 15) - 1)
        return
    if not unit and view.counts is None:
        low, high = values.min().item(), values.max().item()
        raise UnfitError(
            f"{sample.name}: its values have more than 8 bits and no unit (this one has {low:g} to {high:g}), and are "
            f"not squeezed into 8 without a word. Say which become black and white: counts=({low:g}, {high:g})"
        )
    grey = Image.fromarray(windowed(values, view.window if unit or view.counts is None else view.counts))
    out[:] = np.asarray(_resized(grey, view))


def _resized(image: Image.Image, view: View, how: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    height, width = view.image_size
    return image if image.size == (width, height) else image.resize((width, height), how)
