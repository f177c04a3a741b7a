"""Folders, zip and tar files read in place through one small interface; hostile archives are refused.

Nothing is ever unpacked to disk. A location is a tuple: the path of a folder or archive, then, for archives
inside archives, the member at each level. Open archives are cached per process.
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Protocol

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, NotThereError
from covid_datasets.raw.folders import Folder
from covid_datasets.raw.tars import Tar, TarHeader
from covid_datasets.raw.zips import Zip

Location = tuple[str, ...]

NESTED_IN_MEMORY_BYTES = 64 << 20
"""A nested archive up to this size is held in memory; a larger one is read through its parent."""
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


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


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is an archive that can be read in place."""
    return name.lower().endswith(SUFFIXES)


def open_archive(location: Location) -> Archive:
    """Open a folder or an archive, or an archive inside others.

    >>> "archives.py" in open_archive((str(Path(__file__).parent),)).names()
    True
    """
    try:
        found = os.stat(location[0])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotThereError(f"{location[0]}: expected a folder or an archive, found nothing") from error
    # Time and size are in the key, so that a file that its owner replaced is opened anew; the process is, because a
    # forked worker shares the read position of every file that its parent has open.
    return _open(location, found.st_mtime_ns, found.st_size, os.getpid())


@lru_cache(maxsize=64)
def _open(location: Location, _mtime: int, outer_size: int, _process: int) -> Archive:
    shown = " -> ".join(location)
    if len(location) == 1:
        path = Path(location[0])
        return Folder(path) if path.is_dir() else _open_stream(path.open("rb"), shown, outer_size)
    parent, name = open_archive(location[:-1]), location[-1]
    size = parent.size(name)
    if size is None:
        raise NotThereError(f"{shown}: expected an archive, found nothing")
    stream = io.BytesIO(parent.read(name)) if size <= NESTED_IN_MEMORY_BYTES else parent.open(name)
    return _open_stream(stream, shown, size)


def _open_stream(stream: IO[bytes], shown: str, size: int) -> Archive:
    try:
        head = stream.read(4)
        stream.seek(0)
        if head.startswith(b"PK"):
            return Zip(zipfile.ZipFile(stream), shown)
        return Tar(tarfile.open(fileobj=stream, mode="r:*", tarinfo=TarHeader), shown, size)
    except CovidDatasetsError:
        stream.close()
        raise
    except Exception as error:  # zipfile and tarfile let through whatever their parsers of headers and names raise
        stream.close()
        why = " ".join(str(error).split())
        raise DamagedFileError(
            f"{shown}: expected a whole zip or tar archive, found {size:,} bytes that cannot be listed ({why}). "
            "It is truncated or not an archive: delete it and fetch it again."
        ) from error
