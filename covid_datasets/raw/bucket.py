"""A public bucket over HTTPS: what lies below a prefix, listed by S3's ListObjectsV2, and each file fetched.

Nobody publishes hashes of these files: theirs are recorded on first download.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import Element, ParseError

from covid_datasets.errors import DamagedFileError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import Download, fetch, receipt_path
from covid_datasets.fetch.places import mirrored, place
from covid_datasets.fetch.shared import withdraw
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.settings import Settings

MAX_PAGES = 1000

Served = tuple[str, Download]
"""A URL, and what it served."""


@dataclass(frozen=True, slots=True)
class Object:
    """A file in a bucket."""

    key: str
    size: int


def list_objects(root: str, prefix: str, transfer: Transfer) -> tuple[list[Served], list[Object]]:
    """List what lies below a prefix, page by page; pages are kept, so that a later call needs no network."""
    pages: list[Served] = []
    objects: list[Object] = []
    token = ""
    while len(pages) < MAX_PAGES:
        url = list_url(root, prefix, token)
        page = fetch(url, Asset(name=f"list of {prefix}", urls=(url,)), transfer)
        try:
            found, token = parse_page(page.path.read_bytes(), url)
        except DamagedFileError:
            forget([(url, page)], transfer.settings)
            raise
        pages.append((url, page))
        objects += found
        if not token:
            break
    return pages, sorted(objects, key=lambda found: found.key)


def fetch_object(root: str, found: Object, name: str, transfer: Transfer) -> Served:
    """Fetch a file of a bucket, of the size that is listed."""
    url = root + quote(found.key)
    return url, fetch(url, Asset(name=name, urls=(url,), size=found.size), transfer)


def forget(pages: list[Served], settings: Settings) -> None:
    """Let go of lists that are wrong, so that the next call asks the host anew; files of a user's mirror stay."""
    for _, page in pages:
        if not page.in_place:
            page.path.unlink(missing_ok=True)
            receipt_path(page.path).unlink(missing_ok=True)
            withdraw(page.path, settings)


def kept_in(root: str, settings: Settings) -> Path:
    """Give the folder of the cache that the files of a bucket come to."""
    url = f"{root}any"
    return settings.downloads / Path(place(mirrored(url, settings.mirror) if settings.mirror else url)).parent


def list_url(root: str, prefix: str, token: str = "") -> str:
    """Give the address of one page of the list of a prefix.

    >>> list_url("https://bucket.example.org/", "0a1b/")
    'https://bucket.example.org/?list-type=2&prefix=0a1b%2F'
    """
    query = {"list-type": "2", "prefix": prefix} | ({"continuation-token": token} if token else {})
    return f"{root}?{urlencode(query)}"


def parse_page(data: bytes, url: str) -> tuple[list[Object], str]:
    """Read one page of a list; return its files, and the token of the next page, empty after the last one.

    >>> parse_page(b"<ListBucketResult><Contents><Key>a/b.dcm</Key><Size>3</Size></Contents></ListBucketResult>", "u")
    ([Object(key='a/b.dcm', size=3)], '')
    """
    from xml.etree.ElementTree import fromstring  # expat refuses to expand entities beyond bounds

    try:
        if b"<!DOCTYPE" in data:
            raise ValueError("it declares a document type, which no such list does")
        top = fromstring(data)  # noqa: S314
        if _local(top) != "ListBucketResult":
            raise ValueError(f"its top is {_local(top)!r}")
        found = [Object(_text(item, "Key"), int(_text(item, "Size"))) for item in top if _local(item) == "Contents"]
        more = _text(top, "IsTruncated", "false") == "true"
        token = _text(top, "NextContinuationToken") if more else ""
    except (ParseError, ValueError) as error:
        raise DamagedFileError(
            f"{url}: expected a whole list of a bucket (ListBucketResult), found {len(data):,} bytes that are none: "
            f"{error}. Next: call again"
        ) from error
    return found, token


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str, default: str | None = None) -> str:
    """Return the text of a child, whatever its namespace."""
    for child in element:
        if _local(child) == name and child.text:
            return child.text
    if default is None:
        raise ValueError(f"{_local(element)} has no {name}")
    return default
