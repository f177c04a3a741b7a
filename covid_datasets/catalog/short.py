"""Short forms of a card: what they stand for is written out before the card is read, so a card has one meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.errors import CatalogError

_COMMIT = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38})/([A-Za-z0-9._-]{1,100})@([0-9a-f]{40})")


def written_out(table: Mapping[str, Any], path: Path | str) -> dict[str, Any]:
    """Write out the short forms of a catalog file; what is not as expected stays, for the reader to tell of it."""
    resources = table.get("resources")
    if not isinstance(resources, list):
        return dict(table)
    return {**table, "resources": [_resource(one, f"{path}: key 'resources[{at}]") for at, one in enumerate(resources)]}


def _resource(resource: Any, where: str) -> Any:
    """Write out the ``github`` of a resource, which is its first copy, and that of each other copy."""
    if not isinstance(resource, dict):
        return resource
    plain, copies = dict(resource), resource.get("copies", [])
    if "github" in resource:
        first = {key: plain.pop(key) for key in ("github", "root", "rename") if key in plain}
        plain.setdefault("kind", "archive")
        copies = [first, *copies] if isinstance(copies, list) else copies
    if isinstance(copies, list) and copies:
        plain["copies"] = [_copy(copy, where) for copy in copies]
    return plain


def _copy(copy: Any, where: str) -> Any:
    """Write out a copy that is a state of a repository: the address of its archive, and the folder inside.

    >>> _copy({"github": f"owner/name@{'0c1d' * 10}", "root": "data/"}, "")["root"][-6:]
    '/data/'
    """
    if not isinstance(copy, dict) or "github" not in copy:
        return copy
    plain = dict(copy)
    given = plain.pop("github")
    found = _COMMIT.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise CatalogError(f"{where}.github': expected owner/name@ and the 40 digits of a commit, found {given!r}")
    if "url" in copy:
        raise CatalogError(f"{where}.url': expected none beside github, found {copy['url']!r}")
    owner, name, commit = found.groups()
    root = plain.get("root", "")
    if not isinstance(root, str):
        raise CatalogError(f"{where}.root': expected text, found {root!r}")
    plain["url"] = f"https://github.com/{owner}/{name}/archive/{commit}.zip"
    plain["root"] = f"{name}-{commit}/{root}"
    return plain
