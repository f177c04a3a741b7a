"""Series of files in a public bucket, each in a folder of its own; a listing in the catalog says which there are.

Nobody publishes hashes of these files: theirs are recorded on first download. What is checked is the number of files of
each series, and of their bytes, against the listing.

The canonical path of a file is ``<folder of the series in the bucket>/<file>``, so a builder sees one layout only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from covid_datasets.catalog.listing import COLUMNS, Series, by_folder, chosen, difference, is_dicom
from covid_datasets.catalog.manifest import Identity
from covid_datasets.catalog.resource import Resource
from covid_datasets.disk import check_space
from covid_datasets.errors import ChangedUpstreamError, CovidDatasetsError, DamagedFileError, MissingUpstreamError
from covid_datasets.extras import need
from covid_datasets.fetch.cached import mirror_advice
from covid_datasets.fetch.places import local_path, place
from covid_datasets.fetch.together import together
from covid_datasets.fetch.transfer import CancelToken, Transfer
from covid_datasets.progress import Display, progress
from covid_datasets.raw.archives import Location, open_archive
from covid_datasets.raw.bucket import Object, Served, fetch_object, forget, kept_in, list_objects
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Look, Mount, Place, read_at
from covid_datasets.raw.origin import Brought, Lost, Origin
from covid_datasets.raw.places import Places
from covid_datasets.settings import Settings

NEEDS: tuple[str, ...] = ("listing", "copies")
TAKES: tuple[str, ...] = ("only",)
PROOF = "recorded on first download; number of files and bytes of each series as listed"
PARALLEL = 16
"""Series that are fetched at once: their files are small, so most of the time is spent on waiting for answers."""
_SUFFIX = ".dcm"
_SERIES = 0x0020000E
"""The element SeriesInstanceUID."""
_NAMED = re.compile(r"[A-Z]{2}_[0-9.]+")
"""A folder of the tools of Imaging Data Commons: its name says which series it is, so no header need be read."""


@dataclass(frozen=True, slots=True)
class SeriesMount:
    """Where the series of a listing are, each in a folder."""

    folders: Mapping[str, Place]
    proof: str = field(default="", init=False)

    def __hash__(self) -> int:
        """Hash what identifies it well enough; mounts with many folders are compared rarely."""
        return hash((self.location, len(self.folders)))

    @property
    def location(self) -> Location:
        """Where the first series is, for messages."""
        return next((location for location, _ in self.folders.values()), ())

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies: the folder or archive, and its name inside."""
        folder, _, name = path.partition("/")
        if folder not in self.folders or "/" in name or not is_dicom(name):
            return None
        location, inside = self.folders[folder]
        return location, inside + name

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        found = self.place_of(path)
        return None if found is None else open_archive(found[0]).size(found[1])

    def sizes(self, look: Look | None = None) -> dict[str, int]:
        """List the canonical paths of the files that are here, with their sizes."""
        look = look or Look()
        sorted_: dict[Location, dict[str, list[str]]] = {}
        found: dict[str, int] = {}
        for folder, (location, inside) in self.folders.items():
            sizes = look.below(location)
            if location not in sorted_:
                sorted_[location] = by_folder(sizes)
            found |= {f"{folder}/{name}": sizes[inside + name] for name in sorted_[location].get(inside, ())}
        return found

    def expected(self, look: Look | None = None) -> list[str]:
        """List the canonical paths that are here: a listing counts the files of a series and does not name them."""
        return list((look or Look()).sizes(self))

    def identity(self, path: str) -> Identity | None:
        """Know no identity: a bucket publishes no hashes."""

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return read_at(self.place_of(path))

    def below(self, folder: str) -> None:
        """Be no part of a source that is composed of others."""


def listed(resource: Resource) -> Mapping[str, Series]:
    """Read the series that a resource is of: folder in the bucket -> series."""
    return chosen(resource.listing, resource.only)


def problem(resource: Resource) -> str:
    """Expect one bucket, and columns and values that the listing has."""
    if [copy.url.endswith("/") for copy in resource.copies] != [True]:
        return "key 'copies': expected one, the root of a bucket, with a slash at its end"
    if unknown := sorted(set(resource.only) - set(COLUMNS)):
        return f"key 'only': expected columns of a listing ({', '.join(COLUMNS)}), found {unknown}"
    return ""


def find(places: Places, resource: Resource) -> SeriesMount | None:
    """Find the series of a listing in folders and archives, in whatever layout somebody keeps them.

    A folder is known by its name, which is that of the series in the bucket or ends with its SeriesInstanceUID; else by
    the header of one of its files. Of two copies of a series the one nearest to the top counts.
    """
    wanted = listed(resource)
    by_uid = {series.series: folder for folder, series in wanted.items()}
    found: dict[str, Place] = {}
    for location, folders in places.dicom.items():
        for inside, names in folders.items():
            name = PurePosixPath(inside).name
            folder = name if name in wanted else by_uid.get(name.rpartition("_")[2])
            if folder is None and not _NAMED.fullmatch(name):
                folder = by_uid.get(_series_in(places, location, inside + names[0]))
            if folder is not None:
                found.setdefault(folder, (location, inside))
    return SeriesMount({folder: found[folder] for folder in wanted if folder in found}) if found else None


def bytes_to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count the bytes that are listed and not here."""
    return sum(_to_come(resource.copies[0].url, listed(resource).values(), settings) for resource in resources)


def _to_come(root: str, wanted: Iterable[Series], settings: Settings) -> int:
    if settings.offline or (settings.mirror and local_path(settings.mirror) is not None):
        return 0
    here, needed = kept_in(root, settings), 0
    for series in wanted:
        folder = here / series.folder
        present = sum(path.stat().st_size for path in folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else 0
        needed += max(series.bytes - present, 0)
    return needed


def bring(resources: Sequence[Resource], transfer: Transfer, lost: Lost) -> Mapping[str, Brought]:
    """Get all series of each resource; the hash of its origin is a digest of their content.

    A mirror that is a folder is used in place: its list is what is in the folder, and the digest is of names, sizes and
    times.
    """
    found: dict[str, Brought] = {}
    for resource in resources:
        root = resource.copies[0].url
        mirror = transfer.settings.mirror
        if mirror and (folder := local_path(mirror)) is not None:
            mount, digest = _in_place(folder / Path(place(f"{root}any")).parent, resource, transfer, lost)
        else:
            mount, digest = _downloaded(resource, transfer, lost)
        if mount.folders:
            found[resource.name] = mount, Origin(resource.name, root, digest, PROOF)
    return found


def mirror(resources: Sequence[Resource], into: Mirror, transfer: Transfer) -> list[Mirrored]:
    """Store every series with its list, so that the mirror works as a folder and behind any web server."""
    stored = []
    for resource in resources:
        for one in _bring_all(resource, transfer, None):
            stored += [into.keep(resource.name, download, url) for url, download in (*one.pages, *one.files)]
    return stored


@dataclass(frozen=True, slots=True)
class _Whole:
    """A series that is here whole: each page of its list, and each of its files."""

    series: Series
    pages: tuple[Served, ...]
    files: tuple[Served, ...]


def _downloaded(resource: Resource, transfer: Transfer, lost: Lost) -> tuple[SeriesMount, str]:
    here = kept_in(resource.copies[0].url, transfer.settings)
    whole = _bring_all(resource, transfer, lost)
    digest = hashlib.sha256()
    for one in whole:
        for key, download in sorted(one.files):
            digest.update(f"{key} {download.sha256}\n".encode())
    return SeriesMount({one.series.folder: ((str(here / one.series.folder),), "") for one in whole}), digest.hexdigest()


def _bring_all(resource: Resource, transfer: Transfer, lost: Lost | None) -> list[_Whole]:
    """Fetch series, several at once, in the order in which they are listed."""
    root, wanted = resource.copies[0].url, tuple(listed(resource).values())
    check_space(transfer.settings.downloads, _to_come(root, wanted, transfer.settings), transfer.limits.margin)
    total = sum(series.bytes for series in wanted)
    with progress("Downloading", total_bytes=total) as display:
        display.add(resource.name, total)

        def bring(series: Series, cancel: CancelToken) -> _Whole:
            found = _bring_one(root, series, replace(transfer, display=Display(""), cancel=cancel))
            display.advance(resource.name, sum(download.size for _, download in found.files))
            return found

        told = None if lost is None else lambda series, error: lost(resource, series.folder, error)
        found = together(wanted, bring, workers=PARALLEL, on_error=told)
    return [one for one in found if one is not None]


def _bring_one(root: str, series: Series, transfer: Transfer) -> _Whole:
    """Fetch one series: its list, which must be what the catalog says, then each file, which must be what is listed."""
    pages, objects = list_objects(root, f"{series.folder}/", transfer)
    objects = [found for found in objects if found.key.lower().endswith(_SUFFIX)]
    _check_keys(objects, series, root)
    named = f"series {series.folder} ({series.series})"
    if what := series.difference([found.size for found in objects]):
        forget(pages)
        kind = MissingUpstreamError if not objects else ChangedUpstreamError
        raise kind(
            f"{root}: {named}: {what}. Next: call again; if it stays so, get the series elsewhere and pass its folder "
            f"as data_dir="
        )
    return _Whole(series, tuple(pages), tuple(fetch_object(root, found, named, transfer) for found in objects))


def _check_keys(objects: list[Object], series: Series, root: str) -> None:
    """Refuse keys that are not plain files of this folder: they become names on the disk."""
    for found in objects:
        name = found.key.removeprefix(f"{series.folder}/")
        if name == found.key or "/" in name or "\\" in name or name.startswith(".") or found.size < 1:
            raise DamagedFileError(
                f"{root}: series {series.folder}: expected files of this folder, found {found.key!r} of "
                f"{found.size:,} bytes"
            )
    if len({found.key for found in objects}) != len(objects):
        raise DamagedFileError(f"{root}: series {series.folder}: expected each file once in its list, found one again")


def _in_place(here: Path, resource: Resource, transfer: Transfer, lost: Lost) -> tuple[SeriesMount, str]:
    """Use the files of a mirror where they lie."""
    digest = hashlib.sha256()
    folders: dict[str, Place] = {}
    for series in listed(resource).values():
        files = sorted(path for path in (here / series.folder).glob("*") if path.suffix.lower() == _SUFFIX)
        stats = [path.stat() for path in files]
        if what := series.difference([found.st_size for found in stats]):
            kind = MissingUpstreamError if not files else ChangedUpstreamError
            error: CovidDatasetsError = kind(
                f"{here / series.folder}: series {series.series}: {what}. Next: copy the folder to the mirror again, "
                f"or {mirror_advice(transfer, transfer.settings.mirror or '')} on a connected machine to make it anew"
            )
            lost(resource, series.folder, error)
            continue
        for path, found in zip(files, stats, strict=True):
            digest.update(f"{series.folder}/{path.name} {found.st_size} {found.st_mtime_ns}\n".encode())
        folders[series.folder] = ((str(here / series.folder),), "")
    return SeriesMount(folders), digest.hexdigest()


def missing(resource: Resource, mount: Mount | None, look: Look, taken: Mapping[Place, Mount]) -> list[str]:
    """List the series of which nothing is there."""
    present = look.sizes(mount) if mount is not None else {}
    here = {path.partition("/")[0] for path in present}
    return [folder for folder in listed(resource) if folder not in here]


def wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """List series whose number or bytes of files alone show that they are not whole."""
    found, listing = [], listed(resource)
    for folder, names in by_folder(present).items():
        series = listing[folder.rstrip("/")]
        if what := difference(series, {name: present[folder + name] for name in names}):
            found.append(f"{series.folder} (series {series.series}): {what}")
    return found


def count(resource: Resource, files: int) -> int:
    """Count the series."""
    return len(listed(resource))


def draw(resource: Resource, note: str) -> Iterator[str]:
    """Draw a folder for each series."""
    yield f"{{series}}/*.dcm   ({len(listed(resource)):,} series, each in a folder of its own, of any name or depth)"


def describe(resource: Resource) -> str:
    """Count series, files and bytes."""
    series = listed(resource).values()
    files, size = sum(one.files for one in series), sum(one.bytes for one in series)
    return f"{len(series):,} series in a public bucket, {files:,} files, {size:,} bytes"


def checked_by(resource: Resource) -> str:
    """Name the listing."""
    return f"number and bytes of the files of each series checked against `catalogs/listings/{resource.listing}`"


def _series_in(places: Places, location: Location, name: str) -> str:
    """Read the SeriesInstanceUID of a file; empty where it is damaged, which the build tells if it matters."""
    if (location, name) not in places.said:
        places.said[location, name] = _read_series(location, name)
    return places.said[location, name]


def _read_series(location: Location, name: str) -> str:
    """Read no more of a file than its first elements: films are large, and collections have many folders."""
    need("pydicom")
    from pydicom.filereader import read_partial

    with open_archive(location).open(name) as stream:
        try:
            header = read_partial(stream, lambda tag, vr, length: tag > _SERIES, specific_tags=[_SERIES])
            return str(header[_SERIES].value) if _SERIES in header else ""
        except Exception:  # pydicom lets through whatever its parsers raise; a file without a name is no evidence
            return ""
