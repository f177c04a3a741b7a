"""Everything that is in a user's own copy of a source: folders, archives, archives inside archives."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from covid_datasets.catalog.layout import is_litter, matches
from covid_datasets.catalog.listing import by_folder
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.errors import DamagedFileError
from covid_datasets.fetch.hosts import host_of
from covid_datasets.fetch.places import place
from covid_datasets.raw.archives import Location, is_archive, unreadable, unreadable_text
from covid_datasets.raw.mounts import Look

Root = tuple[Location, str]
"""A folder or an archive, and a folder in it."""
MAX_DEPTH = 3
"""Archives inside archives inside archives; nothing in this field goes deeper."""


@dataclass(frozen=True)
class Places:
    """What a user's own copy holds, without what systems leave behind.

    Attributes:
        members: The files of the folder, and of each archive in it, outermost first.
        damaged: Archives that cannot be listed, and why.
        said: What the header of a file said, so that several resources read it once.
    """

    members: dict[Location, list[str]]
    damaged: dict[Location, str] = field(default_factory=dict)
    said: dict[Root, str] = field(default_factory=dict, compare=False, repr=False)
    _below: dict[tuple[str, ...], Counter[Root]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def top(self) -> Location:
        """The folder or archive that the user named."""
        return next(iter(self.members))

    @cached_property
    def named(self) -> dict[str, list[Location]]:
        """The folders and archives of each name."""
        found: dict[str, list[Location]] = defaultdict(list)
        for location in self.members:
            found[PurePosixPath(location[-1]).name].append(location)
        return dict(found)

    @cached_property
    def dicom(self) -> dict[Location, dict[str, list[str]]]:
        """The DICOM files of each folder, the folders nearest to the top first."""
        return {
            location: dict(sorted(by_folder(members).items(), key=lambda held: (held[0].count("/"), held[0])))
            for location, members in self.members.items()
        }

    @cached_property
    def ending(self) -> dict[str, list[tuple[Location, str]]]:
        """The files whose path ends with a name, and those that end with a folder and a name."""
        found: dict[str, list[tuple[Location, str]]] = defaultdict(list)
        for location, members in self.members.items():
            for member in members:
                for end in {tail(member), tail(member).rpartition("/")[2]}:
                    found[end].append((location, member))
        return dict(found)

    def roots_of(self, globs: tuple[str, ...]) -> Counter[Root]:
        """Count the files that globs name below each root; once, however many resources have the same globs.

        A glob names as many folders as it has slashes, so of each file one root at most is its own.
        """
        if globs not in self._below:
            depths = {glob: glob.count("/") + 1 for glob in globs}
            found = self._below[globs] = Counter()
            for location, members in self.members.items():
                for member in members:
                    parts = member.split("/")
                    inner = {depth: "/".join(parts[-depth:]) for depth in depths.values() if depth <= len(parts)}
                    named = {
                        inner[depth]
                        for glob, depth in depths.items()
                        if depth in inner and matches(inner[depth], (glob,))
                    }
                    found.update((location, member[: len(member) - len(name)]) for name in named)
        return self._below[globs]

    def that_may_hold(self, resource: Resource) -> Callable[[Location, str], bool]:
        """Tell which places may hold a resource; one of several parts, whose files have like names, says so in its own.

        Its name is that of the part's folder, or what its download is called, packed or unpacked.
        """
        top = PurePosixPath(self.top[0])
        names = {resource.folder.strip("/")}
        for copy in resource.copies:
            saved = archive_names(copy)
            names |= {*saved, *(name.split(".")[0] for name in saved), copy.root.strip("/")}
        names.discard("")  # of a copy without a root: every folder would be called so

        @cache  # for each folder, not for each file
        def may_be(location: Location, root: str) -> bool:
            inside = PurePosixPath(location[0]).relative_to(top).parts
            return not resource.folder or not names.isdisjoint((top.name, *inside, *location[1:], *root.split("/")))

        return may_be


def look_into(data_dir: Path, look: Look) -> Places:
    """List the files of a folder or archive and of every archive inside; damaged ones are told, evil ones refused."""
    places = Places({})
    _look(places, location_of(data_dir), look, 0)
    return places


def location_of(data_dir: Path) -> Location:
    """Give the location of a folder or an archive on a disk."""
    return (str(data_dir.absolute()),)


def _look(places: Places, location: Location, look: Look, depth: int) -> None:
    try:
        listed = [name for name in look.all_of(location) if not is_litter(name)]
    except DamagedFileError as error:
        if not depth:
            raise
        places.damaged[location] = str(error)
        return
    places.members[location] = listed
    for name in listed:
        if what := unreadable(name):
            places.damaged[inside(location, name)] = unreadable_text(shown(inside(location, name)), what)
        elif depth < MAX_DEPTH and is_archive(name):
            _look(places, inside(location, name), look, depth + 1)


def inside(location: Location, name: str) -> Location:
    """Give the location of an archive in a folder or in an archive."""
    outer = Path(location[0])
    return (str(outer / name),) if len(location) == 1 and outer.is_dir() else (*location, name)


def shown(location: Location) -> str:
    """Name a location for people; names on a disk need not be text."""
    return " -> ".join(location).encode(errors="backslashreplace").decode()


def tail(path: str) -> str:
    """Give the name of a file with the folder that it is in.

    >>> tail("a/b/c.png"), tail("c.png")
    ('b/c.png', 'c.png')
    """
    return "/".join(path.split("/")[-2:])


def roots(member: str) -> list[str]:
    """List every leading folder of a path, the empty one first.

    >>> roots("a/b/c.png")
    ['', 'a/', 'a/b/']
    """
    parts = member.split("/")
    return ["".join(part + "/" for part in parts[:depth]) for depth in range(len(parts))]


def archive_names(copy: Copy) -> list[str]:
    """Names under which a browser or a tool saves this copy.

    >>> archive_names(Copy(url="https://github.com/a/set/archive/0c1d.zip"))
    ['0c1d.zip', 'set-0c1d.zip']
    >>> archive_names(Copy(url="kaggle:owner/set@2"))
    ['set@2.zip', 'set.zip']
    """
    parts = (place(copy.url) if host_of(copy.url) else urlsplit(copy.url).path).split("/")
    saved = [parts[-1]]
    if (plain := re.sub(r"@\d+(?=\.zip$)", "", parts[-1])) != parts[-1]:
        saved.append(plain)  # Kaggle's own tools leave the version out
    if len(parts) > 2 and parts[-2] == "archive":
        saved.append(f"{parts[-3]}-{parts[-1]}")
    return saved
