"""Which copies of a resource may be asked for it: the public ones, then those to which the user has a key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.fetch.hosts import host_of
from covid_datasets.fetch.places import place
from covid_datasets.fetch.request import login_of
from covid_datasets.settings import Settings

KEYS_HELP = ("open", "web", "account", "request")
"""Kinds of access that a key can open; nothing is taken from where no copies may be taken, or where it is gone."""


def is_public(card: Card, copy: Copy) -> bool:
    """Tell whether anybody may ask for a copy: the card says so, or neither source nor host wants an account."""
    found = host_of(copy.url)
    return copy.public or (card.access.kind in ("open", "web") and not (found and found[0].key))


def is_open(card: Card, resource: Resource) -> bool:
    """Tell whether anybody may fetch a resource, without a key."""
    return any(is_public(card, copy) for copy in resource.copies)


def within_reach(card: Card, resources: Sequence[Resource], settings: Settings) -> list[Resource]:
    """Leave out the copies that need a key which the user does not have, and ask the public ones first.

    A mirror answers for every copy, and needs no key of another host.
    """
    if settings.mirror:
        return list(resources)
    return [replace(resource, copies=_within_reach(card, resource.copies, settings)) for resource in resources]


def _within_reach(card: Card, copies: Sequence[Copy], settings: Settings) -> tuple[Copy, ...]:
    public = [copy for copy in copies if is_public(card, copy)]
    others = [copy for copy in copies if copy not in public and _may_ask(card, copy, settings)]
    return (*public, *others)


def _may_ask(card: Card, copy: Copy, settings: Settings) -> bool:
    if (settings.downloads / place(copy.url)).is_file():
        return True
    found = host_of(copy.url)
    return card.access.kind in KEYS_HELP and bool(found[0].login() if found else login_of(copy.url))


def keys_for(card: Card, resources: Sequence[Resource]) -> list[str]:
    """Say, for each host with a key, how to get it and on which pages to accept terms."""
    return _keys(copy for resource in resources if not is_open(card, resource) for copy in resource.copies)


def keys_besides(resource: Resource, reached: Resource) -> list[str]:
    """Say the same of the copies of a resource that were left out because their key is not there."""
    return _keys(copy for copy in resource.copies if copy not in reached.copies)


def _keys(copies: Iterable[Copy]) -> list[str]:
    pages: dict[str, dict[str, None]] = {}
    for host, name in filter(None, (host_of(copy.url) for copy in copies)):
        if host.key:
            pages.setdefault(host.key, {})[host.page(name)] = None
    return [key + ", ".join(where) for key, where in pages.items()]
