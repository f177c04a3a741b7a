"""Hosts of research data: one module each, found by its name, which is the scheme that cards write (``zenodo:…``)."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from urllib.parse import unquote, urlsplit

from covid_datasets.errors import CatalogError
from covid_datasets.fetch.host import Host

HOSTS: dict[str, Host] = {
    module.name: import_module(f"{__name__}.{module.name}").HOST for module in iter_modules(__path__)
}
"""Every host by its scheme."""


def host_of(url: str) -> tuple[Host, str] | None:
    """Find the host that a URL names, and the name of the file there; ``None`` for an ordinary URL.

    >>> host, name = host_of("zenodo:3757476/COVID-19-CT-Seg_20cases.zip")
    >>> host.site, name
    ('zenodo.org', '3757476/COVID-19-CT-Seg_20cases.zip')
    >>> host_of("https://example.org/a.zip") is None
    True
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme in HOSTS:
        return HOSTS[scheme], unquote(rest)
    if scheme in ("http", "https"):
        try:
            hostname = urlsplit(url).hostname
        except ValueError:  # no URL at all; whoever asks for it says so
            return None
        return next(((host, url) for host in HOSTS.values() if hostname in host.hostnames), None)
    return None


def behind(url: str) -> Host | None:
    """Find the host whose API a URL is of.

    >>> behind("https://zenodo.org/api/records/3757476").site
    'zenodo.org'
    """
    return next((host for host in HOSTS.values() if host.api and url.startswith(f"{host.api}/")), None)


def problem_of(url: str) -> str:
    """Say how a short form should be written; empty where nothing is wrong, or where it is an ordinary URL.

    >>> problem_of("zenodo:cases.zip")
    'zenodo:cases.zip: expected zenodo:RECORD/FILE'
    """
    try:
        page_of(url)
    except CatalogError as error:
        return str(error)
    return ""


def page_of(url: str) -> str:
    """Give the address at which a person finds what a URL names.

    >>> page_of("zenodo:3757476/cases.zip"), page_of("https://example.org/a.zip")
    ('https://zenodo.org/records/3757476', 'https://example.org/a.zip')
    """
    found = host_of(url)
    return found[0].page(found[1]) if found else url
