"""Raw files in memory, for what reads single files."""

from __future__ import annotations

import io
from typing import IO

from covid_datasets.errors import NotThereError


class Files(dict[str, bytes]):
    """The bytes of raw files by their paths."""

    def has(self, path: str) -> bool:
        return path in self

    def read(self, path: str) -> bytes:
        if path not in self:
            raise NotThereError(f"{path}: expected a file, found nothing")
        return self[path]

    def open(self, path: str) -> IO[bytes]:
        return io.BytesIO(self.read(path))
