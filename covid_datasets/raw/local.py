"""A user's own copy of a source (``data_dir=``): find each resource in it, packed or not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from covid_datasets.catalog.layout import matches
from covid_datasets.catalog.resource import Resource
from covid_datasets.raw.folders import signature_of, stamps_of
from covid_datasets.raw.kinds import kind_of
from covid_datasets.raw.mounts import Look, Mount, Place, flat
from covid_datasets.raw.places import Places, inside, location_of, look_into, shown
from covid_datasets.settings import given_data


@dataclass(frozen=True, slots=True)
class Local:
    """What a user's own copy holds.

    Attributes:
        mounts: Where each resource is, by its name; one that is not there at all has none.
        extra: Files that belong to no resource.
        damaged: Archives that cannot be read, and why.
        above: The folder above, where that seems to be what was meant; else empty.
        look: What was seen of them, so that nothing is listed again.
        signature: Tells it from another copy, and from itself with a changed file.
    """

    mounts: dict[str, Mount]
    extra: list[str]
    damaged: dict[str, str]
    above: str = ""
    look: Look = field(default_factory=Look, compare=False)
    signature: str = ""


def mount_local(data_dir: str | os.PathLike[str], resources: tuple[Resource, ...]) -> Local:
    """Find the resources in a folder, or in one untouched archive."""
    data_dir = given_data(data_dir)
    stamps = stamps_of(data_dir)
    sizes = {name: size for name, (size, _) in stamps.items()}
    look = Look({location_of(data_dir): sizes} if data_dir.is_dir() else {})
    places = look_into(data_dir, look)
    mounts: dict[str, Mount] = {}
    for resource in resources:
        found = kind_of(resource).find(places, resource)
        if found is not None:
            mounts[resource.name] = found
    for name in _taken_by_name(mounts, resources):
        del mounts[name]
    named = {shown(location): why for location, why in places.damaged.items()}
    lost = [resource for resource in resources if resource.files and resource.name not in mounts]
    above = data_dir.parent if any(_is_part(data_dir, places, resource) for resource in lost) else ""
    return Local(mounts, _extra(places, mounts, look), named, str(above), look, signature_of(stamps))


def _taken_by_name(mounts: Mapping[str, Mount], resources: Sequence[Resource]) -> list[str]:
    """Find resources that took a file for its name alone, which by its whole path is another's.

    Two folders may have files of equal names, such as the days of two kinds of reports: where one lacks a day, the
    other's is not its own.
    """
    whole, by_name = set[Place](), dict[str, Place]()
    for resource in resources:
        if resource.path and (mount := mounts.get(resource.name)) and (place := mount.place_of(resource.path)):
            if f"/{place[1]}".endswith(f"/{resource.path}"):
                whole.add(place)
            else:
                by_name[resource.name] = place
    return [name for name, place in by_name.items() if place in whole]


def _is_part(data_dir: Path, places: Places, resource: Resource) -> bool:
    """Tell whether somebody named one of the folders inside of the one that was asked for."""
    globs, name = [pattern.glob for pattern in resource.files], data_dir.name
    return any(matches(f"{name}/{member}", globs) for member in places.members.get(places.top, []))


def _extra(places: Places, mounts: dict[str, Mount], look: Look) -> list[str]:
    """List the files that belong to no resource; archives that were read or are damaged are told elsewhere."""
    known = look.taken(mounts.values())
    locations = {mount.location for mount in flat(mounts.values())} | {location for location, _ in known}
    used = {location[:depth] for location in locations for depth in range(1, len(location) + 1)}
    return sorted(
        shown(inside(location, member))
        for location, members in places.members.items()
        for member in members
        if (location, member) not in known and inside(location, member) not in {*used, *places.damaged}
    )
