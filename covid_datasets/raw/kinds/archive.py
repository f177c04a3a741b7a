"""A zip or tar archive whose members are the files; which it is shows in its first bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from covid_datasets.catalog.layout import absent, readable
from covid_datasets.catalog.manifest import Identity, read_manifest
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.fetch.download import Download
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw import downloads
from covid_datasets.raw.archives import Location, is_archive, open_archive
from covid_datasets.raw.globs import GlobMount, Rename, most_votes, spellings_of
from covid_datasets.raw.kinds import folder
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place, TreeMount, read_at
from covid_datasets.raw.origin import Brought, Lost
from covid_datasets.raw.places import Places, archive_names, roots, tail
from covid_datasets.settings import Settings

NEEDS: tuple[str, ...] = ()
TAKES: tuple[str, ...] = ("copies", "folder", "manifest", "files", "size", "sha256", "md5", "sha1")
PROOF = "content manifest"


@dataclass(frozen=True, slots=True)
class ManifestMount:
    """The files of a manifest: nothing else is seen, wherever they lie."""

    tree: TreeMount
    manifest: str

    @property
    def location(self) -> Location:
        """The folder or archive."""
        return self.tree.location

    @property
    def proof(self) -> str:
        """Each file has a hash."""
        return PROOF

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies."""
        return self.tree.place_of(path) if self.identity(path) else None

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        return self.tree.size(path) if self.identity(path) else None

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the files of the manifest that are here, with their sizes."""
        inside, skip = (look or Look()).below(self.location, self.tree.root), len(self.tree.root)
        found: dict[str, int] = {}
        for path in self.expected():
            place = self.tree.place_of(path)
            if place is not None and (size := inside.get(place[1][skip:])) is not None:
                found[path] = size
        return found

    def expected(self, look: Look | None = None) -> list[str]:
        """List the files of the manifest."""
        return [self.tree.folder + path for path in read_manifest(self.manifest)]

    def identity(self, path: str) -> Identity | None:
        """Return what the manifest says that this file must be."""
        if not path.startswith(self.tree.folder):
            return None
        return read_manifest(self.manifest).get(path.removeprefix(self.tree.folder))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return read_at(self.place_of(path))

    def below(self, folder: str) -> ManifestMount | None:
        """Return the same files, named as seen from a folder of theirs."""
        tree = self.tree.below(folder) if self.tree.folder.startswith(folder) else None
        return None if tree is None else ManifestMount(tree, self.manifest)


def problem(resource: Resource) -> str:
    """Find nothing else to check."""
    return ""


def find(places: Places, resource: Resource) -> Mount | None:
    """Find its files: in an archive of any name, or in a folder that somebody unpacked."""
    if resource.files:
        return _find_by_globs(places, resource)
    if resource.manifest:
        return _find_by_manifest(places, resource)
    for copy in resource.copies:
        for name in archive_names(copy):
            for location in places.named.get(name, []):
                if places.members[location]:
                    return mount_archive(location, copy, resource)
        for location, members in places.members.items():
            if copy.root and any(member.startswith(copy.root) for member in members):
                return mount_archive(location, copy, resource)
    if resource.folder:
        named = _folders(places, resource.folder)
        return TreeMount(*min(named)[1:], folder=resource.folder) if named else None
    if not resource.copies and (by_hand := _find_named(places, resource)):
        return by_hand
    return TreeMount(places.top) if places.members[places.top] and not resource.optional else None


def _find_named(places: Places, resource: Resource) -> Mount | None:
    """Find an archive that was got by hand by the name that it was asked for under, packed or unpacked."""
    for location in places.members:
        if is_archive(location[-1]) and PurePosixPath(location[-1]).name.startswith(f"{resource.name}."):
            return TreeMount(location)
    folders = _folders(places, f"{resource.name}/")
    return TreeMount(*min(folders)[1:]) if folders else None


def _folders(places: Places, name: str) -> list[tuple[tuple[int, int], Location, str]]:
    """List the folders of a name, with how deep they lie."""
    return [
        ((len(location), root.count("/")), location, root)
        for location, members in places.members.items()
        for root in {root for member in members for root in roots(member)}
        if f"/{root}".endswith(f"/{name}")
    ]


def _find_by_manifest(places: Places, resource: Resource) -> Mount | None:
    """Find the place and the root folder under which most files of the manifest are."""
    renames: set[Rename] = {tuple(copy.rename.items()) for copy in resource.copies} or {()}
    may_be = places.that_may_hold(resource)
    votes: Counter[tuple[Location, str, Rename]] = Counter()
    for rename in sorted(renames, key=len):
        for path in read_manifest(resource.manifest):
            for old, new in rename:
                path = path.replace(old, new)
            for location, member in places.ending.get(tail(path), []):
                root = member[: len(member) - len(path)]
                if member.endswith(path) and root[-1:] in ("", "/") and may_be(location, root):
                    votes[location, root, rename] += 1
    if not votes:
        return None
    (location, root, rename), _ = min(votes.items(), key=lambda item: (-item[1], len(item[0][2]), item[0][:2]))
    return ManifestMount(TreeMount(location, root, resource.folder, rename), resource.manifest)


def _find_by_globs(places: Places, resource: Resource) -> Mount | None:
    """Find the root under which most files are as the card says; first in what is named as its download is."""
    saved = [name for copy in resource.copies for name in archive_names(copy)]
    own = {*saved, *(name.split(".")[0] for name in saved), resource.name}
    by_name = places.that_may_hold(resource)
    renames: list[Rename] = [tuple(copy.rename.items()) for copy in resource.copies] or [()]

    def is_named(location: Location, root: str) -> bool:
        return by_name(location, root) and not own.isdisjoint((*map(_name, location), *root.split("/")))

    for may_be in (is_named, by_name):
        if found := most_votes(places, resource.files, may_be, renames):
            location, root, rename = found
            return _globs(resource, location, root, rename)
    return None


def _name(part: str) -> str:
    return PurePosixPath(part).name


def _globs(resource: Resource, location: Location, root: str, rename: Rename) -> GlobMount:
    globs = tuple(pattern.glob for pattern in resource.files)
    return GlobMount(location, root, globs, resource.folder, spelled=True, rename=rename, manifest=resource.manifest)


def mount_archive(location: Location, copy: Copy, resource: Resource) -> Mount:
    """Mount a copy of a resource; without its root folder where whoever packed it left that away.

    A manifest proves which file is which. Where there is none, or one of some files, nobody may have seen the inside of
    the archive before: the files that the card names by globs are looked for under any root.
    """
    rename = tuple(copy.rename.items())
    if resource.manifest and not resource.files:
        return ManifestMount(TreeMount(location, copy.root, resource.folder, rename), resource.manifest)
    names = list(open_archive(location).names())
    if resource.files:
        found = most_votes(Places({location: names}), resource.files, lambda *_: True, [rename, ()])
        return _globs(resource, *(found or (location, copy.root, rename)))
    root = copy.root if any(name.startswith(copy.root) for name in names) else ""
    return TreeMount(location, root, resource.folder, rename)


def bytes_to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count the bytes that have to come."""
    return downloads.to_come(resources, settings)


def bring(resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
    """Download archives."""
    return downloads.bring(resources, transfer, lost, _mount, _lacking)


def mirror(resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
    """Put archives into a mirror."""
    return downloads.mirror(resources, into, transfer, _mount, _lacking)


def _mount(resource: Resource, download: Download, copy: Copy) -> Mount:
    return mount_archive((str(download.path),), copy, resource)


def _lacking(resource: Resource, mount: Mount) -> list[str]:
    return missing(resource, mount, Look(), {})


def missing(resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
    """List the files of the manifest, or those that are required, that are not there."""
    present = look.sizes(mount) if mount is not None else {}
    inner = {path.removeprefix(resource.folder) for path in present}
    expected = read_manifest(resource.manifest) if resource.manifest else {}
    if resource.files:
        unnamed = [path for path in expected if inner.isdisjoint(spellings_of(path))]
    else:
        unnamed = [path for path in expected if path not in inner]
    required = [pattern for pattern in resource.files if pattern.required]
    if present:
        lacking = absent(resource.files, inner)
    else:
        lacking = [f"{readable(pattern.glob)} ({pattern.what})" for pattern in required]
    if not (present or lacking or expected):
        return [resource.name]
    return [resource.folder + path for path in (*lacking, *unnamed)]


def wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """Compare sizes with the manifest; archives may hold empty files by right."""
    identities = read_manifest(resource.manifest) if resource.manifest else {}
    sizes = {resource.folder + path: each.size for path, each in identities.items() if each.size is not None}
    return [
        f"{path}: expected {size:,} bytes, found {present[path]:,}"
        for path, size in sizes.items()
        if present.get(path, size) != size
    ]


def count(resource: Resource, files: int) -> int:
    """Count the files of the manifest; where nobody has made one, those that are required and those that are there."""
    if resource.files:
        return files
    return len(read_manifest(resource.manifest)) if resource.manifest else 1


def draw(resource: Resource, note: str) -> Iterator[str]:
    """Draw the archive, and say where its files may lie unpacked; where nobody gives it a name, draw its files."""
    if resource.files and not (resource.copies or resource.manifest):
        yield "one archive of any name, untouched, or what is in it:"
        yield from (f"  {line}" for line in folder.draw(resource, note))
        return
    held = f"{len(read_manifest(resource.manifest)):,} files" if resource.manifest else "its files"
    name = archive_names(resource.copies[0])[-1] if resource.copies else f"{resource.name}.zip"
    where = f"unpacked into {resource.folder}" if resource.folder else "unpacked"
    yield f"{name}   ({', '.join(filter(None, ['untouched', f'or {where}: {held}', note]))})"


def describe(resource: Resource) -> str:
    """Say that it is an archive."""
    name = archive_names(resource.copies[0])[-1] if resource.copies else ""
    return "tar archive" if ".t" in name[-8:] else "zip archive"


def checked_by(resource: Resource) -> str:
    """Name the manifest."""
    which = "each file that it names" if resource.files else "each file"
    return f"{which} checked against `catalogs/manifests/{resource.manifest}`" if resource.manifest else ""
