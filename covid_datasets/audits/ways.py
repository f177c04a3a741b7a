"""The ways in which a whole picture is changed so that its descriptors are others: mirrored, and inverted.

A turned picture has the same descriptors, since each is written along the direction of its point. What a mirror and an
inversion make of a descriptor is another order of the same numbers: no picture is looked at twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from covid_datasets.audits.features import LENGTH

_PLACES = np.arange(LENGTH).reshape(4, 4, 8)
# In a mirror the far side of the point's direction is the near one, and edges lean the other way.
_MIRRORED = _PLACES[::-1, :, -np.arange(8) % 8].ravel()
# Where dark and light are swapped, a point's direction is the opposite one, and so all cells change places with it.
_INVERTED = _PLACES.reshape(16, 8)[::-1].ravel()

ORDERS: Mapping[str, NDArray[np.int64]] = {
    "": _PLACES.ravel(),
    "mirrored": _MIRRORED,
    "inverted": _INVERTED,
    "mirrored and inverted": _MIRRORED[_INVERTED],
}
"""How the numbers of a descriptor are ordered in a copy that was changed in this way."""
