"""What is there against what should be there, by names and sizes alone: quick, and before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covid_datasets.catalog.card import Resource
from covid_datasets.catalog.layout import absent, readable
from covid_datasets.catalog.listing import by_folder, difference, read_listing
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.raw.archives import is_archive
from covid_datasets.raw.series import SeriesMount
from covid_datasets.raw.tree import Mount


@dataclass(frozen=True, slots=True)
class Survey:
    """Files that are missing, files whose size alone shows that they are not the right ones, and how many there are."""

    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    expected: int

    def is_short(self, tolerance: float) -> bool:
        """Tell whether more is lost than a share of all files."""
        return len(self.missing) + len(self.wrong) > tolerance * self.expected


def survey(resources: Sequence[Resource], mounts: Mapping[str, Mount | SeriesMount]) -> Survey:
    """Look at the names and sizes of all files; optional resources that are not there at all are not missed."""
    missing: list[str] = []
    wrong: list[str] = []
    expected = 0
    for resource in resources:
        mount = mounts.get(resource.name)
        if mount is None and resource.optional:
            continue  # told as a part that is not there, see `Obtained.absent`
        present = {} if mount is None else mount.sizes()
        others = [other for name, other in mounts.items() if name != resource.name]
        lacking = missing_files(resource, mount, present, others)
        missing += lacking
        wrong += _wrong(resource, present)
        expected += _count(resource, len(present) + len(lacking))
    return Survey(tuple(missing), tuple(wrong), expected)


def missing_files(
    resource: Resource,
    mount: Mount | SeriesMount | None,
    present: Mapping[str, int],
    others: Sequence[Mount | SeriesMount] = (),
) -> list[str]:
    """List the files of a resource that are not among those that are present; ``others`` lie in the same folder."""
    if resource.archive == "folder":
        if not isinstance(mount, Mount):
            required = [pattern for pattern in resource.files if pattern.required]
            return [f"{resource.folder}{readable(pattern.glob)} ({pattern.what})" for pattern in required]
        taken = {other.place_of(path) for other in others for path in other.sizes()}
        beside = [path for path in mount.beside() if mount.place_of(path) not in taken and not is_archive(path)]
        return [resource.folder + path for path in absent(resource.files, beside)]
    if resource.archive == "bucket":
        here = {path.partition("/")[0] for path in present}
        return [folder for folder in read_listing(resource.listing) if folder not in here]
    if not resource.manifest:
        return [] if present else [resource.path or resource.name]
    expected = (resource.folder + path for path in read_manifest(resource.manifest))
    return [path for path in expected if path not in present]


def _wrong(resource: Resource, present: Mapping[str, int]) -> list[str]:
    identities = read_manifest(resource.manifest) if resource.manifest else {}
    sizes = {resource.folder + path: each.size for path, each in identities.items() if each.size is not None}
    found = [
        f"{path}: expected {size:,} bytes, found {present[path]:,}"
        for path, size in sizes.items()
        if present.get(path, size) != size
    ]
    if resource.archive == "bucket":
        found += _other_series(resource, present)
    if resource.archive in ("folder", "none"):  # each of these files counts; archives may hold empty ones by right
        found += [f"{path}: expected content, found 0 bytes" for path, size in present.items() if not size]
    return found


def _other_series(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """List series whose number or bytes of files alone show that they are not whole."""
    wrong = []
    listing = read_listing(resource.listing)
    for folder, names in by_folder(present).items():
        series = listing[folder.rstrip("/")]
        if what := difference(series, {name: present[folder + name] for name in names}):
            wrong.append(f"{series.folder} (series {series.series}): {what}")
    return wrong


def _count(resource: Resource, files: int) -> int:
    """Count the files that there should be; of a bucket the series."""
    if resource.archive == "folder":
        return files
    if resource.archive == "bucket":
        return len(read_listing(resource.listing))
    return len(read_manifest(resource.manifest)) if resource.manifest else 1
