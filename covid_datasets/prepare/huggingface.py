"""The small files beside the Arrow files that make a folder readable by ``datasets.load_from_disk``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Card
from covid_datasets.disk import write_json
from covid_datasets.features import features_dict


def write_huggingface(card: Card, build: Mapping[str, Any], files: Mapping[str, list[str]], folder: Path) -> None:
    """Describe the splits, their files and their features."""
    write_json(folder / "dataset_dict.json", {"splits": list(files)}, durable=False)
    for split in files:
        info = {
            "dataset_name": card.id,
            "config_name": build["config"],
            "description": _description(card, build),
            "homepage": card.homepage,
            "license": card.licence.spdx or card.licence.terms,
            "citation": "\n\n".join(citation.bibtex() for citation in card.citations),
            "features": features_dict(build["columns"]),
            "splits": {split: {"name": split, "num_examples": build["splits"][split], "dataset_name": card.id}},
        }
        state: dict[str, Any] = {
            "_data_files": [{"filename": name} for name in files[split]],
            "_fingerprint": hashlib.sha256(f"{build['fingerprint']}/{split}".encode()).hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        write_json(folder / split / "dataset_info.json", info, durable=False)
        write_json(folder / split / "state.json", state, durable=False)


def _description(card: Card, build: Mapping[str, Any]) -> str:
    """Describe a build where ``datasets`` keeps it through select, filter and save, with what a paper cites."""
    name = f"{card.id}@{build['version']} ({build['config']})"
    return f"{card.summary}\n\nBuilt by covid_datasets as {name}, fingerprint {build['fingerprint']}"
