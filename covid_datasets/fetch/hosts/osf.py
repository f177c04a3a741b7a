"""The Open Science Framework: ``osf:PROJECT/FILE``. Open; its list gives the size, SHA-256 and MD5 of each file."""

from __future__ import annotations

from urllib.parse import quote

from covid_datasets.errors import MissingUpstreamError, NotTheFileError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.host import Ask, Host, entries, inner, listed, only, parsed

FORM = "osf:PROJECT/FILE"
_PATTERN = r"([a-z0-9]+)/(.+)"
PAGES = 200


def find(name: str, api: str, ask: Ask) -> Asset:
    """Find a file in the storage of a project, folder by folder."""
    project, path = parsed(_PATTERN, name, FORM).groups()
    *folders, wanted = path.split("/")
    here = f"{api}/nodes/{quote(project)}/files/osfstorage/?page%5Bsize%5D=100"
    for folder in folders:
        inside = _named(_all(here, api, ask), folder, "folder")
        here = _within(inner(inside, "relationships", "files", "links", "related", "href"), api)
    entry = _named(_all(here, api, ask), wanted, "file")
    hashes = inner(entry, "attributes", "extra", "hashes")
    return listed(
        wanted,
        inner(entry, "links", "download"),
        inner(entry, "attributes", "size"),
        sha256=inner(hashes, "sha256"),
        md5=inner(hashes, "md5"),
    )


def page(name: str) -> str:
    """Give the address of the project's page."""
    return f"https://osf.io/{parsed(_PATTERN, name, FORM)[1]}/"


def _all(here: str, api: str, ask: Ask) -> list[dict[str, object]]:
    """Read a list page by page."""
    found: list[dict[str, object]] = []
    for _ in range(PAGES):
        answer = ask(here)
        found += entries(answer, "data")
        following = inner(answer, "links", "next")
        if following is None:
            return found
        here = _within(following, api)
    raise NotTheFileError(f"expected a list of at most {PAGES} pages, found no end")


def _named(found: list[dict[str, object]], name: str, kind: str) -> dict[str, object]:
    alike = [entry for entry in found if inner(entry, "attributes", "kind") == kind]
    named = [entry for entry in alike if inner(entry, "attributes", "name") == name]
    if kind == "folder" and not named:
        names = sorted(repr(inner(entry, "attributes", "name")) for entry in alike)
        raise MissingUpstreamError(f"expected a folder {name!r}, found {', '.join(names[:8]) or 'none'}")
    return only(named, name, (inner(entry, "attributes", "name") for entry in alike))


def _within(url: object, api: str) -> str:
    """Take a link that stays in the API; another place is not for a list to name."""
    if not isinstance(url, str) or not url.startswith(f"{api}/"):
        raise NotTheFileError(f"expected a link to more of the list below {api}/, found {url!r}")
    return url


HOST = Host(form=FORM, api="https://api.osf.io/v2", site="osf.io", find=find, page=page)
