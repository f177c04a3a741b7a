"""An unfinished download on disk: bytes so far, their hashes, and which version of the file they belong to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from covid_datasets.disk import check_space, make_folder, read_json, refused, write_json
from covid_datasets.errors import CacheError, NoSpaceError
from covid_datasets.fetch.asset import HASHES

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the bytes of an unfinished download belong to: without an equal validator there is no resuming.

    Attributes:
        validator: A strong ETag, a modification time, a generation: anything that changes with the content.
        total: Size of the whole file, where the host says it.
        etag: Whatever ETag came with the first bytes, weak ones too; ``modified`` is their Last-Modified.
    """

    validator: str = ""
    total: int | None = None
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A transfer that arrived whole.

    ``resumed`` says that the bytes are of more than one answer; ``delimited`` that the host said where they end, so
    that a connection which broke cannot be taken for the end.
    """

    size: int
    sha256: str
    md5: str = ""
    sha1: str = ""
    validator: str = ""
    resumed: bool = False
    delimited: bool = True


class Partial:
    """The file ``<target>.part`` with its sidecar ``<target>.part.json``; use it with ``with``."""

    def __init__(
        self,
        path: Path,
        *,
        also: Collection[str] = (),
        margin: int = 0,
        on_bytes: Callable[[int], object] | None = None,
    ) -> None:
        """Name the part; entering the context opens it and hashes what is there."""
        self.path = path
        self.margin = margin
        self.size = 0
        self.stamp = Stamp()
        self.resumed = False
        self.delimited = True
        self.on_bytes = on_bytes or (lambda n: None)
        self._also = also

    def __enter__(self) -> Partial:
        """Open the part; bytes of an unknown version are dropped."""
        make_folder(self.path.parent)
        try:
            self._file = FileIO(self.path, "a+")
        except OSError as error:
            raise self._failure(error) from error
        self._hashes = new_hashes(self._also)
        self.stamp = self._read_stamp()
        if not self.stamp.validator:
            self._file.truncate(0)
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            self._count(chunk)
        self.resumed = self.size > 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; the bytes stay for the next try, be it in another process."""
        self._file.close()
        if error is not None and self.size == 0:
            discard(self.path)

    def start_over(self, stamp: Stamp) -> None:
        """Drop all bytes and begin again with those of ``stamp``."""
        self._file.truncate(0)
        if self.size:
            self.on_bytes(-self.size)
        self.size, self.resumed = 0, False
        self._hashes = new_hashes(self._also)
        self.stamp = stamp
        write_json(self._sidecar, asdict(stamp))

    def write(self, chunk: bytes) -> None:
        """Append bytes and hash them."""
        rest = memoryview(chunk)
        try:
            while rest:
                written = self._file.write(rest)
                self._count(rest[:written])
                rest = rest[written:]
        except OSError as error:
            raise self._failure(error) from error

    def go_on(self, total: int | None) -> None:
        """Note that the rest comes with another answer, which may be the first to tell the size of the whole."""
        self.resumed = self.size > 0
        if total is not None and self.stamp.total is None:
            self.stamp = replace(self.stamp, total=total)
            write_json(self._sidecar, asdict(self.stamp))

    def check_space(self) -> None:
        """Refuse to go on where the rest of the file will not fit."""
        if self.stamp.total is not None:
            check_space(self.path.parent, self.stamp.total - self.size, self.margin)

    def finish(self) -> Fetched:
        """Force the bytes to disk and say what they are."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failure(error) from error
        fetched = Fetched(self.size, **digests(self._hashes))
        return replace(fetched, validator=self.stamp.validator, resumed=self.resumed, delimited=self.delimited)

    @property
    def _sidecar(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def _count(self, chunk: bytes | memoryview) -> None:
        self.size += len(chunk)
        for running in self._hashes.values():
            running.update(chunk)
        self.on_bytes(len(chunk))

    def _read_stamp(self) -> Stamp:
        table = read_json(self._sidecar)
        try:
            return Stamp(**table)
        except TypeError:  # a sidecar of another release: its part starts over
            return Stamp()

    def _failure(self, error: OSError) -> CacheError | NoSpaceError:
        needed = "" if self.stamp.total is None else f"{self.stamp.total - self.size:,} more bytes were needed. "
        return refused(self.path, error, f"{needed}The {self.size:,} bytes that are here are kept for the next call.")


def discard(part: Path) -> None:
    """Remove a part and its sidecar."""
    part.unlink(missing_ok=True)
    part.with_name(part.name + ".json").unlink(missing_ok=True)


def hash_file(path: Path, also: Collection[str] = ()) -> Fetched:
    """Hash a file that is there: by SHA-256, and by others where they are named."""
    hashes, size = new_hashes(also), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            for running in hashes.values():
                running.update(chunk)
    return Fetched(size, **digests(hashes))


def new_hashes(also: Collection[str]) -> dict[str, Any]:
    """Begin the hashes to take: always SHA-256, which is what everything is known by in the end."""
    wanted = {"sha256", *also}
    return {name: hashlib.new(name, usedforsecurity=name == "sha256") for name in HASHES if name in wanted}


def digests(hashes: dict[str, Any]) -> dict[str, Any]:
    """End hashes, as text."""
    return {name: running.hexdigest() for name, running in hashes.items()}
