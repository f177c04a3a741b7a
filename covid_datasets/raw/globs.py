"""Files that a card names by globs: where they lie, under whatever root, and how the card spells them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from covid_datasets.catalog.layout import canonical, is_litter, matches, respelled
from covid_datasets.catalog.manifest import Identity, read_manifest
from covid_datasets.catalog.resource import Pattern
from covid_datasets.raw.archives import Location, open_archive
from covid_datasets.raw.mounts import Look, Place, read_at
from covid_datasets.raw.places import Places, roots

Rename = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GlobMount:
    """The files below a root that globs name; a manifest may say what some of them must be.

    Their canonical paths are spelled as the globs are, where ``spelled`` says so: upper and lower case, and the other
    names of a copy (``rename``), differ between copies, and paths become the names of samples.
    """

    location: Location
    root: str
    globs: tuple[str, ...]
    folder: str = ""
    spelled: bool = False
    rename: Rename = ()
    manifest: str = ""
    proof: str = field(default="", init=False)

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies, with the name that it has there."""
        inner = path.removeprefix(self.folder)
        spelled = spelling(inner, self.globs, self.rename) if self.spelled else None
        if not path.startswith(self.folder) or not (spelled == inner or matches(inner, self.globs)):
            return None
        if not self.spelled:
            return self.location, self.root + inner
        as_is = spelled == inner and self.root + inner
        if as_is and open_archive(self.location).size(as_is) is not None:
            return self.location, as_is
        found = _members(self, os.stat(self.location[0]).st_mtime_ns).get(inner)
        return None if found is None else (self.location, found)

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        place = self.place_of(path)
        return None if place is None else open_archive(place[0]).size(place[1])

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the files that are here with their sizes."""
        inside = (look or Look()).below(self.location, self.root)
        if not self.spelled:
            return {self.folder + name: size for name, size in inside.items() if matches(name, self.globs)}
        named = spellings(inside, self.globs, self.rename)
        return {self.folder + path: inside[name] for path, name in named.items()}

    def expected(self, look: Look | None = None) -> list[str]:
        """List the files that are here, and those of the manifest that are not."""
        found = dict.fromkeys((look or Look()).sizes(self))
        named = read_manifest(self.manifest) if self.manifest else ()
        inner = {path.removeprefix(self.folder) for path in found}
        return [*found, *(self.folder + path for path in named if inner.isdisjoint(spellings_of(path)))]

    def identity(self, path: str) -> Identity | None:
        """Return what the manifest says that this file must be, also where its outer folders were left away."""
        if not (self.manifest and path.startswith(self.folder)):
            return None
        identities = read_manifest(self.manifest)
        named = _endings(tuple(identities)).get(path.removeprefix(self.folder))
        return None if named is None else identities[named]

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return read_at(self.place_of(path))

    def below(self, folder: str) -> GlobMount | None:
        """Return the same files, named as seen from a folder of theirs."""
        if not self.folder.startswith(folder):
            return None
        return replace(self, folder=self.folder.removeprefix(folder))


def spellings_of(path: str) -> list[str]:
    """List how a file of a manifest may be called where globs find it: without outer folders, and unpacked.

    What was unpacked has no published identity: it counts as there, and nothing proves it.

    >>> spellings_of("studies/CT-0/a.nii.gz")
    ['studies/CT-0/a.nii.gz', 'studies/CT-0/a.nii', 'CT-0/a.nii.gz', 'CT-0/a.nii', 'a.nii.gz', 'a.nii']
    """
    names = [path.removeprefix(root) for root in roots(path)]
    return [name for packed in names for name in dict.fromkeys((packed, packed.removesuffix(".gz")))]


@lru_cache(maxsize=8)
def _endings(paths: tuple[str, ...]) -> Mapping[str, str]:
    """Name the file of a manifest for each of its paths, and for each ending that only one of them has."""
    ends = [(path.removeprefix(root), path) for path in paths for root in roots(path)[1:]]
    often = Counter(end for end, _ in ends)
    return {end: path for end, path in ends if often[end] == 1} | {path: path for path in paths}


def spelling(path: str, globs: Iterable[str], rename: Rename = ()) -> str | None:
    """Spell a path as the first glob that names it; ``None`` where none does."""
    for glob in globs:
        if (found := canonical(path, glob, respelled(glob, rename))) is not None:
            return found
    return None


def spellings(names: Iterable[str], globs: Sequence[str], rename: Rename = ()) -> dict[str, str]:
    """Name the member for each canonical path; of two for one path the one that is spelled so, else the first."""
    found: dict[str, str] = {}
    for name in sorted(names):
        path = None if is_litter(name) else spelling(name, globs, rename)
        if path is not None and (path not in found or path == name):
            found[path] = name
    return found


@lru_cache(maxsize=64)
def _members(mount: GlobMount, _mtime_ns: int) -> Mapping[str, str]:
    named = spellings(Look().below(mount.location, mount.root), mount.globs, mount.rename)
    return {path: mount.root + name for path, name in named.items()}


def most_votes(
    places: Places,
    patterns: Sequence[Pattern],
    may_be: Callable[[Location, str], bool],
    renames: Iterable[Rename] = ((),),
) -> tuple[Location, str, Rename] | None:
    """Find the root below which most files are named by the patterns; of equal ones the shallowest, unpacked one."""
    globs = [pattern.glob for pattern in patterns]
    votes: Counter[tuple[Location, str, Rename]] = Counter()
    for rename in sorted(set(renames), key=len):
        for (location, root), count in places.roots_of(tuple(respelled(glob, rename) for glob in globs)).items():
            if may_be(location, root):
                votes[location, root, rename] = count
    if not votes:
        return None
    outermost_first = {location: number for number, location in enumerate(places.members)}
    (location, root, rename), _ = min(
        votes.items(),
        key=lambda item: (
            -item[1], len(item[0][2]), outermost_first[item[0][0]], item[0][1].count("/"), item[0][1]
        ),
    )  # fmt: skip
    return location, root, rename
