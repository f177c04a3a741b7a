"""A folder in an object store, by the URL that fsspec opens: ``s3://bucket/folder``, ``gs://…``, ``memory://…``.

An object is put whole or not at all, nothing is ever renamed, and what is listed may be gone a moment later. So what
is written here has a name that nobody else uses, and becomes visible by one small object that names it: `Store.claim`.

What a process looks for in a folder of its own may be in a store: `stands_for` says so, and `store_of` answers.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from covid_datasets.errors import CovidDatasetsError, StoreError, UsageError, words_of

T = TypeVar("T")
R = TypeVar("R")

TOGETHER = 16
"""Objects that are put, copied or fetched at once: most of the time is spent on waiting for answers."""
_NOT_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_CHUNK = 8 << 20

_answers: dict[str, tuple[str, str]] = {}
"""Folder -> the URL that answers for it, and a token that changes when its objects may have changed."""


def is_url(place: object) -> bool:
    """Tell the URL of a store from a path.

    >>> is_url("s3://bucket/cache"), is_url("/data/cache")
    (True, False)
    """
    return isinstance(place, str) and "://" in place and not place.startswith(("file://", "local://"))


@dataclass(frozen=True, slots=True)
class Store:
    """A folder in an object store; small enough to send to any worker, which brings its own credentials.

    >>> store = Store.of("memory://doctest/cache/")
    >>> _ = [(store / "a").put_new("mark.json", data) for data in (b"first", b"another")]
    >>> store.sizes(), str(store / "a")
    ({'a/mark.json': 5}, 'memory://doctest/cache/a')
    """

    url: str

    @classmethod
    def of(cls, url: str) -> Store:
        """Take the URL of a folder; one whose protocol nothing here speaks is a `UsageError`."""
        store = cls(url.rstrip("/"))
        store._system()
        return store

    def __truediv__(self, name: str) -> Store:
        """Name what is below."""
        return Store(f"{self.url}/{name}")

    def __str__(self) -> str:
        """Give the URL."""
        return self.url

    @property
    def parent(self) -> Store:
        """The folder that this one is in."""
        return Store(self.url.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def read(self, name: str = "", start: int | None = None, stop: int | None = None) -> bytes:
        """Return the bytes of an object, or a range of them.

        Raises:
            FileNotFoundError: There is no such object.
        """
        with self._asking(name) as (system, path):
            found: bytes = system.cat_file(path, start=start, end=stop)
            return found

    def info(self, name: str = "") -> tuple[int, str] | None:
        """Return the size of an object and what changes with its content; ``None`` where there is none."""
        try:
            with self._asking(name) as (system, path):
                return _state(system.info(path))
        except FileNotFoundError:
            return None

    def size(self, name: str = "") -> int | None:
        """Return the size of an object; ``None`` where there is none."""
        found = self.info(name)
        return None if found is None else found[0]

    def when(self, name: str) -> int:
        """Return the time of an object, in nanoseconds, by the clock of the store; 0 where it does not say."""
        try:
            with self._asking(name) as (system, path):
                return int(system.modified(path).timestamp() * 1e9)
        except (FileNotFoundError, NotImplementedError):
            return 0

    def states(self) -> dict[str, tuple[int, str]]:
        """List every object below, by its name from here on, with its size and what changes with its content."""
        with self._asking("") as (system, path):
            start = len(path.rstrip("/")) + 1
            try:
                listed = system.find(path, detail=True)
            except FileNotFoundError:  # other stores list nothing as an empty folder
                listed = {}
            found = {name[start:]: _state(info) for name, info in listed.items()}
        return {name: state for name, state in sorted(found.items()) if name and state is not None}

    def sizes(self) -> dict[str, int]:
        """List every object below, by its name from here on, with its size."""
        return {name: size for name, (size, _) in self.states().items()}

    def folders(self) -> list[str]:
        """List the names of what is right below, and no deeper."""
        try:
            with self._asking("") as (system, path):
                listed = {name.strip("/") for name in system.ls(path, detail=False)}
                return sorted(name.rpartition("/")[2] for name in listed - {path.strip("/")})  # an object lists itself
        except FileNotFoundError:
            return []

    def try_out(self) -> None:
        """Put a small object and remove it: who may not is told before hours of work."""
        name = f".try-{uuid.uuid4().hex[:12]}"
        self.put(name, b"may be removed")
        self.remove([name])

    def put(self, name: str, data: bytes) -> None:
        """Put an object; a reader sees the old one or the new one."""
        with self._asking(name, writing=True) as (system, path):
            system.pipe_file(path, data)

    def put_file(self, file: Path, name: str) -> None:
        """Put a file as one object. Its bytes are summed on both sides of the way, and counted here once more."""
        wanted = file.stat().st_size
        with self._asking(name, writing=True) as (system, path):
            system.put_file(str(file), path)
        if (found := self.size(name)) != wanted:
            raise StoreError(f"{self / name}: expected {wanted:,} bytes after they were put there, found {found}")

    def get_file(self, name: str, file: Path) -> None:
        """Write an object to a file."""
        with self._asking(name) as (system, path):
            system.get_file(path, str(file))

    def copy(self, source: Store, name: str) -> None:
        """Copy an object of the same store; its bytes do not pass through this machine."""
        with self._asking(name) as (system, path):
            system.cp_file(system._strip_protocol(source.url), path)

    def digest(self, name: str) -> str:
        """Return the SHA-256 of an object, of which a few megabytes are held at a time."""
        digest, at = hashlib.sha256(), 0
        while part := self.read(name, at, at + _CHUNK):
            digest.update(part)
            at += len(part)
            if len(part) < _CHUNK:
                break
        return digest.hexdigest()

    def put_new(self, name: str, data: bytes) -> bool:
        """Put an object where there is none (``If-None-Match: *``); return whether the store takes such a condition.

        What is there then has to be read back: another may have been first, the answer to our own may be lost, and a
        store may take the condition without heeding it.
        """
        if self.info(name) is not None:
            return True
        with self._asking(name, writing=True) as (system, path):
            try:
                system.pipe_file(path, data, mode="create")
            except FileExistsError:
                pass  # another was first, or the answer to our own was lost
            except (NotImplementedError, ValueError, TypeError, OSError):  # it knows no conditions, or is away
                system.pipe_file(path, data)
                return False
        return True

    def remove(self, names: Iterable[str] | None = None) -> None:
        """Remove objects, or all that is below; what is gone already is no matter."""
        together(self._remove_one, list(self.sizes() if names is None else names))

    def _remove_one(self, name: str) -> None:
        try:
            with self._asking(name) as (system, path):
                system.rm_file(path)
        except FileNotFoundError:
            pass

    def _system(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            # What others put in the meantime would not be in a listing that is remembered.
            system, path = url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{self.url}: expected a folder, or a URL that fsspec knows: {words_of(error)}. "
                "Some need an extra: pip install 'covid_datasets[s3]' or 'covid_datasets[gs]'"
            ) from error
        return system, path

    @contextmanager
    def _asking(self, name: str, *, writing: bool = False) -> Iterator[tuple[Any, str]]:
        """Give the file system and a path in it; say where it was that a store did not answer."""
        place = self / name if name else self
        try:
            yield place._system()
        except (CovidDatasetsError, NotImplementedError):
            raise
        except _NOT_THERE as error:
            if not writing:
                raise FileNotFoundError(f"{place}: there is no such object") from error
            raise StoreError(f"{place}: there is no such bucket. Next: check the address, or make it first") from error
        except Exception as error:  # each protocol's library has errors of its own: no keys, no connection, no answer
            raise StoreError(
                f"{place}: the store did not do it: {words_of(error)}. Next: check the address (AWS_ENDPOINT_URL), the "
                "keys and the bucket, then run the same command again: what is finished is kept"
            ) from error


def _state(info: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return size and validator of what fsspec tells of a file; ``None`` of a folder."""
    if info["type"] != "file":
        return None
    tag = next((info[key] for key in ("ETag", "etag", "mtime", "LastModified", "created") if info.get(key)), "")
    return int(info["size"]), str(tag)


def together(function: Callable[[T], R], items: list[T]) -> list[R]:
    """Do something to many objects at once."""
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(TOGETHER, len(items)), "store") as pool:
        return list(pool.map(function, items))


def scratch_name(url: str) -> str:
    """Name the folder of this machine that belongs to a URL.

    >>> scratch_name("s3://bucket/cache")
    's3-bucket-cache-79f01546'
    """
    return f"{re.sub(r'[^A-Za-z0-9._]+', '-', url)[:80]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def stands_for(folder: str, url: str, token: str) -> None:
    """Say that what is not in a folder of this machine may be in a store; another token, that it may have changed."""
    _answers[folder] = (url, token)


def store_of(path: str | os.PathLike[str]) -> tuple[Store, str] | None:
    """Return what stands for a path in a store, and the token of its folder; ``None`` where no store does.

    >>> stands_for("/scratch/a", "s3://bucket/a", "1")
    >>> store_of("/scratch/a/b/c.zip")
    (Store(url='s3://bucket/a/b/c.zip'), '1')
    >>> store_of("/scratch/ab") is None
    True
    """
    text = os.fspath(path)
    for folder, (url, token) in _answers.items():
        if text == folder or text.startswith(f"{folder}{os.sep}"):
            inside = text[len(folder) :].replace(os.sep, "/")
            return Store(url + inside), token
    return None
