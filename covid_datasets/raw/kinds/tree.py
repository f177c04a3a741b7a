"""A whole folder or archive of its user's, with whatever is in it: data of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import UsageError
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.archives import SUFFIXES
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place, TreeMount
from covid_datasets.raw.origin import Brought, Lost
from covid_datasets.raw.places import Places
from covid_datasets.settings import Settings

NEEDS: tuple[str, ...] = ()
TAKES: tuple[str, ...] = ("folder",)


def problem(resource: Resource) -> str:
    """Find nothing else to check."""
    return ""


def find(places: Places, resource: Resource) -> Mount | None:
    """Take everything in the folder or archive that was named.

    A folder that was packed as a whole lies in its archive below its own name, which says nothing about the files.
    """
    members, name = places.members[places.top], PurePath(places.top[0]).name
    root = next(iter(members), "").partition("/")[0] + "/"
    packed = name in {root[:-1] + suffix for suffix in SUFFIXES} and all(each.startswith(root) for each in members)
    return TreeMount(places.top, root if packed else "", resource.folder)


def bytes_to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count nothing: nobody may fetch it."""
    return 0


def bring(resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
    """Refuse: nobody may fetch it."""
    raise UsageError(f"{resources[0].name}: expected a folder of yours, which nothing can fetch")


def mirror(resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
    """Refuse: it is its user's."""
    raise UsageError(f"{resources[0].name}: a folder of yours needs no mirror: carry it over")


def missing(resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
    """Miss nothing: nobody knows what is to be there."""
    return []


def wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """Know of nothing wrong: what is damaged or empty is told when it is read."""
    return []


def count(resource: Resource, files: int) -> int:
    """Count the files that are there."""
    return files


def draw(resource: Resource, note: str) -> Iterator[str]:
    """Draw that anything goes."""
    yield f"{resource.folder}…   (your files)"


def describe(resource: Resource) -> str:
    """Say whose it is."""
    return "a folder of your own"


def checked_by(resource: Resource) -> str:
    """Have no list."""
    return ""
