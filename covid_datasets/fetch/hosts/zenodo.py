"""Zenodo: ``zenodo:RECORD/FILE``. Open; its list gives the size and the MD5 of each file."""

from __future__ import annotations

from urllib.parse import quote

from covid_datasets.errors import ChangedUpstreamError
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.host import Ask, Host, entries, inner, listed, only, parsed

FORM = "zenodo:RECORD/FILE"
_PATTERN = r"(\d+)/(.+)"


def find(name: str, api: str, ask: Ask) -> Asset:
    """Find a file in its record; a number that stands for the newest record only is refused, for it moves."""
    record, wanted = parsed(_PATTERN, name, FORM).groups()
    answer = ask(f"{api}/records/{record}")
    files = entries(answer, "files")
    if (newest := inner(answer, "id")) not in (None, record, int(record)):
        raise ChangedUpstreamError(
            f"expected record {record}, found {newest!r}: the number stands for all versions. Next: name one of them"
        )
    # "key" is what records have today; "filename" is what they had for some months after the move of 2023.
    named = [entry.get("key", entry.get("filename")) for entry in files]
    entry = only([files[i] for i, each in enumerate(named) if each == wanted], wanted, iter(named))
    checksum = str(entry.get("checksum", "")).rpartition("md5:")[2]
    url = inner(entry, "links", "self") or f"https://zenodo.org/records/{record}/files/{quote(wanted)}?download=1"
    return listed(wanted, url, entry.get("size"), md5=checksum)


def page(name: str) -> str:
    """Give the address of the record's page."""
    return f"https://zenodo.org/records/{parsed(_PATTERN, name, FORM)[1]}"


HOST = Host(form=FORM, api="https://zenodo.org/api", site="zenodo.org", find=find, page=page)
