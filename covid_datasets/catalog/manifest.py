"""Content manifests: the identity of every file of a resource, whichever copy it came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError

COLUMNS = ("path", "size", "sha256", "git_sha1", "sha1")
"""Columns of a manifest; the last one is left out where no publisher gives plain SHA-1."""
_HASHES = (64, 40, 40)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file must be: its SHA-256, or its SHA-1, or, where only git vouches for it, its blob SHA-1."""

    path: str
    size: int | None
    sha256: str
    git_sha1: str
    sha1: str = ""

    def mismatch(self, data: bytes, sha256: str) -> str | None:
        """Say what is wrong with ``data``, whose SHA-256 is given; ``None`` where it is the right file."""
        if self.sha256:
            return None if sha256 == self.sha256 else f"expected sha256 {self.sha256}, found {sha256}"
        if self.sha1:
            plain = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            return None if plain == self.sha1 else f"expected sha1 {self.sha1}, found {plain}"
        found = git_blob(data)
        return None if found == self.git_sha1 else f"expected git blob {self.git_sha1}, found {found}"


def git_blob(data: bytes) -> str:
    """Hash bytes as git does.

    >>> git_blob(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    found = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    found.update(data)
    return found.hexdigest()


@lru_cache(maxsize=32)
def read_manifest(name: str, folder: Path | None = None) -> Mapping[str, Identity]:
    """Read ``catalogs/manifests/<name>``: path -> identity, in the file's order."""
    path = (folder or catalog_folder() / "manifests") / name
    found: dict[str, Identity] = {}
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: expected a content manifest in UTF-8, found: {error}") from error
    columns = COLUMNS if lines[0].split("\t") == list(COLUMNS) else COLUMNS[:4]
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if number == 1 and cells == list(columns):
            continue
        if number == 1 or len(cells) != len(columns) or not _is_identity(cells):
            raise CatalogError(f"{path} line {number}: expected {', '.join(columns)}; found {cells}")
        if cells[0] in found:
            raise CatalogError(f"{path} line {number}: key 'path': expected each path once, found {cells[0]!r} again")
        found[cells[0]] = Identity(cells[0], int(cells[1]) if cells[1] else None, *cells[2:])
    return MappingProxyType(found)


def _is_identity(cells: Sequence[str]) -> bool:
    """Tell whether cells are a path, a size or nothing, and at least one hash."""
    if not cells[0] or not re.fullmatch(r"[0-9]{0,15}", cells[1], re.ASCII):
        return False
    hashes = zip(cells[2:], _HASHES, strict=False)
    return any(cells[2:]) and all(re.fullmatch(rf"([0-9a-f]{{{digits}}})?", cell) for cell, digits in hashes)
