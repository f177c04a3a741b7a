"""One URL to a verified file on disk: from the cache, the mirror or the network, with a record of its first hash."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from covid_datasets.catalog.card import Resource
from covid_datasets.errors import ChangedUpstreamError, MissingUpstreamError, OfflineError
from covid_datasets.fetch.http import download_http
from covid_datasets.fetch.partial import Fetched, Limits, discard, hash_file, make_folder, read_json, write_json
from covid_datasets.fetch.places import local_path, mirrored, place, redacted
from covid_datasets.fetch.remote import download_remote
from covid_datasets.lock import Lock
from covid_datasets.progress import Display
from covid_datasets.settings import Settings

Verified = Literal["published hash", "recorded on first download", "matches first download", "content manifest"]


@dataclass(frozen=True, slots=True)
class Download:
    """A raw file on disk, and how sure it is that these are the right bytes.

    Attributes:
        url: Where the bytes came from, without secrets.
        path: Where they are.
        size: Their number.
        sha256: Their hash; empty for a mirror's file that only its content manifest vouches for.
        verified: What the hash was compared with; "content manifest" says that the files inside are checked instead.
        etag: The validator that the host gave with them, if any.
        when: Time of the download, ISO 8601 in UTC.
        in_place: Whether the path is a file of the user's mirror, which nothing may move or change.
    """

    url: str
    path: Path
    size: int
    sha256: str
    verified: Verified
    etag: str = ""
    when: str = ""
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What ``<file>.json`` in the cache remembers of a download, also when the file itself is deleted."""

    url: str
    size: int
    sha256: str
    verified: Verified
    md5: str = ""
    etag: str = ""
    when: str = ""


def record_path(file: Path) -> Path:
    """Give the place of the record of a cached file."""
    return file.with_name(file.name + ".json")


def read_record(file: Path) -> Record | None:
    """Read what was recorded when a file was downloaded first; ``None`` where nothing was."""
    try:
        return Record(**read_json(record_path(file)))
    except TypeError:  # not one of ours, or of another release: the file is then verified or fetched anew
        return None


def fetch(
    url: str,
    resource: Resource,
    settings: Settings,
    display: Display | None = None,
    *,
    limits: Limits | None = None,
    check: Callable[[], object] | None = None,
) -> Download:
    """Get one URL of a resource, from the cache, the mirror or the network, and verify it.

    Args:
        url: One of the resource's copies.
        resource: What is published about it: size, hashes, content manifest.
        settings: Cache, mirror, offline.
        display: Told about bytes; nothing is shown where the cache has the file.
        limits: Patience of the network.
        check: Called with every chunk; raises to cancel.
    """
    display = display or Display(resource.name)
    address = mirrored(url, settings.mirror) if settings.mirror else url
    local = local_path(address)
    if local is not None:
        return _in_place(local, url, resource)
    target = settings.downloads / place(address)
    if found := _cached(target, address, resource):
        return found
    if settings.offline:
        raise OfflineError(
            f"{redacted(address)}: expected it in the cache ({target}), found nothing usable there, and "
            f"COVID_DATASETS_OFFLINE forbids the network. Next: on a connected machine run 'covid-datasets mirror ID "
            f"DEST', carry DEST here and set COVID_DATASETS_MIRROR=DEST"
        )
    make_folder(target.parent)
    with Lock(target.with_name(target.name + ".lock"), on_wait=display.note, cancel=check):
        # Another process may have brought it while we waited.
        return _cached(target, address, resource) or _transfer(
            address, target, resource, settings, display, limits, check
        )


def _transfer(
    address: str,
    target: Path,
    resource: Resource,
    settings: Settings,
    display: Display,
    limits: Limits | None,
    check: Callable[[], object] | None,
) -> Download:
    part = target.with_name(target.name + ".part")
    task = target.name

    def on_bytes(count: int) -> None:
        if check:
            check()
        display.advance(task, count)

    bring = download_http if address.startswith(("http://", "https://")) else download_remote
    record = read_record(target)
    while True:
        display.add(task, resource.size)
        fetched = bring(
            address,
            part,
            settings=settings,
            limits=limits,
            size=resource.size,
            md5=bool(resource.md5),
            on_bytes=on_bytes,
            on_total=lambda total: display.add(task, total),
        )
        problem = _difference(fetched, resource, record)
        if not problem:
            break
        if fetched.resumed:  # the bytes from an earlier process may be to blame (a crash, a validator that lies)
            display.advance(task, -fetched.size)
            discard(part)
            continue
        rejected = target.with_name(target.name + ".rejected")
        os.replace(part, rejected)
        discard(part)
        raise ChangedUpstreamError(_changed_text(address, problem, resource, target, rejected))
    return _keep(fetched, address, target, part, resource, record)


def _keep(
    fetched: Fetched, address: str, target: Path, part: Path, resource: Resource, record: Record | None
) -> Download:
    """Give verified bytes their name; the record comes first, so that a kill in between leaves no unknown file."""
    verified: Verified = "recorded on first download"
    if resource.sha256 or resource.md5:
        verified = "published hash"
    elif record:
        verified = "matches first download"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    new = Record(redacted(address), fetched.size, fetched.sha256, verified, fetched.md5, fetched.validator, when)
    target.unlink(missing_ok=True)
    write_json(record_path(target), asdict(new))
    os.replace(part, target)
    discard(part)
    return _of_record(new, target)


def _of_record(record: Record, path: Path) -> Download:
    return Download(record.url, path, record.size, record.sha256, record.verified, record.etag, record.when)


def _cached(target: Path, address: str, resource: Resource) -> Download | None:
    """Give the file in the cache if it is known to be right; reads its bytes only where no record vouches for them."""
    try:
        size = target.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    if resource.size is not None and size != resource.size:
        return None
    record = read_record(target)
    if record and record.size == size:
        as_fetched = Fetched(size, record.sha256, record.md5, record.etag, resumed=False)
        published = resource.sha256 or (resource.md5 and record.md5)
        if published and not _difference(as_fetched, resource, None):
            return replace(_of_record(record, target), verified="published hash")
        if not (resource.sha256 or resource.md5):
            return _of_record(record, target)
    if resource.sha256 or resource.md5:
        found = hash_file(target, md5=bool(resource.md5))
        if not _difference(found, resource, None):
            return Download(redacted(address), target, found.size, found.sha256, "published hash")
    return None


def _in_place(path: Path, url: str, resource: Resource) -> Download:
    """Use a file of a local mirror where it lies; it is hashed only where somebody needs the hash."""
    address = path.as_uri()
    if not path.is_file():
        raise MissingUpstreamError(
            f"{redacted(url)}: expected it at {path}, found nothing there. Next: put the file there; "
            f"'covid-datasets mirror ID DEST' makes a mirror whole, without COVID_DATASETS_MIRROR the network is asked"
        )
    size, published = path.stat().st_size, resource.sha256 or resource.md5
    fetched = Fetched(size, "", "", "", resumed=False)
    if (published and resource.size in (None, size)) or not resource.manifest:
        fetched = hash_file(path, md5=bool(resource.md5))
    if problem := _difference(fetched, resource, None):
        raise ChangedUpstreamError(
            f"{path}: {problem}; it stands for {redacted(url)}. Next: copy that file to the mirror again, or make the "
            f"mirror anew with 'covid-datasets mirror ID DEST'"
        )
    verified: Verified = "published hash" if published else "recorded on first download"
    if not fetched.sha256:
        verified = "content manifest"
    return Download(address, path, size, fetched.sha256, verified, in_place=True)


def _difference(fetched: Fetched, resource: Resource, record: Record | None) -> str:
    """Say how bytes differ from what is published, else from what was recorded; empty where they do not."""
    if resource.size is not None and fetched.size != resource.size:
        return f"expected {resource.size:,} bytes (published in the catalog), found {fetched.size:,}"
    if resource.sha256 and fetched.sha256 != resource.sha256:
        return f"expected sha256 {resource.sha256} (published in the catalog), found {fetched.sha256}"
    if resource.md5 and fetched.md5 != resource.md5:
        return f"expected md5 {resource.md5} (published in the catalog), found {fetched.md5}"
    if not (resource.sha256 or resource.md5) and record and fetched.sha256 != record.sha256:
        return f"expected sha256 {record.sha256} (recorded on {record.when}), found {fetched.sha256}"
    return ""


def _changed_text(address: str, problem: str, resource: Resource, target: Path, rejected: Path) -> str:
    if resource.sha256 or resource.md5 or resource.size is not None:
        step = "update covid-datasets, whose newer catalog may know the new content, or report the change"
    else:
        step = f"look at both; if the new content is right, delete {record_path(target)} and call again"
    return f"{redacted(address)}: changed upstream: {problem}. The new bytes are kept in {rejected}. Next: {step}"
