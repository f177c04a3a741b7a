"""A zip file read in place."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import IO, NamedTuple

from covid_datasets.errors import CovidDatasetsError, DamagedFileError, UnsafeArchiveError
from covid_datasets.raw.guards import check_bomb, check_name, check_size
from covid_datasets.raw.handles import expect

_END_MARK = b"PK\5\6"
_SHORTEST_END = 22
_WIDE_END = 56 + 20
"""The end of a zip of more than 65,535 members or 4 GiB, and what says where it is; both lie before the usual end."""
_LONGEST_END = _WIDE_END + _SHORTEST_END + 0xFFFF
_HEADER = 30


class Zip:
    """A zip file, listed once and checked before anything inside is trusted."""

    def __init__(self, stream: IO[bytes], shown: str) -> None:
        archive = zipfile.ZipFile(stream)
        self._archive = archive
        self._stream = stream
        self._shown = shown
        self._members: dict[str, zipfile.ZipInfo] = {}
        members = archive.infolist()
        if problem := next(_contradictions(archive, members, _end(stream)), ""):
            raise DamagedFileError(f"{shown}: {problem}. It is damaged, or made to mislead: fetch it again")
        for member in members:
            if member.is_dir():
                continue
            if member.volume:
                raise DamagedFileError(
                    f"{shown}: expected a whole zip, found the last part of a split one. Next: put its parts together "
                    "(zip -s 0 last.zip --out whole.zip), or unpack it, and give that as data_dir="
                )
            check_name(member.filename, shown)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise UnsafeArchiveError(f"{shown}: member {member.filename!r} is a link; links are refused")
            if member.flag_bits & 0x1:
                raise DamagedFileError(
                    f"{shown}: member {member.filename!r} is encrypted; expected plain content. "
                    "Unpack it with its password and give the folder as data_dir="
                )
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python inflates the rarer methods without a bound on what they give.
                method = {9: "9, Deflate64"}.get(member.compress_type, str(member.compress_type))
                raise DamagedFileError(
                    f"{shown}: member {member.filename!r}: expected stored or deflated content, found compression "
                    f"method {method}. Unpack it and give the folder as data_dir="
                )
            check_size(member.filename, member.file_size, shown)
            check_bomb(f"member {member.filename!r}", member.file_size, member.compress_size, shown)
            if member.filename in self._members:
                raise UnsafeArchiveError(
                    f"{shown}: two members are named {member.filename!r}, so readers would disagree on its content; "
                    "pack the archive again with unique names"
                )
            self._members[member.filename] = member
        starts = sorted(member.header_offset for member in members)
        self._ends = dict(zip(starts, [*starts[1:], archive.start_dir], strict=True))

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
        expect(self._stream, member.header_offset, self._ends[member.header_offset])
        try:
            with self._archive.open(member) as stream:
                data = stream.read(member.file_size + 1)
        except CovidDatasetsError:
            raise
        except Exception as error:  # zipfile lets through whatever its parsers of headers and names raise
            raise DamagedFileError(f"{self._shown}: member {name!r} is damaged ({error})") from error
        if len(data) != member.file_size:
            raise DamagedFileError(
                f"{self._shown}: member {name!r}: expected {member.file_size:,} bytes, found {len(data):,}"
            )
        return data

    def position(self, name: str) -> int:
        """Tell where a member begins."""
        return self._members[name].header_offset

    def open(self, name: str) -> IO[bytes]:
        """Open a member for seeking reads; seeking back inflates again."""
        try:
            return self._archive.open(self._members[name])
        except CovidDatasetsError:
            raise
        except Exception as error:  # its own header is another one than that in the directory
            raise DamagedFileError(f"{self._shown}: member {name!r} is damaged ({error})") from error


def _contradictions(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], end: _End) -> Iterator[str]:
    """Say where a zip contradicts itself: Python lists what it can make out, and tells of no member that it lost."""
    if len(members) % end.modulus != end.members:
        yield f"expected {end.members:,} members, as its end states, found {len(members):,}"
    if before := archive.start_dir - end.directory:
        yield f"expected its first member at the beginning, found {before:,} bytes before it"
    by_place = sorted(members, key=lambda member: member.header_offset)
    ends = [member.header_offset + _HEADER + len(member.orig_filename) + member.compress_size for member in by_place]
    for (one, other), reached in zip(pairwise(by_place), ends, strict=False):
        if reached > other.header_offset:
            yield f"expected members one behind the other, found {one.filename!r} and {other.filename!r} in one place"
    if ends and ends[-1] > archive.start_dir:
        yield f"expected members before the directory, found that {by_place[-1].filename!r} reaches into it"
    for member in members:
        if "\0" in member.orig_filename:
            yield f"expected names without a NUL, found {member.orig_filename!r}"
        if member.is_dir() and (member.file_size or member.CRC):
            yield f"expected a folder without content, found {member.file_size:,} bytes in {member.filename!r}"


class _End(NamedTuple):
    """What the end of a zip states; ``modulus`` is where writers of old counted from 0 again."""

    members: int
    modulus: int
    directory: int


def _end(stream: IO[bytes]) -> _End:
    """Read the end of a zip, where Python has found one too."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(size - _LONGEST_END, 0))
    tail = stream.read()
    plain = tail[-_SHORTEST_END:]
    commented = not (plain.startswith(_END_MARK) and plain.endswith(b"\0\0"))
    at = tail.rfind(_END_MARK) if commented else len(tail) - _SHORTEST_END
    wide = tail[max(at - _WIDE_END, 0) : at]
    if len(wide) == _WIDE_END and wide.startswith(b"PK\6\6") and wide[56:].startswith(b"PK\6\7"):
        members, _, directory = struct.unpack("<3Q", wide[32:56])
        return _End(members, 1 << 64, directory)
    members, _, directory = struct.unpack("<H2L", tail[at + 10 : at + 20])
    return _End(members, 1 << 16, directory)
