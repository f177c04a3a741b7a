"""Windows: which Hounsfield units become black and white."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from covid_datasets.errors import UsageError, did_you_mean

Range = tuple[float, float]
"""The values that become 0 and 255."""


def around(centre: float, width: float) -> Range:
    """Return the range of a window that is given as radiologists do.

    >>> around(-600, 1500)
    (-1350.0, 150.0)
    """
    return centre - width / 2, centre + width / 2


WINDOWS: Mapping[str, Range] = {
    "lung": around(-600, 1500),
    "mediastinum": around(40, 400),
    "soft_tissue": around(40, 400),
    "bone": around(400, 1800),
    "pulmonary_embolism": around(100, 700),
    "liver": around(60, 160),
    "brain": around(40, 80),
    "wide": (-1000.0, 400.0),
}
"""Windows by name, as they are usual in the reading of chest CT; "wide" is the one by which builds are measured."""


def window_range(given: Any) -> Range:
    """Take a window as somebody gave it: a name, its two ends, or its centre and width.

    >>> window_range("lung"), window_range((-1000, 400)), window_range({"centre": 40, "width": 400})
    ((-1350.0, 150.0), (-1000.0, 400.0), (-160.0, 240.0))
    >>> window_range("lungs")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: window: expected one of lung, ... found 'lungs'. Did you mean 'lung'?
    """
    if isinstance(given, str):
        if given in WINDOWS:
            return WINDOWS[given]
        raise UsageError(
            f"window: expected one of {', '.join(WINDOWS)}, or two numbers such as (-1000, 400), found {given!r}"
            f"{did_you_mean(given, WINDOWS)}"
        )
    try:
        if isinstance(given, Mapping):
            (_, centre), (_, width) = sorted(given.items(), key=lambda item: ("centre", "width").index(item[0]))
            low, high = around(float(centre), float(width))
        else:
            low, high = map(float, given)
    except (TypeError, ValueError, KeyError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(
            "window: expected a name such as 'lung', two numbers, the lower one first, such as (-1000, 400), or "
            f"{{'centre': -600, 'width': 1500}}, found {given!r}"
        )
    return low, high


def windowed(values: np.ndarray, window: Range) -> np.ndarray:
    """Turn values into 8-bit grey: the lower end of the window becomes 0, the upper one 255.

    >>> windowed(np.array([-2000, -1000, -300, 400, 3000], np.int16), (-1000, 400)).tolist()
    [0, 0, 128, 255, 255]
    """
    low, high = map(float, window)
    if values.dtype.kind in "iu" and low.is_integer() and high.is_integer():  # exact, whatever the machine
        first, last = int(low), int(high)
        shown = np.clip(values.astype(np.int64), first, last) - first
        return ((shown * 255 + (last - first) // 2) // (last - first)).astype(np.uint8)
    known = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    grey: np.ndarray = np.floor((np.clip(known, low, high) - low) * (255 / (high - low)) + 0.5).astype(np.uint8)
    return grey
