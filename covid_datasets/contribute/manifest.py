"""Make a content manifest: path, size, SHA-256 and git's hash of every file of a folder or an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from covid_datasets.catalog.layout import is_litter
from covid_datasets.catalog.manifest import COLUMNS, Identity, git_blob
from covid_datasets.errors import UsageError
from covid_datasets.raw.archives import open_archive


def content_manifest(place: str | Path, root: str = "") -> list[Identity]:
    """Identify every file below ``root``, sorted by path; what systems leave behind is left out.

    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "list.csv").write_bytes(b"a,b")
    >>> [(file.path, file.size, file.git_sha1[:7]) for file in content_manifest(folder)]
    [('list.csv', 3, '58ee403')]
    """
    tree = open_archive((str(place),))
    found: list[Identity] = []
    for name in sorted(tree.names(), key=tree.position):  # a compressed tar is then inflated about once
        if not name.startswith(root) or is_litter(name):
            continue
        data = tree.read(name)
        found.append(Identity(name.removeprefix(root), len(data), hashlib.sha256(data).hexdigest(), git_blob(data)))
    return sorted(found, key=lambda file: file.path)


def manifest_text(files: Iterable[Identity]) -> str:
    """Write a manifest as the catalog keeps it; a name that would break its lines is refused."""
    lines = ["\t".join(COLUMNS[:4])]  # only what publishers give has a plain SHA-1
    for file in files:
        if any(character in file.path for character in "\t\n\r"):
            raise UsageError(f"{file.path!r}: expected names without tabs and line breaks in a manifest")
        lines.append(f"{file.path}\t{file.size}\t{file.sha256}\t{file.git_sha1}")
    return "\n".join(lines) + "\n"
