"""A zip file read in place."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable, Mapping
from typing import IO

from covid_datasets.errors import DamagedFileError, UnsafeArchiveError
from covid_datasets.raw.guards import check_bomb, check_name, check_size


class Zip:
    """A zip file, listed once and checked before anything inside is trusted."""

    def __init__(self, archive: zipfile.ZipFile, shown: str) -> None:
        self._archive = archive
        self._shown = shown
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
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

    def position(self, name: str) -> int:
        """Tell where a member begins."""
        return self._members[name].header_offset

    def open(self, name: str) -> IO[bytes]:
        """Open a member for seeking reads; seeking back inflates again."""
        return self._archive.open(self._members[name])
