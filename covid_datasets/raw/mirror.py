"""Make a mirror: a folder that answers for every URL of some sources, for machines without a network."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from covid_datasets.catalog.card import Card, Choice, Copy, Resource
from covid_datasets.catalog.listing import read_listing
from covid_datasets.errors import CacheError, ChangedUpstreamError, NoSpaceError, UsageError
from covid_datasets.fetch.download import Accept, Download, locate_all
from covid_datasets.fetch.partial import Limits, check_space, hash_file, make_folder
from covid_datasets.fetch.places import local_path, place, redacted
from covid_datasets.raw.bucket import bring_series
from covid_datasets.raw.reach import within_reach
from covid_datasets.settings import Settings

SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A file of a mirror: which resource it is of, where it lies, and whether it was there already."""

    dataset: str
    resource: str
    url: str
    path: Path
    size: int
    sha256: str
    action: Literal["stored", "kept"]


def write_mirror(
    choices: Sequence[Choice],
    destination: Path | str,
    settings: Settings,
    *,
    accept: Callable[[Choice], Accept | Mapping[str, Accept] | None] | None = None,
    limits: Limits | None = None,
) -> list[Mirrored]:
    """Put every resource that has an address into ``destination`` as ``<host>/<path>``, verified, with a SHA256SUMS.

    Each resource is stored under the URL of the copy that it came from; whoever uses the mirror tries the copies in
    the same order and so arrives there. What is in the mirror and right is not fetched again.

    Args:
        choices: The sources, each in a version; the files of all its configs are copied.
        destination: A local folder.
        settings: Where to get the files from.
        accept: Gives the check of a source's copies, as ``locate_all`` takes it.
        limits: Patience of the network.
    """
    folder = _local_folder(destination)
    make_folder(folder)
    sums = read_sums(folder)
    results: list[Mirrored] = []
    for choice in choices:
        reached = within_reach(choice.card, choice.every_resource, settings)
        fetchable = [resource for resource in reached if resource.copies]
        single = [resource for resource in fetchable if resource.archive != "bucket"]
        present = {r.name: found for r in single if (found := _present(choice.card, r, folder, sums))}
        lacking = [resource for resource in single if resource.name not in present]
        chosen = accept(choice) if accept else None
        located = locate_all(lacking, settings, accept=chosen, limits=limits, title=f"Mirroring {choice.card.id}")
        for resource in fetchable:
            if resource.archive == "bucket":
                stored = _store_bucket(choice.card, resource, settings, folder, sums, limits)
            else:
                stored = [present.get(resource.name) or _store(choice.card, resource, *located[resource.name], folder)]
            sums |= {found.path.relative_to(folder).as_posix(): found.sha256 for found in stored}
            results += stored
        _write_sums(folder, sums)
    return results


def read_sums(folder: Path) -> dict[str, str]:
    """Read the SHA256SUMS of a mirror: name -> hash; files that are gone are left out."""
    path = folder / SUMS
    if not path.exists():
        return {}
    pairs = [line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines() if line]
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError(f"{path}: expected lines of '<sha256>  <name>', found others. Next: delete it and run again")
    return {name: digest for digest, name in pairs if (folder / name).is_file()}


def _local_folder(destination: Path | str) -> Path:
    path = local_path(str(destination))
    if path is None:
        raise UsageError(
            f"{redacted(str(destination))}: expected a local folder to make a mirror in, found a URL. Next: make it in "
            f"a folder, then copy that with the tool of the store (aws s3 sync, gsutil rsync, rclone)"
        )
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: expected a folder, found a file. Next: name another folder")
    return path


def _present(card: Card, resource: Resource, folder: Path, sums: dict[str, str]) -> Mirrored | None:
    """Find a copy that an earlier run stored, if its bytes are still what they were and what is published."""
    for copy in resource.copies:
        path = folder / place(copy.url)
        known = sums.get(place(copy.url), "")
        if not path.is_file() or not (known or resource.sha256 or resource.md5):
            continue
        found = hash_file(path, md5=bool(resource.md5))
        same = known in ("", found.sha256) and resource.sha256 in ("", found.sha256) and resource.md5 in ("", found.md5)
        if same and resource.size in (None, found.size):
            return Mirrored(card.id, resource.name, redacted(copy.url), path, found.size, found.sha256, "kept")
    return None


def _store_bucket(
    card: Card, resource: Resource, settings: Settings, folder: Path, sums: dict[str, str], limits: Limits | None
) -> list[Mirrored]:
    """Store every series of a bucket with its list, so that the mirror works as a folder and behind any web server."""
    stored = []
    for brought in bring_series(resource, read_listing(resource.listing).values(), settings, limits=limits):
        for url, download in (*brought.pages, *brought.files):
            only = Resource(name=resource.name, copies=(Copy(url=url),), path=place(url), sha256=download.sha256)
            stored.append(_present(card, only, folder, sums) or _store(card, only, download, only.copies[0], folder))
    return stored


def _store(card: Card, resource: Resource, download: Download, copy: Copy, folder: Path) -> Mirrored:
    """Copy a file beside its place, check it there, and only then give it its name."""
    target = folder / place(copy.url)
    make_folder(target.parent)
    check_space(target.parent, download.size, 0)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        shutil.copyfile(download.path, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        found = hash_file(temporary)
        if found.size != download.size or download.sha256 not in ("", found.sha256):
            raise ChangedUpstreamError(
                f"{download.path}: expected {download.size:,} bytes with sha256 {download.sha256}, found "
                f"{found.size:,} with {found.sha256} while copying. Next: delete that file and run again"
            )
        os.replace(temporary, target)
    except OSError as error:
        kind = NoSpaceError if "space" in str(error).lower() else CacheError
        raise kind(f"{target}: cannot be written: {error.strerror or error}. Next: choose another folder") from error
    finally:
        temporary.unlink(missing_ok=True)
    return Mirrored(card.id, resource.name, redacted(copy.url), target, found.size, found.sha256, "stored")


def _write_sums(folder: Path, sums: dict[str, str]) -> None:
    temporary = folder / f".{SUMS}.{uuid.uuid4().hex[:8]}"
    temporary.write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")
    os.replace(temporary, folder / SUMS)
