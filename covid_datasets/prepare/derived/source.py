"""The rows of a finished build as a worker reads them: one after the other, each held against its digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.columns import GROUP, INDEX_FILE
from covid_datasets.errors import DamagedFileError
from covid_datasets.prepare.columnar import arrow_array
from covid_datasets.prepare.result import Built, split_files
from covid_datasets.prepare.rows import row_digest
from covid_datasets.read.encode import digest
from covid_datasets.schema import CONTENT


@dataclass(frozen=True)
class StoredRows:
    """The rows of a build by their number through all splits. It is sent to workers, which open the files."""

    folder: Path
    splits: tuple[str, ...]

    @classmethod
    def of(cls, built: Built) -> StoredRows:
        """Take a finished build."""
        return cls(built.path, tuple(built.splits))

    def __reduce__(self) -> tuple[Any, ...]:
        """Send where the build is, and nothing that was opened."""
        return StoredRows, (self.folder, self.splits)

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all rows; no other is read."""
        return self._table.select(list(names))

    def whole(self, number: int) -> dict[str, Any]:
        """Read a row with all that it shows.

        Raises:
            DamagedFileError: It is not as it was built.
        """
        row: dict[str, Any] = self._table.slice(number, 1).to_pylist()[0]
        told = self.index_row(number)
        shown = [row[kind] for kind in CONTENT if row[kind] is not None]
        same = row_digest(row) == told["row_sha256"] and all(digest(each["bytes"]) == row["sha256"] for each in shown)
        if not same:
            raise DamagedFileError(
                f"{self.folder}: {told['sample_id']}: expected the row as it was built, found another one. "
                f"Remove {self.folder} and build again."
            )
        return row

    def index_row(self, number: int) -> dict[str, Any]:
        """Return what the index says of a row."""
        found: dict[str, Any] = self.index.slice(number, 1).to_pylist()[0]
        return found

    @cached_property
    def index(self) -> pa.Table:
        """The index of the build."""
        found = pa.ipc.open_file(pa.memory_map(str(self.folder / INDEX_FILE))).read_all()
        if GROUP not in found.column_names:  # of an earlier release
            from covid_datasets.splits.index import Index

            found = found.append_column(GROUP, arrow_array(Index(found).stored_group_ids, pa.string()))
        return found

    @cached_property
    def _table(self) -> pa.Table:
        files = [file for split in self.splits for file in split_files(self.folder, split)]
        return pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(file))).read_all() for file in files])


def ranges_of(built: Built) -> dict[str, range]:
    """Say which rows are of which split.

    >>> from covid_datasets.prepare.engine import build_dataset
    >>> ranges_of(build_dataset("phantom", "small", cache_dir=getfixture("tmp_path")))["train"].start
    0
    """
    ends = list(accumulate(built.splits.values(), initial=0))
    return {split: range(*ends[place : place + 2]) for place, split in enumerate(built.splits)}
