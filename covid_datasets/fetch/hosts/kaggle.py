"""Kaggle: ``kaggle:OWNER/DATASET@VERSION[/FILE]`` and ``kaggle:competitions/NAME[/FILE]``, with the user's own key.

It publishes no hashes. Without a file it serves one zip of all. Its answer leads to a storage host by a signed address
that expires, so every attempt asks Kaggle anew; the key goes to Kaggle only.
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from urllib.parse import quote

from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.host import Ask, Host, listed, parsed
from covid_datasets.fetch.keys import one_word, read_json_key, read_key

FORM = "kaggle:OWNER/DATASET@VERSION/FILE, kaggle:competitions/NAME/FILE, or either without /FILE"
_PATTERN = r"(?:competitions/([\w-]+)|([\w-]+)/([\w-]+)(?:@(\d+))?)(?:/(.+))?"
SETTINGS = "https://www.kaggle.com/settings/api"
KEY = (
    f"Kaggle: make a token at {SETTINGS} ('Generate New Token'), save it as ~/.kaggle/access_token and run 'chmod 600 "
    f"~/.kaggle/access_token', or set KAGGLE_API_TOKEN. An older key works too: ~/.kaggle/kaggle.json, or "
    f"KAGGLE_USERNAME and KAGGLE_KEY. Then accept the terms of the data, where it has any, on its page: "
)


def find(name: str, api: str, ask: Ask) -> Asset:
    """Say where the API serves a file, or the zip of all files; nothing is asked."""
    competition, owner, dataset, version, file = parsed(_PATTERN, name, FORM).groups()
    if competition:
        way = f"download/{competition}/{quote(file, safe='')}" if file else f"download-all/{competition}"
        return listed(name, f"{api}/competitions/data/{way}")
    inside = f"/{quote(file, safe='')}" if file else ""
    query = f"?datasetVersionNumber={version}" if version else ""
    return listed(name, f"{api}/datasets/download/{owner}/{dataset}{inside}{query}")


def page(name: str) -> str:
    """Give the address of the page of a dataset or competition."""
    competition, owner, dataset, version, _ = parsed(_PATTERN, name, FORM).groups()
    if competition:
        return f"https://www.kaggle.com/competitions/{competition}"
    return f"https://www.kaggle.com/datasets/{owner}/{dataset}" + (f"/versions/{version}" if version else "")


def stored_as(name: str) -> str:
    """Name the zip of all files like a file, beside the folder of single ones."""
    return name if parsed(_PATTERN, name, FORM)[5] else f"{name}.zip"


def login() -> str:
    """Find the user's key where Kaggle's own tools do, in the same order."""
    folder = Path("~/.kaggle").expanduser()
    given = os.environ.get("KAGGLE_API_TOKEN", "")
    files = [folder / "access_token", folder / "access_token.txt"]
    if _is_file(given):
        files, given = [Path(given), *files], ""
    if token := one_word(given, "KAGGLE_API_TOKEN") or next(filter(None, map(read_key, files)), ""):
        return f"Bearer {token}"
    user, key = os.environ.get("KAGGLE_USERNAME", ""), os.environ.get("KAGGLE_KEY", "")
    if not (user and key):
        config = os.environ.get("KAGGLE_CONFIG_DIR")
        user, key = read_json_key(Path(config or folder).expanduser() / "kaggle.json", "username", "key")
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode() if user and key else ""


def _is_file(text: str) -> bool:
    try:
        return bool(text) and Path(text).is_file()
    except (OSError, ValueError):  # a token may be too long for a path
        return False


def refused(path: str, status: int) -> str:
    """Tell no key from a wrong one, and that from terms that are not accepted."""
    match = re.match(r"(?:competitions/data/download(?:-all)?/([\w-]+)|datasets/download/([\w-]+/[\w-]+))", path)
    where = "https://www.kaggle.com"
    if match:
        where += f"/competitions/{match[1]}/rules" if match[1] else f"/datasets/{match[2]}"
    if not login():
        return f"it was asked without a key. Next: {KEY}{where}"
    if status == 401:
        return (
            f"Kaggle does not know this key. Next: make a new one at {SETTINGS} and save it as ~/.kaggle/access_token"
        )
    return (
        f"Kaggle knows who asks and does not allow it: most often the terms are not accepted yet. Next: open {where} "
        f"with the account of your key, accept the terms (Kaggle may ask for a verified telephone number), call again"
    )


HOST = Host(
    form=FORM,
    api="https://www.kaggle.com/api/v1",
    site="kaggle.com",
    find=find,
    page=page,
    stored_as=stored_as,
    login=login,
    key=KEY,
    refused=refused,
)
