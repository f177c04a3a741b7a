"""Mendeley Data: ``mendeley:DATASET/VERSION/FILE``. Open; its list gives the size and the SHA-256 of each file.

Its public API is not documented by the publisher; what is read here is what its own pages ask for.
"""

from __future__ import annotations

from urllib.parse import quote

from covid_datasets.errors import MissingUpstreamError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.host import Ask, Host, entries, inner, listed, only, parsed

FORM = "mendeley:DATASET/VERSION/FILE"
_PATTERN = r"([a-z0-9]+)/(\d+)/(.+)"
PAGE_SIZE = 1000
PAGES = 50


def find(name: str, api: str, ask: Ask) -> Asset:
    """Find a file in a version of a dataset; it may lie in folders."""
    dataset, version, path = parsed(_PATTERN, name, FORM).groups()
    *folders, wanted = path.split("/")
    place = f"{api}/datasets/{dataset}"
    folder = _folder(entries(ask(f"{place}/folders/{version}")), folders) if folders else "root"
    files: list[dict[str, object]] = []
    for number in range(PAGES):
        start = f"%24start={number * PAGE_SIZE}&%24limit={PAGE_SIZE}"
        found = entries(ask(f"{place}/files?folder_id={quote(folder)}&version={version}&{start}"))
        new = [entry for entry in found if entry not in files]
        files += new
        # Whether it pages at all is not known: one that does not begins again, one that does ends with an empty page.
        if not new or any(entry.get("filename") == wanted for entry in new):
            break
    names = (entry.get("filename") for entry in files)
    entry = only([entry for entry in files if entry.get("filename") == wanted], wanted, names)
    details = entry.get("content_details")
    size = entry.get("size", inner(details, "size"))
    return listed(wanted, inner(details, "download_url"), size, sha256=inner(details, "sha256_hash"))


def page(name: str) -> str:
    """Give the address of the version's page."""
    dataset, version, _ = parsed(_PATTERN, name, FORM).groups()
    return f"https://data.mendeley.com/datasets/{dataset}/{version}"


def _folder(tree: list[dict[str, object]], path: list[str]) -> str:
    """Walk down a path of folder names; those at the top have no parent that is listed."""
    ids = {entry.get("id") for entry in tree}
    parent: object = None
    for depth, name in enumerate(path):
        above = [e for e in tree if (e.get("parent_id") == parent if depth else e.get("parent_id") not in ids)]
        found = next((entry.get("id") for entry in above if entry.get("name") == name), None)
        if not isinstance(found, str):
            names = sorted(repr(entry.get("name")) for entry in above)
            raise MissingUpstreamError(f"expected a folder {name!r}, found {', '.join(names[:8]) or 'none'}")
        parent = found
    return str(parent)


HOST = Host(form=FORM, api="https://data.mendeley.com/public-api", site="data.mendeley.com", find=find, page=page)
