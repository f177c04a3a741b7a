"""Resources that stand for many: one a day, one a number, one a line of a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.errors import CatalogError

COLUMNS = ("name", "url", "size", "sha256", "md5", "sha1")
"""Columns of a table of downloads, ``catalogs/listings/<id>-<what>.tsv``; all but the name may be empty."""
_HASH = re.compile(r"([0-9a-f]{64})?\t([0-9a-f]{32})?\t([0-9a-f]{40})?")
_NUMBER = re.compile(r"\{number(?::0([1-9]))?\}")


@dataclass(frozen=True, slots=True)
class Member:
    """A line of a table of downloads: where one is served, and what is published about its bytes."""

    name: str
    url: str
    size: int | None
    sha256: str
    md5: str
    sha1: str


def is_template(resource: Resource) -> bool:
    """Tell whether a resource stands for many."""
    return bool(resource.days or resource.numbers or resource.members)


def expand(resource: Resource, folder: Path | None = None) -> tuple[Resource, ...]:
    """List the plain resources that a template stands for; ``folder`` is that of the listings.

    >>> from covid_datasets.catalog.resource import Copy, Resource
    >>> copies = (Copy(url="https://example.org/CT-{number:02}.zip"),)
    >>> numbered = Resource(name="ct", kind="archive", copies=copies, numbers=(9, 10))
    >>> [(each.name, each.copies[0].url) for each in expand(numbered)]
    [('ct-9', 'https://example.org/CT-09.zip'), ('ct-10', 'https://example.org/CT-10.zip')]
    """
    if not is_template(resource):
        return (resource,)
    members = read_members(resource.members, folder) if resource.members else {}
    fills = dict(_days(resource) or _numbers(resource)) or {name: _named(name) for name in members}
    if members and fills.keys() != members.keys():
        odd = sorted(fills.keys() ^ members.keys())
        raise CatalogError(
            f"listings/{resource.members}: expected a line for each of the {len(fills):,} downloads of "
            f"{resource.name!r}, found another list: {', '.join(odd[:5])}"
        )
    return tuple(_filled(resource, name, fill, members.get(name)) for name, fill in fills.items())


def summary(resource: Resource) -> str:
    """Say for people what a template stands for; empty for a plain resource.

    >>> from covid_datasets.catalog.card import Resource
    >>> summary(Resource(name="ct", numbers=(1, 31)))
    'one for each number from 1 to 31'
    """
    if resource.days:
        return f"one for each day from {resource.days[0]} to {resource.days[1]}"
    if resource.numbers:
        return f"one for each number from {resource.numbers[0]} to {resource.numbers[1]}"
    return f"{len(expand(resource)):,} of them, listed in `catalogs/listings/{resource.members}`" * bool(
        resource.members
    )


@lru_cache(maxsize=32)
def read_members(name: str, folder: Path | None = None) -> Mapping[str, Member]:
    """Read ``catalogs/listings/<name>``: the name of each download and what is known about it, in the file's order."""
    path = (folder or catalog_folder() / "listings") / name
    found: dict[str, Member] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            table = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            for number, cells in enumerate(table, start=1):
                if number == 1 and tuple(cells) == COLUMNS:
                    continue
                if number == 1 or not _is_member(cells) or cells[0] in found:
                    raise CatalogError(
                        f"{path} line {number}: expected {', '.join(COLUMNS)}, each name once; found {cells}"
                    )
                size = int(cells[2]) if cells[2] else None
                found[cells[0]] = Member(cells[0], cells[1], size, *cells[3:])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"{path}: expected a table of downloads in UTF-8, found: {error}") from error
    return MappingProxyType(found)


def _is_member(cells: list[str]) -> bool:
    if len(cells) != len(COLUMNS) or not re.fullmatch(r"[\w+-][\w .+-]*(/[\w+-][\w .+-]*)*", cells[0]):
        return False
    return bool(re.fullmatch(r"([1-9][0-9]*)?", cells[2], re.ASCII) and _HASH.fullmatch("\t".join(cells[3:])))


Fill = Callable[[str], str]


def _days(resource: Resource) -> list[tuple[str, Fill]]:
    if not resource.days:
        return []
    first, last = map(date.fromisoformat, resource.days)
    days = [first + timedelta(number) for number in range((last - first).days + 1)]
    return [(str(day), day.strftime) for day in days]


def _numbers(resource: Resource) -> list[tuple[str, Fill]]:
    if not resource.numbers:
        return []
    first, last = resource.numbers
    return [(str(number), _numbered(number)) for number in range(first, last + 1)]


def _numbered(number: int) -> Fill:
    return lambda text: _NUMBER.sub(lambda found: f"{number:0{found[1] or 1}}", text)


def _named(name: str) -> Fill:
    return lambda text: text.replace("{name}", name)


def _filled(resource: Resource, name: str, fill: Fill, member: Member | None) -> Resource:
    copies = tuple(replace(copy, url=fill(copy.url), root=fill(copy.root)) for copy in resource.copies)
    known = {} if member is None else {key: getattr(member, key) for key in COLUMNS[2:]}
    if member is not None and member.url:
        copies = (replace(copies[0], url=member.url) if copies else _copy(member.url), *copies[1:])
    return replace(
        resource,
        name=f"{resource.name}-{name}",
        path=fill(resource.path),
        folder=fill(resource.folder),
        manifest=fill(resource.manifest),
        copies=copies,
        days=(),
        numbers=(),
        members="",
        **known,
    )


def _copy(url: str) -> Copy:
    return Copy(url=url)
