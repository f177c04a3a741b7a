"""Figshare: ``figshare:ARTICLE@VERSION/FILE``. Open; its list gives the size and the MD5 of each file."""

from __future__ import annotations

from covid_datasets.errors import DownloadError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.host import Ask, Host, entries, listed, only, parsed

FORM = "figshare:ARTICLE@VERSION/FILE"
_PATTERN = r"(\d+)(?:@(\d+))?/([^/]+)"
PAGE_SIZE = 100
PAGES = 50


def find(name: str, api: str, ask: Ask) -> Asset:
    """Find a file in its article, in the named version, else in the newest."""
    article, version, wanted = parsed(_PATTERN, name, FORM).groups()
    place = f"{api}/articles/{article}" + (f"/versions/{version}" if version else "")
    files: list[dict[str, object]] = []
    for number in range(1, PAGES + 1):
        found = entries(ask(f"{place}/files?page={number}&page_size={PAGE_SIZE}"))
        files += [entry for entry in found if entry not in files]
        if len(found) < PAGE_SIZE:
            break
    entry = only([each for each in files if each.get("name") == wanted], wanted, (each.get("name") for each in files))
    if entry.get("is_link_only") is True:
        raise DownloadError(f"{wanted!r} is a link to another site, found {entry.get('download_url')!r}")
    md5 = entry.get("computed_md5") or entry.get("supplied_md5")
    return listed(wanted, entry.get("download_url"), entry.get("size"), md5=md5)


def page(name: str) -> str:
    """Give the address of the article's page, which is that of its DOI."""
    article, version, _ = parsed(_PATTERN, name, FORM).groups()
    return f"https://doi.org/10.6084/m9.figshare.{article}" + (f".v{version}" if version else "")


HOST = Host(form=FORM, api="https://api.figshare.com/v2", site="figshare.com", find=find, page=page)
