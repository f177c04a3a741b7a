"""Raw files in an object store: a folder of it through the interface of archives, an object read by ranges.

Whoever reads an archive asks for a few kilobytes here and there. So an archive says which member it is about to read:
that comes with one request, and with it those behind it where members are read one after the other.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.folders import Folder, Stamp
from covid_datasets.raw.guards import leads_out
from covid_datasets.raw.handles import Handle, SourceFile
from covid_datasets.store import Store, store_of

FIRST_BYTES, MOST_BYTES = 64 << 10, 4 << 20
"""What is fetched around a few bytes that somebody asks for; and what at most, where one asks on and on."""
HELD_BYTES = 64 << 20
"""Bytes of a member that are fetched at once; a larger one comes as it is read."""
GAP_BYTES = 1 << 20
"""What may lie between: to receive a megabyte more takes about as much of a processor as another request does."""
SLACK_BYTES = 16 << 10
RANGES = 4
"""Ranges of an object that are held."""


@dataclass(frozen=True, slots=True)
class InStore:
    """An object, as it was when it was looked at."""

    url: str
    size: int
    tag: str

    def open(self) -> Handle:
        """Open it; an object that was replaced meanwhile is refused, since its list is that of another one."""
        if Store(self.url).info() != (self.size, self.tag):
            raise DamagedFileError(f"{self.url}: it was changed while it was read. Next: call again")
        return _Ranges(self)


class _Ranges:
    """Reads an object by ranges, of which the last few are held; who reads on and on gets larger and larger ones."""

    held = RANGES * MOST_BYTES

    def __init__(self, source: InStore) -> None:
        self._source, self._store = source, Store(source.url)
        self._ranges: OrderedDict[int, bytes] = OrderedDict()
        self._began, self._reached, self._window = 0, 0, 0

    def pread(self, size: int, offset: int) -> bytes:
        size = min(size, self._source.size - offset)
        if size <= 0:
            return b""
        if (found := self._held(offset, offset + size)) is None:
            found = self._fetch(offset, offset + size, FIRST_BYTES)
        start, data = found
        return data[offset - start : offset - start + size]

    def expect(self, start: int, stop: int) -> None:
        if stop - start <= HELD_BYTES and self._held(start, stop) is None:
            self._fetch(start, stop + SLACK_BYTES, 0)  # buffers ask for a little more than is needed

    def _held(self, start: int, stop: int) -> tuple[int, bytes] | None:
        for first, data in self._ranges.items():
            if first <= start and stop <= first + len(data):
                return first, data
        return None

    def _fetch(self, start: int, stop: int, least: int) -> tuple[int, bytes]:
        """Fetch a range, and more where it begins soon after the last one ended."""
        goes_on = self._began <= start <= self._reached + GAP_BYTES
        self._window = min(max(2 * self._window, FIRST_BYTES), MOST_BYTES) if goes_on else least
        stop = min(max(stop, start + self._window), self._source.size)
        if stop <= start:
            return start, b""
        data = self._store.read("", start, stop)
        if len(data) != stop - start:
            raise DamagedFileError(
                f"{self._source.url}: expected {stop - start:,} bytes from {start:,} on, found {len(data):,}"
            )
        while len(self._ranges) >= RANGES:
            self._ranges.popitem(last=False)
        self._ranges[start], self._began, self._reached = data, start, stop
        return start, data

    def close(self) -> None:
        self._ranges.clear()


class StoredFolder:
    """A folder of a store. What is in it is asked once for each tree that is read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: dict[str, tuple[int, str]] | None = None
        self._one = lru_cache(maxsize=1 << 16)(self._look)

    def names(self) -> Iterable[str]:
        """List every file inside, sorted, hidden ones left out."""
        return self._listed()

    def sizes(self) -> Mapping[str, int]:
        """List every file inside with its size, hidden ones left out."""
        return {name: size for name, (size, _) in self._listed().items()}

    def stamps(self) -> Mapping[str, Stamp]:
        """List every file inside with its size, and a number that changes with its content."""
        return {name: _stamp(state) for name, state in self._listed().items()}

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, ``None`` where there is no such file."""
        found = None if leads_out(name) or not name else self._one(name)
        return None if found is None else found[0]

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        return self._store.read(name)

    def position(self, name: str) -> int:
        """Tell of no order: each file is one of its own."""
        return 0

    def open(self, name: str) -> IO[bytes]:
        """Open a file for seeking reads."""
        if (state := self._one(name)) is None:
            raise FileNotFoundError(f"{self._store / name}: there is no such object")
        return io.BufferedReader(SourceFile(InStore((self._store / name).url, *state)))

    def _look(self, name: str) -> tuple[int, str] | None:
        return self._store.info(name) if self._states is None else self._states.get(name)

    def _listed(self) -> Mapping[str, tuple[int, str]]:
        if self._states is None:
            found = self._store.states()
            self._states = {
                name: state for name, state in found.items() if "/." not in f"/{name}" and not leads_out(name)
            }
        return self._states


def stored(path: str | Path) -> StoredFolder | InStore | None:
    """Find what stands for a path that is not on this machine; ``None`` where nothing does."""
    found = store_of(path)
    return None if found is None else _looked_up(*found)


@lru_cache(maxsize=4096)
def _looked_up(store: Store, token: str) -> StoredFolder | InStore | None:
    """Ask once for each tree: its token changes where objects may have changed."""
    if store.folders():  # asked first: some servers call a folder an empty object, or fail
        return StoredFolder(store)
    return None if (state := store.info()) is None else InStore(store.url, *state)


def stamps_of(place: Path) -> Mapping[str, Stamp]:
    """List what a user's own copy holds: the files of a folder, or one archive, whose name is left out."""
    if place.is_dir():
        return Folder(place).stamps()
    if not place.exists() and (found := stored(place)) is not None:
        return found.stamps() if isinstance(found, StoredFolder) else {"": _stamp((found.size, found.tag))}
    file = os.stat(place)
    return {"": (file.st_size, file.st_mtime_ns)}


def _stamp(state: tuple[int, str]) -> Stamp:
    """Make of what a store tells of an object what a disk would tell of a file."""
    size, tag = state
    return size, int.from_bytes(hashlib.sha256(tag.encode()).digest()[:7])
