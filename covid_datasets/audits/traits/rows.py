"""Some rows of one build or of several: their small columns in memory, their pictures where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.schema import COLUMNS, CONTENT

_LARGE = {*CONTENT, "masks", "volume_masks", "source_row"}


class Stored(NamedTuple):
    """The bytes of a stored file, which are mapped and not copied, and what it is called."""

    data: memoryview
    path: str


class Rows:
    """Chosen rows, numbered from 0 in the order in which they were chosen; ``table`` has their small columns."""

    def __init__(self, builds: Sequence[Built], chosen: np.ndarray) -> None:
        """Choose rows by their numbers, counted through all builds one after the other."""
        tables = [open_table(built) for built in builds]
        small = [name for name in COLUMNS if name not in _LARGE]
        self.chosen = chosen
        self.table: pa.Table = pa.concat_tables([table.select(small) for table in tables]).take(pa.array(chosen))
        self._content = {
            kind: pa.chunked_array([chunk for table in tables for chunk in table.column(kind).chunks])
            for kind in CONTENT
        }

    def file(self, row: int) -> Stored | None:
        """Return the file of a row: its picture, volume or video; ``None`` where it has none."""
        found = (self._stored(kind, row) for kind in CONTENT)
        return next((file for file in found if file is not None), None)

    def picture(self, row: int) -> Stored | None:
        """Return the picture of a row, if it is one."""
        return self._stored("image", row)

    def _stored(self, kind: str, row: int) -> Stored | None:
        cell = self._content[kind][int(self.chosen[row])]
        if not cell.is_valid or not cell["bytes"].is_valid:
            return None
        return Stored(memoryview(cell["bytes"].as_buffer()).cast("B"), cell["path"].as_py() or "")
