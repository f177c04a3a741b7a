"""The index of a finished build: one small row per sample, in stored order, with all that splits need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from covid_datasets.splits.groups import Link, components, links_by_key, links_by_ties, near_duplicates

INDEX_FILE = "index.arrow"


@dataclass(frozen=True)
class Index:
    """Rows of one build, or of several, with the evidence that ties them together."""

    table: pa.Table

    @classmethod
    def read(cls, build: Path) -> Index:
        """Map the index of a finished build."""
        with pa.memory_map(str(build / INDEX_FILE)) as source:
            return cls(pa.ipc.open_file(source).read_all())

    def column(self, name: str) -> list[object]:
        """Return a column as Python values."""
        values: list[object] = self.table.column(name).to_pylist()
        return values

    def strings(self, name: str) -> list[str | None]:
        """Return a column of texts."""
        values: list[str | None] = self.table.column(name).to_pylist()
        return values

    def texts(self, name: str) -> list[str]:
        """Return a column of texts that has no nulls."""
        return [value or "" for value in self.strings(name)]

    @cached_property
    def links(self) -> list[Link]:
        """All evidence that rows belong together, metadata first, pixels last."""
        ties: list[list[str]] = self.table.column("ties").to_pylist()
        thumbs = self.table.column("thumb")
        return [
            *links_by_key("patient", self.strings("patient_id")),
            *links_by_ties(ties),
            *links_by_key("same bytes", self._telling("sha256")),
            *links_by_key("same pixels", self._telling("pixel_hash")),
            *near_duplicates(self.strings("phash"), lambda row: thumbs[row].as_py()),
        ]

    def _telling(self, name: str) -> list[str | None]:
        return [None if blank else key for key, blank in zip(self.strings(name), self.column("blank"), strict=True)]

    @cached_property
    def groups(self) -> list[int]:
        """The component of each row."""
        return components(self.table.num_rows, self.links)
