"""What a licence allows, as Croissant has it: `license`, and `usageInfo` in the words of ODRL and DUO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from covid_datasets.catalog.card import Card, Licence

NON_COMMERCIAL = ("DUO_0000046", "non-commercial use only")
NO_RESTRICTION = ("DUO_0000004", "no restriction")
"""Terms of the Data Use Ontology, with its own names for them."""


def licences(cards: Sequence[Card]) -> list[Any]:
    """List the licences: the SPDX address where one is stated, and the exact terms as the card has them.

    >>> from covid_datasets.catalog.cards import info
    >>> licences([info("hannover")])[0]
    'https://spdx.org/licenses/CC-BY-3.0.html'
    """
    found: list[Any] = []
    for card in cards:
        address = _address(card.licence)
        terms = {
            "@type": "sc:CreativeWork",
            "name": f"{card.id}: {card.licence.spdx or 'no standard licence'}",
            "description": card.licence.terms,
        }
        found += [*([address] if address and address not in found else []), terms]
    return found


def usage_info(cards: Sequence[Card]) -> list[dict[str, Any]]:
    """Say what may be done with each source: a policy of ODRL, and the terms of DUO that are sure to fit.

    What is unknown, or differs from picture to picture, is neither permitted nor prohibited here: the name says so.

    >>> from covid_datasets.catalog.cards import info
    >>> [each["name"] for each in usage_info([info("mosmed")])]
    ['mosmed: redistribution no, commercial use no', 'non-commercial use only']
    """
    found: list[dict[str, Any]] = []
    for card in cards:
        found.append(_policy(card))
        found += [term for term in map(_term, _duo(card.licence)) if term not in found]
    return found


def _address(licence: Licence) -> str:
    return f"https://spdx.org/licenses/{licence.spdx}.html" if licence.spdx else ""


def _policy(card: Card) -> dict[str, Any]:
    licence = card.licence
    details = {
        "odrl:permission": [_rule("Permission", action, _duties(licence)) for action in _permitted(licence)],
        "odrl:prohibition": [_rule("Prohibition", action, ()) for action in _prohibited(licence)],
    }
    where = " Each picture has its own licence, in the column license." if licence.per_image else ""
    return {
        "@type": ["sc:CreativeWork", "odrl:Offer"],
        "name": f"{card.id}: redistribution {licence.redistribution}, commercial use {licence.commercial}",
        "description": f"{licence.terms}{where}",
        **{key: rules for key, rules in details.items() if rules},
    }


def _rule(kind: str, action: str, duties: Sequence[str]) -> dict[str, Any]:
    owed = [{"@type": "odrl:Duty", "odrl:action": {"@id": f"odrl:{duty}"}} for duty in duties]
    rule: dict[str, Any] = {"@type": f"odrl:{kind}", "odrl:action": {"@id": f"odrl:{action}"}}
    return rule | ({"odrl:duty": owed} if owed else {})


def _permitted(licence: Licence) -> Iterator[str]:
    if licence.redistribution == "yes":
        yield from ("use", "distribute")
    if licence.commercial == "yes":
        yield "commercialize"


def _prohibited(licence: Licence) -> Iterator[str]:
    if licence.redistribution == "no":
        yield "distribute"
    if licence.commercial == "no":
        yield "commercialize"
    if "-ND" in licence.spdx:
        yield "derive"


def _duties(licence: Licence) -> tuple[str, ...]:
    return ("attribute",) if licence.spdx.startswith("CC-BY") else ()


def _duo(licence: Licence) -> Iterator[tuple[str, str]]:
    if licence.commercial == "no":
        yield NON_COMMERCIAL
    elif licence.commercial == "yes" and licence.redistribution == "yes":
        yield NO_RESTRICTION


def _term(term: tuple[str, str]) -> dict[str, Any]:
    code, name = term
    return {
        "@type": "sc:DefinedTerm",
        "name": name,
        "termCode": code,
        "url": f"http://purl.obolibrary.org/obo/{code}",
    }
