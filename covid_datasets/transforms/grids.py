"""A volume in another grid: which voxels it has then, where they are, and how to make them slice by slice.

Voxels are by slice, row and column, an affine takes (column, row, slice) to millimetres. Only some slices are in memory
beside the volume that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from covid_datasets.transforms.axes import Axis, interpolated_plane, kept, nearest_plane, sized, spaced
from covid_datasets.transforms.orient import turns

Plane = Callable[[int], np.ndarray]
"""Gives a slice of a volume by its number."""
AS_IS = ((0, False), (1, False), (2, False))


@dataclass(frozen=True)
class Regrid:
    """How a volume becomes another.

    Attributes:
        turned: Of each new axis (column, row, slice), which old one it is, and whether it goes the other way.
        axes: What happens to columns, rows and slices of the turned volume.
    """

    turned: tuple[tuple[int, bool], ...]
    axes: tuple[Axis, Axis, Axis]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the result."""
        columns, rows, slices = (axis.new for axis in self.axes)
        return slices, rows, columns

    @property
    def same(self) -> bool:
        """Tell whether every voxel stays as it is, and where it is."""
        return self.turned == AS_IS and all(axis.same for axis in self.axes)

    @property
    def slices_stay(self) -> bool:
        """Tell whether each new slice is an old one, whatever happens in it."""
        return self.turned[2][0] == 2 and self.axes[2].same

    @property
    def matrix(self) -> np.ndarray:
        """From new (column, row, slice) to old ones."""
        found = np.zeros((4, 4))
        found[3, 3] = 1.0
        for new, ((old, backwards), axis) in enumerate(zip(self.turned, self.axes, strict=True)):
            found[old, new] = -axis.scale if backwards else axis.scale
            found[old, 3] = axis.old - 1 - axis.shift if backwards else axis.shift
        return found

    def affine(self, old: np.ndarray) -> np.ndarray:
        """Say where the new voxels are; ``old`` says where the given ones are."""
        return old if self.same else old @ self.matrix

    def slice_of(self, number: int) -> int | None:
        """Return the old slice that is nearest to a new one; ``None`` where new slices cut through the old ones."""
        old, backwards = self.turned[2]
        if old != 2:
            return None
        nearest = int(self.axes[2].nearest[number])
        return self.axes[2].old - 1 - nearest if backwards else nearest

    def box(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float] | None:
        """Move a rectangle of a slice, in pixels from its left upper border; ``None`` where nothing of it is left.

        >>> grid = Regrid(AS_IS, (sized(100, 50), sized(100, 100), kept(1)))
        >>> grid.box(10, 20, 30, 40)
        (5.0, 20.0, 15.0, 40.0)
        """
        if self.turned[2][0] != 2:
            return None
        given = ((x, x + width), (y, y + height))
        found = []
        for (old, backwards), axis in zip(self.turned[:2], self.axes[:2], strict=True):
            low, high = given[old]
            low, high = (axis.old - high, axis.old - low) if backwards else (low, high)
            low, high = (min(max(axis.edge(end), 0.0), float(axis.new)) for end in (low, high))
            if high <= low:
                return None
            found.append((low, high - low))
        (left, wide), (top, high) = found
        return tuple(round(value, 6) for value in (left, top, wide, high))  # type: ignore[return-value]


def regrid(
    shape: tuple[int, int, int],
    affine: np.ndarray,
    *,
    orientation: str = "",
    spacing: tuple[float, ...] = (),
    size: tuple[int, int] | None = None,
) -> Regrid:
    """Plan a change of grid: first turned around, then resampled to a spacing, then each slice brought to a size.

    An axis of one voxel has nothing to interpolate between: it stays as it is.

    Args:
        shape: Slices, rows and columns.
        affine: From (column, row, slice) to LPS millimetres.
        orientation: Where columns, rows and slices are to lead.
        spacing: Millimetres along columns, rows and, where it has a third one, slices of the turned volume.
        size: Rows and columns.

    >>> regrid((40, 512, 512), np.diag([0.7, 0.7, 8.0, 1.0]), spacing=(1.0, 1.0, 5.0)).shape
    (64, 358, 358)
    """
    turned = turns(affine, orientation) if orientation else AS_IS
    # To a nanometre: headers have 32 bits, and the same volume is to get the same grid whichever says where it lies.
    sides = np.round(np.sqrt((affine[:3, :3] ** 2).sum(axis=0)), 6)
    old = [(shape[2 - axis], float(sides[axis])) for axis, _ in turned]
    axes = [kept(count) for count, _ in old]
    for number, wanted in enumerate(spacing):
        if old[number][0] > 1:
            axes[number] = spaced(*old[number], wanted)
    if size is not None:
        axes[:2] = [axis.then(sized(axis.new, side)) for axis, side in zip(axes, size[::-1], strict=False)]
    return Regrid(turned, (axes[0], axes[1], axes[2]))


def turned_plane(plane: np.ndarray, grid: Regrid) -> np.ndarray:
    """Turn a single slice around in its plane; a third axis, of colours, stays."""
    (first, left), (_, up) = grid.turned[:2]
    view = plane.swapaxes(0, 1) if first == 1 else plane
    return view[:: -1 if up else 1, :: -1 if left else 1]


def planes(volume: Plane | np.ndarray, grid: Regrid) -> Iterator[np.ndarray]:
    """Yield the slices of the new grid, interpolated, as 64-bit numbers.

    A volume that is a function gives its slices when they are needed, each once; its new slices must not cut through
    the old ones.
    """
    columns, rows, slices = grid.axes
    given = _turned(volume, grid)
    if slices.same:
        yield from (interpolated_plane(given(number), rows, columns) for number in range(slices.new))
        return
    ready: dict[int, np.ndarray] = {}
    for number in range(slices.new):
        parts = [(int(samples[number]), float(weights[number])) for samples, weights in slices.taps if weights[number]]
        needed = {sample for sample, _ in parts}
        ready = {sample: plane for sample, plane in ready.items() if sample >= min(needed)}
        out: np.ndarray | None = None
        for sample, weight in parts:
            if sample not in ready:
                ready[sample] = interpolated_plane(given(sample), rows, columns)
            part = ready[sample] * weight
            out = part if out is None else np.add(out, part, out=out)
        assert out is not None, "every slice is made of something"
        yield out


def nearest_planes(volume: Plane | np.ndarray, grid: Regrid) -> Iterator[np.ndarray]:
    """Yield the slices of the new grid, of the nearest voxels each: as a mask needs it."""
    columns, rows, slices = grid.axes
    given = _turned(volume, grid)
    for number in slices.nearest.tolist():
        yield nearest_plane(given(number), rows, columns)


def _turned(volume: Plane | np.ndarray, grid: Regrid) -> Plane:
    """Give the slices of a turned volume, which is seen and not copied."""
    across, backwards = grid.turned[2]
    if isinstance(volume, np.ndarray):
        view = volume.transpose([2 - grid.turned[2 - axis][0] for axis in range(3)])
        view = view[tuple(slice(None, None, -1 if grid.turned[2 - axis][1] else 1) for axis in range(3))]
        return view.__getitem__
    assert across == 2, "only a whole volume can be cut through its slices"
    last, one = grid.axes[2].old - 1, volume
    return lambda number: turned_plane(one(last - number if backwards else number), grid)
