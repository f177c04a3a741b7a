"""Content manifests: the identity of every file of a resource, whichever copy it came from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from covid_datasets.catalog.cards import catalog_folder
from covid_datasets.errors import CatalogError

COLUMNS = ("path", "size", "sha256", "git_sha1")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file must be: its SHA-256, or, where only git vouches for it, its blob SHA-1."""

    path: str
    size: int | None
    sha256: str
    git_sha1: str

    def mismatch(self, data: bytes, sha256: str) -> str | None:
        """Say what is wrong with ``data``, whose SHA-256 is given; ``None`` where it is the right file."""
        if self.sha256:
            return None if sha256 == self.sha256 else f"expected sha256 {self.sha256}, found {sha256}"
        found = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
        found.update(data)
        if found.hexdigest() == self.git_sha1:
            return None
        return f"expected git blob {self.git_sha1}, found {found.hexdigest()}"


@lru_cache(maxsize=32)
def read_manifest(name: str, folder: Path | None = None) -> Mapping[str, Identity]:
    """Read ``catalogs/manifests/<name>``: path -> identity, in the file's order."""
    path = (folder or catalog_folder() / "manifests") / name
    found: dict[str, Identity] = {}
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: expected a content manifest in UTF-8, found: {error}") from error
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if number == 1 and cells == list(COLUMNS):
            continue
        if number == 1 or not _is_identity(cells):
            raise CatalogError(f"{path} line {number}: expected {', '.join(COLUMNS)}; found {cells}")
        if cells[0] in found:
            raise CatalogError(f"{path} line {number}: key 'path': expected each path once, found {cells[0]!r} again")
        found[cells[0]] = Identity(cells[0], int(cells[1]) if cells[1] else None, cells[2], cells[3])
    return MappingProxyType(found)


def _is_identity(cells: Sequence[str]) -> bool:
    """Tell whether cells are a path, a size or nothing, and at least one of two hashes."""
    if len(cells) != len(COLUMNS) or not cells[0] or not re.fullmatch(r"[0-9]*", cells[1]):
        return False
    return any(cells[2:]) and bool(
        re.fullmatch(r"([0-9a-f]{64})?", cells[2]) and re.fullmatch(r"([0-9a-f]{40})?", cells[3])
    )
