"""Splits that are folders: the files below a folder of a repository, each known by git's hash of its bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from covid_datasets.catalog.ledger import Entry, ListFile
from covid_datasets.catalog.manifest import git_blob
from covid_datasets.errors import ChangedUpstreamError, NotThereError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.measure.image import UndecodableError, decode, pixel_hash, to_grey
from covid_datasets.raw.archive import Archive
from covid_datasets.raw.archives import open_archive
from covid_datasets.settings import Settings

_FILE, _FOLDER = b"100644", b"40000"


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of one folder of a repository: relative path -> git's blob, and the hash of what the picture shows.

    The latter is empty where a file is no picture, or shows nothing.
    """

    blobs: Mapping[str, str]
    pixels: Mapping[str, str]

    @classmethod
    def below(cls, root: str, archive: Archive) -> Tree:
        """Hash every file below a folder of an archive, in the order in which they are stored."""
        blobs, pixels = {}, {}
        for name in sorted((name for name in archive.names() if name.startswith(root)), key=archive.position):
            data, path = archive.read(name), name.removeprefix(root)
            blobs[path], pixels[path] = git_blob(data), _pixels(data)
        return cls(blobs, pixels)


def open_tree(file: ListFile, entry: Entry, files: str | os.PathLike[str] | None, settings: Settings) -> Tree:
    """Bring the folder of an entry, from a checkout or as the archive of its commit, and see that it is the right one.

    Raises:
        ChangedUpstreamError: Its files are not those that the entry names, by git's hash of the folder.
        NotThereError: There is no such folder.
    """
    repository, commit = file.repository or entry.repository, file.commit or entry.commit
    if files is not None:
        place, root = Path(files), f"{file.path}/"
    else:
        url = f"https://github.com/{repository}/archive/{commit}.zip"
        asset = Asset(name=f"{repository}-{commit[:12]}.zip", urls=(url,), checked_inside=True)  # by git's hash, below
        place = fetch(url, asset, Transfer(settings)).path
        root = f"{repository.rpartition('/')[2]}-{commit}/{file.path}/"
    tree = Tree.below(root, open_archive((str(place),)))
    if not tree.blobs:
        raise NotThereError(f"{place}: expected files below {root}, found none. Next: give a checkout of {repository}")
    if (found := git_tree(tree.blobs)) != file.git_sha1:
        raise ChangedUpstreamError(
            f"{place}: {root}: expected the git tree {file.git_sha1}, found {found}. Next: check {repository} out at "
            f"{commit}"
        )
    return tree


def git_tree(blobs: Mapping[str, str]) -> str:
    """Hash a folder of plain files as git does, by the hashes of its files.

    >>> git_tree({"a/b.txt": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"})
    '0ac3d9d5ab15a5b19bc4494d95d4723b9074238f'
    """
    folders: dict[str, dict[str, str]] = {}
    entries: list[tuple[str, bytes]] = []
    for path, blob in blobs.items():
        first, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(first, {})[rest] = blob
        else:
            entries.append((first, _entry(_FILE, first, blob)))
    entries += ((f"{name}/", _entry(_FOLDER, name, git_tree(inner))) for name, inner in folders.items())
    data = b"".join(entry for _, entry in sorted(entries, key=lambda each: each[0].encode()))
    return hashlib.sha1(b"tree %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _pixels(data: bytes) -> str:
    try:
        grey = to_grey(decode(data))
    except UndecodableError:
        return ""
    darkest, brightest = grey.getextrema()
    return pixel_hash(grey) if darkest != brightest else ""


def _entry(mode: bytes, name: str, sha1: str) -> bytes:
    return mode + b" " + name.encode() + b"\0" + bytes.fromhex(sha1)
