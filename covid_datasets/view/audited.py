"""The section of a source's page with the splits of it that were published, which lead to the ledger."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.ledger import entry_names, load_entry
from covid_datasets.harmless import markdown


def audited(card: Card) -> Iterator[str]:
    """List the entries of the ledger that split pictures of a source."""
    entries = [entry for entry in map(load_entry, entry_names()) if card.id in entry.pictures]
    if not entries:
        return
    yield from ("## Published splits", "", "What lies in several parts of them, the ledger says:", "")
    yield from (f"- [{markdown(entry.title)}](../ledger.md#{entry.id})" for entry in entries)
