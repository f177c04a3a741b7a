"""From a card to its raw files: downloaded, mirrored or the user's own, and checked for completeness."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from covid_datasets.catalog.card import Choice, Copy, Resource
from covid_datasets.catalog.cards import choose
from covid_datasets.errors import AccessRequired, CovidDatasetsError, IncompleteSourceError
from covid_datasets.fetch.download import Download, locate_all
from covid_datasets.raw.access import access_text, how_to_get, incomplete_text
from covid_datasets.raw.bucket import fetch_bucket
from covid_datasets.raw.local import Local, mount_archive, mount_local, shown
from covid_datasets.raw.mirror import Mirrored, write_mirror
from covid_datasets.raw.reach import is_open, within_reach
from covid_datasets.raw.series import SeriesMount
from covid_datasets.raw.survey import missing_files, survey
from covid_datasets.raw.tree import Mount, RawTree
from covid_datasets.settings import Settings

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
    are optional resources that are not there, with how to get them. It is ``incomplete`` where more is lost than the
    catalog tolerates, and somebody allowed that.
    """

    raw: RawTree
    origins: tuple[Origin, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unusable: Mapping[str, str]
    absent: Mapping[str, str] = field(default_factory=dict)
    incomplete: bool = False


def obtain(
    choice: Choice,
    settings: Settings,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
) -> Obtained:
    """Get the raw files of a source, from ``data_dir`` where given, else from the source's copies in order."""
    resources = choice.resources
    reached = within_reach(choice.card, resources, settings)
    if data_dir is None and needs_hands(reached):
        raise AccessRequired(access_text(choice))
    local = Local({}, [], {}) if data_dir is None else mount_local(Path(data_dir), choice.every_resource)
    mounts = {each.name: local.mounts[each.name] for each in resources if each.name in local.mounts}
    unusable = dict(local.damaged)
    origins = [Origin(name, shown(mount.location), "", _proof(mount)) for name, mount in mounts.items()]
    by_hand = not all(is_open(choice.card, resource) for resource in resources)
    if data_dir is None or (by_hand and mounts):  # what is within reach completes what its user has to bring
        lacking = [resource for resource in reached if resource.copies and resource.name not in mounts]
        brought, told = _bring(lacking, settings, allow_missing=allow_missing)
        if told and not brought and not mounts:
            raise next(iter(told.values()))
        unusable |= {name: str(told[name]) for name in sorted(told)}
        mounts |= {name: mount for name, (mount, _) in brought.items()}
        origins += [origin for _, origin in brought.values()]
    mounts = {resource.name: mounts[resource.name] for resource in resources if resource.name in mounts}
    raw = RawTree(tuple(mounts.values()), choice.version, choice.config, dict(choice.form.options))
    found = survey(resources, mounts)
    # What an optional part lacks may not be needed; the build counts what is, see `covid_datasets.prepare.components`.
    needed = survey([resource for resource in resources if not resource.optional], mounts)
    short = needed.is_short(choice.state.tolerance)
    if short and not allow_missing:
        place = "the copies that could be reached" if data_dir is None else f"data_dir {data_dir}"
        damaged = [*found.wrong, *(f"{where}: {why}" for where, why in unusable.items())]
        raise IncompleteSourceError(incomplete_text(choice, found, damaged, local, place))
    to_get = {resource.name: how_to_get(resource) for resource in resources if resource.name not in mounts}
    return Obtained(raw, tuple(origins), found.missing, tuple(local.extra), unusable, to_get, short)


def needs_hands(reached: Sequence[Resource]) -> bool:
    """Tell whether something that is needed has no copy within reach."""
    return any(not (resource.copies or resource.optional) for resource in reached)


def _bring(
    resources: Sequence[Resource], settings: Settings, *, allow_missing: bool
) -> tuple[dict[str, tuple[Mount | SeriesMount, Origin]], dict[str, CovidDatasetsError]]:
    """Download what is open; an optional resource, or one that may be missing, that cannot be had is told."""
    told: dict[str, CovidDatasetsError] = {}

    def on_error(resource: Resource, error: CovidDatasetsError) -> None:
        if not (allow_missing or resource.optional):
            raise error
        told[resource.name] = error

    files = [resource for resource in resources if resource.archive != "bucket"]
    accept = {resource.name: _whole(resource) for resource in files}
    located = locate_all(files, settings, accept=accept, on_error=on_error)
    found: dict[str, tuple[Mount | SeriesMount, Origin]] = {}
    for resource in resources:
        if resource.archive == "bucket":
            series, digest = fetch_bucket(resource, settings, on_error=told.setdefault if allow_missing else None)
            if series.folders:
                found[resource.name] = series, Origin(resource.name, resource.copies[0].url, digest, BUCKET_PROOF)
        elif resource.name in located:
            download, copy = located[resource.name]
            mount = _mount(resource, download, copy)
            proof = "content manifest" if mount.manifest else download.verified
            found[resource.name] = mount, Origin(resource.name, download.url, download.sha256, proof)
    return found, told


def make_mirror(
    names: Sequence[str],
    destination: str | os.PathLike[str],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    mirror: str | None = None,
) -> list[Mirrored]:
    """Copy the raw files of sources ("cohen", "cohen@2020-06-22") into a folder that works as a mirror elsewhere."""
    choices = [choose(name) for name in names]
    settings = Settings.resolve(cache_dir, mirror)
    for choice in choices:
        if needs_hands(within_reach(choice.card, choice.every_resource, settings)):
            carried = "What you fetched by hand needs no mirror: carry the folder over, and use it there."
            raise AccessRequired(f"{access_text(choice)}\n{carried}")
    return write_mirror(
        choices,
        Path(destination),
        settings,
        accept=lambda choice: {resource.name: _whole(resource) for resource in choice.every_resource},
    )


def _proof(mount: Mount | SeriesMount) -> str:
    return "content manifest" if mount.manifest else "given by the user"


def _whole(resource: Resource) -> Callable[[Download, Copy], bool]:
    """Accept a copy that holds every file of the manifest; a smaller one serves only where no copy is whole."""

    def is_whole(download: Download, copy: Copy) -> bool:
        mount = _mount(resource, download, copy)
        return not missing_files(resource, mount, mount.sizes())

    return is_whole


def _mount(resource: Resource, download: Download, copy: Copy) -> Mount:
    if resource.archive == "none":
        return Mount((str(download.path.parent),), only=resource.path, member=download.path.name)
    return mount_archive((str(download.path),), copy, resource)
