"""`RawFiles`: the tree of a source as its publisher lays it out, wherever the bytes are."""

from __future__ import annotations

import codecs
import fnmatch
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from covid_datasets.errors import DamagedFileError, NotThereError
from covid_datasets.fetch.archives import Location, open_archive
from covid_datasets.fetch.layout import matches
from covid_datasets.fetch.manifest import Identity, read_manifest


@dataclass(frozen=True, slots=True)
class Mount:
    """Where the files of one resource are.

    The canonical path ``p`` is the member ``root + p`` at ``location``, with names spelled as this copy spells
    them (``rename``). A ``manifest`` says which files there are to be; ``only`` is the one path of a plain file;
    ``globs`` are the files that belong to a folder which was filled by hand.
    """

    location: Location
    root: str = ""
    rename: tuple[tuple[str, str], ...] = ()
    manifest: str = ""
    only: str = ""
    member: str = ""
    globs: tuple[str, ...] = ()

    def spelled(self, path: str) -> str:
        """Name the member that holds ``path`` in this copy."""
        if self.only:
            return self.member
        for old, new in self.rename:
            path = path.replace(old, new)
        return self.root + path

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        if self.only and path != self.only:
            return None
        if self.manifest and path not in read_manifest(self.manifest):
            return None
        if self.globs and not matches(path, self.globs):
            return None
        return open_archive(self.location).size(self.spelled(path))

    def sizes(self) -> dict[str, int]:
        """List the canonical paths of the files that are here, with their sizes."""
        if self.only:
            size = self.size(self.only)
            return {} if size is None else {self.only: size}
        inside = open_archive(self.location).sizes()
        if self.manifest:
            spelled = {path: self.spelled(path) for path in read_manifest(self.manifest)}
            return {path: inside[name] for path, name in spelled.items() if name in inside}
        here = {name.removeprefix(self.root): size for name, size in inside.items() if name.startswith(self.root)}
        return {path: size for path, size in here.items() if not self.globs or matches(path, self.globs)}

    def beside(self) -> list[str]:
        """List every path under the root, also of files that belong to nothing."""
        return [
            name.removeprefix(self.root) for name in open_archive(self.location).names() if name.startswith(self.root)
        ]

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return open_archive(self.location).read(self.spelled(path))


@dataclass(frozen=True, slots=True)
class RawFiles:
    """Every raw file of one version of a source; small enough to send to any worker."""

    mounts: tuple[Mount, ...]
    version: str = ""
    config: str = "default"
    options: Mapping[str, int | float | str | bool] = field(default_factory=dict)

    @classmethod
    def of_folder(
        cls,
        folder: str | os.PathLike[str],
        *,
        version: str = "",
        config: str = "default",
        options: Mapping[str, int | float | str | bool] | None = None,
    ) -> RawFiles:
        """Take a plain folder as the source's tree, with no questions asked."""
        return cls((Mount((str(Path(folder).absolute()),)),), version, config, dict(options or {}))

    def sizes(self) -> dict[str, int]:
        """List every file with its size; where two mounts hold one path, the first counts."""
        found: dict[str, int] = {}
        for mount in reversed(self.mounts):
            found |= mount.sizes()
        return found

    def paths(self, pattern: str = "*") -> list[str]:
        """List the files whose path matches, sorted; ``*`` crosses folders."""
        return sorted(path for path in self.sizes() if fnmatch.fnmatchcase(path, pattern))

    def has(self, path: str) -> bool:
        """Tell whether a file is there."""
        return self._mount(path) is not None

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        for mount in self.mounts:
            if (size := mount.size(path)) is not None:
                return size
        raise self._absent(path)

    def read(self, path: str) -> bytes:
        """Return the untouched bytes of a file."""
        mount = self._mount(path)
        if mount is None:
            raise self._absent(path)
        return mount.read(path)

    def text(self, path: str) -> str:
        """Decode a text file: UTF-8, else Windows-1252, the two that sources of this field use.

        Texts that users write themselves may be UTF-16 as well, which says so with its first two bytes.
        """
        data = self.read(path)
        if not data:
            raise DamagedFileError(f"{path}: expected text, found an empty file")
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16", errors="replace")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252", errors="replace")

    def identity(self, path: str) -> Identity | None:
        """Return what a manifest says that this file must be."""
        for mount in self.mounts:
            if mount.manifest and (identity := read_manifest(mount.manifest).get(path)):
                return identity
        return None

    def _mount(self, path: str) -> Mount | None:
        return next((mount for mount in self.mounts if mount.size(path) is not None), None)

    def _absent(self, path: str) -> NotThereError:
        places = ", ".join(" -> ".join(mount.location) for mount in self.mounts) or "nowhere"
        return NotThereError(f"{path}: expected in the raw files, found nothing; looked in {places}")
