"""The seal of a finished build: size and SHA-256 of every file in its manifest, and a digest of the manifest itself.

What is cheap is compared whenever a build is opened: the digest of the manifest, the size of every file, and the
SHA-256 of the small ones, which say what the large ones mean. `verify` compares all of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.disk import read_json, whole
from covid_datasets.errors import DamagedFileError
from covid_datasets.store import Store

Folder = Path | Store
"""Where a finished build is: a folder of this machine, or one of an object store."""
MANIFEST_FILE = "manifest.json"
SEAL_FILE = "manifest.sha256"
"""Holds the digest of the manifest, in the form that ``sha256sum --check`` reads."""
SMALL_BYTES = 1 << 16
"""Files up to this size are hashed whenever a build is opened; that takes less time than to read them."""


def seal(folder: Path, manifest: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> None:
    """Add all files of a folder to its manifest and write that as the last one, after its own digest.

    They are forced to the disk when the folder gets its name.

    ``known`` holds the size and the SHA-256 of those files that were hashed while they were written; of a build in a
    store they come to the others only there.
    """
    files = {name: dict(told) for name, told in known.items()}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        files[name] = sealed(path, known[name]["sha256"] if name in known else "")
    files = dict(sorted(files.items()))
    text = json.dumps({**manifest, "files": files}, indent=2, ensure_ascii=False).encode()
    for name, content in ((SEAL_FILE, seal_of(text)), (MANIFEST_FILE, text)):
        with whole(folder / name, durable=False) as private:
            private.write_bytes(content)


def sealed(path: Path, known: str = "") -> dict[str, Any]:
    """Say what a file must be to be as it is now; it is hashed, where its SHA-256 is not known."""
    return {"size": path.stat().st_size, "sha256": known or file_digest(path)}


def glance(folder: Folder) -> dict[str, Any]:
    """Read a manifest that may be of any release; a damaged one is empty, and `read_manifest` says what is wrong."""
    if not isinstance(folder, Store):
        return read_json(folder / MANIFEST_FILE)
    try:
        found = json.loads(folder.read(MANIFEST_FILE))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_manifest(folder: Folder) -> dict[str, Any]:
    """Read the manifest of a build.

    Raises:
        DamagedFileError: It is not as it was written.
    """
    text = _read(folder, MANIFEST_FILE)
    if _read(folder, SEAL_FILE) != seal_of(text):
        found = hashlib.sha256(text).hexdigest()
        raise damaged(folder, MANIFEST_FILE, f"the SHA-256 that {SEAL_FILE} names", f"SHA-256 {found}")
    manifest: dict[str, Any] = json.loads(text)
    return manifest


def check_files(folder: Folder, manifest: Mapping[str, Any]) -> None:
    """Compare what is cheap to compare: the size of every file, and the SHA-256 of the small ones.

    Raises:
        DamagedFileError: A file is gone, or is not as it was built.
    """
    sizes = folder.sizes() if isinstance(folder, Store) else {}  # a thousand questions, or one
    for name, wanted in manifest["files"].items():
        size = sizes[name] if name in sizes else _size(folder, name)
        if size != wanted["size"]:
            raise damaged(folder, name, f"{wanted['size']:,} bytes", f"{size:,}")
        if size <= SMALL_BYTES and (found := hashlib.sha256(_read(folder, name)).hexdigest()) != wanted["sha256"]:
            raise damaged(folder, name, f"SHA-256 {wanted['sha256']}", found)


def difference(folder: Folder, name: str, wanted: Mapping[str, Any]) -> str:
    """Hash a file; say what was expected of it and what was found, and nothing where it is as it was built.

    Raises:
        DamagedFileError: The file is gone.
    """
    if (size := _size(folder, name)) != wanted["size"]:
        return f"expected {wanted['size']:,} bytes, found {size:,}"
    found = folder.digest(name) if isinstance(folder, Store) else file_digest(folder / name)
    return "" if found == wanted["sha256"] else f"expected sha256 {wanted['sha256']}, found {found}"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file.

    >>> path = getfixture("tmp_path") / "a"
    >>> _ = path.write_bytes(b"abc")
    >>> file_digest(path)[:8]
    'ba7816bf'
    """
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(folder: Folder, name: str, expected: str, found: str) -> DamagedFileError:
    """Make the error for a file of a build that is not as it was built."""
    # Were the mark of a build in a store left there, it would go on naming what is gone.
    what = f"{folder}, and built.json beside it," if isinstance(folder, Store) else folder
    return DamagedFileError(f"{folder / name}: expected {expected}, found: {found}. Remove {what} and build again.")


def seal_of(manifest: bytes) -> bytes:
    """Return what lies beside a manifest: its digest."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST_FILE}\n".encode()


def _read(folder: Folder, name: str) -> bytes:
    try:
        return folder.read(name) if isinstance(folder, Store) else (folder / name).read_bytes()
    except OSError as error:
        raise damaged(folder, name, "the file as it was built", error.strerror or str(error)) from error


def _size(folder: Folder, name: str) -> int:
    try:
        if isinstance(folder, Store):
            if (size := folder.size(name)) is None:
                raise FileNotFoundError("there is no such object")
            return size
        return (folder / name).stat().st_size
    except OSError as error:
        raise damaged(folder, name, "the file as it was built", error.strerror or str(error)) from error
