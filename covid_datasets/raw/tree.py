"""`RawTree`: the tree of a source as its publisher lays it out, wherever the bytes are."""

from __future__ import annotations

import codecs
import fnmatch
import os
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import IO

from covid_datasets.catalog.manifest import Identity
from covid_datasets.errors import DamagedFileError, NotThereError
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.mounts import Look, Mount, TreeMount
from covid_datasets.store import stands_for

FEW = 8
"""Mounts that are asked in turn where a file is; of more than these there is an index."""
KEPT = 4
"""Trees of which a process remembers what it found in them; those that it forks inherit that."""
_listings: OrderedDict[str, Mapping[str, int]] = OrderedDict()
"""Path -> size, by the token of the tree."""
_indexes: OrderedDict[str, Mapping[str, int]] = OrderedDict()
"""Path -> number of its mount, by the token of the tree."""


@dataclass(frozen=True, slots=True)
class RawTree:
    """Every raw file of one version of a source; small enough to send to any worker.

    ``stores`` says of folders that a worker may not have which URL stands for each.
    """

    mounts: tuple[Mount, ...]
    version: str = ""
    config: str = "default"
    options: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    stores: Mapping[str, str] = field(default_factory=dict, compare=False)
    token: str = field(default_factory=lambda: uuid.uuid4().hex, init=False, compare=False, repr=False)

    @classmethod
    def of_folder(
        cls,
        folder: str | os.PathLike[str],
        *,
        version: str = "",
        config: str = "default",
        options: Mapping[str, int | float | str | bool] | None = None,
    ) -> RawTree:
        """Take a plain folder as the source's tree, with no questions asked."""
        return cls((TreeMount((str(Path(folder).absolute()),)),), version, config, dict(options or {}))

    def reach(self) -> None:
        """Let this process find in stores what it has not on its disk; who got a tree from elsewhere calls it first."""
        for folder, url in self.stores.items():
            stands_for(folder, url, self.token)

    def sizes(self) -> Mapping[str, int]:
        """List every file with its size; where two mounts hold one path, the first counts.

        Half a million files take seconds, so they are listed once: a file that comes later is not in this tree.
        """
        return _remembered(_listings, self.token, partial(self._listing, Look()))

    def remember(self, look: Look) -> None:
        """List every file by what somebody saw just now."""
        _remembered(_listings, self.token, partial(self._listing, look))

    def paths(self, pattern: str = "*") -> list[str]:
        """List the files whose path matches, sorted; ``*`` crosses folders."""
        return sorted(path for path in self.sizes() if fnmatch.fnmatchcase(path, pattern))

    def expected(self, pattern: str = "*") -> list[str]:
        """List the files that a whole copy has and whose path matches, also those that this copy lacks."""
        look = Look()
        found = {path for mount in dict.fromkeys(self.mounts) for path in mount.expected(look)}
        return sorted(path for path in found if fnmatch.fnmatchcase(path, pattern))

    def has(self, path: str) -> bool:
        """Tell whether a file is there."""
        return self._mount(path) is not None

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        mount = self._mount(path)
        size = None if mount is None else mount.size(path)
        if size is None:
            raise self._absent(path)
        return size

    def read(self, path: str) -> bytes:
        """Return the untouched bytes of a file."""
        mount = self._mount(path)
        if mount is None:
            raise self._absent(path)
        return mount.read(path)

    def open(self, path: str) -> IO[bytes]:
        """Open a file to read it piece by piece."""
        mount = self._mount(path)
        place = None if mount is None else mount.place_of(path)
        if place is None:
            raise self._absent(path)
        return open_archive(place[0]).open(place[1])

    def in_order(self, paths: Iterable[str]) -> list[str]:
        """Sort files as they lie in their archives: the order in which reading many of them is quickest."""
        return sorted(paths, key=self._position)

    def _position(self, path: str) -> tuple[int, int, str]:
        mount = self._mount(path)
        place = None if mount is None else mount.place_of(path)
        if mount is None or place is None:
            raise self._absent(path)
        return self.mounts.index(mount), open_archive(place[0]).position(place[1]), path

    def text(self, path: str) -> str:
        """Decode a text file: UTF-8, else Windows-1252, the two that sources of this field use.

        Texts that users write themselves may be UTF-16 as well, which says so with its first two bytes.
        """
        data = self.read(path)
        if not data:
            raise DamagedFileError(f"{path}: expected text, found an empty file")
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16", errors="replace")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252", errors="replace")

    def identity(self, path: str) -> Identity | None:
        """Return what a manifest says that this file must be."""
        return next((found for mount in self._candidates(path) if (found := mount.identity(path))), None)

    def below(self, folder: str) -> RawTree:
        """Return one part ("cohen/") of a source that is composed of others, as that other source's own tree."""
        inside = (mount.below(folder) for mount in self.mounts)
        part = replace(self, mounts=tuple(mount for mount in inside if mount is not None))
        if self.token in _listings:
            found = _listings[self.token].items()
            below = {path.removeprefix(folder): size for path, size in found if path.startswith(folder)}
            _remembered(_listings, part.token, lambda: below)
        return part

    def _mount(self, path: str) -> Mount | None:
        return next((mount for mount in self._candidates(path) if mount.size(path) is not None), None)

    def _candidates(self, path: str) -> tuple[Mount, ...]:
        """Give the mounts that may hold a path: a few are asked in turn, of many an index knows which."""
        if len(self.mounts) <= FEW:
            return self.mounts
        found = _remembered(_indexes, self.token, self._index).get(path)
        return () if found is None else (self.mounts[found],)

    def _listing(self, look: Look) -> dict[str, int]:
        found: dict[str, int] = {}
        for mount in reversed(self.mounts):
            found |= look.sizes(mount)
        return found

    def _index(self) -> dict[str, int]:
        """Tell which mount has each path that is here or expected; of several the first one that holds it."""
        look, found = Look(), dict[str, int]()
        numbered = list(enumerate(self.mounts))
        for number, mount in reversed(numbered):
            found |= dict.fromkeys(mount.expected(look), number)
        for number, mount in reversed(numbered):
            found |= dict.fromkeys(look.sizes(mount), number)
        return found

    def _absent(self, path: str) -> NotThereError:
        places = ", ".join(" -> ".join(mount.location) for mount in self.mounts) or "nowhere"
        return NotThereError(f"{path}: expected in the raw files, found nothing; looked in {places}")


def _remembered(
    kept: OrderedDict[str, Mapping[str, int]], token: str, find: Callable[[], dict[str, int]]
) -> Mapping[str, int]:
    if token not in kept:
        while len(kept) >= KEPT:
            kept.popitem(last=False)
        kept[token] = MappingProxyType(find())
    return kept[token]
