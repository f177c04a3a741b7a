"""The kinds of resources: one module for each, found by its name, all with the same few functions.

A new kind is a new module here, and nothing else: `Kind` says what it has to have.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.resource import Resource
from covid_datasets.catalog.templates import expand
from covid_datasets.errors import CatalogError
from covid_datasets.fetch.hosts import problem_of
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place
from covid_datasets.raw.origin import Brought, Lost
from covid_datasets.raw.places import Places
from covid_datasets.settings import Settings

OF_SOME_KINDS = ("path", "folder", "files", "manifest", "listing", "only", "size", "sha256", "md5", "sha1", "copies")
"""What not every kind of resource can say."""


class Kind(Protocol):
    """What the module of a kind has.

    Attributes:
        NEEDS: Keys that a card must give for such a resource.
        TAKES: Keys of `OF_SOME_KINDS` that it may give besides.
    """

    NEEDS: tuple[str, ...]
    TAKES: tuple[str, ...]

    def problem(self, resource: Resource) -> str:
        """Say what is wrong with what a card says, as "key ...: expected ..., found ..."; empty where nothing is."""
        ...

    def find(self, places: Places, resource: Resource) -> Mount | None:
        """Find a resource in a user's own copy."""
        ...

    def bytes_to_come(self, resources: Sequence[Resource], settings: Settings) -> int:
        """Count the bytes that the disk has to hold before any of them comes, as far as they are known."""
        ...

    def bring(self, resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
        """Get resources from the cache, a mirror or the network, by name."""
        ...

    def mirror(self, resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
        """Put resources into a mirror."""
        ...

    def missing(self, resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
        """List what is not there; ``taken`` are places of files that belong to the mounts of this source."""
        ...

    def wrong(self, resource: Resource, present: Mapping[str, int]) -> list[str]:
        """List files whose size alone shows that they are not the right ones, and why."""
        ...

    def count(self, resource: Resource, files: int) -> int:
        """Count what there should be; ``files`` are there or missing."""
        ...

    def draw(self, resource: Resource, note: str) -> Iterator[str]:
        """Draw what a user's folder holds of it, in lines; the note goes behind what may be left out."""
        ...

    def describe(self, resource: Resource) -> str:
        """Say in a few words what it is, for its page."""
        ...

    def checked_by(self, resource: Resource) -> str:
        """Say what its files are checked against, for its page."""
        ...


@cache
def known() -> tuple[str, ...]:
    """List the kinds.

    >>> known()
    ('archive', 'archives', 'file', 'folder', 'series', 'tree')
    """
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def kind_of(resource: Resource) -> Kind:
    """Return the module of a resource's kind."""
    if resource.kind not in known():
        raise CatalogError(
            f"resource {resource.name!r}: key 'kind': expected one of {', '.join(known())}, found {resource.kind!r}"
        )
    return cast(Kind, import_module(f"{__name__}.{resource.kind}"))


def by_kind(resources: Sequence[Resource]) -> Iterator[tuple[Kind, list[Resource]]]:
    """Sort resources by their kinds."""
    for name in dict.fromkeys(resource.kind for resource in resources):
        of_kind = [resource for resource in resources if resource.kind == name]
        yield kind_of(of_kind[0]), of_kind


def check_card(card: Card, path: Path | None = None) -> Card:
    """Check what a card says of its resources, each by its kind; what all kinds have in common was checked on reading.

    Args:
        card: The card.
        path: The file that it was read from, for messages and for the listings beside it.
    """
    path = path or catalog_folder() / f"{card.id}.toml"
    for template in card.resources:
        where = f"{path}: resource {template.name!r}"
        if template.kind not in known():
            raise CatalogError(f"{where}: key 'kind': expected one of {', '.join(known())}, found {template.kind!r}")
        for resource in expand(template, path.parent / "listings"):
            if problem := _problem(resource):
                raise CatalogError(f"{where}: {problem}")
    return card


def _problem(resource: Resource) -> str:
    kind = kind_of(resource)
    if lost := [key for key in kind.NEEDS if not getattr(resource, key)]:
        return f"key {lost[0]!r}: expected in a resource of the kind {resource.kind!r}, found none"
    given = [key for key in OF_SOME_KINDS if getattr(resource, key)]
    if wrong := next(filter(None, (problem_of(copy.url) for copy in resource.copies)), ""):
        return f"key 'copies.url': {wrong}"
    if resource.files and not (resource.optional or resource.manifest or any(each.required for each in resource.files)):
        return "key 'files': expected one that is required, for else nothing is missing in an empty folder, found none"
    if odd := [key for key in given if key not in (*kind.NEEDS, *kind.TAKES)]:
        return (
            f"key {odd[0]!r}: expected nothing in a resource of the kind {resource.kind!r}, "
            f"found {getattr(resource, odd[0])!r}"
        )
    return kind.problem(resource)
