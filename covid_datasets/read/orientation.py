"""Volumes turned to the usual radiological display, without a calculation on their voxels.

Turned slices are axial and go from the feet up; in each, rows go from the patient's right (on the left of the picture)
to the left, and columns from the front (above) to the back. Axes are swapped and reversed, never resampled: an oblique
volume keeps its angles, and the new affine says them.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

SAME_PLACE = 0.1
"""Two grids are one where no corner is further apart than this share of a voxel's shortest side."""
SKEWED = 1e-3
"""Two axes are not perpendicular where the cosine of their angle is larger."""
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From the axes of NIfTI (to the right, front, head) to those of DICOM (to the left, back, head)."""


def turned(voxels: np.ndarray, affine: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Turn (slice, row, column) to display, as a view, with its affine from (column, row, slice) to LPS millimetres.

    Of the 48 ways to swap and reverse axes the one that is nearest to the axes of the patient is taken. Without an
    affine nobody knows left from right: the voxels stay as they are.

    >>> turned(np.arange(4).reshape(1, 2, 2), np.diag([1.0, 1.0, 1.0, 1.0]))[0].tolist()
    [[[3, 2], [1, 0]]]
    """
    if affine is None:
        return voxels, None
    patient = _LPS @ affine
    way = nearest_axes(patient)
    view = voxels.transpose([2 - way[2 - axis][0] for axis in range(3)])
    change = np.zeros((4, 4))
    change[3, 3] = 1.0
    for to, (source, backwards) in enumerate(way):
        change[source, to] = -1.0 if backwards else 1.0
        if backwards:
            change[source, 3] = voxels.shape[2 - source] - 1
            view = np.flip(view, 2 - to)
    return view, patient @ change


def axial_axis(affine: np.ndarray | None) -> int:
    """Tell along which axis of (slice, row, column) the axial slices follow each other; the first, if nobody knows.

    >>> axial_axis(np.diag([1.0, 1.0, 5.0, 1.0])), axial_axis(np.diag([1.0, 1.0, 5.0, 1.0])[[0, 2, 1, 3]])
    (0, 1)
    """
    return 0 if affine is None else 2 - nearest_axes(_LPS @ affine)[2][0]


def nearest_axes(patient: np.ndarray) -> tuple[tuple[int, bool], ...]:
    """Find which axis of a volume leads to the patient's left, to the back and to the head, and which go the other way.

    ``patient`` is an affine to LPS. Of the 48 ways to swap and reverse axes the one is taken that is nearest.
    """
    cosines = _cosines(patient)
    # Rounded, so that of two ways that are equally good every machine takes the same one.
    ways = {way: round(sum(abs(cosines[to, way[to]]) for to in range(3)), 6) for way in permutations(range(3))}
    way = max(ways, key=lambda one: ways[one])
    return tuple((source, bool(cosines[to, source] < 0)) for to, source in enumerate(way))


def elsewhere(one: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> str:
    """Say how two affines put voxels of a shape (slices, rows, columns) to different places; nothing where they do not.

    >>> elsewhere(np.eye(4), np.diag([-1.0, 1.0, 2.5, 1.0]), (3, 4, 5))
    'a corner that is 8.54 mm apart (axes RAS of 1 x 1 x 1 mm, and LAS of 1 x 1 x 2.5 mm)'
    """
    corners = np.array([(*corner, 1) for corner in product(*((0, size - 1) for size in shape[::-1]))])
    apart = float(np.sqrt((((one - other) @ corners.T)[:3] ** 2).sum(axis=0)).max())
    if apart <= SAME_PLACE * min(_sides(one)):
        return ""
    return f"a corner that is {apart:.3g} mm apart (axes {_axes(one)}, and {_axes(other)})"


def _axes(affine: np.ndarray) -> str:
    """Name where columns, rows and slices go, as NIfTI has it, and how large a voxel is."""
    largest = np.abs(affine[:3, :3]).argmax(axis=0)
    letters = "".join("RAS"[row] if affine[row, axis] > 0 else "LPI"[row] for axis, row in enumerate(largest))
    return f"{letters} of {' x '.join(f'{side:.4g}' for side in _sides(affine))} mm"


def position(affine: np.ndarray, number: int) -> tuple[float, ...]:
    """Place the middle of the first pixel of a slice; ``affine`` is that of `turned`."""
    return _rounded(affine[:3, 2] * number + affine[:3, 3])


def orientation(affine: np.ndarray) -> tuple[float, ...]:
    """Give the direction of a row and of a column, three cosines each; ``affine`` is that of `turned`."""
    return _rounded(_cosines(affine)[:, :2].T.ravel())


def spacing(affine: np.ndarray) -> tuple[float, ...]:
    """Give the size of a voxel along a row, along a column and across slices, in millimetres."""
    return _rounded(_sides(affine))


def perpendicular(affine: np.ndarray) -> bool:
    """Tell whether the axes of a volume are at right angles."""
    cosines = _cosines(affine)
    return bool(np.abs(cosines.T @ cosines - np.eye(3)).max() <= SKEWED)


def _sides(affine: np.ndarray) -> np.ndarray:
    sides: np.ndarray = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return sides


def _cosines(affine: np.ndarray) -> np.ndarray:
    cosines: np.ndarray = affine[:3, :3] / _sides(affine)
    return cosines


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    """Round to a nanometre, so that the last bit of a sum is not in a fingerprint; there is no minus zero."""
    return tuple(round(float(value), 6) + 0.0 for value in values)
