"""From a card to its raw files: downloaded, mirrored or the user's own, and checked for completeness."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from covid_datasets.card import Card, Copy, Resource
from covid_datasets.catalog import load_card, split_name
from covid_datasets.errors import AccessRequired, CovidDatasetsError, IncompleteSourceError
from covid_datasets.fetch.bucket import fetch_bucket
from covid_datasets.fetch.download import Download, locate_all
from covid_datasets.fetch.layout import absent
from covid_datasets.fetch.listing import read_listing
from covid_datasets.fetch.local import Local, archive_names, mount_archive, mount_local, shown
from covid_datasets.fetch.manifest import read_manifest
from covid_datasets.fetch.mirror import Mirrored, write_mirror
from covid_datasets.fetch.raw import Mount, RawFiles
from covid_datasets.fetch.series import SeriesMount, by_folder, difference
from covid_datasets.settings import Settings

SHOWN = 20
BUCKET_PROOF = "recorded on first download; number of files and bytes of each series as listed"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource came from and how sure it is; goes into the manifest of a build."""

    resource: str
    place: str
    sha256: str
    verified: str


@dataclass(frozen=True, slots=True)
class Obtained:
    """The raw files of a source, where they came from, and what is not as the catalog says.

    ``missing`` and ``extra`` are files, ``unusable`` are whole archives and resources, with the reason, and ``absent``
    are optional resources that are not there, with how to get them.
    """

    raw: RawFiles
    origins: tuple[Origin, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unusable: Mapping[str, str]
    absent: Mapping[str, str] = field(default_factory=dict)


def obtain(
    card: Card,
    version: str,
    config: str,
    settings: Settings,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
) -> Obtained:
    """Get the raw files of a version, from ``data_dir`` where given, else from the source's copies in order."""
    resources = card.resources_of(version, config)
    by_hand = [resource for resource in resources if not resource.copies]
    if data_dir is None and (_needs_hands(card, settings) or any(not resource.optional for resource in by_hand)):
        raise AccessRequired(access_text(card, version, config))
    local = Local({}, [], {}) if data_dir is None else mount_local(Path(data_dir), card.resources_of(version))
    # A file of another config is not an extra one.
    mounts = {each.name: local.mounts[each.name] for each in resources if each.name in local.mounts}
    unusable = dict(local.damaged)
    origins = [Origin(name, shown(mount.location), "", _proof(mount)) for name, mount in mounts.items()]
    if data_dir is None or (by_hand and mounts):  # what is open completes what its user has to bring
        lacking = [resource for resource in resources if resource.copies and resource.name not in mounts]
        wanted = [resource for resource in lacking if resource.archive != "bucket"]
        located, unreachable = _located(wanted, settings, allow_missing=allow_missing)
        for resource in (resource for resource in lacking if resource.archive == "bucket"):
            told = unreachable.setdefault if allow_missing else None
            series, digest = fetch_bucket(resource, settings, on_error=told)
            if series.folders:
                mounts[resource.name] = series
            origins.append(Origin(resource.name, resource.copies[0].url, digest, BUCKET_PROOF))
        if unreachable and not located and not mounts:
            raise next(iter(unreachable.values()))
        unusable |= {name: str(unreachable[name]) for name in sorted(unreachable)}
        mounts |= {
            resource.name: _mount(resource, *located[resource.name]) for resource in wanted if resource.name in located
        }
        origins += [
            Origin(
                name, download.url, download.sha256, "content manifest" if mounts[name].manifest else download.verified
            )
            for name, (download, _) in located.items()
        ]
    mounts = {resource.name: mounts[resource.name] for resource in resources if resource.name in mounts}
    extra = local.extra
    raw = RawFiles(tuple(mounts.values()), version, config, dict(card.config(config)[1].options))
    missing, wrong = _survey(resources, mounts)
    # What an optional part lacks may not be needed; the build counts what is, see `covid_datasets.build.parts`.
    lost = sum(map(len, _survey([resource for resource in resources if not resource.optional], mounts)))
    if lost and not allow_missing and lost > card.version(version)[1].tolerance * _count(resources):
        damaged = [*wrong, *(f"{where}: {why}" for where, why in unusable.items())]
        place = "the copies that could be reached" if data_dir is None else f"data_dir {data_dir}"
        raise IncompleteSourceError(incomplete_text(card, version, config, missing, damaged, extra, place))
    to_get = {resource.name: how_to_get(resource) for resource in resources if resource.name not in mounts}
    return Obtained(raw, tuple(origins), tuple(missing), tuple(extra), unusable, to_get)


def _needs_hands(card: Card, settings: Settings) -> bool:
    return card.access.kind not in ("open", "web") and not settings.mirror


def _located(
    resources: Sequence[Resource], settings: Settings, *, allow_missing: bool
) -> tuple[dict[str, tuple[Download, Copy]], dict[str, CovidDatasetsError]]:
    """Download what is open; an optional resource, or one that may be missing, that cannot be had is told."""
    unreachable: dict[str, CovidDatasetsError] = {}

    def told(resource: Resource, error: CovidDatasetsError) -> None:
        if not (allow_missing or resource.optional):
            raise error
        unreachable[resource.name] = error

    accept = {resource.name: _whole(resource) for resource in resources}
    return locate_all(resources, settings, accept=accept, on_error=told), unreachable


def make_mirror(
    names: Sequence[str],
    destination: str | os.PathLike[str],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    mirror: str | None = None,
) -> list[Mirrored]:
    """Copy the raw files of sources ("cohen", "cohen@2020-06-22") into a folder that works as a mirror elsewhere."""
    wanted = [(load_card(identifier), version) for identifier, version in map(split_name, names)]
    return write_mirror(
        wanted,
        Path(destination),
        Settings.resolve(cache_dir, mirror),
        accept=lambda card, version: {resource.name: _whole(resource) for resource in card.resources_of(version)},
    )


def _proof(mount: Mount | SeriesMount) -> str:
    return "content manifest" if mount.manifest else "given by the user"


def _whole(resource: Resource) -> Callable[[Download, Copy], bool]:
    """Accept a copy that holds every file of the manifest; a smaller one serves only where no copy is whole."""
    return lambda download, copy: not _absent(resource, _mount(resource, download, copy))


def _mount(resource: Resource, download: Download, copy: Copy) -> Mount:
    if resource.archive == "none":
        return Mount((str(download.path.parent),), only=resource.path, member=download.path.name)
    return mount_archive((str(download.path),), copy, resource)


def _absent(resource: Resource, mount: Mount | SeriesMount | None) -> list[str]:
    return _missing(resource, {} if mount is None else mount.sizes())


def _missing(resource: Resource, present: Mapping[str, int]) -> list[str]:
    if resource.archive == "folder" and present:
        lacking = absent(resource.files, (path.removeprefix(resource.folder) for path in present))
        return [resource.folder + path for path in lacking]
    if resource.archive == "bucket":
        here = {path.partition("/")[0] for path in present}
        return [folder for folder in read_listing(resource.listing) if folder not in here]
    if not resource.manifest:
        return [] if present else [resource.path or resource.name]
    expected = (resource.folder + path for path in read_manifest(resource.manifest))
    return [path for path in expected if path not in present]


def _count(resources: Sequence[Resource]) -> int:
    """Count the files that there should be; of a bucket the series."""
    listed = {
        resource.name: len(read_listing(resource.listing) if resource.listing else read_manifest(resource.manifest))
        for resource in resources
        if resource.listing or resource.manifest
    }
    return sum(listed.get(resource.name, 1) for resource in resources)


def _survey(resources: Sequence[Resource], mounts: Mapping[str, Mount | SeriesMount]) -> tuple[list[str], list[str]]:
    """List missing files, and files whose size alone shows that they are not the right ones."""
    missing, wrong = [], []
    for resource in resources:
        mount = mounts.get(resource.name)
        if mount is None and resource.optional:
            continue  # told as a part that is not there, see `Obtained.absent`
        present = {} if mount is None else mount.sizes()
        missing += _missing(resource, present)
        identities = read_manifest(resource.manifest) if resource.manifest else {}
        for path, identity in identities.items():
            size = present.get(resource.folder + path)
            if size is not None and identity.size is not None and size != identity.size:
                wrong.append(f"{resource.folder}{path}: expected {identity.size:,} bytes, found {size:,}")
        if resource.archive == "bucket":
            wrong += _other_series(resource, present)
    return missing, wrong


def _other_series(resource: Resource, present: Mapping[str, int]) -> list[str]:
    """List series whose number or bytes of files alone show that they are not whole."""
    wrong = []
    listing = read_listing(resource.listing)
    for folder, names in by_folder(present).items():
        series = listing[folder.rstrip("/")]
        if what := difference(series, {name: present[folder + name] for name in names}):
            wrong.append(f"{series.folder} (series {series.series}): {what}")
    return wrong


def how_to_get(resource: Resource) -> str:
    """Say in one line where a resource comes from."""
    places = [f"<{copy.url}>" for copy in resource.copies]
    return "; ".join([*resource.steps, *(f"it is served at {place}" for place in places[:1])])


def access_text(card: Card, version: str | None = None, config: str | None = None) -> str:
    """Say how to get a source that nothing can download for its user."""
    given = card.access.steps or tuple(
        how_to_get(part) for part in card.resources_of(version, config) if not part.copies
    )
    steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(given, start=1))
    return (
        f"{card.id}: access is by {card.access.kind}; no program may fetch it for you.\n{steps}\n"
        f"Then: covid-datasets build {card.id} --data-dir FOLDER\n"
        f"The folder should hold:\n{expected_tree(card, version, config)}"
    )


def expected_tree(card: Card, version: str | None = None, config: str | None = None) -> str:
    """Draw the folder that ``data_dir`` should be: each archive as served, or its unpacked files."""
    lines = ["  FOLDER/"]
    resources = card.resources_of(version, config)
    for resource in resources[:SHOWN]:
        if resource.archive == "none":
            lines.append(f"    {resource.path}")
            continue
        if resource.archive == "bucket":
            count = len(read_listing(resource.listing))
            lines.append(
                f"    {'{series}'}/*.dcm   ({count:,} series, each in a folder of its own, of any name or depth)"
            )
            continue
        if resource.archive == "folder":
            lines += [
                f"    {resource.folder}{pattern.glob}   ({pattern.what}{'; needed' if pattern.required else ''})"
                for pattern in resource.files
            ]
            continue
        held = f"{len(read_manifest(resource.manifest)):,} files" if resource.manifest else "its files"
        name = archive_names(resource.copies[0])[-1] if resource.copies else f"{resource.name}.{resource.archive}"
        where = f"unpacked into {resource.folder}" if resource.folder else "unpacked"
        lines.append(f"    {name}   (untouched, or {where}: {held})")
    lines += [f"    … and {len(resources) - SHOWN:,} more"] if len(resources) > SHOWN else []
    return "\n".join(lines)


def incomplete_text(
    card: Card,
    version: str,
    config: str,
    missing: list[str],
    damaged: list[str],
    extra: list[str],
    place: str,
) -> str:
    """List what is missing, damaged and extra, and what to do."""
    count = _count(card.resources_of(version, config))
    parts = [
        f"{card.id}@{version}: {len(missing):,} of {count:,} files are missing in {place}"
        + (f", {len(damaged):,} are damaged." if damaged else ".")
    ]
    for title, items in (("Missing", missing), ("Damaged", damaged), ("Not expected", extra)):
        if items:
            more = [f"  … and {len(items) - SHOWN:,} more"] if len(items) > SHOWN else []
            parts.append("\n".join([f"{title}:", *(f"  {item}" for item in items[:SHOWN]), *more]))
    parts.append(f"Expected:\n{expected_tree(card, version, config)}")
    parts.append("To build what is there, marked incomplete: allow_missing=True, or --allow-missing.")
    return "\n".join(parts)
