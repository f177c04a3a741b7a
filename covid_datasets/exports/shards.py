"""Files of a split that are numbered, and named by how many there are: ``train-00000-of-00003.parquet``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Writer(Protocol):
    """An open file of a format."""

    def close(self) -> None:
        """Finish the file."""
        ...


W = TypeVar("W", bound=Writer)


class Shards(Generic[W]):
    """The file to write to next; a new one begins where the last has its size. How many there are is known at the end.

    Args:
        folder: Where they go.
        split: What their names begin with.
        suffix: What their names end with: ``.parquet``.
        open_file: Opens a file of the format.
        shard_bytes: The size after which a file is closed.
    """

    def __init__(self, folder: Path, split: str, suffix: str, open_file: Callable[[Path], W], shard_bytes: int) -> None:
        """Open nothing yet."""
        self._folder, self._split, self._suffix = folder, split, suffix
        self._open_file, self._shard_bytes = open_file, shard_bytes
        self._written: list[Path] = []
        self._writer: W | None = None

    def writer(self) -> W:
        """Return the open file, or open the next one."""
        if self._writer is not None and self._written[-1].stat().st_size >= self._shard_bytes:
            self._close()
        if self._writer is None:
            self._written.append(self._folder / f"{self._split}-{len(self._written):05}.part")
            self._writer = self._open_file(self._written[-1])
        return self._writer

    def finish(self) -> list[Path]:
        """Close the last file and give all of them their names; a split without rows has one file without rows."""
        if not self._written:
            self.writer()
        self._close()
        count, found = len(self._written), []
        for number, path in enumerate(self._written):
            found.append(self._folder / f"{self._split}-{number:05}-of-{count:05}{self._suffix}")
            os.rename(path, found[-1])
        return found

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
