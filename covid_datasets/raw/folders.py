"""A folder of raw files, through the interface that archives have."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from covid_datasets.raw.guards import leads_out


class Folder:
    """A folder on a local disk. Its owner is the user, so links inside are followed; names that lead out are not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> Iterable[str]:
        """List every file inside, sorted, hidden ones left out."""
        return sorted(self.sizes())

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with its size, hidden ones left out."""
        found: dict[str, int] = {}
        folders: list[tuple[str, tuple[str, ...]]] = [("", ())]
        while folders:
            inside, above = folders.pop()
            if (real := os.path.realpath(self._path / inside)) in above:
                continue  # a link to a folder that it lies in
            with os.scandir(real) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        folders.append((f"{inside}{entry.name}/", (*above, real)))
                    elif entry.is_file():
                        found[inside + entry.name] = entry.stat().st_size
        return found

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, ``None`` where there is no such file."""
        if leads_out(name):
            return None
        try:
            found = os.stat(self._path / name)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no file can have such a name
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        with open(f"{self._path}/{name}", "rb", buffering=0) as file:
            return file.read()

    def position(self, name: str) -> int:
        """Tell of no order: each file is one of its own."""
        return 0

    def open(self, name: str) -> IO[bytes]:
        """Open a file for seeking reads."""
        return (self._path / name).open("rb")
