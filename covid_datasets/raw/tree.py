"""`RawTree`: the tree of a source as its publisher lays it out, wherever the bytes are."""

from __future__ import annotations

import codecs
import fnmatch
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from covid_datasets.catalog.layout import matches
from covid_datasets.catalog.manifest import Identity, read_manifest
from covid_datasets.errors import DamagedFileError, NotThereError
from covid_datasets.raw.archives import Location, open_archive
from covid_datasets.raw.series import SeriesMount


@dataclass(frozen=True, slots=True)
class Mount:
    """Where the files of one resource are.

    The canonical path ``folder + p`` is the member ``root + p`` at ``location``, with names spelled as this copy spells
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
    folder: str = ""

    def place_of(self, path: str) -> tuple[Location, str]:
        """Tell where a file lies: the folder or archive, and its name inside."""
        return self.location, self.spelled(path)

    def spelled(self, path: str) -> str:
        """Name the member that holds ``path`` in this copy."""
        if self.only:
            return self.member
        path = path.removeprefix(self.folder)
        for old, new in self.rename:
            path = path.replace(old, new)
        return self.root + path

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        if self.only and path != self.only:
            return None
        inner = path.removeprefix(self.folder)
        if not path.startswith(self.folder):
            return None
        if self.manifest and inner not in read_manifest(self.manifest):
            return None
        if self.globs and not matches(inner, self.globs):
            return None
        return open_archive(self.location).size(self.spelled(path))

    def sizes(self) -> dict[str, int]:
        """List the canonical paths of the files that are here, with their sizes."""
        if self.only:
            size = self.size(self.only)
            return {} if size is None else {self.only: size}
        inside = self._members()
        if self.manifest:
            named = {path: self.spelled(self.folder + path) for path in read_manifest(self.manifest)}
            return {self.folder + path: inside[name] for path, name in named.items() if name in inside}
        here = {name.removeprefix(self.root): size for name, size in inside.items() if name.startswith(self.root)}
        return {self.folder + path: size for path, size in here.items() if not self.globs or matches(path, self.globs)}

    def identity(self, path: str) -> Identity | None:
        """Return what the manifest says that this file must be."""
        if not self.manifest or not path.startswith(self.folder):
            return None
        return read_manifest(self.manifest).get(path.removeprefix(self.folder))

    def below(self, folder: str) -> Mount | None:
        """Return the same files, named as seen from a folder; ``None`` where nothing of it is here."""
        if self.folder.startswith(folder):
            return replace(self, folder=self.folder.removeprefix(folder))
        if self.folder or self.manifest or self.only or self.globs:
            return None
        return replace(self, root=self.root + folder)

    def _members(self) -> Mapping[str, int]:
        """List the members under the root; of a folder on a disk only that part, as it may hold many other mounts."""
        below = os.path.join(self.location[0], self.root)
        if len(self.location) > 1 or not self.root.endswith("/") or not os.path.isdir(below):
            return open_archive(self.location).sizes()
        return {self.root + name: size for name, size in open_archive((below,)).sizes().items()}

    def expected(self) -> list[str]:
        """List the canonical paths that are to be here; without a manifest, those that are."""
        return [self.folder + path for path in read_manifest(self.manifest)] if self.manifest else list(self.sizes())

    def beside(self) -> list[str]:
        """List every path under the root, also of files that belong to nothing."""
        return [
            name.removeprefix(self.root) for name in open_archive(self.location).names() if name.startswith(self.root)
        ]

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        return open_archive(self.location).read(self.spelled(path))

    def open(self, path: str) -> IO[bytes]:
        """Open a file that is here."""
        return open_archive(self.location).open(self.spelled(path))


@dataclass(frozen=True, slots=True)
class RawTree:
    """Every raw file of one version of a source; small enough to send to any worker."""

    mounts: tuple[Mount | SeriesMount, ...]
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
    ) -> RawTree:
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

    def expected(self, pattern: str = "*") -> list[str]:
        """List the files that a whole copy has and whose path matches, also those that this copy lacks."""
        found = {path for mount in self.mounts for path in mount.expected()}
        return sorted(path for path in found if fnmatch.fnmatchcase(path, pattern))

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

    def open(self, path: str) -> IO[bytes]:
        """Open a file to read it piece by piece."""
        mount = self._mount(path)
        if mount is None:
            raise self._absent(path)
        return mount.open(path)

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
        return next((identity for mount in self.mounts if (identity := mount.identity(path))), None)

    def below(self, folder: str) -> RawTree:
        """Return one part ("cohen/") of a source that is composed of others, as that other source's own tree."""
        inside = (mount.below(folder) for mount in self.mounts)
        return replace(self, mounts=tuple(mount for mount in inside if mount is not None))

    def _mount(self, path: str) -> Mount | SeriesMount | None:
        return next((mount for mount in self.mounts if mount.size(path) is not None), None)

    def _absent(self, path: str) -> NotThereError:
        places = ", ".join(" -> ".join(mount.location) for mount in self.mounts) or "nowhere"
        return NotThereError(f"{path}: expected in the raw files, found nothing; looked in {places}")
