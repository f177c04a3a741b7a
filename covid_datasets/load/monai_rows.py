"""Rows as MONAI's dictionaries of `MetaTensor`. Imported only by ``framework="monai"``, because it imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import SpaceKeys
from torch.utils.data import Dataset

from covid_datasets.load.by_number import RowsByNumber
from covid_datasets.load.form import Form
from covid_datasets.load.located import Located, LocatedRows
from covid_datasets.load.selection import Picked

_FLAT = 1e-3
"""Of its length, an axis of an axial slice leads no more than this up or down."""


class MonaiRows(RowsByNumber[dict[str, Any]], Dataset[dict[str, Any]]):
    """A split as a sequence of dictionaries for the transforms and datasets of MONAI.

    ``image``, ``volume`` and masks (``mask_lung``) are float32 `MetaTensor`: channel first, then columns, rows and
    slices, as ``LoadImaged`` and ``EnsureChannelFirstd`` give them. Volumes and slices are in Hounsfield units.
    """

    def __init__(self, parts: Sequence[Picked], form: Form) -> None:
        """Take some rows; pictures are decoded when a row is asked for."""
        self._parts, self._rows = parts, LocatedRows(parts, form)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def _row(self, position: int) -> dict[str, Any]:
        """Return a row."""
        pictures = self._rows.pictures(position)
        tensors = {name: _tensor(located, self._rows.file(position, name)) for name, located in pictures.items()}
        return {**tensors, **self._rows.metadata(position)}

    @property
    def form(self) -> Form:
        """The columns that were asked for, and what the numbers of the label column mean."""
        return self._rows.form


def _tensor(located: Located, file: str) -> MetaTensor:
    """Wrap values with what MONAI's own readers say of them."""
    affine = torch.from_numpy(_of_plane(located) if located.values.ndim == 3 else _of_volume(located))
    return MetaTensor(
        torch.from_numpy(located.values),
        meta={
            "affine": affine,
            "original_affine": affine.clone(),
            "spatial_shape": np.array(located.values.shape[1:]),
            "space": SpaceKeys.RAS,
            "original_channel_dim": 0,  # so that EnsureChannelFirstd leaves it as it is
            "filename_or_obj": file,
        },
    )


def _of_plane(located: Located) -> np.ndarray:
    """Return the affine of a picture in two dimensions, of which MONAI's transforms read the first two axes.

    Where a plane is not axial these two do not span it, and where nobody told how it lies they mean nothing: it is the
    spacing alone then, which is the identity where nobody told that, as MONAI's own readers have it.
    """
    affine = located.affine
    sides = np.sqrt((affine[:3, :2] ** 2).sum(axis=0))
    axial = np.abs(affine[2, :2]).max() <= _FLAT * sides.min()
    return affine if located.oriented and axial else np.diag([*sides, 1.0, 1.0])


def _of_volume(located: Located) -> np.ndarray:
    """Return the affine of a volume; where its header tells no place, what nibabel and so MONAI take for it.

    >>> _of_volume(Located(np.zeros((1, 3, 3, 1)), np.diag([-2.0, -2.0, 5.0, 1.0]), False))[:3, 3]
    array([ 2., -2.,  0.])
    """
    if located.oriented:
        return located.affine
    affine: np.ndarray = np.diag([-1.0, 1.0, 1.0, 1.0]) * np.abs(located.affine)
    affine[:3, 3] = -(np.array(located.values.shape[1:]) - 1) / 2 * affine.diagonal()[:3]  # its middle is the origin
    return affine
