"""What a view makes of fixed voxels, by its digest: the same everywhere, and another one only with VIEW_FORMAT."""

from __future__ import annotations

import hashlib

import numpy as np

from covid_datasets.prepare.derived.asked import VIEW_FORMAT
from covid_datasets.transforms.axes import as_stored
from covid_datasets.transforms.grids import nearest_planes, planes, regrid
from covid_datasets.transforms.windows import WINDOWS, windowed

AFFINE = np.array([[0.68, 0.05, -0.3, -10.0], [-0.04, 0.71, 0.2, 5.0], [0.1, -0.06, 2.9, 30.0], [0, 0, 0, 1]])
WANTED = (
    {"spacing": (1.0, 1.0, 5.0), "orientation": "LPS"},
    {"spacing": (0.37, 0.9, 1.3), "orientation": "PIR", "size": (32, 48)},
    {"size": (17, 91)},
)
DIGEST = {1: "996970e78dbdffefd73d1e239dbad7025fabefe1c07b72dadc117aa3fb64bcaa"}


def test_pixels_are_the_same_for_ever() -> None:
    z, y, x = np.indices((12, 40, 50))
    volume = ((z * 7919 + y * 104729 + x * 1299709) % 2003 - 1100).astype(np.int16)
    digest = hashlib.sha256()
    for wanted in WANTED:
        grid = regrid(volume.shape, AFFINE, **wanted)
        for plane in planes(volume, grid):
            stored = as_stored(plane, volume.dtype)
            digest.update(stored.astype("<i2").tobytes() + windowed(stored, WINDOWS["lung"]).tobytes())
        for plane in nearest_planes((volume > 0).astype(np.uint8), grid):
            digest.update(np.ascontiguousarray(plane).tobytes())
    assert digest.hexdigest() == DIGEST[VIEW_FORMAT], "raise VIEW_FORMAT, and store the new digest beside the old one"
