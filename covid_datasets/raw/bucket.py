"""Series in a public bucket over HTTPS: listed by S3's ListObjectsV2, each file fetched, counted and kept.

Nobody publishes hashes of these files: theirs are recorded on first download. What is checked is the number of files of
each series, and of their bytes, against the listing in the catalog.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import Element, ParseError

from covid_datasets.catalog.card import Resource
from covid_datasets.catalog.listing import Series, read_listing
from covid_datasets.errors import (
    ChangedUpstreamError,
    CovidDatasetsError,
    DamagedFileError,
    MissingUpstreamError,
)
from covid_datasets.fetch.cached import Download, fetch, record_path
from covid_datasets.fetch.partial import Limits, check_space
from covid_datasets.fetch.places import local_path, mirrored, place
from covid_datasets.fetch.together import Check, together
from covid_datasets.progress import Display, progress
from covid_datasets.raw.series import SeriesMount
from covid_datasets.settings import Settings

PARALLEL = 16
"""Files that are fetched at once: they are small, so most of the time is spent on waiting for answers."""
MAX_PAGES = 1000
_SUFFIX = ".dcm"


@dataclass(frozen=True, slots=True)
class Object:
    """A file in a bucket."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Brought:
    """A series that is here whole: each page of its list, and each of its files."""

    series: Series
    pages: tuple[tuple[str, Download], ...]
    files: tuple[tuple[str, Download], ...]


def fetch_bucket(
    resource: Resource,
    settings: Settings,
    *,
    on_error: Callable[[str, CovidDatasetsError], object] | None = None,
    limits: Limits | None = None,
) -> tuple[SeriesMount, str]:
    """Get all series of a resource; return where they are, and a digest of their content.

    A mirror that is a folder is used in place: its list is what is in the folder, and the digest is of names, sizes and
    times.

    Args:
        resource: Of the kind ``bucket``.
        settings: Cache, mirror, offline.
        on_error: Told about a series that cannot be had, which is then left out; without it the first one is raised.
        limits: Patience of the network.
    """
    root, wanted = resource.copies[0].url, tuple(read_listing(resource.listing).values())
    if settings.mirror and (folder := local_path(settings.mirror)) is not None:
        return _in_place(folder / Path(place(f"{root}any")).parent, wanted, on_error)
    here = _kept_in(root, settings)
    brought = bring_series(resource, wanted, settings, on_error=on_error, limits=limits)
    digest = hashlib.sha256()
    for found in brought:
        for key, download in sorted(found.files):
            digest.update(f"{key} {download.sha256}\n".encode())
    folders = [found.series.folder for found in brought]
    return SeriesMount({folder: ((str(here / folder),), "") for folder in folders}), digest.hexdigest()


def bring_series(
    resource: Resource,
    wanted: Iterable[Series],
    settings: Settings,
    *,
    on_error: Callable[[str, CovidDatasetsError], object] | None = None,
    limits: Limits | None = None,
) -> list[Brought]:
    """Fetch series, several files at once, in the order in which they are listed."""
    root, wanted, limits = resource.copies[0].url, tuple(wanted), limits or Limits()
    _check_room(root, wanted, settings, limits)
    total = sum(series.bytes for series in wanted)
    with progress("Downloading", total_bytes=total) as display:
        display.add(resource.name, total)

        def bring(series: Series, check: Check) -> Brought:
            found = _bring(root, series, settings, limits, check)
            display.advance(resource.name, sum(download.size for _, download in found.files))
            return found

        told = None if on_error is None else lambda series, error: on_error(series.folder, error)
        found = together(wanted, bring, workers=PARALLEL, on_error=told)
    return [one for one in found if one is not None]


def _bring(root: str, series: Series, settings: Settings, limits: Limits, check: Callable[[], object]) -> Brought:
    """Fetch one series: its list, which must be what the catalog says, then each file, which must be what is listed."""
    pages, objects = _listed(root, series, settings, limits, check)
    named = f"series {series.folder} ({series.series})"
    if what := series.difference([found.size for found in objects]):
        for _, page in pages:  # so that the next call asks the host anew
            _forget(page)
        kind = MissingUpstreamError if not objects else ChangedUpstreamError
        raise kind(
            f"{root}: {named}: {what}. Next: call again; if it stays so, get the series elsewhere and pass its folder "
            f"as data_dir="
        )
    files = []
    for found in objects:
        only = Resource(name=named, path=found.key, size=found.size)
        url = root + quote(found.key)
        files.append((url, fetch(url, only, settings, Display(named), limits=limits, check=check)))
    return Brought(series, tuple(pages), tuple(files))


def _listed(
    root: str, series: Series, settings: Settings, limits: Limits, check: Callable[[], object]
) -> tuple[list[tuple[str, Download]], list[Object]]:
    """List the files of a series, page by page; pages are kept, so that a later call needs no network."""
    pages: list[tuple[str, Download]] = []
    objects: list[Object] = []
    token = ""
    while len(pages) < MAX_PAGES:
        url = list_url(root, series.folder, token)
        only = Resource(name=f"list of {series.folder}", path="list")
        page = fetch(url, only, settings, Display("list"), limits=limits, check=check)
        try:
            found, token = parse_page(page.path.read_bytes(), url)
        except DamagedFileError:
            _forget(page)
            raise
        pages.append((url, page))
        objects += [item for item in found if item.key.lower().endswith(_SUFFIX)]
        if not token:
            break
    _check_keys(objects, series, root)
    return pages, sorted(objects, key=lambda found: found.key)


def list_url(root: str, folder: str, token: str = "") -> str:
    """Give the address of one page of the list of a folder.

    >>> list_url("https://bucket.example.org/", "0a1b")
    'https://bucket.example.org/?list-type=2&prefix=0a1b%2F'
    """
    query = {"list-type": "2", "prefix": f"{folder}/"} | ({"continuation-token": token} if token else {})
    return f"{root}?{urlencode(query)}"


def parse_page(data: bytes, url: str) -> tuple[list[Object], str]:
    """Read one page of a list; return its files, and the token of the next page, empty after the last one.

    >>> parse_page(b"<ListBucketResult><Contents><Key>a/b.dcm</Key><Size>3</Size></Contents></ListBucketResult>", "u")
    ([Object(key='a/b.dcm', size=3)], '')
    """
    from xml.etree.ElementTree import fromstring  # expat refuses to expand entities beyond bounds

    try:
        if b"<!DOCTYPE" in data:
            raise ValueError("it declares a document type, which no such list does")
        top = fromstring(data)  # noqa: S314
        if _local(top) != "ListBucketResult":
            raise ValueError(f"its top is {_local(top)!r}")
        found = [Object(_text(item, "Key"), int(_text(item, "Size"))) for item in top if _local(item) == "Contents"]
        more = _text(top, "IsTruncated", "false") == "true"
        token = _text(top, "NextContinuationToken") if more else ""
    except (ParseError, ValueError) as error:
        raise DamagedFileError(
            f"{url}: expected a whole list of a bucket (ListBucketResult), found {len(data):,} bytes that are none: "
            f"{error}. Next: call again"
        ) from error
    return found, token


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


def _check_room(root: str, wanted: Iterable[Series], settings: Settings, limits: Limits) -> None:
    """Refuse before the first byte what the disk cannot hold."""
    if settings.offline:
        return
    here, needed = _kept_in(root, settings), 0
    for series in wanted:
        folder = here / series.folder
        present = sum(path.stat().st_size for path in folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else 0
        needed += max(series.bytes - present, 0)
    check_space(settings.downloads, needed, limits.margin)


def _kept_in(root: str, settings: Settings) -> Path:
    """Give the folder of the cache that the files of a bucket come to."""
    url = f"{root}any"
    return settings.downloads / Path(place(mirrored(url, settings.mirror) if settings.mirror else url)).parent


def _in_place(
    here: Path, wanted: Iterable[Series], on_error: Callable[[str, CovidDatasetsError], object] | None
) -> tuple[SeriesMount, str]:
    """Use the files of a mirror where they lie."""
    digest = hashlib.sha256()
    folders: dict[str, tuple[tuple[str], str]] = {}
    for series in wanted:
        files = sorted(path for path in (here / series.folder).glob("*") if path.suffix.lower() == _SUFFIX)
        stats = [path.stat() for path in files]
        if what := series.difference([found.st_size for found in stats]):
            kind = MissingUpstreamError if not files else ChangedUpstreamError
            error = kind(
                f"{here / series.folder}: series {series.series}: {what}. Next: copy the folder to the mirror again, "
                f"or make the mirror anew with 'covid-datasets mirror ID DEST'"
            )
            if on_error is None:
                raise error
            on_error(series.folder, error)
            continue
        for path, found in zip(files, stats, strict=True):
            digest.update(f"{series.folder}/{path.name} {found.st_size} {found.st_mtime_ns}\n".encode())
        folders[series.folder] = ((str(here / series.folder),), "")
    return SeriesMount(folders), digest.hexdigest()


def _forget(page: Download) -> None:
    """Let go of a list that is wrong, unless it is a file of the user's mirror."""
    if not page.in_place:
        page.path.unlink(missing_ok=True)
        record_path(page.path).unlink(missing_ok=True)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str, default: str | None = None) -> str:
    """Return the text of a child, whatever its namespace."""
    for child in element:
        if _local(child) == name and child.text:
            return child.text
    if default is None:
        raise ValueError(f"{_local(element)} has no {name}")
    return default
