"""An unfinished download on disk: bytes so far, their hashes, and which version of the file they belong to."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
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


Range = tuple[int, int]
"""The first byte of some, and the one after the last."""


class Partial:
    """The file ``<target>.part`` with its sidecar ``<target>.part.json``; use it with ``with``.

    The first ``size`` bytes are there and hashed. Of a file that comes over several connections, the ranges ``ahead``
    of that are there too, and the sidecar says which; what is between them is nothing yet.
    """

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
        self.ahead: list[Range] = []
        self.at_once = 8  # connections over which it may come; fewer after each failure
        self._scattered = False
        self._also = also
        self._lock = threading.Lock()

    def __enter__(self) -> Partial:
        """Open the part; bytes of an unknown version are dropped."""
        make_folder(self.path.parent)
        try:
            self._file = FileIO(self.path, "a+")
        except OSError as error:
            raise self._failure(error) from error
        self._hashes = new_hashes(self._also)
        self.stamp, whole_until, ahead = self._read_sidecar()
        if not self.stamp.validator:
            self._file.truncate(0)
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK if whole_until is None else min(_CHUNK, whole_until - self.size)):
            self._count(chunk)
        self.resumed = self.size > 0
        if whole_until is not None:
            self._go_on_ahead(whole_until, ahead)
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
        if known := self.size + sum(end - max(start, self.size) for start, end in self.ahead if end > self.size):
            self.on_bytes(-known)
        self.size, self.resumed, self.ahead, self._scattered = 0, False, [], False
        self._hashes = new_hashes(self._also)
        self.stamp = stamp
        self._write_sidecar()

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

    def scatter(self) -> None:
        """Note, before it is so, that from here on the file may have holes."""
        self._scattered = True
        self._write_sidecar()

    @contextmanager
    def writer(self, start: int) -> Iterator[Callable[[bytes], None]]:
        """Give what writes bytes from a place on; they count when `keep_ahead` is told, and are hashed by `absorb`."""
        with FileIO(self.path, "r+") as file:
            file.seek(start)

            def write(chunk: bytes) -> None:
                rest = memoryview(chunk)
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError as error:
                    raise self._failure(error) from error

            yield write

    def keep_ahead(self, ranges: Iterable[Range]) -> None:
        """Note that ranges are there; whoever is killed now finds them again."""
        with self._lock:
            self.ahead = _joined([*self.ahead, *ranges])
            self._write_sidecar()

    def absorb(self, at_most: int = 64 << 20) -> None:
        """Hash what has come to follow the bytes that are hashed already; from memory, where it was just written."""
        until = self.size + at_most
        with self._lock:
            end = next((end for start, end in self.ahead if start <= self.size < end), self.size)
        if end > self.size:
            self.resumed = True
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.size)
                while chunk := file.read(min(_CHUNK, min(end, until) - self.size)):
                    self._hash(chunk)

    def drop_ahead(self) -> None:
        """Forget the ranges, and go on from the bytes before them."""
        with self._lock:
            dropped = sum(end - max(start, self.size) for start, end in self.ahead if end > self.size)
            self.ahead, self._scattered = [], False
            self._file.truncate(self.size)
            self._write_sidecar()
        self.on_bytes(-dropped)

    def go_on(self, total: int | None) -> None:
        """Note that the rest comes with another answer, which may be the first to tell the size of the whole."""
        self.resumed = self.size > 0
        if total is not None and self.stamp.total is None:
            self.stamp = replace(self.stamp, total=total)
            self._write_sidecar()

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
        self._hash(chunk)
        self.on_bytes(len(chunk))

    def _hash(self, chunk: bytes | memoryview) -> None:
        self.size += len(chunk)
        for running in self._hashes.values():
            running.update(chunk)

    def _write_sidecar(self) -> None:
        ranges = {"ahead": {"whole_until": self.size, "ranges": self.ahead}} if self._scattered else {}
        write_json(self._sidecar, asdict(self.stamp) | ranges)

    def _read_sidecar(self) -> tuple[Stamp, int | None, list[Range]]:
        """Read what the bytes are; and how many there are from the beginning, where ranges follow, with those."""
        table = read_json(self._sidecar)
        ahead = table.pop("ahead", None)
        try:
            stamp = Stamp(**table)
            if ahead is None:
                return stamp, None, []
            ranges = [(int(start), int(end)) for start, end in ahead["ranges"]]
            return stamp, int(ahead["whole_until"]), ranges
        except (
            TypeError,
            KeyError,
            ValueError,
        ):  # a sidecar of another release, or a damaged one: its part starts over
            return Stamp(), None, []

    def _go_on_ahead(self, whole_until: int, ranges: list[Range]) -> None:
        """Take over the ranges of an earlier process, as far as they can be true."""
        found, total = os.fstat(self._file.fileno()).st_size, self.stamp.total or 0
        fits = all(0 <= start < end <= min(total, found) for start, end in ranges)
        if self.size < whole_until or not fits or not ranges:
            self.drop_ahead()
            return
        self.ahead, self._scattered = _joined(ranges), True
        self.on_bytes(sum(end - max(start, self.size) for start, end in self.ahead if end > self.size))

    def _failure(self, error: OSError) -> CacheError | NoSpaceError:
        needed = "" if self.stamp.total is None else f"{self.stamp.total - self.size:,} more bytes were needed. "
        return refused(self.path, error, f"{needed}The {self.size:,} bytes that are here are kept for the next call.")


def _joined(ranges: Iterable[Range]) -> list[Range]:
    """Sort ranges and join those that meet.

    >>> _joined([(4, 8), (0, 2), (2, 4), (9, 10)])
    [(0, 8), (9, 10)]
    """
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


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
