"""Addresses of cases: where a source copied from another's web page and says which, its row is tied to that patient.

What such an address looks like is a fact of the source that publishes the pages (``patients.address`` of its card);
which sources a collection copied from is one of the collection (``quotes``). So nobody keeps a list of copies by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card, names
from covid_datasets.schema import Record

Addresses = Mapping[str, str]
"""Source -> the regular expression of its pages' addresses, whose group is the patient."""


LONGEST = 2048
"""Characters of an address; what is longer is none, and patterns of cards would take their time with it."""


def addresses_of(card: Card) -> Addresses:
    """List the pages that matter for a source: its own, and those that its rows quote.

    >>> sorted(addresses_of(load_card("cohen")))
    ['eurorad', 'radiopaedia', 'sirm']
    """
    known = set(names()) if card.quotes else set()
    cards = [card, *(load_card(name) for name in card.quotes if name in known)]
    return {each.id: each.patients.address for each in cards if each.patients.address}


def quoted_ties(dataset: str, record: Record, addresses: Addresses) -> tuple[str, ...]:
    r"""Name the patients of pages that a row is of, or was copied from, the same in every source.

    >>> copied = Record(sample_id="a", source_url="https://example.org/2020/case-024/")
    >>> quoted_ties("collection", copied, {"cases": r"example\.org/.*case-0*(\d+)"})
    ('case:cases/24',)
    """
    own = [(dataset, record.patient)] if dataset in addresses and record.patient is not None else []
    quoted = [
        (source, patient)
        for source, address in addresses.items()
        if (patient := patient_of(record.source_url or "", address)) is not None
    ]
    return tuple(f"case:{source}/{patient}" for source, patient in dict.fromkeys([*own, *quoted]))


def patient_of(url: str, address: str) -> str | None:
    r"""Name the patient whose page a URL is of; ``None`` where it is another page.

    >>> patient_of("https://example.org/case-024/", r"example\.org/case-0*(\d+)"), patient_of("x", r"(y)")
    ('24', None)
    """
    match = re.search(address, url) if len(url) <= LONGEST else None
    return None if match is None else match[1]
