"""Downloads in a store, where workers that share no disk find them: put once, with the receipt that vouches."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.disk import private_name, write_json
from covid_datasets.settings import DOWNLOADS, Settings


def share(file: Path, name: str, receipt: Mapping[str, Any], settings: Settings) -> None:
    """Put a file that was verified here into the store, unless the same bytes are there; its receipt comes last."""
    if settings.store is None:
        return
    there = settings.store / DOWNLOADS
    if not receipt.get("sha256"):
        with file.open("rb") as content:
            receipt = {**receipt, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}
    noted = _receipt(settings, name)
    if noted.get("sha256") == receipt["sha256"] and there.size(name) == file.stat().st_size:
        return
    there.put_file(file, name)
    there.put(f"{name}.json", json.dumps(receipt, indent=2).encode())


def take(name: str, target: Path, receipt: Path, settings: Settings) -> bool:
    """Bring a file from the store with its receipt, where it is there; whoever asked compares its hash."""
    if settings.store is None or target.exists() or not (noted := _receipt(settings, name)):
        return False
    private = private_name(target)
    try:
        (settings.store / DOWNLOADS).get_file(name, private)
        write_json(receipt, noted)
        os.replace(private, target)
    except FileNotFoundError:  # taken away meanwhile: then it comes from where it came first
        return False
    else:
        return True
    finally:
        private.unlink(missing_ok=True)


def _receipt(settings: Settings, name: str) -> dict[str, Any]:
    assert settings.store is not None
    try:
        found = json.loads((settings.store / DOWNLOADS).read(f"{name}.json"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def withdraw(file: Path, settings: Settings) -> None:
    """Take out of the store what was taken out of the downloads of this machine."""
    if settings.store is not None:
        name = file.relative_to(settings.downloads).as_posix()
        (settings.store / DOWNLOADS).remove([f"{name}.json", name])
