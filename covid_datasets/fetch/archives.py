"""Folders, zip and tar files read in place through one small interface; hostile archives are refused.

Nothing is ever unpacked to disk. A location is a tuple: the path of a folder or archive, then, for archives
inside archives, the member at each level. Open archives are cached per process.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Protocol, Self

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, NotThereError, UnsafeArchiveError

Location = tuple[str, ...]

MAX_MEMBER_BYTES = 8 << 30
MAX_EXPANSION = 200
"""An archive that claims to expand more than this, beyond `FREE_EXPANSION_BYTES`, is a bomb."""
FREE_EXPANSION_BYTES = 64 << 20
MAX_TAR_HEADER_BYTES = 1 << 20
"""A long name or other header of a tar file beyond this is no name: it would be held in memory whole."""
NESTED_IN_MEMORY_BYTES = 64 << 20
"""A nested archive up to this size is held in memory; a larger one is read through its parent."""
_SOLARIS_HEADER = b"X"
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

    >>> sorted(open_archive((str(Path(__file__).parent),)).names())[:2]
    ['__init__.py', 'archives.py']
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
        return Tar(tarfile.open(fileobj=stream, mode="r:*", tarinfo=_TarHeader), shown, size)
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
        if _leads_out(name):
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

    def open(self, name: str) -> IO[bytes]:
        """Open a file for seeking reads."""
        return (self._path / name).open("rb")


class Zip:
    """A zip file, listed once and checked before anything inside is trusted."""

    def __init__(self, archive: zipfile.ZipFile, shown: str) -> None:
        self._archive = archive
        self._shown = shown
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            if member.is_dir():
                continue
            _check_name(member.filename, shown)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise UnsafeArchiveError(f"{shown}: member {member.filename!r} is a link; links are refused")
            if member.flag_bits & 0x1:
                raise DamagedFileError(
                    f"{shown}: member {member.filename!r} is encrypted; expected plain content. "
                    "Unpack it with its password and give the folder as data_dir="
                )
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python inflates the rarer methods without a bound on what they give.
                raise DamagedFileError(
                    f"{shown}: member {member.filename!r}: expected stored or deflated content, found compression "
                    f"method {member.compress_type}. Unpack it and give the folder as data_dir="
                )
            _check_size(member.filename, member.file_size, shown)
            _check_bomb(f"member {member.filename!r}", member.file_size, member.compress_size, shown)
            if member.filename in self._members:
                raise UnsafeArchiveError(
                    f"{shown}: two members are named {member.filename!r}, so readers would disagree on its content; "
                    "pack the archive again with unique names"
                )
            self._members[member.filename] = member

    def names(self) -> Iterable[str]:
        """List every file inside."""
        return self._members

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with the size that the directory states."""
        return {name: member.file_size for name, member in self._members.items()}

    def size(self, name: str) -> int | None:
        """Return the size that the directory states, ``None`` where there is no such file."""
        member = self._members.get(name)
        return None if member is None else member.file_size

    def read(self, name: str) -> bytes:
        """Return the bytes of a member; its checksum is verified."""
        member = self._members[name]
        try:
            with self._archive.open(member) as stream:
                data = stream.read(member.file_size + 1)
        except Exception as error:  # zipfile lets through whatever its parsers of headers and names raise
            raise DamagedFileError(f"{self._shown}: member {name!r} is damaged ({error})") from error
        if len(data) != member.file_size:
            raise DamagedFileError(
                f"{self._shown}: member {name!r}: expected {member.file_size:,} bytes, found {len(data):,}"
            )
        return data

    def open(self, name: str) -> IO[bytes]:
        """Open a member for seeking reads; seeking back inflates again."""
        return self._archive.open(self._members[name])


class _TarHeader(tarfile.TarInfo):
    """A header of a tar file, refused where reading on would take endless memory or never end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Parse a block of 512 bytes."""
        header = super().frombuf(buf, encoding, errors)
        held = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, _SOLARIS_HEADER)
        if header.size < 0 or (header.type in held and header.size > MAX_TAR_HEADER_BYTES):
            raise tarfile.ReadError(f"a header claims {header.size:,} bytes; the limit is {MAX_TAR_HEADER_BYTES:,}")
        return header


class Tar:
    """A tar file, plain or compressed. A compressed one is fast only in the order of its members."""

    def __init__(self, archive: tarfile.TarFile, shown: str, size: int) -> None:
        self._archive = archive
        self._shown = shown
        self._lock = threading.Lock()
        self._members: dict[str, tarfile.TarInfo] = {}
        for member in archive:
            name = _printable(member.name.removeprefix("./"))
            _check_name(name, shown)
            if member.size < 0:
                raise DamagedFileError(f"{shown}: member {name!r} claims {member.size:,} bytes")
            # Checked member by member: listing a compressed tar inflates it, so a bomb must be met early.
            _check_size(name, member.size, shown)
            _check_bomb(f"up to member {name!r}", member.offset_data + member.size, size, shown)
            if member.isdir():
                continue
            if not member.isfile():
                raise UnsafeArchiveError(f"{shown}: member {name!r} is a link or a device; only files are accepted")
            if name in self._members:
                raise UnsafeArchiveError(f"{shown}: two members are named {name!r}; pack it again with unique names")
            self._members[name] = member
        self._check_end()

    def _check_end(self) -> None:
        """Refuse a tar file that just stops: Python takes a damaged or absent header for the end of the list."""
        stream = self._archive.fileobj
        assert stream is not None
        stream.seek(self._archive.offset)
        if stream.read(tarfile.BLOCKSIZE) != b"\0" * tarfile.BLOCKSIZE:
            raise DamagedFileError(
                f"{self._shown}: expected a block of zeros as the end of the archive after {len(self._members):,} "
                f"files, found something else at byte {self._archive.offset:,}: it is truncated or damaged. "
                "Delete it and fetch it again."
            )

    def names(self) -> Iterable[str]:
        """List every file inside."""
        return self._members

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with its size."""
        return {name: member.size for name, member in self._members.items()}

    def size(self, name: str) -> int | None:
        """Return the size of a member, ``None`` where there is no such file."""
        member = self._members.get(name)
        return None if member is None else member.size

    def read(self, name: str) -> bytes:
        """Return the bytes of a member."""
        member = self._members[name]
        try:
            with self._lock, self.open(name) as stream:
                data = stream.read()
        except Exception as error:  # tarfile lets through whatever the decompressors raise
            raise DamagedFileError(f"{self._shown}: member {name!r} is damaged ({error})") from error
        if len(data) != member.size:
            raise DamagedFileError(
                f"{self._shown}: member {name!r}: expected {member.size:,} bytes, found {len(data):,}"
            )
        return data

    def open(self, name: str) -> IO[bytes]:
        """Open a member for seeking reads."""
        stream = self._archive.extractfile(self._members[name])
        if stream is None:
            raise DamagedFileError(f"{self._shown}: member {name!r} has no content")
        return stream


def _leads_out(name: str) -> bool:
    """Tell whether a name could mean a file elsewhere, on any system."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or "\0" in name or (len(name) > 1 and name[1] == ":")


def _printable(name: str) -> str:
    """Give a name that can be stored: bytes that are not UTF-8 are taken as Windows-1252."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp1252", errors="replace")
    return name


def _check_name(name: str, shown: str) -> None:
    if _leads_out(name):
        raise UnsafeArchiveError(
            f"{shown}: member {name!r} points outside of the archive's own folder; the archive is refused. "
            "Fetch it again from the publisher, and report it if it is the same there."
        )


def _check_size(name: str, size: int, shown: str) -> None:
    if size > MAX_MEMBER_BYTES:
        raise UnsafeArchiveError(f"{shown}: member {name!r} claims {size:,} bytes; the limit is {MAX_MEMBER_BYTES:,}")


def _check_bomb(what: str, size: int, packed: int, shown: str) -> None:
    if size > FREE_EXPANSION_BYTES and size > MAX_EXPANSION * max(packed, 1):
        raise UnsafeArchiveError(
            f"{shown}: {what} would expand {packed:,} bytes to {size:,}: an archive bomb; it is refused"
        )
