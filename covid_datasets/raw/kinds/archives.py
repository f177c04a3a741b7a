"""Any number of archives under any names, got by hand, and what was unpacked beside them.

Nobody has to know how many there are: each archive that holds files as the card describes them is one of them. A list
that its publisher gives with an archive (``NAME.tar-tvf.txt``, what tar says of NAME) shows that one is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from covid_datasets.catalog.layout import absent, readable
from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import UsageError
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.archives import Location
from covid_datasets.raw.globs import GlobMount, spelling
from covid_datasets.raw.lists import ENDING, read_list
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place, Several, flat
from covid_datasets.raw.origin import Brought, Lost
from covid_datasets.raw.places import Places, roots
from covid_datasets.settings import Settings

NEEDS: tuple[str, ...] = ("files",)
TAKES: tuple[str, ...] = ("folder",)


def problem(resource: Resource) -> str:
    """Find nothing else to check."""
    return ""


def find(places: Places, resource: Resource) -> Mount | None:
    """Find each folder and archive with such files; in each it is the root below which most of them lie.

    Where two resources have like files, each says its ``folder``, and the name of that is a part of the name of every
    archive, or of a folder on the way; or of the glob, as of lists: ``*parts*.tar-tvf.txt``.
    """
    globs, word = [pattern.glob for pattern in resource.files], resource.folder.strip("/")
    named = tuple(glob for glob in globs if word in glob)
    parts = [
        GlobMount(location, root, some, resource.folder, spelled=True)
        for some, word_of_way in ((tuple(glob for glob in globs if glob not in named), word), (named, ""))
        for location, root in _roots(places, some, word_of_way).items()
    ]
    order = {location: number for number, location in enumerate(places.members)}
    unreadable = tuple(sorted(PurePosixPath(at[-1]).name for at in places.damaged if word in "/".join(at)))
    return Several(tuple(sorted(parts, key=lambda part: order[part.location])), unreadable) if parts else None


def _roots(places: Places, globs: tuple[str, ...], word: str) -> dict[Location, str]:
    """Find the root in each folder and archive below which most files are that globs name, on a way with a word."""
    top, best = PurePosixPath(places.top[0]), dict[Location, tuple[int, int, str]]()
    for (location, root), count in places.roots_of(globs).items():
        way = (top.name, *PurePosixPath(location[0]).relative_to(top).parts, *location[1:], *root.split("/"))
        if any(word in part for part in way):
            best[location] = min(best.get(location, (0, 0, "")), (-count, root.count("/"), root))
    return {location: root for location, (_, _, root) in best.items()}


def bytes_to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count nothing: nobody may fetch it."""
    return 0


def bring(resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
    """Refuse: nobody may fetch it."""
    raise UsageError(f"{resources[0].name}: expected a folder with archives as data_dir=, which nothing can fetch")


def mirror(resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
    """Refuse: nobody may fetch it."""
    raise UsageError(f"{resources[0].name}: archives that you got by hand need no mirror: carry them over")


def missing(resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
    """Name each required file that is not there, and each archive of which there is nothing but its list."""
    if mount is None:
        return [f"{resource.folder}{readable(each.glob)} ({each.what})" for each in resource.files if each.required]
    inner = {path.removeprefix(resource.folder) for path in look.sizes(mount)}
    globs = [pattern.glob for pattern in resource.files]
    here = {PurePosixPath(part.location[-1]).name for part in flat((mount,))}
    lost = set[str]()
    for path in sorted(path for path in inner if path.endswith(ENDING)):
        if PurePosixPath(path).name.removesuffix(ENDING) not in here:
            listed = read_list(mount.read(resource.folder + path).decode("utf-8", errors="replace")) or {}
            lost |= {found for name in listed if (found := _inner(name, globs)) and found not in inner}
    torn = mount.unreadable if isinstance(mount, Several) else ()
    names = (
        *absent(resource.files, inner),
        *(f"all that is in {name}, which is damaged" for name in torn),
        *sorted(lost),
    )
    return [resource.folder + name for name in names]


def _inner(name: str, globs: Sequence[str]) -> str | None:
    """Spell a member of an archive as the card does, under whatever root it lies there."""
    ends = (name.removeprefix(root) for root in roots(name))
    return next((found for end in ends if (found := spelling(end, globs)) is not None), None)


def wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """Tell no file: an empty one in an archive is told when it is read."""
    return []


def count(resource: Resource, files: int) -> int:
    """Count the files that are there, and those that are missing."""
    return files


def draw(resource: Resource, note: str) -> Iterator[str]:
    """Draw archives of any name."""
    word = resource.folder.strip("/")
    yield f"*{word}*.tar.gz   (any number of archives, untouched, or unpacked into {resource.folder or 'it'})"


def describe(resource: Resource) -> str:
    """Say that they are got by hand."""
    return "archives that you get by hand"


def checked_by(resource: Resource) -> str:
    """Have no list of its own."""
    return ""
