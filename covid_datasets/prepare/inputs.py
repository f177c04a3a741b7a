"""What a build depends on, as a readable list; its digest names the folder of the build."""

from __future__ import annotations

import hashlib
import json
import os
import re
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.cards import catalog_folder, load_card
from covid_datasets.errors import CatalogError, NotThereError
from covid_datasets.prepare.quoted import addresses_of

FORMAT = 3
"""Raised when the engine stores something else from the same inputs; older builds are then built again."""


def declared_inputs(choice: Choice, verify: str) -> dict[str, Any]:
    """List what is known before any raw file is seen."""
    card, columns, addresses = choice.card, choice.columns, addresses_of(choice.card)
    return {
        "format": FORMAT,
        "dataset": card.id,
        "version": choice.version,
        "config": choice.config,
        "verify": verify,
        "card": _text_digest(repr((choice.state, choice.resources, choice.form))),
        **({"columns": dict(columns)} if columns else {}),
        "builder": _builder_digest(card.id),
        "taxonomy": _file_digest(catalog_folder() / "_taxonomy.toml"),
        "identities": _file_digest(catalog_folder() / "identities" / f"{card.id}.tsv"),
        "splits": _file_digest(catalog_folder() / "splits" / f"{card.id}.csv"),
        **({"addresses": _text_digest(repr(sorted(addresses.items())))} if addresses else {}),
    }


def key_of(inputs: dict[str, Any]) -> str:
    """Digest a list of inputs to the name of a folder.

    >>> key_of({"format": 1}) == key_of({"format": 1})
    True
    """
    return _text_digest(json.dumps(inputs, sort_keys=True))[:16]


def folder_signature(data_dir: Path) -> str:
    """Digest names, sizes and times of a user's own files, so that changed files are built anew."""
    from covid_datasets.catalog.layout import is_litter
    from covid_datasets.raw.archives import open_archive

    if not data_dir.exists():
        raise NotThereError(f"data_dir {data_dir}: expected a folder or an archive, found nothing")
    inside = [""] if data_dir.is_file() else open_archive((str(data_dir),)).names()
    names = [name for name in inside if not is_litter(name)]
    found = [(name, os.stat(f"{data_dir}/{name}" if name else data_dir)) for name in names]
    return _text_digest(repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]))


@lru_cache(maxsize=128)
def builder_path(dataset: str) -> Path:
    """Find the file of a builder without importing it."""
    spec = util.find_spec(f"covid_datasets.builders.{dataset}")
    if spec is None or spec.origin is None:
        raise CatalogError(f"{dataset}: expected the builder builders/{dataset}.py, found nothing")
    return Path(spec.origin)


def _builder_digest(dataset: str) -> str:
    """Digest a builder together with those that it imports: that is how a source composed of others reads its parts."""
    texts: dict[str, str] = {}
    waiting = [dataset]
    while waiting:
        if (name := waiting.pop()) not in texts:
            source = builder_path(name).read_text(encoding="utf-8")
            facts = load_card(name).facts
            texts[name] = source + (json.dumps(facts, sort_keys=True) if facts else "")
            waiting += re.findall(r"(?m)^from covid_datasets\.builders import (\w+)$", source)
    return _text_digest("".join(texts[name] for name in sorted(texts)))


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
