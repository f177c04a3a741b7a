"""Raw files in an object store: a folder of it through the interface of archives, an object read by ranges.

Whoever reads an archive asks for a few kilobytes here and there, so a handle fetches blocks and keeps the last ones:
members that lie one after the other come with few requests, whatever their size.
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

BLOCK_BYTES = 4 << 20
"""Bytes of one request: at a gigabit a block takes as long as two or three answers do to come."""
BLOCKS = 4
"""Blocks of an object that are kept."""


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
        return _Blocks(self)


class _Blocks:
    """Reads an object by blocks, of which the last few are held."""

    held = BLOCKS * BLOCK_BYTES

    def __init__(self, source: InStore) -> None:
        self._source, self._store = source, Store(source.url)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self.held = min(source.size, self.held)

    def pread(self, size: int, offset: int) -> bytes:
        if size >= BLOCKS * BLOCK_BYTES:
            return self._fetch(offset, min(offset + size, self._source.size))
        first, last = offset // BLOCK_BYTES, (offset + size - 1) // BLOCK_BYTES
        data = b"".join(self._block(number) for number in range(first, last + 1))
        at = offset - first * BLOCK_BYTES
        return data[at : at + size]

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            while len(self._blocks) >= BLOCKS:
                self._blocks.popitem(last=False)
            self._blocks[number] = self._fetch(start, min(start + BLOCK_BYTES, self._source.size))
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, start: int, stop: int) -> bytes:
        data = self._store.read("", start, stop) if start < stop else b""
        if len(data) != max(stop - start, 0):
            raise DamagedFileError(
                f"{self._source.url}: expected {stop - start:,} bytes from {start:,} on, found {len(data):,}"
            )
        return data

    def close(self) -> None:
        self._blocks.clear()


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
    if (state := store.info()) is not None:
        return InStore(store.url, *state)
    return StoredFolder(store) if store.folders() else None


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
