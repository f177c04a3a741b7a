"""Where an export goes: a folder of this machine, or a URL of fsspec. Whole there, or not there.

The last thing that gets there is `MANIFEST_FILE`. A folder gets its name with everything in it; at a URL, where files
come one by one, what has no manifest is not finished.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from covid_datasets import disk
from covid_datasets.errors import DownloadError, UsageError, words_of
from covid_datasets.lock import Lock
from covid_datasets.settings import Settings, given_path

MANIFEST_FILE = "manifest.json"
"""Lists every file of an export, with its size and SHA-256, and says what was exported."""
BEGUN_FILE = "unfinished.json"
"""Is at a URL while files are carried there: what a killed export left, the next one of the same data replaces."""


class Place(Protocol):
    """Where an export goes."""

    @property
    def remote(self) -> bool:
        """Whether others may read what is there."""
        ...

    def held(self) -> dict[str, Any] | None:
        """Return the manifest of the export that is there, ``None`` where the place is free.

        Raises:
            UsageError: It holds something else.
        """
        ...

    def workspace(self, needed: int) -> AbstractContextManager[Path]:
        """Give a private, empty folder of this machine with room for ``needed`` bytes; nobody else has it."""
        ...

    def publish(self, private: Path, manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
        """Make what is in the private folder visible, in the place of an older export where there is one."""
        ...


def place_of(url: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None) -> Place:
    """Tell a folder from a URL.

    >>> place_of("/data/out").remote, place_of("memory://out").remote
    (False, True)
    """
    text = os.fspath(url) if isinstance(url, str | os.PathLike) else url
    if not isinstance(text, str) or not text:
        raise UsageError(f"url: expected a folder or a URL to export to, found {url!r}")
    protocol, found, rest = text.partition("://")
    if found and protocol not in ("file", "local"):
        from covid_datasets.exports.hub import HubPlace

        work = Settings.resolve(cache_dir).prepared / ".work"
        return HubPlace.of(text.rstrip("/"), work) or RemotePlace(text.rstrip("/"), work)
    return LocalPlace(given_path(rest if found else text, "url").resolve())


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A folder of this machine."""

    folder: Path
    remote: bool = False

    def held(self) -> dict[str, Any] | None:
        """Return the manifest of the export that is there; an empty folder is free."""
        if not self.folder.exists():
            return None
        if not self.folder.is_dir():
            raise taken(str(self.folder), "a file")
        if manifest := disk.read_json(self.folder / MANIFEST_FILE):
            return ours(str(self.folder), manifest)
        if names := sorted(path.name for path in self.folder.iterdir()):
            raise taken(str(self.folder), some(names))
        return None

    @contextmanager
    def workspace(self, needed: int) -> Iterator[Path]:
        """Give a hidden folder beside the place; what a killed export left in it is removed first."""
        disk.make_folder(self.folder.parent)
        with _workspace(self.folder.with_name(f".{self.folder.name}.export"), needed) as private:
            yield private

    def publish(self, private: Path, manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
        """Rename the private folder; an older export is there until the moment between two renames."""
        (private / MANIFEST_FILE).write_bytes(manifest_text(manifest))
        disk.sync(private / MANIFEST_FILE)
        publish = disk.publish_folder if old is None else disk.replace_folder
        if not publish(private, self.folder):
            raise taken(str(self.folder), "what came there in the meantime")


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A URL of fsspec, such as ``s3://bucket/folder``; files are made in ``work`` first, and carried there whole."""

    url: str
    work: Path
    remote: bool = True

    def held(self) -> dict[str, Any] | None:
        """Return the manifest of the export that is there; what an unfinished one left is free to replace."""
        fs, root = self._open()
        with self._told():
            names = sorted(name.rpartition("/")[2] for name in (fs.find(root) if fs.exists(root) else []))
            if MANIFEST_FILE in names and fs.exists(f"{root}/{MANIFEST_FILE}"):
                return ours(self.url, json.loads(fs.cat_file(f"{root}/{MANIFEST_FILE}")))
            if names and BEGUN_FILE not in names:
                raise taken(self.url, some(names))
        return None

    def workspace(self, needed: int) -> AbstractContextManager[Path]:
        """Give a folder of the cache."""
        return working_in(self.work, self.url, needed)

    def publish(self, private: Path, manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
        """Carry the files, the manifest last. An older one is taken away first, so that nobody takes half for whole."""
        fs, root = self._open()
        with self._told():
            fs.makedirs(root, exist_ok=True)
            fs.pipe_file(f"{root}/{BEGUN_FILE}", manifest_text({**manifest, "files": {}}))
            if old is not None:
                fs.rm_file(f"{root}/{MANIFEST_FILE}")
            for name, file in manifest["files"].items():
                target = f"{root}/{name}"
                fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                fs.put_file(str(private / name), target)
                if (size := fs.info(target)["size"]) != file["size"]:
                    raise DownloadError(
                        f"{self.url}/{name}: expected {file['size']:,} bytes after they were carried there, found "
                        f"{size:,}. Next: export again; what is there counts as unfinished"
                    )
            for name in set(old["files"] if old else ()) - set(manifest["files"]):
                if fs.exists(f"{root}/{name}"):
                    fs.rm_file(f"{root}/{name}")
            fs.pipe_file(f"{root}/{MANIFEST_FILE}", manifest_text(manifest))
            fs.rm_file(f"{root}/{BEGUN_FILE}")

    def _open(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            fs, root = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{self.url}: expected a folder, or a URL that fsspec knows: {words_of(error)}. "
                "Some need an extra: pip install 'covid_datasets[s3]' or 'covid_datasets[gs]'"
            ) from error
        return fs, root.rstrip("/")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DownloadError(
                f"{self.url}: cannot be written: {words_of(error)}. Next: check the address and your keys, then export "
                "again; what is there counts as unfinished until its manifest is"
            ) from error


def manifest_text(manifest: Mapping[str, Any]) -> bytes:
    """Write a manifest the same way everywhere, so that two of the same content are the same bytes."""
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()


def working_in(work: Path, url: str, needed: int) -> AbstractContextManager[Path]:
    """Give a private folder of the cache for what goes to a URL."""
    return _workspace(work / f"export-{hashlib.sha256(url.encode()).hexdigest()[:16]}", needed)


@contextmanager
def _workspace(private: Path, needed: int) -> Iterator[Path]:
    disk.make_folder(private.parent)
    with Lock(private.with_name(f"{private.name}.lock")):
        if private.exists():
            shutil.rmtree(private)
        disk.check_space(private.parent, needed)
        disk.make_folder(private)
        try:
            yield private
        except OSError as error:
            if disk.is_full(error):
                raise disk.refused(private, error, "Nothing half done is left.") from error
            raise
        finally:
            shutil.rmtree(private, ignore_errors=True)


def ours(place: str, manifest: Any) -> dict[str, Any]:
    """Return a manifest that an export wrote, and refuse any other."""
    if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) and "export" in manifest:
        return manifest
    raise taken(place, f"a {MANIFEST_FILE} that no export wrote")


def taken(place: str, found: str) -> UsageError:
    """Make the error for a place that holds something else."""
    return UsageError(
        f"{place}: expected a place that is free, found {found}. Next: name another one, or empty it first"
    )


def some(names: list[str]) -> str:
    """Name the first of some files."""
    shown = ", ".join(names[:3])
    return f"{len(names):,} files there ({shown}{', …' if len(names) > 3 else ''})"
