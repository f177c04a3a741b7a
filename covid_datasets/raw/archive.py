"""What a folder and every kind of archive have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Protocol


class Archive(Protocol):
    """What folders and archives have in common."""

    def names(self) -> Iterable[str]:
        """List every file inside, as relative POSIX paths."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with its size."""
        ...

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, ``None`` where there is no such file."""
        ...

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file for seeking reads."""
        ...

    def position(self, name: str) -> int:
        """Tell where a file begins; reading many in this order is fast."""
        ...
