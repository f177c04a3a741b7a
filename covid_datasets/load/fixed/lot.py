"""The samples of one batch, wherever they are: gathered into a buffer, and scaled on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.load.fixed.view import UNKNOWN, View

Scale = tuple[Any, Any] | None
"""What a value is multiplied with, and what is then taken away; numbers, or one for each channel."""


@dataclass(frozen=True, slots=True, eq=False)
class Lot:
    """Where each sample of a batch is: at which place of which array. A place of -1 is nowhere: a mask nobody drew."""

    arrays: Sequence[np.ndarray]
    which: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.places)

    def only(self, number: int) -> Lot:
        """Return one of the samples as a batch of its own."""
        return Lot(self.arrays, self.which[number : number + 1], self.places[number : number + 1])

    def gather(self, out: np.ndarray) -> None:
        """Copy the samples into a buffer of their own type."""
        if len(self.arrays) == 1 and out.flags.c_contiguous and len(self) and self.places.min() >= 0:
            np.take(self.arrays[0], self.places, axis=0, out=out, mode="clip")  # without it NumPy copies once more
            return
        for target, sample in zip(out, self._samples(), strict=True):
            target[...] = UNKNOWN if sample is None else sample

    def scale(self, out: np.ndarray, by: Scale) -> None:
        """Convert the samples into a buffer of floats, one after the other, so that each stays in the cache."""
        for target, sample in zip(out, self._samples(), strict=True):
            if sample is not None:
                np.copyto(target, sample)
                scaled(target, by)

    def _samples(self) -> Iterator[np.ndarray | None]:
        if len(self.arrays) == 1:
            array = self.arrays[0]
            for place in self.places.tolist():
                yield None if place < 0 else array[place]
            return
        for number, place in zip(self.which.tolist(), self.places.tolist(), strict=True):
            yield None if place < 0 else self.arrays[number][place]


def scaled(values: np.ndarray, by: Scale) -> None:
    """Normalise floats in place."""
    if by is not None:
        np.multiply(values, by[0], out=values)
        np.subtract(values, by[1], out=values)


def scale_of(view: View, mean: Any, std: Any) -> Scale:
    """Return what makes ``(value - mean) / std`` of a stored value; grey from 0 to 255 first becomes 0 to 1.

    >>> scale_of(View(image_size=(8, 8)), 0.5, 0.25)
    (np.float32(0.015686275), np.float32(2.0))
    """
    first, second = (_per_channel(value, key, view.channels) for value, key in ((mean, "mean"), (std, "std")))
    if not (second > 0).all():
        raise UsageError(f"std: expected numbers above 0, found {std!r}")
    full = 255.0 if view.dtype == "uint8" else 1.0
    factor, offset = 1 / (full * second), first / second
    if factor.size == offset.size == 1:
        one, two = np.float32(factor.item()), np.float32(offset.item())
        return None if one == 1 and two == 0 else (one, two)
    shape = (view.channels, 1, 1)
    factor, offset = (np.broadcast_to(each.astype(np.float32).reshape(-1, 1, 1), shape) for each in (factor, offset))
    return factor, offset


def _per_channel(value: Any, key: str, channels: int) -> np.ndarray:
    try:
        found = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 1 or found.size not in {1, channels} or not np.isfinite(found).all():
        raise UsageError(f"{key}: expected a number{f' or {channels}' if channels > 1 else ''}, found {value!r}")
    return found
