"""Ask a host of research data where one of its files is, and what its list says of the bytes."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from covid_datasets.errors import DownloadError, IntegrityError, NotTheFileError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.hosts import host_of
from covid_datasets.fetch.http import download_http
from covid_datasets.fetch.places import redacted
from covid_datasets.fetch.transfer import Transfer

LONGEST = 8 << 20
"""Bytes of one page of a list; the lists of thousands of files are shorter."""
MOST = 400
"""Pages that are read to find one file."""
_SHOWN = 80


def look_up(url: str, transfer: Transfer) -> Asset:
    """Find a file of a host: its one address, and what its list says; of an ordinary URL nothing is asked.

    >>> from covid_datasets.settings import Settings
    >>> look_up("https://example.org/a.zip", Transfer(Settings.resolve())).urls
    ('https://example.org/a.zip',)
    """
    found = host_of(url)
    if found is None:
        return Asset(name=url, urls=(url,))
    host, name = found
    asked = 0

    def ask(page: str) -> object:
        nonlocal asked
        asked += 1
        if asked > MOST:
            raise NotTheFileError(f"expected to find it on {MOST} pages of a list, found more")
        if page not in transfer.lists:
            transfer.lists[page] = _read_json(page, transfer)
        return transfer.lists[page]

    try:
        listed = host.find(name, host.api, ask)
        if host.api.startswith("https:") and not listed.urls[0].startswith("https:"):
            raise NotTheFileError(f"expected a file served over https as its list is, found {redacted(listed.urls[0])}")
        return listed
    except (DownloadError, IntegrityError) as error:
        advice = "" if "Next: " in str(error) else f". Next: look at {host.page(name)}, or use a copy with data_dir="
        raise type(error)(f"{redacted(url)}: {error}{advice}") from error


def _read_json(url: str, transfer: Transfer) -> object:
    """Download a page of a list like any other file, within bounds, and read it."""
    size = 0

    def on_total(total: int) -> None:
        if total > LONGEST:
            raise NotTheFileError(f"{redacted(url)}: expected a list of at most {LONGEST:,} bytes, found {total:,}")

    def on_bytes(count: int) -> None:
        nonlocal size
        transfer.cancel()
        size += count
        on_total(size)

    with TemporaryDirectory(prefix="covid-datasets-") as folder:
        file = Path(folder, "list.json")
        download_http(url, file, transfer, on_bytes=on_bytes, on_total=on_total)
        text = file.read_bytes()
    try:
        answer: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        begins = text[:_SHOWN].decode(errors="replace")
        raise NotTheFileError(f"{redacted(url)}: expected JSON, found {len(text):,} bytes: {begins!r}") from error
    return answer
