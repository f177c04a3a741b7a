"""`describe_export`: the description that lies in every export, through which its records load."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.card import Access, Card, Licence, Patients
from covid_datasets.exports.croissant.dataset import Described, document
from covid_datasets.exports.croissant.files import file_set, files_of
from covid_datasets.exports.croissant.records import JOINED_BYTES, Rows, labels_set, samples_set, splits_set
from covid_datasets.exports.croissant.responsible import Source
from covid_datasets.exports.exportable import Exportable

_SHARD = re.compile(r"(?P<folder>.*/)?(?P<split>[^/]+)-[0-9]{5}-of-[0-9]{5}\.parquet")
_TABLE = re.compile(r"(?P<folder>)(?P<split>[^/]+)\.csv")


def describe_export(
    data: Exportable, format: str, folder: Path, files: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Describe an export from what was exported, and from the size and SHA-256 of each file that lies in its folder.

    Records load from Parquet and from tables (CSV). `mlcroissant` reads no Arrow, TFRecord or tar, and would decode
    pictures as if all were photographs: of other formats the files are described, each as what it is.
    """
    distribution, sets = files_of(files), []
    rows = {name: split.rows for name, split in data.splits.items()}
    wanted = {_spelled(name) for name in rows}
    for pattern, ending, split in ((_SHARD, ".parquet", "(.+)-.+-of-.+"), (_TABLE, ".csv", "(.+)")):
        matches = {name: match for name in files if (match := pattern.fullmatch(name))}
        found = {name: match for name, match in matches.items() if _spelled(match["split"]) in wanted}
        if not found:
            continue
        # A format may spell the names of splits in its own way: those in the names of the files are what readers see.
        spelled = {_spelled(match["split"]): match["split"] for match in found.values()}
        rows = {spelled[key]: rows[name] for name in rows if (key := _spelled(name)) in spelled}
        place = next(iter(found.values()))["folder"] or ""
        where = Rows(files=ending[1:], split=rf"^{place}{split}\{ending}$")
        globs = [f"{place}*{ending}"] if ending == ".parquet" else sorted(found)
        distribution.append(_tables(where.files, globs, len(found)))
        schema = data.features if ending == ".parquet" else _columns_of(folder / next(iter(found)), data.features)
        joined = sum(files[name]["size"] for name in found) <= JOINED_BYTES
        sets.append(samples_set(schema, _labels(data), where, _notes(data), joined=joined))
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


def _spelled(split: str) -> str:
    return split.replace("-", "_")


def _tables(id: str, globs: list[str], count: int) -> dict[str, Any]:
    told = f"{count:,} files, in which the rows of a split are in order; each has its hash as a file of its own."
    return file_set(id, globs, told)


def _labels(data: Exportable) -> list[str]:
    return [name for name, kind in data.feature_types.items() if kind.get("_type") == "ClassLabel"]


def _columns_of(table: Path, stored: pa.Schema) -> pa.Schema:
    """Read the columns of a CSV off its first line; a column has the stored type where that is a single value."""
    with table.open(encoding="utf-8", newline="") as lines:
        names = next(csv.reader(lines))
    kinds = {column.name: column.type for column in stored if not pa.types.is_nested(column.type)}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


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
