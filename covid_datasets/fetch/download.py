"""The first copy of a resource that works, and many resources at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from covid_datasets.catalog.card import Copy, Resource
from covid_datasets.errors import CovidDatasetsError, DownloadError, IntegrityError, MissingExtraError
from covid_datasets.fetch.cached import Download as Download
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.partial import Limits, check_space
from covid_datasets.fetch.places import place, redacted
from covid_datasets.fetch.together import Check, together
from covid_datasets.progress import Display, progress
from covid_datasets.settings import Settings

Accept = Callable[[Download, Copy], bool]
"""Tells whether a downloaded copy holds what it should, such as every file of a manifest."""

PARALLEL = 4


def locate(
    resource: Resource,
    settings: Settings,
    display: Display | None = None,
    *,
    accept: Accept | None = None,
    limits: Limits | None = None,
    check: Callable[[], object] | None = None,
) -> tuple[Download, Copy]:
    """Get a resource from the first of its copies that downloads, verifies and is accepted.

    Where copies download but none is accepted, the first of them is given. Where none downloads, one error of the
    kind that the first copy met lists every copy with its own cause.

    Args:
        resource: What to get.
        settings: Cache, mirror, offline.
        display: Told about bytes.
        accept: Looks into a verified download and says whether it will do; may raise an ``IntegrityError``.
        limits: Patience of the network.
        check: Called with every chunk; raises to cancel.
    """
    failures: list[tuple[Copy, CovidDatasetsError]] = []
    usable: tuple[Download, Copy] | None = None
    for copy in resource.copies:
        try:
            download = fetch(copy.url, resource, settings, display, limits=limits, check=check)
            if accept is None or accept(download, copy):
                return download, copy
        except (DownloadError, IntegrityError, MissingExtraError) as error:
            failures.append((copy, error))
            continue
        usable = usable or (download, copy)
    if usable:
        return usable
    raise _combined(resource, failures)


def locate_all(
    resources: Sequence[Resource],
    settings: Settings,
    *,
    accept: Accept | Mapping[str, Accept] | None = None,
    on_error: Callable[[Resource, CovidDatasetsError], object] | None = None,
    limits: Limits | None = None,
    title: str = "Downloading",
) -> dict[str, tuple[Download, Copy]]:
    """Locate several resources at once, with one progress display; the same URL is downloaded once.

    Args:
        resources: What to get; the result has their names, in this order.
        settings: Cache, mirror, offline.
        accept: As in ``locate``, for all resources or by resource name.
        on_error: Told about a resource that cannot be had, which is then left out; without it the first failure
            cancels the others and is raised.
        limits: Patience of the network.
        title: Heads the display.
    """
    _check_space_for_all(resources, settings, limits or Limits())
    with progress(title) as display:

        def bring(resource: Resource, check: Check) -> tuple[Download, Copy]:
            chosen = accept.get(resource.name) if isinstance(accept, Mapping) else accept
            return locate(resource, settings, display, accept=chosen, limits=limits, check=check)

        found = together(resources, bring, workers=PARALLEL, on_error=on_error)
    return {resource.name: one for resource, one in zip(resources, found, strict=True) if one is not None}


def _check_space_for_all(resources: Sequence[Resource], settings: Settings, limits: Limits) -> None:
    """Refuse before the first byte what the disk can't hold, as far as sizes are published."""
    if settings.mirror or settings.offline:
        return  # a local mirror is used in place; for a remote one each file is checked when its size is known
    wanted = {resource.copies[0].url: resource.size or 0 for resource in resources}
    needed = 0
    for url, size in wanted.items():
        target = settings.downloads / place(url)
        present = max(
            (path.stat().st_size for path in (target, target.with_name(target.name + ".part")) if path.is_file()),
            default=0,
        )
        needed += max(size - present, 0)
    check_space(settings.downloads, needed, limits.margin)


def _combined(resource: Resource, failures: list[tuple[Copy, CovidDatasetsError]]) -> CovidDatasetsError:
    """Make one error of several: the kind of the first, the causes of all."""
    first = failures[0][1]
    if len(failures) == 1:
        return first
    causes = "\n".join(f"  {n}. {_cause(copy, error)}" for n, (copy, error) in enumerate(failures, start=1))
    combined = type(first)(
        f"{resource.name}: none of its {len(failures)} copies can be had:\n{causes}\n"
        f"Next: follow one of the steps above, or pass files that you have as data_dir="
    )
    combined.__cause__ = first
    return combined


def _cause(copy: Copy, error: CovidDatasetsError) -> str:
    text, url = str(error), redacted(copy.url)
    return f"{type(error).__name__}: {text}" if text.startswith(url) else f"{url}: {type(error).__name__}: {text}"
