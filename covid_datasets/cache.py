"""What the cache folder holds, and how to take things out of it without hurting anybody who uses them."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from covid_datasets.catalog.cards import load_card, names, readable_cards, split_name
from covid_datasets.catalog.own import PREFIX
from covid_datasets.disk import read_json, remove_folder
from covid_datasets.errors import UsageError, not_one_of
from covid_datasets.fetch.places import place
from covid_datasets.holder import read_holder
from covid_datasets.lock import Lock
from covid_datasets.prepare.inputs import outdated
from covid_datasets.prepare.noted import FOLDER as NOTES
from covid_datasets.prepare.result import MANIFEST_FILE
from covid_datasets.settings import VIEW_FILE, VIEWS, Settings
from covid_datasets.splits.kept import heading_of

Kind = Literal["download", "build", "view", "split", "export", "unfinished"]
What = Literal["unfinished", "downloads", "prepared", "views", "all"]

KINDS: dict[What, tuple[Kind, ...]] = {
    "unfinished": ("unfinished",),
    "downloads": ("download",),
    "prepared": ("build", "view", "split", "export"),
    "views": ("view",),
    "all": ("download", "build", "view", "split", "export", "unfinished"),
}

GONE_AFTER = 3600.0
"""Seconds without a touch after which we call a holder gone; far more than a lock's own expiry, as clocks differ."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One thing in the cache: a download, a finished build, what was made of builds, or what is unfinished.

    Of builds are made views, which hold the images in one size, joint splits, and exports for TensorFlow Datasets; the
    next call that wants one makes it again. ``name`` is the source, with its version for a build, and several sources
    of a joint split, with commas; empty where no source of this catalog has such a file.
    """

    kind: Kind
    name: str
    path: Path
    bytes: int
    note: str = ""


def cache_contents(cache_dir: str | os.PathLike[str] | None = None, *, name: str | None = None) -> list[CacheEntry]:
    """List everything in the cache: downloads, finished builds, what was made of them, unfinished builds; by path.

    Args:
        cache_dir: The cache folder, as everywhere.
        name: Only this source; ``"cohen@2020-06-22"`` means only the builds of that version.

    Raises:
        UnknownDatasetError: Nothing in the cache is of that name, and no source is.
    """
    settings = Settings.resolve(cache_dir)
    prepared = settings.prepared
    finished = [*_builds(prepared), *_views(prepared), *_splits(settings.splits), *_exports(settings.tfds)]
    found = [*_downloads(settings.downloads), *finished, *_unfinished_builds(prepared)]
    if name is None:
        return found
    of_it = [entry for entry in found if _is_of(entry, name)]
    if not of_it:
        load_card(split_name(name)[0])  # a slip is told; a source of which nothing is there has nothing
    return of_it


def clean_cache(
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    what: What = "unfinished",
    dry_run: bool = False,
) -> int:
    """Remove things from the cache and return how many bytes that frees. What another process works on stays.

    What was recorded about a download stays too (a hash that nobody publishes), so that a later one is checked by it.

    Args:
        cache_dir: The cache folder, as everywhere.
        name: Only this source; ``"cohen@2020-06-22"`` means only the builds of that version.
        what: Unfinished downloads and builds, whole downloads, finished builds with all that was made of them, views
            alone, or all.
        dry_run: Remove nothing.
    """
    if what not in tuple(KINDS):
        raise UsageError(f"what: {not_one_of(what, KINDS)}")
    settings = Settings.resolve(cache_dir)
    chosen = [
        entry
        for entry in cache_contents(cache_dir, name=name)
        if entry.kind in KINDS[what] and not any(_holder(lock) for lock in _locks(entry, settings))
    ]
    if not dry_run:
        for entry in chosen:
            with Lock(_locks(entry, settings)[0], timeout=0):
                _remove(entry.path, settings)
            _prune(entry.path.parent, settings.cache)
        if "build" in KINDS[what]:
            shutil.rmtree(settings.prepared / NOTES, ignore_errors=True)  # made anew beside the next build
    return sum(entry.bytes for entry in chosen)


def _downloads(folder: Path) -> Iterator[CacheEntry]:
    owners = {
        f"/{place(copy.url)}": card.id
        for card in readable_cards()[0]
        for resource in card.all_resources()
        for copy in resource.copies
    }
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = path.with_name(path.name.removesuffix(".part"))
        # A mirror on the network puts its own host and folder before the place of the URL.
        owner = next((owners[end] for end in owners if f"/{target.relative_to(folder).as_posix()}".endswith(end)), "")
        if not owner and (path.name.startswith(".") or path.suffix in (".json", ".lock")):
            continue  # a record or a lock, not a download
        if path == target:
            yield CacheEntry("download", owner, path, path.stat().st_size)
        else:
            note = _note(_download_lock(path), "partial download; the next call resumes it")
            yield CacheEntry("unfinished", owner, path, path.stat().st_size, note)


def _builds(prepared: Path) -> Iterator[CacheEntry]:
    for manifest in sorted(prepared.glob(f"[!.]*/*/*/*/{MANIFEST_FILE}")):
        found = read_json(manifest)  # of any format, so not as a `Built`
        build, folder = found.get("build", {}), manifest.parent
        name, version, config = folder.relative_to(prepared).parts[:3]
        notes = [f"config {config}", "incomplete" if build.get("incomplete") else "", _outdated(found)]
        yield CacheEntry("build", f"{name}@{version}", folder, _size(folder), ", ".join(filter(None, notes)))


def _splits(folder: Path) -> Iterator[CacheEntry]:
    for path in sorted(folder.glob("[!.]*.arrow")):
        of = heading_of(path)
        note = f"scheme {of['scheme']}" if of else "damaged; it is made anew when it is asked for"
        yield CacheEntry("split", ", ".join(of.get("builds", ())), path, path.stat().st_size, note)


def _exports(folder: Path) -> Iterator[CacheEntry]:
    for manifest in sorted(folder.rglob(MANIFEST_FILE)):
        of = read_json(manifest).get("export", {})
        name = f"{of.get('name', '')}@{of.get('version', '')}"
        yield CacheEntry("export", name, manifest.parent, _size(manifest.parent), f"{of.get('format', '')} for tfds")


def _is_of(entry: CacheEntry, name: str) -> bool:
    return any(name in (of, of.partition("@")[0]) for of in entry.name.split(", "))


def _outdated(manifest: Mapping[str, Any]) -> str:
    reason = outdated(manifest.get("inputs", {}))
    return f"outdated: {reason}" if reason else ""


def _views(prepared: Path) -> Iterator[CacheEntry]:
    folders = [*prepared.glob(f"[!.]*/*/*/*{VIEWS}/*"), *prepared.glob(f"[!.]*/*/*/*{VIEWS}/*{VIEWS}/*")]
    for path in sorted(path for path in folders if path.is_dir() and not path.name.endswith(VIEWS)):
        name, version, config, folder = path.relative_to(prepared).parts[:4]
        whole = (path / VIEW_FILE).exists() or (path / MANIFEST_FILE).exists()
        kind: Kind = "view" if whole and not path.name.startswith(".") else "unfinished"
        notes = [
            f"config {config}" if kind == "view" else _note(_view_lock(path), "unfinished view; the next resumes it")
        ]
        if not (prepared / name / version / config / folder.removesuffix(VIEWS) / MANIFEST_FILE).exists():
            notes.append("its build is gone")
        if (path / MANIFEST_FILE).exists():
            notes.append(_outdated(read_json(path / MANIFEST_FILE)))
        yield CacheEntry(kind, f"{name}@{version}", path, _size(path), ", ".join(filter(None, notes)))


def _view_lock(path: Path) -> Path:
    return path.with_name(f"{path.name.removeprefix('.')}.lock")


def _unfinished_builds(prepared: Path) -> Iterator[CacheEntry]:
    for path in sorted(path for path in (prepared / ".work").glob("*") if path.is_dir()):
        source = path.name.partition("-")[0]  # an id has no "-"; "removed-…" is what a killed clean-up left
        note = _note(path.with_name(f"{path.name}.lock"), "unfinished build; the next one resumes it")
        known = source in names() or source.startswith(PREFIX)
        yield CacheEntry("unfinished", source if known else "", path, _size(path), note)


def _locks(entry: CacheEntry, settings: Settings) -> list[Path]:
    """List the locks of those who write or read an entry; the first is the one that its writer takes."""
    work = settings.prepared / ".work"
    if entry.kind == "build" or (entry.kind == "view" and (entry.path / MANIFEST_FILE).exists()):
        return [work / f"{'-'.join(entry.path.relative_to(settings.prepared).parts)}.lock"]
    if entry.path.parent.name.endswith(VIEWS):
        return [_view_lock(entry.path)]
    if entry.path.is_dir():
        return [entry.path.with_name(f"{entry.path.name}.lock")]
    readers = sorted(work.glob(f"{entry.name}-*.lock")) if entry.name else []
    return [_download_lock(entry.path), *readers]


def _download_lock(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".part") + ".lock")


def _note(lock: Path, text: str) -> str:
    holder = _holder(lock)
    return f"in use by {holder}" if holder else text


def _holder(lock: Path) -> str:
    """Say who holds a lock; nobody where its process is dead, or has not touched it for long."""
    holder = read_holder(lock)
    if holder is None or holder.is_dead() or time.time() - lock.stat().st_mtime > GONE_AFTER:
        return ""
    return str(holder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _remove(path: Path, settings: Settings) -> None:
    """Remove a file, or a folder: that first out of sight, so that nobody meets half of it."""
    if path.is_dir():
        remove_folder(path, settings.prepared / ".work" / f"removed-{uuid.uuid4().hex}")
        return
    path.unlink(missing_ok=True)
    if path.name.endswith(".part"):
        path.with_name(path.name + ".json").unlink(missing_ok=True)


def _prune(folder: Path, top: Path) -> None:
    """Remove folders that are empty by now, upwards."""
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
