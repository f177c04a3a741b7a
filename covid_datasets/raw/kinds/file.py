"""A plain file at one path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from covid_datasets.catalog.manifest import Identity
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.fetch.download import Download
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw import downloads
from covid_datasets.raw.archives import Location, open_archive
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place, read_at
from covid_datasets.raw.origin import Brought, Lost
from covid_datasets.raw.places import Places
from covid_datasets.settings import Settings

NEEDS: tuple[str, ...] = ("path",)
TAKES: tuple[str, ...] = ("copies", "size", "sha256", "md5", "sha1")


@dataclass(frozen=True, slots=True)
class FileMount:
    """A file whose canonical path is ``path``, wherever it lies and whatever it is called there."""

    location: Location
    member: str
    path: str
    proof: str = field(default="", init=False)

    def place_of(self, path: str) -> Place | None:
        """Tell where the file lies."""
        return (self.location, self.member) if path == self.path else None

    def size(self, path: str) -> int | None:
        """Return the size of the file."""
        return open_archive(self.location).size(self.member) if path == self.path else None

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the file, if it is here."""
        size = self.size(self.path)
        return {} if size is None else {self.path: size}

    def expected(self, look: Look | None = None) -> list[str]:
        """List the file."""
        return [self.path]

    def identity(self, path: str) -> Identity | None:
        """Know no identity: the whole download has the hash."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the file."""
        return read_at(self.place_of(path))

    def below(self, folder: str) -> FileMount | None:
        """Return the file, named as seen from a folder."""
        return replace(self, path=self.path.removeprefix(folder)) if self.path.startswith(folder) else None


def problem(resource: Resource) -> str:
    """Find nothing else to check."""
    return ""


def find(places: Places, resource: Resource) -> Mount | None:
    """Find it by its path, else by its name; the shallowest one wins."""
    name = PurePosixPath(resource.path).name
    candidates = places.ending.get(name, [])
    for ending in (resource.path, name):
        found = [
            (member.count("/"), len(location), location, member)
            for location, member in candidates
            if member == ending or member.endswith("/" + ending)
        ]
        if found:
            _, _, location, member = min(found)
            return FileMount(location, member, resource.path)
    return None


def bytes_to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count the bytes that have to come."""
    return downloads.to_come(resources, settings)


def bring(resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
    """Download files."""
    return downloads.bring(resources, transfer, lost, _mount, _nothing)


def mirror(resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
    """Put files into a mirror."""
    return downloads.mirror(resources, into, transfer, _mount, _nothing)


def _mount(resource: Resource, download: Download, _: Copy) -> Mount:
    return FileMount((str(download.path.parent),), download.path.name, resource.path)


def _nothing(_resource: Resource, _mount: Mount) -> Sequence[str]:
    return ()


def missing(resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
    """Name the file where it is not there."""
    return [] if mount is not None and look.sizes(mount) else [resource.path]


def wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """Tell an empty file."""
    return empty(present)


def empty(present: Mapping[str, int]) -> list[str]:
    """Tell files that hold nothing, where each file counts."""
    return [f"{path}: expected content, found 0 bytes" for path, size in present.items() if not size]


def count(resource: Resource, files: int) -> int:
    """Count one file."""
    return 1


def draw(resource: Resource, note: str) -> Iterator[str]:
    """Draw its path."""
    yield f"{resource.path}   ({note})" if note else resource.path


def describe(resource: Resource) -> str:
    """Name its path."""
    return f"file `{resource.path}`"


def checked_by(resource: Resource) -> str:
    """Have no list of its own."""
    return ""
