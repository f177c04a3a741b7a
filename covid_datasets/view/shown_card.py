"""How a notebook shows a card."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.markup import document, framed, named, table, text
from covid_datasets.view.page import about, counts


def card_html(card: Card) -> str:
    """Show what matters first: what it is, how much of it, what it asks for, and what to beware of.

    >>> from covid_datasets.catalog.cards import info
    >>> card_html(info("phantom")).startswith("<iframe sandbox ")
    True
    """
    return framed(document(card.title, _body(card)), card.title, height="26rem")


def _body(card: Card) -> Iterator[str]:
    yield f"<h1>{text(card.title)}</h1><p>{text(card.summary)}</p>"
    if not card.has_data:
        yield f'<p class="leaks"><strong>Nothing of it can be loaded.</strong> {text(card.why_unavailable)}</p>'
    if card.patients.warning:
        yield f'<p class="leaks"><strong>Warning.</strong> {text(card.patients.warning)}</p>'
    images, patients = counts(card)
    rows = {"Rows" if card.columns else "Images": images, "People": patients}
    yield from named({"Id": card.id, **about(card), **rows, "Version": card.default_version}, "What it is")
    if card.default_version in card.versions and (labels := card.version()[1].labels):
        yield from table("Labels", ("label", "images"), list(labels.items()), bars=list(labels.values()))
    if card.defects:
        yield from table("Known defects", ("defect", "what"), [(each.id, each.what) for each in card.defects])
