"""Folders, zip and tar files read in place through one small interface; hostile archives are refused.

Nothing is ever unpacked to disk. A location is a tuple: the path of a folder or archive, then, for archives
inside archives, the member at each level. What is inside an archive is listed once in a process and remembered; the
files themselves are borrowed from `covid_datasets.raw.handles`, which has few of them open at once.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
from functools import lru_cache, partial
from pathlib import Path
from typing import IO

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, NotThereError, UnreadableError
from covid_datasets.raw import handles, lists
from covid_datasets.raw.archive import Archive
from covid_datasets.raw.folders import Folder
from covid_datasets.raw.gunzip import Gunzip
from covid_datasets.raw.handles import Inside, OnDisk, Source, SourceFile
from covid_datasets.raw.tars import Tar
from covid_datasets.raw.zips import Zip

Location = tuple[str, ...]

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNREADABLE = {".rar": "a RAR archive", ".7z": "a 7z archive", ".z01": "a part of a split zip"}
"""Archives of kinds that are not read: a file with such a name is told, with what to do about it."""
REMEMBERED = 4096
"""Archives whose lists are remembered in a process."""
_CHUNK = 1 << 20
_UNREADABLE_HEADS = {b"Rar!": ".rar", b"7z\xbc\xaf": ".7z", b"PK\x07\x08": ".z01"}


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is an archive that can be read in place."""
    return name.lower().endswith(SUFFIXES)


def unreadable(name: str) -> str:
    """Say what an archive is that is not read here; empty for everything else.

    >>> unreadable("CT.rar"), unreadable("CT.zip")
    ('a RAR archive', '')
    """
    return next((what for suffix, what in UNREADABLE.items() if name.lower().endswith(suffix)), "")


def unreadable_text(shown: str, what: str) -> str:
    """Say what to do with an archive that is not read here."""
    return (
        f"{shown}: expected a zip or tar archive, found {what}, which is not read here. "
        "Next: unpack it (7-Zip and unar can), and give the folder as data_dir="
    )


def open_archive(location: Location) -> Archive:
    """Open a folder or an archive, or an archive inside others.

    >>> "archives.py" in open_archive((str(Path(__file__).parent),)).names()
    True
    """
    try:
        found = os.stat(location[0])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotThereError(f"{location[0]}: expected a folder or an archive, found nothing") from error
    except OSError as error:
        raise UnreadableError.of(location[0], error) from error
    # Time and size are in the key, so that a file that its owner replaced is listed anew.
    return _listed(location, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=REMEMBERED)
def _listed(location: Location, mtime_ns: int, outer_size: int) -> Archive:
    shown = " -> ".join(location)
    if len(location) == 1:
        path = location[0]
        if os.path.isdir(path):
            return Folder(Path(path))
        load = partial(_list, OnDisk(path, outer_size, mtime_ns), shown)
        listed = lists.beside(path)
        return load() if listed is None else lists.Listed(listed, shown, load)
    parent, name = open_archive(location[:-1]), location[-1]
    size = parent.size(name)
    if size is None:
        raise NotThereError(f"{shown}: expected an archive, found nothing")
    source = Inside(parent, name, size)
    archive = _list(source, shown)
    if size > handles.HOLD_BYTES and not isinstance(archive, Zip):
        _check_whole(parent, name, shown)
    return archive


def _check_whole(parent: Archive, name: str, shown: str) -> None:
    """Read a large inner archive once, in order: whoever seeks in a member is not told that its checksum is wrong."""
    try:
        with parent.open(name) as stream:
            while stream.read(_CHUNK):
                pass
    except CovidDatasetsError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{shown}: it is damaged ({error}): fetch it again") from error


def _list(source: Source, shown: str) -> Archive:
    stream = SourceFile(source)
    try:
        head = stream.read(6)
        stream.seek(0)
        if suffix := _UNREADABLE_HEADS.get(head[:4]):
            raise DamagedFileError(unreadable_text(shown, UNREADABLE[suffix]))
        if head.startswith(b"PK"):
            return Zip(io.BufferedReader(stream), shown)
        return Tar(_inflated(stream, head), shown, source.size)
    except CovidDatasetsError:
        raise
    except PermissionError as error:
        raise UnreadableError.of(shown, error) from error
    except Exception as error:  # zipfile and tarfile let through whatever their parsers of headers and names raise
        why = " ".join(str(error).split())
        raise DamagedFileError(
            f"{shown}: expected a whole zip or tar archive, found {source.size:,} bytes that cannot be listed ({why}). "
            "It is truncated or not an archive: delete it and fetch it again."
        ) from error


def _inflated(stream: SourceFile, head: bytes) -> IO[bytes]:
    """Give what a tar file holds, whatever it is compressed with."""
    if head.startswith(b"\x1f\x8b"):
        return io.BufferedReader(Gunzip(stream))
    if head.startswith(b"BZh"):
        return bz2.BZ2File(io.BufferedReader(stream))
    if head.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(io.BufferedReader(stream))
    return io.BufferedReader(stream)
