"""What is said of a dataset as a whole: names, version, creators, licence, provenance, responsible AI."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from covid_datasets.catalog.card import Card, Citation
from covid_datasets.catalog.cards import load_card, names
from covid_datasets.exports.croissant.responsible import Source, responsible
from covid_datasets.exports.croissant.rights import licences, usage_info
from covid_datasets.exports.croissant.vocabulary import CONTEXT, CROISSANT, RAI

_NUMBER = "0|[1-9][0-9]*"
SEMVER = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a description is of: a source or several, in one version, and what of it lies where.

    ``distribution`` and ``record_sets`` are finished nodes; ``counts`` are facts of a build or an export, as words.
    """

    name: str
    version: str
    sources: tuple[Source, ...]
    distribution: Sequence[Mapping[str, Any]]
    record_sets: Sequence[Mapping[str, Any]]
    fingerprint: str = ""
    counts: str = ""

    @property
    def cards(self) -> list[Card]:
        """The cards of its sources."""
        return [card for card, _ in self.sources]


def document(of: Described) -> dict[str, Any]:
    """Write the whole description.

    Data of one's own has no creator and no day of publication that anybody here knows: these are left out, and the
    check tells its owner what to fill in.
    """
    cards = of.cards
    identifier = {
        "@type": "sc:PropertyValue",
        "propertyID": "fingerprint of covid_datasets",
        "value": of.fingerprint,
    }
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "name": of.name,
        "alternateName": [name for card in cards for name in dict.fromkeys((card.title, *card.seed_names))],
        "description": _description(of),
        "conformsTo": [CROISSANT, RAI],
        "license": licences(cards),
        "url": _address(of),
        "version": semver(of.version),
        **({"datePublished": day} if (day := _date(of)) else {}),
        **({"creator": creators} if (creators := [*_creators(cards)]) else {}),
        **({"citeAs": cited} if (cited := _cited(cards)) else {}),
        "keywords": _keywords(cards),
        **({"identifier": identifier} if of.fingerprint else {}),
        "usageInfo": usage_info(cards),
        **_provenance(cards),
        **responsible(of.sources),
        "distribution": list(of.distribution),
        "recordSet": list(of.record_sets),
    }


def semver(version: str) -> str:
    """Write the name of a version as semantic versioning wants it; a name that is no number is kept behind a plus.

    >>> semver("2020-04-28"), semver("2"), semver("1.0"), semver("9A"), semver("as-saved")
    ('2020.4.28', '2.0.0', '1.0.0', '0.0.0+9A', '0.0.0+as-saved')
    """
    if SEMVER.fullmatch(version):
        return version
    day = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", version, re.ASCII)
    numbers = day.groups() if day else re.fullmatch(r"([0-9]+)(?:\.([0-9]+))?", version, re.ASCII)
    if numbers is None:
        return f"0.0.0+{re.sub(r'[^0-9A-Za-z.-]+', '-', version).strip('.-') or 'unknown'}"
    parts = numbers if isinstance(numbers, tuple) else numbers.groups(default="0")
    return ".".join(str(int(part)) for part in (*parts, "0", "0")[:3])


def _description(of: Described) -> str:
    versions = f"Version {of.version}."
    return "\n\n".join(filter(None, (*(card.summary.strip() for card in of.cards), versions, of.counts)))


def _address(of: Described) -> str:
    """Give the page of a dataset; one without any is named by the hash of what it is (RFC 6920)."""
    for card in of.cards:
        if card.homepage:
            return card.homepage
    for citation in (citation for card in of.cards for citation in card.citations):
        if address := citation.url or (f"https://doi.org/{citation.doi}" if citation.doi else ""):
            return address
    digest = bytes.fromhex(of.fingerprint or of.cards[0].digest) or hashlib.sha256(of.name.encode()).digest()
    return f"ni:///sha-256;{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _date(of: Described) -> str:
    """Give the newest day of its versions; the year of the first citation where a version has none."""
    return max(
        version.date if version and version.date else str(card.citations[0].year) if card.citations else ""
        for card, version in of.sources
    )


def _creators(cards: Sequence[Card]) -> Iterator[dict[str, str]]:
    """List the authors of the first publication of each source, each once."""
    authors = [author for card in cards for citation in card.citations[:1] for author in citation.author]
    for author in dict.fromkeys(authors):
        if author == "others":
            continue
        if author.startswith("{"):
            yield {"@type": "sc:Organization", "name": author.strip("{}")}
            continue
        family, _, given = author.partition(", ")
        yield {"@type": "sc:Person", "name": f"{given} {family}".strip()}


def _cited(cards: Sequence[Card]) -> str:
    citations: dict[str, Citation] = {each.key: each for card in cards for each in card.citations}
    return "\n\n".join(citation.bibtex() for citation in citations.values())


def _keywords(cards: Sequence[Card]) -> list[str]:
    words = [word for card in cards for word in (*card.modalities, *card.task.split(","))]
    return list(dict.fromkeys(["COVID-19", *filter(None, map(str.strip, words))]))


@dataclass(slots=True)
class _Origins:
    derived: list[dict[str, str]] = field(default_factory=list)
    alike: list[dict[str, str]] = field(default_factory=list)


def _provenance(cards: Sequence[Card]) -> dict[str, Any]:
    """Say which other datasets these samples were taken from, and which show the same people or pictures.

    `prov:wasDerivedFrom` needs to be known (``composed_of``, ``quotes``, ``derived`` of an overlap); of an overlap
    without a direction `prov:alternateOf` says just what it is: both are aspects of the same thing.
    """
    known, inside, origins = names(), {card.id for card in cards}, _Origins()
    if len(cards) > 1:
        origins.derived += [_entity(card.id, "One of the sources that are joined here.", known) for card in cards]
    for card in cards:
        told = {overlap.source for overlap in card.overlaps if not overlap.is_none}
        for overlap in card.overlaps:
            if not overlap.is_none and overlap.source not in inside:
                text = f"{overlap.what.strip()} Evidence: {overlap.evidence.strip()}"
                derived = overlap.derived or overlap.source in (*card.composed_of, *card.quotes)
                (origins.derived if derived else origins.alike).append(_entity(overlap.source, text, known))
        for source in dict.fromkeys((*card.composed_of, *card.quotes)):
            if source not in told and source not in inside:
                origins.derived.append(_entity(source, f"{card.id} takes samples from it.", known))
    found = {"prov:wasDerivedFrom": origins.derived, "prov:alternateOf": origins.alike}
    return {key: entities for key, entities in found.items() if entities}


def _entity(source: str, what: str, known: Sequence[str]) -> dict[str, str]:
    homepage = load_card(source).homepage if source in known else ""
    named = {"@id": homepage} if homepage else {}
    return {"@type": "prov:Entity", **named, "name": source, "description": what}
