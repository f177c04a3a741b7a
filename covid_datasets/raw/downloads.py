"""Resources that are one download each, plain files and archives: brought, counted and mirrored alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.download import Accept, Download, bytes_to_come, locate_all
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.mirror import Mirror, Mirrored
from covid_datasets.raw.mounts import Mount
from covid_datasets.raw.origin import Brought, Lost, Origin
from covid_datasets.settings import Settings

ToMount = Callable[[Resource, Download, Copy], Mount]
Missing = Callable[[Resource, Mount], Sequence[str]]


def asset_of(resource: Resource) -> Asset:
    """Say what is to be downloaded for a resource."""
    return Asset(
        name=resource.name,
        urls=tuple(copy.url for copy in resource.copies),
        size=resource.size,
        sha256=resource.sha256,
        md5=resource.md5,
        sha1=resource.sha1,
        checked_inside=bool(resource.manifest and not resource.files),  # else the manifest names some files only
    )


def to_come(resources: Sequence[Resource], settings: Settings) -> int:
    """Count the bytes that have to come."""
    return bytes_to_come([asset_of(resource) for resource in resources], settings)


def bring(
    resources: Sequence[Resource], transfer: Transfer, lost: Lost, to_mount: ToMount, missing: Missing
) -> dict[str, Brought]:
    """Get resources, each from the first copy in which nothing is missing; a smaller one serves where none is whole."""
    named = {resource.name: resource for resource in resources}
    located = locate_all(
        [asset_of(resource) for resource in resources],
        transfer,
        accept=_whole(resources, to_mount, missing),
        on_error=lambda name, error: lost(named[name], name, error),
    )
    found: dict[str, Brought] = {}
    for name, (download, url) in located.items():
        mount = to_mount(named[name], download, _copy(named[name], url))
        found[name] = mount, Origin(name, download.url, download.sha256, mount.proof or download.verified)
    return found


def mirror(
    resources: Sequence[Resource], into: Mirror, transfer: Transfer, to_mount: ToMount, missing: Missing
) -> list[Mirrored]:
    """Put resources into a mirror, each under the URL of the copy that it came from."""
    assets = [asset_of(resource) for resource in resources]
    present = {asset.name: found for asset in assets if (found := into.present(asset))}
    lacking = [asset for asset in assets if asset.name not in present]
    accept = _whole(resources, to_mount, missing)
    located = locate_all(lacking, transfer, accept=accept, title=f"Mirroring {into.dataset}")
    return [present.get(asset.name) or into.store(asset.name, *located[asset.name]) for asset in assets]


def _whole(resources: Sequence[Resource], to_mount: ToMount, missing: Missing) -> Mapping[str, Accept]:
    def accept(resource: Resource) -> Accept:
        return lambda download, url: not missing(resource, to_mount(resource, download, _copy(resource, url)))

    return {resource.name: accept(resource) for resource in resources}


def _copy(resource: Resource, url: str) -> Copy:
    return next(copy for copy in resource.copies if copy.url == url)
