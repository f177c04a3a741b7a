"""`list_datasets`: all sources as one table."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, get_args

from covid_datasets.catalog.card import AccessKind, Card
from covid_datasets.catalog.cards import readable_cards
from covid_datasets.catalog.seeds import seed_list
from covid_datasets.errors import UsageError, not_one_of
from covid_datasets.vocabulary import Modality

if TYPE_CHECKING:
    import pyarrow as pa


def list_datasets(
    modality: Modality | None = None, access: AccessKind | None = None, *, seed: str | None = None
) -> pa.Table:
    """List all sources as an Arrow table, one row each; ``.to_pandas()`` makes a data frame of it.

    Sources that cannot be loaded are in it too: ``data`` is false, or ``same_as`` names the source that is loaded in
    their place. A card that cannot be read is left out with a warning.

    With ``seed`` ("survey", "covid-arc" or "covid-arc-analysis") it is the published table of that name instead: its
    rows and cells as printed, and the names and counts of our sources beside them.

    >>> "covid_ct" in list_datasets(modality="CT").column("id").to_pylist()
    True
    >>> list_datasets(modality="EEG").num_rows
    0
    """
    import pyarrow as pa

    if seed is not None:
        if modality is not None or access is not None:
            raise UsageError("seed: expected no modality and no access with it: a published table is shown whole")
        return seed_list(seed)
    text, count, texts = pa.string(), pa.int64(), pa.list_(pa.string())
    kinds = {
        "id": text,
        "title": text,
        "modalities": texts,
        "task": text,
        "images": count,
        "patients": count,
        "patient_known": text,
        "access": text,
        "licence": text,
        "redistribution": text,
        "versions": texts,
        "homepage": text,
        "data": pa.bool_(),
        "same_as": text,
        "status": text,
    }
    return pa.Table.from_pylist(list_rows(modality, access), schema=pa.schema(list(kinds.items())))


def list_rows(modality: Modality | None = None, access: AccessKind | None = None) -> list[dict[str, Any]]:
    """List all sources as plain values, without anything heavy to import.

    >>> "pocus" in [row["id"] for row in list_rows(modality="US")]
    True
    """
    for key, value, known in (("modality", modality, get_args(Modality)), ("access", access, get_args(AccessKind))):
        if value is not None and value not in known:
            raise UsageError(f"{key}: {not_one_of(value, known)}")
    cards, problems = readable_cards()
    for problem in problems.values():
        warnings.warn(f"left out, because its card cannot be read: {problem}", stacklevel=3)
    return [_row(card) for card in cards if modality in (None, *card.modalities) and access in (None, card.access.kind)]


def _row(card: Card) -> dict[str, Any]:
    version = card.versions.get(card.default_version)
    return {
        "id": card.id,
        "title": card.title,
        "modalities": list(card.modalities),
        "task": card.task,
        "images": version and version.images,
        "patients": version and version.patients,
        "patient_known": card.patients.known,
        "access": card.access.kind,
        "licence": card.licence.spdx or card.licence.terms,
        "redistribution": card.licence.redistribution,
        "versions": list(card.versions),
        "homepage": card.homepage,
        "data": card.has_data,
        "same_as": card.same_as or None,
        "status": card.status or None,
    }
