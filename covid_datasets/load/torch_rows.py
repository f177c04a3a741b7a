"""Rows as a torch dataset. Imported only by ``framework="torch"``, because it imports torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
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
        return {name: _tensors(name, value) for name, value in row.items()}

    @property
    def rows(self) -> NumpyRows:
        """The same rows as arrays."""
        return self._rows

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes, by their numbers in the column label."""
        return self._rows.label_names

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return self._rows.column_names

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column of all rows; no other is read."""
        return self._rows.column(name)

    def select(self, rows: Iterable[int]) -> TorchRows:
        """Choose rows by number, in the order given."""
        return TorchRows(self._rows.select(rows))


def _tensors(name: str, value: Any) -> Any:
    """Turn the arrays of a column into tensors."""
    if name in ("masks", "volume_masks"):
        return {mask: _tensor(array, volume=name == "volume_masks") for mask, array in value.items()}
    return _tensor(value, volume=name == "volume") if name in ("image", "volume") else value


def _tensor(array: np.ndarray | None, *, volume: bool = False) -> torch.Tensor | None:
    if array is None:
        return None
    channels_first = array[None] if volume or array.ndim == 2 else np.moveaxis(array, -1, 0)
    return torch.from_numpy(np.array(channels_first))  # a copy: Pillow's arrays are read-only
