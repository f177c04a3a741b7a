"""Files and folders that are whole or not there, and what to tell where a disk refuses.

Nothing else in this package decides whether a disk is full, makes a folder for results, or gives a finished file its
name: what half of the time goes wrong there is dealt with once, here.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from covid_datasets.errors import CacheError, NoSpaceError, UnreadableError

_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name))
_TAKEN = frozenset((errno.EEXIST, errno.ENOTEMPTY))
_TOGETHER = 16
"""Files that are forced to the disk at once."""
ADVICE = "choose another place with cache_dir=, --cache-dir or COVID_DATASETS_CACHE"


def is_full(error: OSError) -> bool:
    """Tell whether a disk, or the share of it that a user may fill, is full.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(OSError("no space for this name"))
    (True, False)
    """
    return error.errno in _FULL


def refused(place: Path, error: OSError, keeps: str = "") -> CacheError | NoSpaceError:
    """Make the error of ours for a place that cannot be written; ``keeps`` says what is kept for the next try.

    >>> print(refused(Path("/data/x"), OSError(errno.EROFS, "Read-only file system")))
    /data/x: cannot be written: Read-only file system. Next: choose another place with cache_dir=, ...
    """
    kept = f" {keeps}" if keeps else ""
    if is_full(error):
        free = shutil.disk_usage(_existing(place)).free
        return NoSpaceError(
            f"{place}: the disk is full ({free:,} bytes free).{kept} Next: free some space, or {ADVICE}"
        )
    return CacheError(f"{place}: cannot be written: {error.strerror or error}.{kept} Next: {ADVICE}")


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, with advice where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(folder, error) from error


def check_space(folder: Path, needed: int, margin: int = 0) -> None:
    """Raise a `NoSpaceError` where the disk of a folder has no room for ``needed`` bytes and a margin."""
    free = shutil.disk_usage(_existing(folder)).free
    if needed > 0 and needed + margin > free:
        raise NoSpaceError(
            f"{folder}: needed {needed:,} bytes and {margin:,} to spare, free {free:,}: "
            f"{needed + margin - free:,} are missing. Next: free some space, or {ADVICE}"
        )


def private_name(path: Path) -> Path:
    """Give a hidden name beside a path that nobody else uses.

    >>> private_name(Path("a/data.arrow")).name.startswith(".data.arrow.")
    True
    """
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")


@contextmanager
def whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a private name to write to; the file gets its own when the block ends well, else nothing is left.

    A reader of ``path`` sees the old file or the new one, never half of it.

    Args:
        path: The name that the file is to have.
        durable: Whether it has to survive a power cut.

    >>> target = getfixture("tmp_path") / "a.txt"
    >>> with whole(target) as private:
    ...     _ = private.write_text("all of it")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('all of it', 1)
    """
    private = private_name(path)
    try:
        yield private
        if durable:
            sync(private)
        os.replace(private, path)
    finally:
        private.unlink(missing_ok=True)


def publish_folder(private: Path, final: Path, *, durable: bool = True) -> bool:
    """Give a finished folder its name in one step, and tell whether it was given.

    Where another folder has the name already, that one stays and the private one too: whoever was first is right, and
    no lock is needed to be sure of it. A ``durable`` one survives a power cut, with all that is in it.
    """
    if durable:
        _sync_tree(private)
    make_folder(final.parent)
    try:
        os.rename(private, final)
    except OSError as error:
        if error.errno in _TAKEN or final.exists():
            return False
        raise refused(final, error) from error
    if durable:
        _sync_folder(final.parent)
    return True


def replace_folder(private: Path, final: Path) -> bool:
    """Give a finished folder the name of an older one, which is removed when the new one is there, and not before.

    >>> old, new = getfixture("tmp_path") / "a", getfixture("tmp_path") / "b"
    >>> old.mkdir(), new.mkdir(), (new / "x").write_text("new")
    (None, None, 3)
    >>> replace_folder(new, old), [path.name for path in old.iterdir()], new.exists()
    (True, ['x'], False)
    """
    aside = private_name(final)
    try:
        os.rename(final, aside)
    except OSError as error:
        raise refused(final, error) from error
    try:
        published = publish_folder(private, final)
    except CacheError:
        os.rename(aside, final)
        raise
    shutil.rmtree(aside, ignore_errors=True)
    return published


def remove_folder(folder: Path, aside: Path | None = None) -> None:
    """Remove a folder so that nobody meets half of it: it first gets a private name, in its place or ``aside``."""
    aside = aside or private_name(folder)
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside, ignore_errors=True)


def started() -> str:
    """Return an id of the time since this machine was started, in which no power was cut; empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""


def _sync_tree(folder: Path) -> None:
    """Force a folder to the disk, all files at once: a disk knows best in which order."""
    paths = list(folder.rglob("*"))
    with ThreadPoolExecutor(_TOGETHER) as threads:
        list(threads.map(sync, (path for path in paths if path.is_file())))
        list(threads.map(_sync_folder, (folder, *(path for path in paths if path.is_dir()))))


def sync(path: Path) -> None:
    """Force the bytes of a file to the disk."""
    with path.open("r+b") as written:  # Windows syncs only what may be written
        os.fsync(written.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_file(path: Path, data: bytes, *, durable: bool = True, keeps: str = "") -> None:
    """Write a file whole, and where ``durable`` on the disk before this returns; ``keeps`` says what is left if not."""
    try:
        with whole(path, durable=durable) as private:
            private.write_bytes(data)
    except OSError as error:
        raise refused(path, error, keeps) from error


def write_json(path: Path, table: Mapping[str, Any] | Sequence[Any], *, durable: bool = True) -> None:
    """Write a table or a list for people and machines, as `write_file` does."""
    write_file(path, json.dumps(table, indent=2, ensure_ascii=False).encode(), durable=durable)


def read_json(path: Path) -> dict[str, Any]:
    """Read a table; an absent or damaged one is empty, and what it described is then found out anew."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    except OSError as error:
        raise UnreadableError.of(path, error) from error
    return table if isinstance(table, dict) else {}


def _existing(place: Path) -> Path:
    return next(parent for parent in (place, *place.absolute().parents) if parent.exists())
