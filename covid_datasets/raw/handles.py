"""Files that are read at many places, of which few are open at once.

An archive knows what is inside and where for as long as it is remembered; the open file is only borrowed, so that a
source of a thousand archives needs no thousand open files. Every reader has a position of its own, also after a fork.
"""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import IO, Protocol

from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.archive import Archive
from covid_datasets.raw.folders import readable

MAX_OPEN = 64
"""Files that are open at once, all archives together."""
MAX_HELD_BYTES = 512 << 20
"""Bytes of archives inside archives that are held in memory, all together; the one in use may be larger."""
HOLD_BYTES = 64 << 20
"""An archive inside another one up to this size is held in memory; a larger one is read through its parent."""


class Handle(Protocol):
    """Something that is open; ``held`` are the bytes of memory that it takes."""

    held: int

    def pread(self, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes from a place."""
        ...

    def expect(self, start: int, stop: int) -> None:
        """Make ready for somebody who reads from a place to another; most need not."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Source(Protocol):
    """Something that can be opened again and again, with the same bytes each time."""

    @property
    def size(self) -> int:
        """The number of its bytes."""
        ...

    def open(self) -> Handle:
        """Open it."""
        ...


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A file on a disk, as it was when its archive was listed."""

    path: str
    size: int
    mtime_ns: int

    def open(self) -> Handle:
        """Open it; a file that was replaced meanwhile is refused, since its list is that of another one."""
        with readable(self.path):
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        found = os.fstat(descriptor)
        if (found.st_size, found.st_mtime_ns) != (self.size, self.mtime_ns):
            os.close(descriptor)
            raise DamagedFileError(f"{self.path}: it was changed while it was read. Next: call again")
        return _Descriptor(descriptor, self.path)


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """A member of another archive."""

    parent: Archive
    name: str
    size: int

    def open(self) -> Handle:
        """Hold its bytes, or read a large one through its parent."""
        if self.size <= HOLD_BYTES:
            return _Held(self.parent.read(self.name))
        return _Stream(self.parent.open(self.name))


class _Descriptor:
    held = 0

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path

    def pread(self, size: int, offset: int) -> bytes:
        with readable(self._path):
            if hasattr(os, "pread"):
                return os.pread(self._descriptor, size, offset)
            os.lseek(self._descriptor, offset, os.SEEK_SET)  # under the lock of `Handles`
            return os.read(self._descriptor, size)

    def expect(self, start: int, stop: int) -> None:
        """Do nothing: the system reads ahead."""

    def close(self) -> None:
        os.close(self._descriptor)


class _Held:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.held = len(data)

    def pread(self, size: int, offset: int) -> bytes:
        return self._data[offset : offset + size]

    def expect(self, start: int, stop: int) -> None:
        """Do nothing: all is here."""

    def close(self) -> None:
        self._data = b""


class _Stream:
    held = 0

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def pread(self, size: int, offset: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(size)

    def expect(self, start: int, stop: int) -> None:
        """Do nothing: it is read in order."""

    def close(self) -> None:
        self._stream.close()


class _Open:
    """A handle with its lock: it is never closed while somebody reads."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.lock = threading.RLock()
        self.closed = False

    def close(self) -> None:
        with self.lock:
            if not self.closed:
                self.closed = True
                self.handle.close()


class Handles:
    """The open files of this process; the one that was not used for longest is closed for the next."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        self.opened = 0
        self._open: OrderedDict[Source, _Open] = OrderedDict()
        self._lock = threading.RLock()

    def expect(self, source: Source, start: int, stop: int) -> None:
        """Tell a source which of its bytes are asked for next."""
        found = self._get(source)
        with found.lock:
            if not found.closed:
                found.handle.expect(start, stop)

    def pread(self, source: Source, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes of a source from a place."""
        while True:
            found = self._get(source)
            with found.lock:
                if not found.closed:  # else another thread needed the room meanwhile
                    return found.handle.pread(size, offset)

    def _get(self, source: Source) -> _Open:
        with self._lock:
            if found := self._open.get(source):
                self._open.move_to_end(source)
                return found
        fresh = _Open(source.open())  # without the lock: a member of an archive is opened through other handles
        with self._lock:
            found = self._open.setdefault(source, fresh)
            self.opened += found is fresh
            self._open.move_to_end(source)
            surplus = [] if found is fresh else [fresh]
            while len(self._open) > MAX_OPEN or (self._held() > MAX_HELD_BYTES and len(self._open) > 1):
                surplus.append(self._open.popitem(last=False)[1])
        for one in surplus:
            one.close()
        return found

    def _held(self) -> int:
        return sum(one.handle.held for one in self._open.values())

    def close(self) -> None:
        """Close everything; what is read again is opened again."""
        with self._lock:
            surplus = list(self._open.values())
            self._open.clear()
        for one in surplus:
            one.close()


handles = Handles()


def _after_fork() -> None:
    """Give a forked process its own: another thread of its parent may have held a lock in that moment."""
    inherited = list(handles._open.values())
    handles.__init__()  # type: ignore[misc]
    for one in inherited:
        if isinstance(one.handle, _Descriptor):
            one.handle.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def expect(stream: IO[bytes], start: int, stop: int) -> None:
    """Say which bytes of a stream are asked for next, where it is the buffer of a source."""
    raw = stream.raw if isinstance(stream, io.BufferedReader) else None
    if isinstance(raw, SourceFile):
        raw.expect(start, stop)


class SourceFile(io.RawIOBase):
    """A source as a file to read and seek in, with a position of its own."""

    def __init__(self, source: Source) -> None:
        """Begin at the first byte; nothing is opened before it is read."""
        self._source = source
        self._at = 0

    def expect(self, start: int, stop: int) -> None:
        """Say which bytes are asked for next."""
        handles.expect(self._source, start, stop)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be sought in."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        if at < 0:
            raise ValueError(f"negative seek position {at}")
        self._at = at
        return at

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, or all that is left."""
        left = max(self._source.size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = handles.pread(self._source, wanted, self._at) if wanted else b""
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
