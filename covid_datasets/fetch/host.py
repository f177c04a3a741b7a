"""What a host of research data has to say of itself; each module of ``hosts/`` makes one of these.

No module of ``hosts/`` opens a connection: it is handed a function that brings a page of the host's API as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from covid_datasets.errors import CatalogError, DownloadError, MissingUpstreamError, NotTheFileError
from covid_datasets.fetch.asset import Asset

Ask = Callable[[str], object]
"""Brings the JSON that a URL of a host's API answers with."""

SHOWN = 8
LONGEST = 2048
"""Characters of a file's name on a host."""
_DIGITS = {"sha256": 64, "md5": 32}


def as_written(name: str) -> str:
    """Keep a name as it is."""
    return name


def no_login() -> str:
    """Find no key: there is none to have."""
    return ""


def no_advice(path: str, status: int) -> str:
    """Have nothing to add to a refusal."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of research data, and how its files are found.

    A card writes a file as ``scheme:name``; ``form`` shows it to people: ``zenodo:RECORD/FILE``.

    Attributes:
        form: How a file is written, with words in capitals for what varies.
        api: Where its API begins; a key is sent there and nowhere else.
        site: Stands for the scheme in the places of caches and mirrors: ``zenodo.org/RECORD/FILE``.
        find: Finds a file, given its name, the API and what asks the API: its address, and its size and hash if listed.
        page: Gives the address of the page at which a person finds the file.
        stored_as: Gives the path of the file in the site's folder of a mirror.
        login: Finds the user's key and gives the header that carries it; empty where there is none.
        key: Says how a user gets a key and where to put it; empty where the host asks for none.
        refused: Says what to do where the API refuses; told the path below the API and the status.
        hostnames: Whose http and https URLs are of this host too; theirs are found as ``scheme:`` ones are.
    """

    form: str
    api: str
    site: str
    find: Callable[[str, str, Ask], Asset]
    page: Callable[[str], str]
    stored_as: Callable[[str], str] = as_written
    login: Callable[[], str] = no_login
    key: str = ""
    refused: Callable[[str, int], str] = no_advice
    hostnames: tuple[str, ...] = ()


def parsed(pattern: str, name: str, form: str) -> re.Match[str]:
    r"""Match what a card writes after the scheme, or say how it should be written.

    >>> parsed(r"(\d+)/(.+)", "12/a.zip", "zenodo:RECORD/FILE").groups()
    ('12', 'a.zip')
    """
    match = re.fullmatch(pattern, name, re.ASCII | re.DOTALL) if len(name) <= LONGEST else None
    if match is None or ".." in name.split("/"):
        raise CatalogError(f"{form.partition(':')[0]}:{name[:LONGEST]}: expected {form}")
    return match


def entries(answer: object, *keys: str) -> list[dict[str, object]]:
    """Take a list of objects out of an answer, at the end of a path of keys.

    >>> entries({"files": [{"key": "a.zip"}]}, "files")
    [{'key': 'a.zip'}]
    """
    found = inner(answer, *keys)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        where = f" at {'.'.join(keys)!r}" if keys else ""
        raise NotTheFileError(f"expected a list of files{where}, found {_quoted(found if keys else answer)}")
    return found


def inner(answer: object, *keys: str) -> object:
    """Follow keys into nested objects; ``None`` where one is absent.

    >>> inner({"links": {"self": "https://h/a"}}, "links", "self")
    'https://h/a'
    """
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def only(found: list[dict[str, object]], name: str, names: Iterator[object]) -> dict[str, object]:
    """Take the one entry that was found; say what else is listed where there is none."""
    if len(found) > 1:
        raise DownloadError(f"expected one file {name!r}, found {len(found)} of this name")
    if not found:
        listed = sorted({_quoted(other) for other in names})
        more = f" and {len(listed) - SHOWN:,} more" if len(listed) > SHOWN else ""
        raise MissingUpstreamError(
            f"expected a file {name!r}, found {', '.join(listed[:SHOWN]) or 'an empty list'}{more}"
        )
    return found[0]


def listed(name: str, url: object, size: object = None, **hashes: object) -> Asset:
    """Take an entry's values for what they are: a URL there must be, a size and hashes only where they look like it.

    >>> listed("a", "https://h/a", 12, md5="MD5 unknown")
    Asset(name='a', urls=('https://h/a',), size=12, sha256='', md5='', sha1='', checked_inside=False)
    """
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise NotTheFileError(f"expected the address of the file, found {_quoted(url)}")
    good = {
        kind: value.lower()
        for kind, value in hashes.items()
        if isinstance(value, str) and re.fullmatch(rf"[0-9a-fA-F]{{{_DIGITS[kind]}}}", value)
    }
    whole = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
    return Asset(name=name, urls=(url,), size=whole, sha256=good.get("sha256", ""), md5=good.get("md5", ""))


def _quoted(value: object) -> str:
    """Quote what came, cut short; what the host wrote may be anything."""
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
