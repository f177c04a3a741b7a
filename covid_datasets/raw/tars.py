"""A tar file, plain or compressed, read in place."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterable, Mapping
from typing import IO, Self

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, UnsafeArchiveError
from covid_datasets.raw.guards import check_bomb, check_name, check_size
from covid_datasets.raw.handles import expect

MAX_TAR_HEADER_BYTES = 1 << 20
"""A long name or other header of a tar file beyond this is no name: it would be held in memory whole."""
_SOLARIS_HEADER = b"X"
_CHUNK = 1 << 18


class TarHeader(tarfile.TarInfo):
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
    """A tar file, plain or compressed. Of gzip any order is fast, of bzip2 and xz only that of its members."""

    def __init__(self, stream: IO[bytes], shown: str, size: int) -> None:
        """List a tar file of ``size`` bytes, whose inflated content is ``stream``."""
        archive = tarfile.open(fileobj=stream, mode="r:", tarinfo=TarHeader)  # noqa: SIM115
        self._stream = stream
        self._archive = archive
        self._shown = shown
        self._lock = threading.Lock()
        self._members: dict[str, tarfile.TarInfo] = {}
        for member in archive:
            name = _printable(member.name.removeprefix("./"))
            check_name(name, shown)
            if member.size < 0:
                raise DamagedFileError(f"{shown}: member {name!r} claims {member.size:,} bytes")
            # Checked member by member: listing a compressed tar inflates it, so a bomb must be met early.
            check_size(name, member.size, shown)
            check_bomb(f"up to member {name!r}", member.offset_data + member.size, size, shown)
            if member.isdir():
                continue
            if not member.isfile():
                raise UnsafeArchiveError(f"{shown}: member {name!r} is a link or a device; only files are accepted")
            if member.issparse():
                raise DamagedFileError(
                    f"{shown}: member {name!r} is stored without its zeros (sparse), which is not read here. "
                    "Unpack it and give the folder as data_dir="
                )
            if name in self._members:
                raise UnsafeArchiveError(f"{shown}: two members are named {name!r}; pack it again with unique names")
            self._members[name] = member
        self._check_end(size)

    def _check_end(self, size: int) -> None:
        """Refuse a tar file that just stops: Python takes a damaged or absent header for the end of the list."""
        stream = self._stream
        stream.seek(self._archive.offset)
        if stream.read(tarfile.BLOCKSIZE) != b"\0" * tarfile.BLOCKSIZE:
            raise DamagedFileError(
                f"{self._shown}: expected a block of zeros as the end of the archive after {len(self._members):,} "
                f"files, found something else at byte {self._archive.offset:,}: it is truncated or damaged. "
                "Delete it and fetch it again."
            )
        at = self._archive.offset + tarfile.BLOCKSIZE
        while more := stream.read(_CHUNK):  # to the end, where compressed streams have their checksums
            if more.strip(b"\0"):
                raise DamagedFileError(
                    f"{self._shown}: expected nothing but zeros after the end of the archive, found more behind byte "
                    f"{at:,}: it is damaged, or several archives in one. Unpack it and give the folder as data_dir="
                )
            at += len(more)
            check_bomb("what follows its files", at, size, self._shown)

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
        expect(self._stream, member.offset_data, member.offset_data + member.size)
        try:
            with self._lock, self.open(name) as stream:
                data = stream.read()
        except CovidDatasetsError:
            raise
        except Exception as error:  # tarfile lets through whatever the decompressors raise
            raise DamagedFileError(f"{self._shown}: member {name!r} is damaged ({error})") from error
        if len(data) != member.size:
            raise DamagedFileError(
                f"{self._shown}: member {name!r}: expected {member.size:,} bytes, found {len(data):,}"
            )
        return data

    def position(self, name: str) -> int:
        """Tell where a member begins: reading in this order is what is fast."""
        return self._members[name].offset_data

    def open(self, name: str) -> IO[bytes]:
        """Open a member for seeking reads."""
        stream = self._archive.extractfile(self._members[name])
        if stream is None:
            raise DamagedFileError(f"{self._shown}: member {name!r} has no content")
        return stream


def _printable(name: str) -> str:
    """Give a name that can be stored: bytes that are not UTF-8 are taken as Windows-1252."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp1252", errors="replace")
    return name
