"""The first URL of a file that works, and many files at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from covid_datasets.disk import check_space
from covid_datasets.errors import (
    CovidDatasetsError,
    DownloadError,
    HostUnreachableError,
    IntegrityError,
    MissingExtraError,
)
from covid_datasets.fetch.asset import Asset as Asset
from covid_datasets.fetch.cached import Download as Download
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.places import place, redacted
from covid_datasets.fetch.together import together
from covid_datasets.fetch.transfer import CancelToken, Transfer
from covid_datasets.progress import progress
from covid_datasets.settings import Settings

Accept = Callable[[Download, str], bool]
"""Tells whether what a URL served holds what it should, such as every file of a manifest."""

PARALLEL = 4


def locate(asset: Asset, transfer: Transfer, accept: Accept | None = None) -> tuple[Download, str]:
    """Get a file from the first of its URLs that downloads, verifies and is accepted; tell which URL that was.

    Where files download but none is accepted, the first of them is given. Where none downloads, one error of the
    kind that the first URL met lists every URL with its own cause, or says once what all have in common.

    Args:
        asset: What to get.
        transfer: How to bring it.
        accept: Looks into a verified download and says whether it will do; may raise an ``IntegrityError``.
    """
    failures: list[tuple[str, CovidDatasetsError]] = []
    usable: tuple[Download, str] | None = None
    for url in asset.urls:
        try:
            download = fetch(url, asset, transfer)
            if accept is None or accept(download, url):
                return download, url
        except (DownloadError, IntegrityError, MissingExtraError) as error:
            failures.append((url, error))
            continue
        usable = usable or (download, url)
    if usable:
        return usable
    raise _combined(asset, failures) from None


def locate_all(
    assets: Sequence[Asset],
    transfer: Transfer,
    *,
    accept: Mapping[str, Accept] | None = None,
    on_error: Callable[[str, CovidDatasetsError], object] | None = None,
    title: str = "Downloading",
) -> dict[str, tuple[Download, str]]:
    """Locate several files at once, with one progress display; the same URL is downloaded once.

    Args:
        assets: What to get; the result has their names, in this order.
        transfer: How to bring them.
        accept: As in ``locate``, by name.
        on_error: Told the name of a file that cannot be had, which is then left out; without it the first failure
            cancels the others and is raised.
        title: Heads the display.
    """
    check_space(transfer.settings.downloads, bytes_to_come(assets, transfer.settings), transfer.limits.margin)
    chosen = accept or {}
    with progress(title) as display:

        def bring(asset: Asset, cancel: CancelToken) -> tuple[Download, str]:
            return locate(asset, replace(transfer, display=display, cancel=cancel), chosen.get(asset.name))

        told = None if on_error is None else lambda asset, error: on_error(asset.name, error)
        found = together(assets, bring, workers=PARALLEL, on_error=told)
    return {asset.name: one for asset, one in zip(assets, found, strict=True) if one is not None}


def bytes_to_come(assets: Sequence[Asset], settings: Settings) -> int:
    """Count what the disk has to hold before the first byte comes, as far as sizes are published."""
    if settings.mirror or settings.offline:
        return 0  # a local mirror is used in place; for a remote one each file is checked when its size is known
    wanted = {asset.urls[0]: asset.size or 0 for asset in assets}
    needed = 0
    for url, size in wanted.items():
        target = settings.downloads / place(url)
        present = max(
            (path.stat().st_size for path in (target, target.with_name(target.name + ".part")) if path.is_file()),
            default=0,
        )
        needed += max(size - present, 0)
    return needed


def _combined(asset: Asset, failures: list[tuple[str, CovidDatasetsError]]) -> CovidDatasetsError:
    """Make one error of several: the kind of the first, the causes of all."""
    first = failures[0][1]
    if len(failures) == 1:
        return first
    if no_network := _no_network([error for _, error in failures]):
        return HostUnreachableError(f"{asset.name}: {no_network}")
    causes = "\n".join(f"  {n}. {_cause(url, error)}" for n, (url, error) in enumerate(failures, start=1))
    return type(first)(
        f"{asset.name}: none of its {len(failures)} copies can be had:\n{causes}\n"
        f"Next: follow one of the steps above, or pass files that you have as data_dir="
    )


def _no_network(errors: list[CovidDatasetsError]) -> str:
    """Say once what kept every copy from being reached; empty where some host answered."""
    causes = [error.cause for error in errors if isinstance(error, HostUnreachableError) and error.cause]
    if len(causes) < len(errors):
        return ""
    return (
        f"no network: {'; '.join(dict.fromkeys(causes))}; {len(errors)} copies tried. Next: check the network, DNS and "
        f"the proxy (HTTPS_PROXY), use a mirror (COVID_DATASETS_MIRROR), or pass files that you have as data_dir="
    )


def _cause(url: str, error: CovidDatasetsError) -> str:
    text, shown = str(error), redacted(url)
    return f"{type(error).__name__}: {text}" if text.startswith(shown) else f"{shown}: {type(error).__name__}: {text}"
