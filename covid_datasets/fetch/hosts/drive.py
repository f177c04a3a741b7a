"""Google Drive, which is refused: after some downloads it serves a page about quotas in place of the file."""

from __future__ import annotations

from typing import NoReturn

from covid_datasets.errors import RefusedError
from covid_datasets.fetch.host import Ask, Host


def find(name: str, api: str, ask: Ask) -> NoReturn:
    """Say why nothing is downloaded from here, and what to do."""
    raise RefusedError(
        f"Google Drive is not downloaded from: it serves pages about quotas and viruses in place of files, and its "
        f"files change under one address. Next: download it by hand at {page(name)} and pass its folder as data_dir="
    )


def page(name: str) -> str:
    """Give the address at which a person downloads the file."""
    return name if name.startswith("http") else f"https://drive.google.com/file/d/{name}/view"


HOST = Host(
    form="drive:FILE",
    api="",
    site="drive.google.com",
    find=find,
    page=page,
    hostnames=("drive.google.com", "docs.google.com", "drive.usercontent.google.com"),
)
