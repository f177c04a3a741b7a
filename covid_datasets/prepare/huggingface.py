"""The small files beside the Arrow files that make a folder readable by ``datasets.load_from_disk``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Card
from covid_datasets.disk import write_json
from covid_datasets.features import features_dict


def info_of(card: Card, build: Mapping[str, Any]) -> dict[str, Any]:
    """Say what ``datasets`` keeps of a build through select, filter and save."""
    return {
        "dataset_name": card.id,
        "config_name": build["config"],
        "description": f"{card.summary}\n\n{built_as(build)}",
        "homepage": card.homepage,
        "license": card.licence.spdx or card.licence.terms,
        "citation": "\n\n".join(citation.bibtex() for citation in card.citations),
        "features": features_dict(build["columns"]),
    }


def built_as(build: Mapping[str, Any]) -> str:
    """Say which build it is, with what a paper cites."""
    view = build.get("view")
    made = f", the view {view['name']} of {view['source']}" if view else ""
    name = f"{build['id']}@{build['version']} ({build['config']})"
    return f"Built by covid_datasets as {name}, fingerprint {build['fingerprint']}{made}"


def write_huggingface(
    info: Mapping[str, Any], build: Mapping[str, Any], files: Mapping[str, list[str]], folder: Path
) -> None:
    """Describe the splits, their files and their features."""
    write_json(folder / "dataset_dict.json", {"splits": list(files)}, durable=False)
    for split in files:
        counts = {"name": split, "num_examples": build["splits"][split], "dataset_name": build["id"]}
        state: dict[str, Any] = {
            "_data_files": [{"filename": name} for name in files[split]],
            "_fingerprint": hashlib.sha256(f"{build['fingerprint']}/{split}".encode()).hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        write_json(folder / split / "dataset_info.json", {**info, "splits": {split: counts}}, durable=False)
        write_json(folder / split / "state.json", state, durable=False)
