"""Where things live and what the network may do: arguments first, then environment, then defaults."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path

from covid_datasets.errors import NotThereError, UnreadableError, UsageError, not_one_of
from covid_datasets.store import Store, is_url, scratch_name, stands_for

STARTED = time.time()
"""When this process began to read what is installed: a file that is changed later may be another than was read."""
SHOWN = 80
"""Characters of an impossible path that a message repeats."""
VIEWS, VIEW_FILE = ".views", "view.json"
"""What stands behind the name of a build in that of the folder of its views; and the file that says what a view is."""
DOWNLOADS, PREPARED = "downloads", "prepared"
"""Rooms of a cache, of a folder or of a store."""
VARIABLES = tuple(f"COVID_DATASETS_{name}" for name in ("BUILDERS", "CACHE", "MIRROR", "OFFLINE", "PROGRESS"))
"""The environment variables that are read; those of the tests of this library have names of their own."""
_TESTS = ("COVID_DATASETS_TEST_", "COVID_DATASETS_OUTSIDE")
_FALSE = {"", "0", "false", "no", "off"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Cache folder, mirror and offline switch, resolved once per call.

    Where the cache is a ``store``, ``cache`` is a folder of this machine that belongs to it: downloads are verified
    there before they are put into the store, and builds that are loaded are kept there.

    >>> Settings.resolve(cache_dir="/data/cache").downloads.as_posix()
    '/data/cache/downloads'
    """

    cache: Path
    mirror: str | None = None
    offline: bool = False
    store: Store | None = None

    @classmethod
    def resolve(
        cls,
        cache_dir: str | os.PathLike[str] | None = None,
        mirror: str | None = None,
        offline: bool | None = None,
    ) -> Settings:
        """Take each setting from its argument, else its environment variable, else its default."""
        _warn_of_slips()
        cache = cache_of(cache_dir)
        refuse_stores(offline, cache_dir=cache)
        store = Store.of(os.fspath(cache)) if is_url(cache) else None
        return cls(
            cache=scratch_of(store.url) if store else given_path(cache, "cache_dir"),
            mirror=_given_mirror(mirror or os.environ.get("COVID_DATASETS_MIRROR")),
            offline=_is_offline(offline),
            store=store,
        )

    @property
    def given(self) -> str:
        """What was given for the cache: a folder, or the URL of a store."""
        return self.store.url if self.store else str(self.cache)

    @property
    def downloads(self) -> Path:
        """Raw files as their hosts served them."""
        return self.cache / DOWNLOADS

    @property
    def prepared(self) -> Path:
        """Finished builds, and the work folders of unfinished ones."""
        return self.cache / PREPARED

    @property
    def splits(self) -> Path:
        """Joint splits and folds that took long to find."""
        return self.cache / "splits"

    @property
    def tfds(self) -> Path:
        """What was exported for TensorFlow Datasets."""
        return self.cache / "tfds"


def _warn_of_slips() -> None:
    """Name environment variables that look like ours and change nothing; one may forbid the network."""
    for name in sorted(set(os.environ) - set(VARIABLES)):
        if name.upper().startswith(("COVID_DATASET", "COVIDDATASET")) and not name.startswith(_TESTS):
            warnings.warn(f"an environment variable that changes nothing: {not_one_of(name, VARIABLES)}", stacklevel=4)


def cache_of(cache_dir: str | os.PathLike[str] | None) -> str | os.PathLike[str]:
    """Return what is given for the cache: by the argument, else by the environment, else by the platform.

    >>> cache_of("s3://bucket/cache")
    's3://bucket/cache'
    """
    return cache_dir or os.environ.get("COVID_DATASETS_CACHE") or _platform_cache()


def refuse_stores(offline: bool | None = None, **places: object) -> None:
    """Refuse the URL of a store where the network is forbidden, by the argument or by the environment.

    >>> refuse_stores(True, cache_dir="/data/cache")
    """
    for key, place in places.items():
        if is_url(place) and _is_offline(offline):
            raise UsageError(
                f"{key} {place}: expected a folder while COVID_DATASETS_OFFLINE forbids the network, found a URL"
            )


def _is_offline(offline: bool | None) -> bool:
    if offline is None:
        return os.environ.get("COVID_DATASETS_OFFLINE", "").strip().lower() not in _FALSE
    return offline


def given_path(value: object, key: str) -> Path:
    """Take a path as somebody gave it; one that no file can have is a `UsageError`.

    >>> given_path("/data/mosmed", "data_dir").as_posix()
    '/data/mosmed'
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(text, str) or not text:
        raise UsageError(f"{key}: expected the path of a folder as text, found {value!r}")
    try:
        path = Path(text).expanduser().absolute()
        os.fspath(path).encode()
        os.stat(path)
    except FileNotFoundError:
        pass
    except (ValueError, RuntimeError) as error:  # a NUL, bytes that are no text, nobody's home
        raise UsageError(f"{key}: expected a path, found {text!r}: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise UsageError(f"{key}: expected a path, found {text[:SHOWN]!r}…: {error.strerror}") from error
    return path


def scratch_of(url: str) -> Path:
    """Give the folder of this machine that belongs to a URL, in the user's own cache."""
    return given_path(_platform_cache(), "cache") / "stores" / scratch_name(url)


def _given_mirror(value: str | None) -> str | None:
    """Take a mirror, a folder or a URL; nothing where none was given."""
    if value and not (isinstance(value, str) and "://" in value):
        given_path(value, "mirror")
    return os.fspath(value) if value else None


def given_count(value: object, key: str) -> int | None:
    """Take a number of things, 1 or more; nothing where none was given.

    >>> given_count(2, "num_proc")
    2
    """
    if value is None or (isinstance(value, int) and value >= 1):
        return value
    raise UsageError(f"{key}: expected 1 or more, found {value!r}")


def given_data(data_dir: str | os.PathLike[str]) -> Path:
    """Take the folder or archive that somebody gave; it must be there, and such that it can be looked into.

    >>> given_data(getfixture("tmp_path")).is_dir()
    True
    """
    refuse_stores(data_dir=data_dir)
    if is_url(data_dir):
        return _given_store(Store.of(os.fspath(data_dir)))
    path = given_path(data_dir, "data_dir")
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotThereError(f"data_dir {data_dir}: expected a folder or an archive, found nothing") from error
    except OSError as error:
        raise UnreadableError.of(path, error) from error
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise UsageError(f"data_dir {data_dir}: expected a folder or an archive, found a device, a pipe or a socket")
    return path


def _given_store(store: Store) -> Path:
    """Take a folder or an archive in a store; the folder of this machine that stands for it is never made."""
    if not store.folders() and store.size() is None:
        raise NotThereError(f"data_dir {store}: expected a folder or an archive, found nothing")
    path = scratch_of(store.parent.url) / "given" / store.name
    stands_for(str(path), store.url, uuid.uuid4().hex)
    return path


def usable_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _platform_cache() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches/covid_datasets")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")) / "covid_datasets"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "covid_datasets"
