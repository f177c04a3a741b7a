"""Content manifests: the identity of every file of a resource, whichever copy it came from."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from covid_datasets.catalog import catalog_folder
from covid_datasets.errors import CatalogError


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
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        for number, row in enumerate(reader, start=2):
            if None in row.values() or not (row["sha256"] or row["git_sha1"]):
                raise CatalogError(
                    f"{path} line {number}: expected path, size, sha256, git_sha1; found {list(row.values())}"
                )
            size = int(row["size"]) if row["size"] else None
            found[row["path"]] = Identity(row["path"], size, row["sha256"], row["git_sha1"])
    return MappingProxyType(found)
