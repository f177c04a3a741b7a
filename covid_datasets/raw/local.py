"""A user's own copy of a source (``data_dir=``): find each resource in it, packed or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from covid_datasets.catalog.card import Copy, Resource
from covid_datasets.catalog.layout import is_litter, matches
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.errors import DamagedFileError, NotThereError
from covid_datasets.raw.archives import Location, is_archive, open_archive
from covid_datasets.raw.series import SeriesMount, find_series
from covid_datasets.raw.tree import Mount

MAX_DEPTH = 3
"""Archives inside archives inside archives; nothing in this field goes deeper."""


@dataclass(frozen=True, slots=True)
class Local:
    """What a user's own copy holds.

    Attributes:
        mounts: Where each resource is, by its name; one that is not there at all has none.
        extra: Files that belong to no resource.
        damaged: Archives that cannot be listed, and why.
        above: The folder above, where that seems to be what was meant; else empty.
    """

    mounts: dict[str, Mount | SeriesMount]
    extra: list[str]
    damaged: dict[str, str]
    above: str = ""


def mount_local(data_dir: Path, resources: tuple[Resource, ...]) -> Local:
    """Find the resources in a folder, or in one untouched archive."""
    if not data_dir.exists():
        raise NotThereError(f"data_dir {data_dir}: expected a folder or an archive, found nothing")
    damaged: dict[Location, str] = {}
    places = _places((str(data_dir.absolute()),), damaged)
    mounts: dict[str, Mount | SeriesMount] = {}
    for resource in resources:
        found = _FIND.get(resource.archive, _find_archive)(places, resource)
        if found is not None:
            mounts[resource.name] = found
    named = {shown(location): why for location, why in damaged.items()}
    lost = [resource for resource in resources if resource.files and resource.name not in mounts]
    above = data_dir.absolute().parent if any(_is_part(data_dir, places, resource) for resource in lost) else ""
    return Local(mounts, _extra(places, mounts, damaged), named, str(above))


def shown(location: Location) -> str:
    """Name a location for people; names on a disk need not be text."""
    return " -> ".join(location).encode(errors="backslashreplace").decode()


def _places(location: Location, damaged: dict[Location, str], depth: int = 0) -> dict[Location, list[str]]:
    """List the files of a folder or archive and of every archive inside; damaged ones are told, evil ones refused."""
    try:
        listed = [name for name in open_archive(location).names() if not is_litter(name)]
    except DamagedFileError as error:
        if not depth:
            raise
        damaged[location] = str(error)
        return {}
    places = {location: listed}
    if depth < MAX_DEPTH:
        for name in listed:
            if is_archive(name):
                places |= _places(_inside(location, name), damaged, depth + 1)
    return places


def _inside(location: Location, name: str) -> Location:
    outer = Path(location[0])
    return (str(outer / name),) if len(location) == 1 and outer.is_dir() else (*location, name)


def _find_file(places: dict[Location, list[str]], resource: Resource) -> Mount | None:
    """Find a plain file by its path, else by its name; the shallowest one wins."""
    name = PurePosixPath(resource.path).name
    for ending in (resource.path, name):
        matches = [
            (member.count("/"), len(location), location, member)
            for location, members in places.items()
            for member in members
            if member == ending or member.endswith("/" + ending)
        ]
        if matches:
            _, _, location, member = min(matches)
            return Mount(location, only=resource.path, member=member)
    return None


def _find_archive(places: dict[Location, list[str]], resource: Resource) -> Mount | None:
    """Find the files of an archive: in an archive of any name, or in a folder that somebody unpacked."""
    if resource.manifest:
        return _find_by_manifest(places, resource)
    for copy in resource.copies:
        for name in archive_names(copy):
            for location in places:
                if PurePosixPath(location[-1]).name == name and places[location]:
                    return mount_archive(location, copy, resource)
        for location, members in places.items():
            if copy.root and _members(members, copy):
                return mount_archive(location, copy, resource)
    if resource.folder:
        named = {
            (len(location), root, location)
            for location, members in places.items()
            for member in members
            for root in _roots(member)
            if f"/{root}".endswith(f"/{resource.folder}")
        }
        return Mount(min(named)[2], min(named)[1], folder=resource.folder) if named else None
    if not resource.copies and (by_hand := _find_named(places, resource)):
        return by_hand
    outermost = next(iter(places))
    return Mount(outermost) if places[outermost] and not resource.optional else None


def _find_named(places: dict[Location, list[str]], resource: Resource) -> Mount | None:
    """Find an archive that was got by hand by the name that it was asked for under, packed or unpacked."""
    for location in places:
        if is_archive(location[-1]) and PurePosixPath(location[-1]).name.startswith(f"{resource.name}."):
            return Mount(location)
    folders = [
        (root.count("/"), number, location, root)
        for number, (location, members) in enumerate(places.items())
        for member in members
        for root in _roots(member)
        if f"/{root}".endswith(f"/{resource.name}/")
    ]
    return Mount(*min(folders)[2:]) if folders else None


def _find_folder(places: dict[Location, list[str]], resource: Resource) -> Mount | None:
    """Find the folder in which most files are as its layout expects; of equal ones the shallowest, unpacked."""
    globs, may_be = tuple(pattern.glob for pattern in resource.files), _places_for(places, resource)
    votes: Counter[tuple[Location, str]] = Counter(
        (location, root)
        for location, members in places.items()
        for member in members
        for root in _roots(member)
        if may_be(location, root) and matches(member[len(root) :], globs)
    )
    if not votes:
        return None
    outermost_first = {location: number for number, location in enumerate(places)}
    (location, root), _ = min(
        votes.items(), key=lambda item: (-item[1], outermost_first[item[0][0]], item[0][1].count("/"), item[0])
    )
    return Mount(location, root, globs=globs, folder=resource.folder)


def _is_part(data_dir: Path, places: dict[Location, list[str]], resource: Resource) -> bool:
    """Tell whether somebody named one of the folders inside of the one that was asked for."""
    globs, name = [pattern.glob for pattern in resource.files], data_dir.absolute().name
    return any(matches(f"{name}/{member}", globs) for member in next(iter(places.values()), []))


def _find_series(places: dict[Location, list[str]], resource: Resource) -> SeriesMount | None:
    return find_series(places, resource.listing)


_FIND: dict[str, Callable[[dict[Location, list[str]], Resource], Mount | SeriesMount | None]] = {
    "none": _find_file,
    "folder": _find_folder,
    "bucket": _find_series,
}


def _members(members: list[str], copy: Copy) -> bool:
    return any(member.startswith(copy.root) for member in members)


def mount_archive(location: Location, copy: Copy, resource: Resource) -> Mount:
    """Mount a copy of a resource; without its root folder where whoever packed it left that away.

    A manifest proves which file is which. Where there is none, nobody may have seen the inside of the archive before.
    """
    names = open_archive(location).names()
    root = copy.root if resource.manifest or any(name.startswith(copy.root) for name in names) else ""
    return Mount(location, root, tuple(copy.rename.items()), resource.manifest, folder=resource.folder)


def archive_names(copy: Copy) -> list[str]:
    """Names under which a browser or a tool saves this copy.

    >>> archive_names(Copy(url="https://github.com/a/set/archive/0c1d.zip"))
    ['0c1d.zip', 'set-0c1d.zip']
    """
    parts = urlsplit(copy.url).path.split("/")
    saved = [parts[-1]]
    if len(parts) > 2 and parts[-2] == "archive":
        saved.append(f"{parts[-3]}-{parts[-1]}")
    return saved


def _find_by_manifest(places: dict[Location, list[str]], resource: Resource) -> Mount | None:
    """Find the place and the root folder under which most files of the manifest are."""
    renames = {tuple(copy.rename.items()) for copy in resource.copies} or {()}  # what is got by hand is not renamed
    may_be = _places_for(places, resource)
    votes: Counter[tuple[Location, str, tuple[tuple[str, str], ...]]] = Counter()
    for rename in sorted(renames, key=len):
        wanted = {Mount((), rename=rename).spelled(path) for path in read_manifest(resource.manifest)}
        for location, members in places.items():
            for member in members:
                for root in _roots(member):
                    if member[len(root) :] in wanted and may_be(location, root):
                        votes[location, root, rename] += 1
    if not votes:
        return None
    (location, root, rename), _ = min(votes.items(), key=lambda item: (-item[1], len(item[0][2]), item[0][:2]))
    return Mount(location, root, rename, resource.manifest, folder=resource.folder)


def _places_for(places: dict[Location, list[str]], resource: Resource) -> Callable[[Location, str], bool]:
    """Tell which places may hold a resource; one of several parts, whose files have like names, says so in its own.

    Its name is that of the part's folder, or what its download is called, packed or unpacked.
    """
    top = PurePosixPath(next(iter(places))[0])
    names = {resource.folder.strip("/")}
    for copy in resource.copies:
        names |= {*archive_names(copy), copy.root.strip("/")}

    @cache  # for each folder, not for each file
    def may_be(location: Location, root: str) -> bool:
        inside = PurePosixPath(location[0]).relative_to(top).parts
        return not resource.folder or not names.isdisjoint((top.name, *inside, *location[1:], *root.split("/")))

    return may_be


def _roots(member: str) -> list[str]:
    """List every leading folder of a path, the empty one first."""
    parts = member.split("/")
    return ["".join(part + "/" for part in parts[:depth]) for depth in range(len(parts))]


def _extra(
    places: dict[Location, list[str]], mounts: dict[str, Mount | SeriesMount], damaged: Mapping[Location, str]
) -> list[str]:
    """List the files that belong to no resource; archives that were read or are damaged are told elsewhere."""
    known = {mount.place_of(path) for mount in mounts.values() for path in mount.sizes()}
    locations = {mount.location for mount in mounts.values()} | {found[0] for found in known if found}
    used = {location[:depth] for location in locations for depth in range(1, len(location) + 1)}
    return sorted(
        shown(_inside(location, member))
        for location, members in places.items()
        for member in members
        if (location, member) not in known and _inside(location, member) not in {*used, *damaged}
    )
