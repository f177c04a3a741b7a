"""How a notebook shows a card."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.markup import named, paragraph, shown, table
from covid_datasets.view.page import about, counts


def card_html(card: Card) -> str:
    """Show what matters first: what it is, how much of it, what it asks for, and what to beware of.

    >>> from covid_datasets.catalog.cards import info
    >>> card_html(info("phantom")).count("<table>")
    3
    """
    return shown(card.title, _body(card))


def _body(card: Card) -> Iterator[str]:
    yield from paragraph(card.summary)
    if not card.has_data:
        yield from paragraph(f"Nothing of it can be loaded. {card.why_unavailable}", warns=True)
    if card.patients.warning:
        yield from paragraph(f"Warning. {card.patients.warning}", warns=True)
    images, patients = counts(card)
    rows = {"Rows" if card.columns else "Images": images, "People": patients}
    yield from named({"Id": card.id, **about(card), **rows, "Version": card.default_version}, "What it is")
    if card.default_version in card.versions and (labels := card.version()[1].labels):
        yield from table("Labels", ("label", "images"), list(labels.items()), bars=list(labels.values()))
    if card.defects:
        yield from table("Known defects", ("defect", "what"), [(each.id, each.what) for each in card.defects])
