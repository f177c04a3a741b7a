"""What a build depends on, as a readable list; its digest names the folder of the build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.published import told_apart
from covid_datasets.prepare.composed import builder_digest
from covid_datasets.prepare.quoted import addresses_of

FORMAT = 7
"""Raised when the engine stores something else from the same inputs; older builds are then built again."""


def declared_inputs(choice: Choice, verify: str) -> dict[str, Any]:
    """List what is known before any raw file is seen."""
    card, columns, addresses = choice.card, choice.columns, addresses_of(choice.card)
    apart = sorted(sorted(pair) for pair in told_apart() if any(name.startswith(f"{card.id}/") for name in pair))
    return {
        "format": FORMAT,
        "dataset": card.id,
        "version": choice.version,
        "config": choice.config,
        "verify": verify,
        "card": _text_digest(repr((choice.state, choice.resources, choice.form))),
        **({"columns": dict(columns)} if columns else {}),
        "builder": builder_digest(card),
        "taxonomy": _file_digest(catalog_folder() / "_taxonomy.toml"),
        "identities": _file_digest(catalog_folder() / "identities" / f"{card.id}.tsv"),
        "splits": _file_digest(catalog_folder() / "splits" / f"{card.id}.csv"),
        **({"apart": _text_digest(repr(apart))} if apart else {}),
        **({"ids": card.patients.ids} if card.patients.ids else {}),
        **({"addresses": _text_digest(repr(sorted(addresses.items())))} if addresses else {}),
    }


def outdated(inputs: Mapping[str, Any]) -> str:
    """Say of the inputs of a build that it is of another format than this release's; empty where it is not.

    >>> outdated({"format": 1})
    'built with format 1, this release stores format ...'
    """
    found = inputs.get("format")
    return "" if found == FORMAT else f"built with format {found}, this release stores format {FORMAT}"


def key_of(inputs: dict[str, Any]) -> str:
    """Digest a list of inputs to the name of a folder.

    >>> key_of({"format": 1}) == key_of({"format": 1})
    True
    """
    return _text_digest(json.dumps(inputs, sort_keys=True))[:16]


def folder_signature(data_dir: Path) -> str:
    """Digest names, sizes and times of a user's own files, so that changed files are built anew."""
    from covid_datasets.raw.folders import signature_of  # here, for most look for no files of their own
    from covid_datasets.raw.stored import stamps_of

    return signature_of(stamps_of(data_dir))


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


PROVEN = key_of({"resources": [], "missing": []})
"""The raw files of a source of which all are there, and each is proven by its content."""
