"""Series of DICOM files wherever they lie: each is a folder of its own, under the name that the listing gives it.

The canonical path of a file is ``<folder of the series in the bucket>/<file>``, so a builder sees one layout only.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from covid_datasets.catalog.listing import by_folder, is_dicom, read_listing
from covid_datasets.errors import NotThereError
from covid_datasets.extras import need
from covid_datasets.raw.archives import Location, open_archive

Place = tuple[Location, str]
"""A folder or archive, and what the names of a series begin with inside."""


@dataclass(frozen=True, slots=True)
class SeriesMount:
    """Where the series of a listing are, each in a folder; the other kind is `covid_datasets.raw.tree.Mount`."""

    folders: Mapping[str, Place]
    manifest: str = ""

    @property
    def location(self) -> Location:
        """Where the first series is, for messages."""
        return next((location for location, _ in self.folders.values()), ())

    def size(self, path: str) -> int | None:
        """Return the size of a file, ``None`` where it is not here."""
        found = self.place_of(path)
        return None if found is None else open_archive(found[0]).size(found[1])

    def sizes(self) -> dict[str, int]:
        """List the canonical paths of the files that are here, with their sizes."""
        listed: dict[Location, dict[str, list[tuple[str, int]]]] = {}
        found: dict[str, int] = {}
        for folder, (location, inside) in self.folders.items():
            if location not in listed:
                sizes = open_archive(location).sizes()
                listed[location] = {
                    place: [(name, sizes[place + name]) for name in names] for place, names in by_folder(sizes).items()
                }
            found |= {f"{folder}/{name}": size for name, size in listed[location].get(inside, ())}
        return found

    def identity(self, path: str) -> None:
        """Know no identity: a bucket publishes no hashes."""

    def below(self, folder: str) -> None:
        """Be no part of a source that is composed of others."""

    def expected(self) -> list[str]:
        """List the canonical paths that are here: a listing counts the files of a series and does not name them."""
        return list(self.sizes())

    def read(self, path: str) -> bytes:
        """Return the bytes of a file that is here."""
        location, inside = self._found(path)
        return open_archive(location).read(inside)

    def open(self, path: str) -> IO[bytes]:
        """Open a file that is here."""
        location, inside = self._found(path)
        return open_archive(location).open(inside)

    def _found(self, path: str) -> Place:
        found = self.place_of(path)
        if found is None:
            raise NotThereError(f"{path}: expected a file of a series, found nothing")
        return found

    def place_of(self, path: str) -> Place | None:
        """Tell where a file lies: the folder or archive, and its name inside."""
        folder, _, name = path.partition("/")
        if folder not in self.folders or "/" in name or not is_dicom(name):
            return None
        location, inside = self.folders[folder]
        return location, inside + name


def find_series(places: Mapping[Location, Sequence[str]], listing: str) -> SeriesMount | None:
    """Find the series of a listing in folders and archives, in whatever layout somebody keeps them.

    A folder is known by its name, which is that of the series in the bucket or ends with its SeriesInstanceUID; else by
    the header of one of its files. Of two copies of a series the one nearest to the top counts.
    """
    wanted = read_listing(listing)
    by_uid = {series.series: folder for folder, series in wanted.items()}
    found: dict[str, Place] = {}
    for location, members in places.items():
        folders = by_folder(members)
        for inside in sorted(folders, key=lambda inside: (inside.count("/"), inside)):
            name = PurePosixPath(inside).name
            folder = name if name in wanted else by_uid.get(name.rpartition("_")[2])
            if folder is None:
                folder = by_uid.get(_series_in(location, inside + folders[inside][0]))
            if folder is not None:
                found.setdefault(folder, (location, inside))
    return SeriesMount({folder: found[folder] for folder in wanted if folder in found}) if found else None


def _series_in(location: Location, name: str) -> str:
    """Read the SeriesInstanceUID of a file; empty where it is damaged, which the build tells if it matters."""
    need("pydicom")
    import pydicom

    data = open_archive(location).read(name)
    try:
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        return str(header.get("SeriesInstanceUID", ""))
    except Exception:  # pydicom lets through whatever its parsers raise; a file without a name is no evidence
        return ""
