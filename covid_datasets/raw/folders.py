"""A folder of raw files, through the interface that archives have."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from covid_datasets.catalog.layout import is_litter
from covid_datasets.errors import UnreadableError
from covid_datasets.raw.guards import leads_out

Stamp = tuple[int, int]
"""Size in bytes, and time of the last change in nanoseconds."""


class Folder:
    """A folder on a local disk. Its owner is the user, so links inside are followed; names that lead out are not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> Iterable[str]:
        """List every file inside, sorted, hidden ones left out."""
        return self.stamps()

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with its size, hidden ones left out."""
        return {name: size for name, (size, _) in self.stamps().items()}

    def stamps(self) -> Mapping[str, Stamp]:
        """List every file inside, sorted, with its size and the time of its last change, hidden ones left out."""
        found: dict[str, Stamp] = {}
        folders: list[tuple[str, tuple[str, ...], int]] = [("", (), 0)]
        linked: set[str] = set()
        while folders:
            inside, above, links = folders.pop()
            real = os.path.realpath(self._path / inside)
            if real in above or (links > 1 and real in linked):
                continue  # a link to a folder that it lies in, or links in linked folders that meet again and again
            linked |= {real} if links else set()
            with readable(self._path / inside), os.scandir(real) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):  # the first is popped first
                    if entry.name.startswith(".") or (status := _status(entry)) is None:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        folders.append((f"{inside}{entry.name}/", (*above, real), links + entry.is_symlink()))
                    elif stat.S_ISREG(status.st_mode):  # neither a pipe nor a device: reading one may never end
                        found[inside + entry.name] = status.st_size, status.st_mtime_ns
        return dict(sorted(found.items()))

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, ``None`` where there is no such file."""
        if leads_out(name):
            return None
        try:
            found = os.stat(self._path / name)
        except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no file can have such a name
            return None
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                return None
            raise UnreadableError.of(self._path / name, error) from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        place = f"{self._path}/{name}"
        with readable(place), open(place, "rb", buffering=0) as file:
            return file.read()

    def position(self, name: str) -> int:
        """Tell of no order: each file is one of its own."""
        return 0

    def open(self, name: str) -> IO[bytes]:
        """Open a file for seeking reads."""
        with readable(self._path / name):
            return (self._path / name).open("rb")


def signature_of(stamps: Mapping[str, Stamp]) -> str:
    """Digest names, sizes and times, so that changed files are built anew; what systems leave behind does not count."""
    digest = hashlib.sha256()
    for name, stamp in stamps.items():
        if not is_litter(name):
            digest.update(f"{name} {stamp}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


@contextmanager
def readable(place: str | Path) -> Iterator[None]:
    """Turn what the system refuses into an `UnreadableError`; what is not there stays what it is."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise UnreadableError.of(error.filename or place, error) from error


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Look at a file or folder, through a link; ``None`` where a link leads nowhere, or it vanished meanwhile."""
    try:
        return entry.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # links that lead to each other
            return None
        raise
