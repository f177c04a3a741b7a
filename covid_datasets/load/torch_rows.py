"""Rows as a torch dataset. Imported only by ``framework="torch"``, because it imports torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from covid_datasets.load.rows import NumpyRows


class TorchRows(Dataset[dict[str, Any]]):
    """Rows of a split; images, volumes and masks are tensors with channels first, of the stored depth."""

    def __init__(self, rows: NumpyRows) -> None:
        """Wrap decoded rows."""
        self._rows = rows

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return a row with its images as tensors."""
        row = self._rows[index]
        return row | {
            "image": _tensor(row["image"]),
            "volume": _tensor(row["volume"], volume=True),
            "masks": {name: _tensor(mask) for name, mask in row["masks"].items()},
            "volume_masks": {name: _tensor(mask, volume=True) for name, mask in row["volume_masks"].items()},
        }


def _tensor(array: np.ndarray | None, *, volume: bool = False) -> torch.Tensor | None:
    if array is None:
        return None
    channels_first = array[None] if volume or array.ndim == 2 else np.moveaxis(array, -1, 0)
    return torch.from_numpy(np.array(channels_first))  # a copy: Pillow's arrays are read-only
