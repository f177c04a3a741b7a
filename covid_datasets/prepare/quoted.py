"""Pages of cases: where a source copied from another's web page and says which, its row is tied to that patient.

What such an address looks like is a fact of the source that publishes the pages (``patients.page`` of its card); which
sources a collection copied from is a fact of the collection (``quotes``). So nobody keeps a list of copies by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card, names
from covid_datasets.schema import Record

Pages = Mapping[str, str]
"""Source -> the regular expression of its pages' addresses, whose group is the patient."""


def pages_of(card: Card) -> Pages:
    """List the pages that matter for a source: its own, and those that its rows quote.

    >>> sorted(pages_of(load_card("cohen")))
    ['sirm']
    """
    known = set(names())
    cards = [card, *(load_card(name) for name in card.quotes if name in known)]
    return {each.id: each.patients.page for each in cards if each.patients.page}


def page_ties(dataset: str, record: Record, pages: Pages) -> tuple[str, ...]:
    r"""Name the patients of pages that a row is of, or was copied from, the same in every source.

    >>> copied = Record(sample_id="a", source_url="https://example.org/2020/case-024/")
    >>> page_ties("collection", copied, {"cases": r"example\.org/.*case-0*(\d+)"})
    ('page:cases/24',)
    """
    own = [(dataset, record.patient)] if dataset in pages and record.patient is not None else []
    quoted = [
        (source, match[1]) for source, page in pages.items() if (match := re.search(page, record.source_url or ""))
    ]
    return tuple(f"page:{source}/{patient}" for source, patient in dict.fromkeys([*own, *quoted]))
