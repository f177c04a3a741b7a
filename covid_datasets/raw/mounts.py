"""Where the files of one resource are: what all kinds of mounts have in common, and one look at what is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from covid_datasets.catalog.manifest import Identity
from covid_datasets.raw.archives import Location, is_folder, open_archive

Place = tuple[Location, str]
"""A folder or archive, and the name of a file inside."""


class Mount(Protocol):
    """Where the files of one resource are, under which canonical paths; small enough to send to any worker."""

    @property
    def location(self) -> Location:
        """The folder or archive, for messages."""
        ...

    @property
    def proof(self) -> str:
        """What vouches for its files; empty where nothing does."""
        ...

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        ...

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the canonical paths of the files that are here, with their sizes."""
        ...

    def expected(self, look: Look | None = None) -> list[str]:
        """List the canonical paths that are to be here; where nobody knows them, those that are."""
        ...

    def identity(self, path: str) -> Identity | None:
        """Return what a manifest says that this file must be."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        ...

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies; ``None`` where it cannot be here."""
        ...

    def below(self, folder: str) -> Mount | None:
        """Return the same files, named as seen from a folder; ``None`` where nothing of it is here."""
        ...


class Look:
    """One look at raw files: however many mounts share a folder or an archive, it is listed once."""

    def __init__(self, seen: Mapping[Location, Mapping[str, int]] | None = None) -> None:
        """Begin with nothing seen, or with what somebody has listed just now."""
        self._seen = dict(seen or {})
        self._listed: dict[tuple[Location, str], Mapping[str, int]] = {}
        self._sizes: dict[Mount, dict[str, int]] = {}

    def below(self, location: Location, root: str = "") -> Mapping[str, int]:
        """List the files below a root with their sizes, by their names from there on.

        A name on a disk may be bytes that are no text: no source has such a file, and its user is told of it as extra.
        """
        key = location, root
        if key not in self._listed:
            found = self._list(location, root)
            self._listed[key] = {name: size for name, size in found.items() if name.isascii() or _is_text(name)}
        return self._listed[key]

    def all_of(self, location: Location) -> Mapping[str, int]:
        """List all files of a folder or an archive with their sizes, whatever bytes their names are."""
        if location not in self._seen:
            self._seen[location] = open_archive(location).sizes()
        return self._seen[location]

    def _list(self, location: Location, root: str) -> Mapping[str, int]:
        if not root:
            return self.all_of(location)
        # A folder that nobody has listed yet may hold many other things.
        if location not in self._seen and len(location) == 1 and is_folder(location[0]):
            below = os.path.join(location[0], root)
            return open_archive((below,)).sizes() if root.endswith("/") and is_folder(below) else {}
        inside = self.below(location)
        return {name[len(root) :]: size for name, size in inside.items() if name.startswith(root)}

    def sizes(self, mount: Mount) -> Mapping[str, int]:
        """List the files of a mount with their sizes."""
        if mount not in self._sizes:
            self._sizes[mount] = mount.sizes(self)
        return self._sizes[mount]

    def taken(self, mounts: Iterable[Mount]) -> dict[Place, Mount]:
        """Tell which places belong to one of these mounts; the first one counts."""
        found: dict[Place, Mount] = {}
        for mount in dict.fromkeys(mounts):  # parts that were unpacked into one folder may be one mount
            seen = set[str]()  # of several places that hold one path the others are nobody's
            for part in flat((mount,)):
                sizes = self.sizes(part)
                for path in sizes:
                    if path not in seen and (place := part.place_of(path)):
                        found.setdefault(place, part)
                seen |= sizes.keys()
        return found


@dataclass(frozen=True, slots=True)
class Several:
    """Several mounts that hold one resource; where two hold one path, the first counts.

    ``unreadable`` are archives that belong to it by their names and cannot be listed.
    """

    parts: tuple[Mount, ...]
    unreadable: tuple[str, ...] = ()
    proof: str = field(default="", init=False)

    @property
    def location(self) -> Location:
        """The first folder or archive, for messages."""
        return self.parts[0].location

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        return next((size for part in self.parts if (size := part.size(path)) is not None), None)

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the files that are here with their sizes."""
        look, found = look or Look(), dict[str, int]()
        for part in reversed(self.parts):
            found |= look.sizes(part)
        return found

    def expected(self, look: Look | None = None) -> list[str]:
        """List the files that are to be in any of them."""
        look = look or Look()
        return list(dict.fromkeys(path for part in self.parts for path in part.expected(look)))

    def identity(self, path: str) -> Identity | None:
        """Return what a manifest says that this file must be."""
        return next((found for part in self.parts if (found := part.identity(path))), None)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return read_at(self.place_of(path))

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies; of many files ask the mounts themselves, see `flat`."""
        return next((part.place_of(path) for part in self.parts if part.size(path) is not None), None)

    def below(self, folder: str) -> Several | None:
        """Return the same files, named as seen from a folder of theirs."""
        parts = tuple(part for each in self.parts if (part := each.below(folder)) is not None)
        return Several(parts, self.unreadable) if parts else None


def flat(mounts: Iterable[Mount]) -> Iterator[Mount]:
    """Yield the mounts that are in one place each, in order."""
    for mount in mounts:
        yield from mount.parts if isinstance(mount, Several) else (mount,)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class TreeMount:
    """All files below a root: the canonical path ``folder + p`` is the member ``root + p`` at ``location``."""

    location: Location
    root: str = ""
    folder: str = ""
    rename: tuple[tuple[str, str], ...] = ()
    proof: str = field(default="", init=False)

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies, with names spelled as this copy spells them."""
        if not path.startswith(self.folder):
            return None
        path = path.removeprefix(self.folder)
        for old, new in self.rename:
            path = path.replace(old, new)
        return self.location, self.root + path

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        place = self.place_of(path)
        return None if place is None else open_archive(place[0]).size(place[1])

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the files that are here with their sizes."""
        return {self.folder + name: size for name, size in (look or Look()).below(self.location, self.root).items()}

    def expected(self, look: Look | None = None) -> list[str]:
        """List the files that are here: nobody knows which are to be."""
        return list((look or Look()).sizes(self))

    def identity(self, path: str) -> Identity | None:
        """Know no identity."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return read_at(self.place_of(path))

    def below(self, folder: str) -> TreeMount | None:
        """Return the same files, named as seen from a folder."""
        if self.folder.startswith(folder):
            return replace(self, folder=self.folder.removeprefix(folder))
        return None if self.folder else replace(self, root=self.root + folder)


def read_at(place: Place | None) -> bytes:
    """Return the bytes at a place that is known to be there."""
    assert place is not None
    return open_archive(place[0]).read(place[1])
