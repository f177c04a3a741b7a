"""Values of a volume that are no Hounsfield units as grey levels: without loss where they are whole numbers.

A picture has 8 or 16 bits without a sign. Whole numbers of up to 8 bits are kept as they are; larger ones too, moved up
where some are below zero. Fractions are spread over 16 bits. What was done is the same for all slices of a volume, and
said in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from covid_datasets.read.volume import WHOLE, Volume

MOST = {8: 255, 16: 65_535}
FARTHEST = 1e9
"""Values further apart than this are no picture: of their 65,536 levels all others would share one."""


@dataclass(frozen=True, slots=True)
class Grey:
    """Values that are no Hounsfield units, from ``low`` to ``high``; each volume's own range where these are not said.

    The range that a publisher scaled all volumes to makes grey of all of them in one way: ``Grey(0, 1)``.
    """

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Levels:
    """How values become grey levels: a value is ``stored * step + low``."""

    low: float
    step: float
    bits: int

    @property
    def words(self) -> str:
        """Say what stored values are."""
        scale = "as stored" if (self.low, self.step) == (0, 1) else f"stored value * {self.step:.9g} + {self.low:.9g}"
        return f"grey levels of {self.bits} bits, no Hounsfield units: {scale}"

    def of(self, values: np.ndarray) -> tuple[np.ndarray, str]:
        """Return the grey levels of values and nothing, or the values and why they are none.

        >>> Levels(0, 1 / 65535, 16).of(np.array([[0, 0.5, 1]]))[0].tolist()
        [[0, 32768, 65535]]
        >>> Levels(0, 1, 8).of(np.array([[256]]))[1]
        'values beyond 0 to 255, from 256 to 256'
        """
        if not np.isfinite(values).all():
            return values, "values that are no numbers"
        if not self.step * MOST[self.bits] <= FARTHEST:
            return values, f"values too far apart, {self.step * MOST[self.bits]:g} in its volume"
        levels: np.ndarray = np.rint((values.astype(np.float64) - self.low) / self.step)
        if levels.min() < 0 or levels.max() > MOST[self.bits]:
            high = self.low + self.step * MOST[self.bits]
            return values, f"values beyond {self.low:g} to {high:g}, from {values.min():g} to {values.max():g}"
        return levels.astype(np.uint8 if self.bits == 8 else np.uint16), ""


def levels_of(volume: Volume, grey: Grey) -> Levels:
    """Choose how the values of a volume become grey levels.

    >>> from covid_datasets.read.nifti import read_volume
    >>> from covid_datasets.read.made import nifti_bytes
    >>> for values in ([0, 255], [-1000, 400], [0, 0.5]):
    ...     volume = read_volume(nifti_bytes(np.array([[values]], np.float32), None, (1, 1, 1)), "a.nii")
    ...     print(levels_of(volume, Grey()).words)
    grey levels of 8 bits, no Hounsfield units: as stored
    grey levels of 16 bits, no Hounsfield units: stored value * 1 + -1000
    grey levels of 16 bits, no Hounsfield units: stored value * 7.62951095e-06 + 0
    """
    low, high, whole = _range(volume)
    floor, roof = float(low if grey.low is None else grey.low), float(high if grey.high is None else grey.high)
    if whole and floor.is_integer():
        if floor >= 0 and roof <= MOST[8]:
            return Levels(0, 1, 8)
        if roof - min(floor, 0) <= MOST[16]:
            return Levels(min(floor, 0.0), 1, 16)
    return Levels(floor, (roof - floor) / MOST[16] or 1.0, 16)


def _range(volume: Volume) -> tuple[float, float, bool]:
    """Return the smallest and the largest number of a volume, and whether all are whole."""
    low, high, whole = np.inf, -np.inf, True
    for stored in volume.stored:
        values = volume.values(stored)
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)].astype(np.float64)
            whole = whole and bool((np.abs(values - np.rint(values)) <= WHOLE).all())
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > high:
        return 0.0, 0.0, True
    return (float(np.rint(low)), float(np.rint(high)), True) if whole else (low, high, False)
