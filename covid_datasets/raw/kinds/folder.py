"""A folder that its user fills by hand, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from covid_datasets.catalog.layout import absent, readable
from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import UsageError
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.archives import is_archive
from covid_datasets.raw.globs import GlobMount, most_votes
from covid_datasets.raw.kinds.file import empty
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place
from covid_datasets.raw.origin import Brought, Lost
from covid_datasets.raw.places import Places
from covid_datasets.settings import Settings

NEEDS: tuple[str, ...] = ("files",)
TAKES: tuple[str, ...] = ("folder",)


def problem(resource: Resource) -> str:
    """Find nothing else to check."""
    return ""


def find(places: Places, resource: Resource) -> Mount | None:
    """Find the folder in which most files are as the card says; of equal ones the shallowest, unpacked."""
    found = most_votes(places, resource.files, places.that_may_hold(resource))
    if found is None:
        return None
    location, root, _ = found
    return GlobMount(location, root, tuple(pattern.glob for pattern in resource.files), resource.folder)


def bytes_to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count nothing: nobody may fetch it."""
    return 0


def bring(resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
    """Refuse: nobody may fetch it."""
    raise UsageError(f"{resources[0].name}: expected a folder of yours as data_dir=, which nothing can fetch")


def mirror(resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
    """Refuse: nobody may fetch it."""
    raise UsageError(f"{resources[0].name}: a folder that you filled by hand needs no mirror: carry it over")


def missing(resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
    """Name each required file that is not there, once for each folder that should have one."""
    if not isinstance(mount, GlobMount):
        required = [pattern for pattern in resource.files if pattern.required]
        return [f"{resource.folder}{readable(pattern.glob)} ({pattern.what})" for pattern in required]
    beside = [
        path
        for path in look.below(mount.location, mount.root)
        if taken.get((mount.location, mount.root + path), mount) == mount and not is_archive(path)
    ]
    return [resource.folder + path for path in absent(resource.files, beside)]


def wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """Tell empty files."""
    return empty(present)


def count(resource: Resource, files: int) -> int:
    """Count the files that are there, and those that are missing."""
    return files


def draw(resource: Resource, note: str) -> Iterator[str]:
    """Draw what a user puts together: the files of one folder below each other."""
    files = [(*(resource.folder + readable(each.glob)).rpartition("/")[::2], each) for each in resource.files]
    width = max(len(name) for _, name, _ in files)
    opened = ""
    for folder, name, pattern in files:
        if folder and folder != opened:
            yield f"{folder}/"
        opened = folder
        needed = "needed: " if pattern.required else ""
        yield f"{'  ' if folder else ''}{name.ljust(width)}   ({needed}{pattern.what})"


def describe(resource: Resource) -> str:
    """Say whose it is."""
    return "a folder that you fill by hand"


def checked_by(resource: Resource) -> str:
    """Have no list."""
    return ""
