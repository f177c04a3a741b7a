"""A Hugging Face repository: Parquet shards in ``data/``, and a card with licence, splits and features in its YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from covid_datasets.errors import UsageError
from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.features import yaml_features
from covid_datasets.exports.parquet import write_splits

HOW = """```python
import datasets

rows = datasets.load_dataset("path/to/this/folder", split="{split}")
rows[0]
```"""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LICENCES = frozenset(
    "apache-2.0 mit cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 "
    "cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 "
    "cc-by-nc-sa-4.0 pddl odc-by odbl".split()
)
"""The licences that a card of Hugging Face knows by name; every other one is ``other``, with its own."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./*-]*")
_WORDS_OF_YAML = frozenset("y n yes no on off true false null none".split())


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Write the splits as Parquet files in a folder of their own."""
    if not data.rows:
        raise UsageError("export to hf: expected rows, found none; datasets.load_dataset opens no empty split")
    (folder / "data").mkdir()
    write_splits(data, folder / "data", shard_bytes, names=split_names(data))


def split_names(data: Exportable) -> dict[str, str]:
    """Name the splits as ``datasets`` wants them: it knows no hyphen, and opens no split without rows."""
    return {name: name.replace("-", "_") for name, split in data.splits.items() if split.rows}


def front_matter(data: Exportable, folder: Path) -> str:
    """Return the YAML that the Hub and ``datasets`` read at the top of the README.md."""
    names = split_names(data)
    files = {name: sorted((folder / "data").glob(f"{renamed}-*.parquet")) for name, renamed in names.items()}
    config = data.sources[0].config if len(data.sources) == 1 and data.sources[0].config else "default"
    card: dict[str, Any] = {
        "pretty_name": ", ".join(card.title for card in data.cards) or data.name,
        **_licence(data),
        **({"task_categories": ["image-classification"]} if "label" in data.features.names else {}),
        "tags": ["medical", "covid-19", *sorted({each.lower() for card in data.cards for each in card.modalities})],
        "size_categories": [next((text for most, text in _SIZES if data.rows < most), "n>1M")],
        "configs": [
            {
                "config_name": config,
                "data_files": [{"split": each, "path": f"data/{each}-*"} for each in names.values()],
            }
        ],
        "dataset_info": {
            "config_name": config,
            "features": yaml_features(data.feature_types),
            "splits": [
                {
                    "name": names[name],
                    "num_bytes": split.bytes(),
                    "num_examples": split.rows,
                }
                for name, split in data.splits.items()
                if name in names
            ],
            "download_size": sum(path.stat().st_size for paths in files.values() for path in paths),
            "dataset_size": data.bytes,
        },
    }
    return "---\n" + "\n".join(_yaml(card)) + "\n---\n"


def _licence(data: Exportable) -> dict[str, Any]:
    """Name the licence as the Hub does; of several, and of one that it does not know, lead to what is written below."""
    found = {card.licence.spdx.lower() for card in data.cards}
    if len(found) == 1 and len(data.cards) == len(data.sources) and found <= _LICENCES:
        return {"license": found.pop()}
    several = "see-the-card" if len(data.sources) != 1 else "as-its-source-states"
    return {"license": "other", "license_name": several, "license_link": "README.md#licence"}


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Write mappings, lists, texts and numbers as YAML, in the block style in which people read it."""
    for key, inner in value.items() if isinstance(value, Mapping) else ((None, each) for each in value):
        head = f"{indent}- " if key is None else f"{indent}{_scalar(key)}:"
        if not isinstance(inner, Mapping | list):
            yield f"{head}{'' if key is None else ' '}{_scalar(inner)}"
        elif not inner:
            yield f"{head}{'' if key is None else ' '}{'{}' if isinstance(inner, Mapping) else '[]'}"
        elif key is None:
            first, *rest = _yaml(inner, indent + "  ")
            yield from (head + first.lstrip(), *rest)
        else:
            yield head
            yield from _yaml(inner, indent if isinstance(inner, list) else indent + "  ")


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value)  # every JSON is YAML
