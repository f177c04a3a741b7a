"""From a card to its raw files: downloaded, mirrored or the user's own, and checked for completeness."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.cards import choose, names_in
from covid_datasets.catalog.resource import Resource
from covid_datasets.disk import check_space
from covid_datasets.errors import AccessRequired, CovidDatasetsError, IncompleteSourceError
from covid_datasets.fetch.cached import require_mirror
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.access import access_text, how_to_get, incomplete_text, other_copies_text
from covid_datasets.raw.kinds import by_kind, check_card
from covid_datasets.raw.local import Local, mount_local
from covid_datasets.raw.mirror import Mirror, Mirrored, open_folder, read_sums, write_sums
from covid_datasets.raw.mounts import flat
from covid_datasets.raw.origin import Brought
from covid_datasets.raw.origin import Origin as Origin
from covid_datasets.raw.places import shown
from covid_datasets.raw.reach import is_open, within_reach
from covid_datasets.raw.survey import survey
from covid_datasets.raw.terms import require_terms
from covid_datasets.raw.tree import RawTree
from covid_datasets.settings import Settings, given_path

GIVEN = "given by the user"


@dataclass(frozen=True, slots=True)
class Obtained:
    """The raw files of a source, where they came from, and what is not as the catalog says.

    ``missing`` and ``extra`` are files, ``unusable`` are whole archives and resources, with the reason, and ``absent``
    are optional resources that are not there, with how to get them. It is ``incomplete`` where more is lost than the
    catalog tolerates, and somebody allowed that. ``signature`` tells a user's own copy from another.
    """

    raw: RawTree
    origins: tuple[Origin, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    unusable: Mapping[str, str]
    absent: Mapping[str, str] = field(default_factory=dict)
    incomplete: bool = False
    signature: str = ""


def obtain(
    choice: Choice,
    settings: Settings,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    allow_missing: bool = False,
) -> Obtained:
    """Get the raw files of a source, from ``data_dir`` where given, else from the source's copies in order."""
    check_card(choice.card)
    resources = choice.resources
    reached = within_reach(choice.card, resources, settings)
    if data_dir is None and needs_hands(reached):
        raise AccessRequired(access_text(choice))
    local = Local({}, [], {}) if data_dir is None else mount_local(data_dir, choice.every_resource)
    mounts = {each.name: local.mounts[each.name] for each in resources if each.name in local.mounts}
    unusable = dict(local.damaged)
    origins = [Origin(name, shown(mount.location), "", mount.proof or GIVEN) for name, mount in mounts.items()]
    by_hand = not all(is_open(choice.card, resource) for resource in resources)
    if data_dir is None or (by_hand and mounts):  # what is within reach completes what its user has to bring
        lacking = [resource for resource in reached if resource.copies and resource.name not in mounts]
        besides = {part.name: other_copies_text(part, some) for part, some in zip(resources, reached, strict=True)}
        transfer = Transfer(settings, dataset=choice.name)
        brought, told = _bring(lacking, transfer, besides, allow_missing=allow_missing)
        if told and not brought and not mounts:
            raise next(iter(told.values()))
        unusable |= {name: str(told[name]) for name in sorted(told)}
        mounts |= {name: mount for name, (mount, _) in brought.items()}
        origins += [origin for _, origin in brought.values()]
    mounts = {resource.name: mounts[resource.name] for resource in resources if resource.name in mounts}
    raw = RawTree(tuple(flat(mounts.values())), choice.version, choice.config, dict(choice.form.options))
    raw.remember(local.look)
    found = survey(resources, mounts, local.look)
    # What an optional part lacks may not be needed; the build counts what is, see `covid_datasets.prepare.components`.
    needed = survey([resource for resource in resources if not resource.optional], mounts, local.look)
    short = needed.is_short(choice.state.tolerance)
    if short and not allow_missing:
        place = "the copies that could be reached" if data_dir is None else f"data_dir {data_dir}"
        damaged = [*found.wrong, *(f"{where}: {why}" for where, why in unusable.items())]
        raise IncompleteSourceError(incomplete_text(choice, found, damaged, local, place))
    to_get = {resource.name: how_to_get(resource) for resource in resources if resource.name not in mounts}
    return Obtained(raw, tuple(origins), found.missing, tuple(local.extra), unusable, to_get, short, local.signature)


def needs_hands(reached: Sequence[Resource]) -> bool:
    """Tell whether something that is needed has no copy within reach."""
    return any(not (resource.copies or resource.optional) for resource in reached)


def _bring(
    resources: Sequence[Resource], transfer: Transfer, besides: Mapping[str, str], *, allow_missing: bool
) -> tuple[dict[str, Brought], dict[str, CovidDatasetsError]]:
    """Download what is open; an optional resource, or one that may be missing, that cannot be had is told.

    ``besides`` says of each resource what other copies there would be, with a key.
    """
    told: dict[str, CovidDatasetsError] = {}

    def lost(resource: Resource, name: str, error: CovidDatasetsError) -> None:
        if not (allow_missing or resource.optional):
            raise type(error)(f"{error}\n{besides[resource.name]}") if besides[resource.name] else error
        told[name] = error

    settings, found = transfer.settings, dict[str, Brought]()
    needed = sum(kind.bytes_to_come(each, settings) for kind, each in by_kind(resources))
    check_space(settings.downloads, needed, transfer.limits.margin)
    for kind, each in by_kind(resources):
        found |= kind.bring(each, transfer, lost)
    return {resource.name: found[resource.name] for resource in resources if resource.name in found}, told


def make_mirror(
    names: Sequence[str],
    destination: str | os.PathLike[str],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    mirror: str | None = None,
    accept_licence: bool = False,
) -> list[Mirrored]:
    """Copy the raw files of sources ("cohen", "cohen@2020-06-22") into a folder that works as a mirror elsewhere."""
    choices = [choose(name) for name in names_in(names)]
    for choice in choices:
        check_card(choice.card)
    settings = Settings.resolve(cache_dir, mirror)
    require_mirror(settings)
    for choice in choices:
        if needs_hands(within_reach(choice.card, choice.every_resource, settings)):
            carried = "What you fetched by hand needs no mirror: carry the folder over, and use it there."
            raise AccessRequired(f"{access_text(choice)}\n{carried}")
        require_terms(choice.card, settings, accept_licence)
    return write_mirror(choices, destination, Transfer(settings))


def write_mirror(choices: Sequence[Choice], destination: str | os.PathLike[str], transfer: Transfer) -> list[Mirrored]:
    """Put every resource that has an address into ``destination`` as ``<host>/<path>``, verified, with a SHA256SUMS.

    Each file is stored under the URL that it came from; whoever uses the mirror tries the copies in the same order and
    so arrives there. What is in the mirror and right is not fetched again.
    """
    folder = open_folder(
        os.fspath(destination) if "://" in str(destination) else given_path(destination, "destination")
    )
    sums, results = read_sums(folder), list[Mirrored]()
    for choice in choices:
        into = Mirror(folder, sums, choice.card.id)
        transfer = replace(transfer, dataset=choice.name)
        reached = within_reach(choice.card, choice.every_resource, transfer.settings)
        for kind, each in by_kind([resource for resource in reached if resource.copies]):
            results += kind.mirror(each, into, transfer)
            sums |= {found.path.relative_to(folder).as_posix(): found.sha256 for found in results}
        write_sums(folder, sums)
    return results
