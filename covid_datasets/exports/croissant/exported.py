"""`describe_export`: the description that lies in every export, through which its records load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from covid_datasets.catalog.card import Access, Card, Licence, Patients
from covid_datasets.exports.croissant.dataset import Described, document
from covid_datasets.exports.croissant.files import file_set, files_of
from covid_datasets.exports.croissant.records import JOINED_BYTES, PARQUET, labels_set, samples_set, splits_set
from covid_datasets.exports.croissant.responsible import Source
from covid_datasets.exports.exportable import Exportable

_SHARD = re.compile(r"(.*/)?([^/]+)-[0-9]{5}-of-[0-9]{5}\.parquet")


def describe_export(data: Exportable, format: str, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Describe an export from what was exported, and from the size and SHA-256 of each of its files.

    Records load from Parquet alone: `mlcroissant` reads no Arrow, TFRecord or tar, and would decode pictures as if all
    were photographs. Of other formats the files are described, each as what it is.
    """
    shards = {name: found for name in files if (found := _SHARD.fullmatch(name))}
    rows = {name: split.rows for name, split in data.splits.items()}
    distribution, sets = files_of(files), []
    if shards:
        folder = next(iter(shards.values()))[1] or ""
        # A format may spell the names of splits in its own way: those in the names of the files are what readers see.
        spelled = {found[2].replace("-", "_"): found[2] for found in shards.values()}
        rows = {spelled[key]: rows[name] for name in rows if (key := name.replace("-", "_")) in spelled}
        distribution.append(_shards(folder, len(shards)))
        size = sum(files[name]["size"] for name in shards)
        labels = [name for name, kind in data.feature_types.items() if kind.get("_type") == "ClassLabel"]
        sets.append(samples_set(data.features, labels, folder, _notes(data), joined=size <= JOINED_BYTES))
    if data.label_names:
        sets.insert(0, labels_set(data.label_names))
    return document(
        Described(
            name=data.name,
            version=data.version or f"0.0.0+{data.fingerprint[:8] or 'unknown'}",
            sources=_sources(data),
            distribution=distribution,
            record_sets=[splits_set(rows, rows), *sets],
            fingerprint=data.fingerprint,
            counts=f"Exported as {format}: {data.rows:,} rows.",
        )
    )


def _shards(folder: str, count: int) -> dict[str, Any]:
    told = f"The {count:,} shards, in which the rows of a split are in order; each has its hash as a file of its own."
    return file_set(PARQUET, [f"{folder}*.parquet"], told) | {"@id": PARQUET, "encodingFormat": "application/x-parquet"}


def _sources(data: Exportable) -> tuple[Source, ...]:
    found: list[Source] = []
    for source in data.sources:
        card = source.card or _unknown(source.id)
        found.append((card, card.versions.get(source.version)))
    return tuple(found) or ((_unknown(data.name), None),)


def _unknown(id: str) -> Card:
    """Stand in for the card of what is in no catalog: data of one's own, or rows of which nobody tells the source."""
    return Card(
        id=id,
        title=id,
        summary=f"{id}: no card describes it.",
        seed_names=(),
        modalities=(),
        task="whatever its owner wants",
        homepage="",
        citations=(),
        licence=Licence(
            spdx="", terms="No card states a licence; its owner knows.", redistribution="unknown", commercial="unknown"
        ),
        access=Access(kind="open"),
        patients=Patients(known="some", how="Nobody has said here how one person is told from another."),
    )


def _notes(data: Exportable) -> dict[str, str]:
    """Say of each column what its sources put there; where there are several, each says whose word it is."""
    cards = data.cards
    told: dict[str, list[str]] = {}
    for card in cards:
        for column, text in card.features.items():
            told.setdefault(column, []).append(f"{card.id}: {text}" if len(cards) > 1 else text)
    return {column: "; ".join(texts) for column, texts in told.items()}
