"""An unfinished download on disk: bytes so far, their hashes, and which version of the file they belong to."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from covid_datasets.errors import CacheError, NoSpaceError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a download is; tests use tiny ones.

    Attributes:
        timeout: Seconds without an answer or a byte after which a connection counts as stalled.
        retries: Tries after the first one; a try that brought ``worth`` new bytes does not count.
        backoff: Seconds before the first retry; each later one doubles it.
        longest_wait: Upper bound of any wait in seconds, also of what a host asks for in Retry-After.
        redirects: Redirects that are followed.
        worth: New bytes that make a try a success although it broke off.
        margin: Bytes that must stay free on the disk.
    """

    timeout: float = 30.0
    retries: int = 5
    backoff: float = 1.0
    longest_wait: float = 120.0
    redirects: int = 10
    worth: int = 16 << 20
    margin: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Origin:
    """What the bytes of a part belong to: without an equal validator there is no resuming.

    Attributes:
        validator: A strong ETag, a modification time, a generation: anything that changes with the content.
        total: Size of the whole file, where the host says it.
    """

    validator: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A transfer that arrived whole; ``resumed`` says that some bytes were there before."""

    size: int
    sha256: str
    md5: str
    validator: str
    resumed: bool


class Part:
    """The file ``<target>.part`` with its sidecar ``<target>.part.json``; use it with ``with``."""

    def __init__(
        self, path: Path, *, md5: bool = False, margin: int = 0, on_bytes: Callable[[int], object] | None = None
    ) -> None:
        """Name the part; entering the context opens it and hashes what is there."""
        self.path = path
        self.margin = margin
        self.size = 0
        self.origin = Origin()
        self.resumed = False
        self.on_bytes = on_bytes or (lambda n: None)
        self._with_md5 = md5

    def __enter__(self) -> Part:
        """Open the part; bytes whose origin is unknown are dropped."""
        make_folder(self.path.parent)
        try:
            self._file = FileIO(self.path, "a+")
        except OSError as error:
            raise self._failure(error) from error
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.origin = self._read_origin()
        if not self.origin.validator:
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

    def start_over(self, origin: Origin) -> None:
        """Drop all bytes and begin again with those of ``origin``."""
        self._file.truncate(0)
        if self.size:
            self.on_bytes(-self.size)
        self.size, self.resumed = 0, False
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.origin = origin
        write_json(self._sidecar, asdict(origin))

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

    def check_space(self) -> None:
        """Refuse to go on where the rest of the file will not fit."""
        if self.origin.total is not None:
            check_space(self.path.parent, self.origin.total - self.size, self.margin)

    def finish(self) -> Fetched:
        """Force the bytes to disk and say what they are."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failure(error) from error
        md5 = self._md5.hexdigest() if self._with_md5 else ""
        return Fetched(self.size, self._sha256.hexdigest(), md5, self.origin.validator, self.resumed)

    @property
    def _sidecar(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def _count(self, chunk: bytes | memoryview) -> None:
        self.size += len(chunk)
        self._sha256.update(chunk)
        if self._with_md5:
            self._md5.update(chunk)
        self.on_bytes(len(chunk))

    def _read_origin(self) -> Origin:
        table = read_json(self._sidecar)
        try:
            return Origin(**table)
        except TypeError:  # a sidecar of another release: its part starts over
            return Origin()

    def _failure(self, error: OSError) -> CacheError | NoSpaceError:
        if error.errno in _FULL:
            free = shutil.disk_usage(self.path.parent).free
            needed = "an unknown number of" if self.origin.total is None else f"{self.origin.total - self.size:,}"
            return NoSpaceError(
                f"{self.path.parent}: the disk is full: needed {needed} more bytes, free {free:,}. "
                f"Next: free some space and call again (the {self.size:,} bytes here are kept), "
                f"or choose another disk with cache_dir= or COVID_DATASETS_CACHE"
            )
        return CacheError(f"{self.path}: cannot be written: {error.strerror or error}. Next: choose another cache_dir=")


def discard(part: Path) -> None:
    """Remove a part and its sidecar."""
    part.unlink(missing_ok=True)
    part.with_name(part.name + ".json").unlink(missing_ok=True)


def check_space(folder: Path, needed: int, margin: int) -> None:
    """Raise ``NoSpaceError`` where a folder's disk has no room for ``needed`` bytes and a margin."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed > 0 and needed + margin > free:
        raise NoSpaceError(
            f"{folder}: needed {needed:,} bytes and {margin:,} to spare, free {free:,}: "
            f"{needed + margin - free:,} are missing. Next: free some space, or choose another disk with cache_dir= "
            f"or COVID_DATASETS_CACHE"
        )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, with advice where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheError(
            f"{folder}: expected to make this folder, found: {error.strerror or error}. "
            f"Next: choose another place with cache_dir= or COVID_DATASETS_CACHE"
        ) from error


def write_json(path: Path, table: dict[str, Any]) -> None:
    """Write a small table so that a reader sees the old one or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(table, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        kind = NoSpaceError if error.errno in _FULL else CacheError
        raise kind(
            f"{path}: cannot be written: {error.strerror or error}. Next: free space, or use cache_dir="
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a small table; an absent or damaged one is empty, and what it described is then fetched anew."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def hash_file(path: Path, *, md5: bool = False) -> Fetched:
    """Hash a file that is there."""
    sha256, other, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            sha256.update(chunk)
            if md5:
                other.update(chunk)
    return Fetched(size, sha256.hexdigest(), other.hexdigest() if md5 else "", "", resumed=False)
