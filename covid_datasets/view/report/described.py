"""All that a report says of one build, as plain values: the page and the JSON are written from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.confounded import Confounded, confounded
from covid_datasets.prepare.result import Built
from covid_datasets.splits.audit import AuditReport
from covid_datasets.view.attribution import cited
from covid_datasets.view.page import ALLOWED, KNOWN, modalities, spdx
from covid_datasets.view.report.counts import Counted, counts_of, known_of
from covid_datasets.view.report.map import mapped
from covid_datasets.view.report.pictures import Picture, chosen

SHOWN = 20
"""Notices of one kind that are listed; the manifest of the build has all."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What was left out of a build, or kept though it is odd: all of one kind; ``shown`` are the first ones."""

    kind: str
    dropped: bool
    count: int
    listed: int
    shown: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Described:
    """What a report says of one build.

    Attributes:
        built: The build.
        card: The card of its source.
        counts: How often each value of a column is in each split.
        known: Of a table, in how many rows each column says something.
        audits: What was found in its splits when it was built.
        notices: What was left out, and what is odd.
        comparison: What the catalog expects, and what was found.
        confounded: How far the label is told without a pixel, where that was measured of this source.
        pictures: The rows whose pictures are shown.
        why: Why no pictures are shown, or not all.
    """

    built: Built
    card: Card
    counts: tuple[Counted, ...]
    known: Mapping[str, int]
    audits: tuple[AuditReport, ...]
    notices: tuple[Noticed, ...]
    comparison: tuple[str, ...]
    confounded: Confounded | None
    pictures: tuple[Picture, ...]
    why: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name the build as one asks for it, with its config where it has several."""
        config = f", config {self.built.config}" if len(self.card.configs) > 1 else ""
        return f"{self.built.id}@{self.built.version}{config}"

    @property
    def leaks(self) -> bool:
        """Tell whether something lies in several parts of a split of it."""
        return any(audit.leaks for audit in self.audits)

    def counted(self, name: str) -> Counted | None:
        """Return the counts of a column, where it has any."""
        return next((each for each in self.counts if each.name == name and each.values), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **self.built.to_json(),
            "title": self.card.title,
            "facts": dict(self.facts),
            "counts": {each.name: {value: dict(of) for value, of in each.values.items()} for each in self.counts},
            "map": found.to_json() if (found := mapped(self.counted("country"))) else None,
            "known": dict(self.known),
            "audits": [audit.to_json() for audit in self.audits],
            "notices": [
                {
                    "kind": each.kind,
                    "dropped": each.dropped,
                    "count": each.count,
                    "shown": [{"where": where, "what": what} for where, what in each.shown],
                }
                for each in self.notices
            ],
            "comparison": list(self.comparison),
            "defects": [{"id": each.id, "what": each.what, "evidence": each.evidence} for each in self.card.defects],
            "overlaps": [
                {"source": each.source, "what": each.what, "evidence": each.evidence} for each in self.card.overlaps
            ],
            "confounding": None if self.confounded is None else _measured(self.confounded, self.built),
            "citations": [cited(each) for each in self.card.citations],
            "pictures": [
                {
                    "sample_id": each.sample_id,
                    "label": each.label or None,
                    "license": each.licence or None,
                    "source_url": each.source_url or None,
                    "outlines": dict(each.outlines),
                }
                for each in self.pictures
            ],
            "why_no_pictures": self.why,
        }


def describe(built: Built, card: Card, *, i_have_the_rights: bool = False) -> Described:
    """Gather what a report says of a build; its pictures are chosen, and not yet drawn."""
    manifest = built.manifest()
    pictures, why = chosen(built, card, i_have_the_rights=i_have_the_rights)
    return Described(
        built,
        card,
        counts_of(built),
        known_of(built),
        tuple(AuditReport.from_json(each) for each in manifest.get("audits", ())),
        _noticed(manifest.get("notices", ())),
        tuple(manifest.get("comparison", ())),
        confounded(card.id),
        pictures,
        why,
        _facts(built, card),
    )


def _facts(built: Built, card: Card) -> dict[str, str]:
    """Say in words what the build is, and what its licence asks for."""
    licence = card.licence
    people = "" if built.columns else f"{KNOWN[card.patients.known]}. {card.patients.how}"
    return {
        "Source": f"{card.title} ({card.id})",
        "Version": built.version,
        "Config": built.config,
        "Fingerprint": built.fingerprint,
        "Modalities": modalities(card),
        "People": built.people,
        "Who the patient is": people,
        "Verified": "every picture was decoded" if built.verify == "full" else "every byte was hashed",
        "Complete": "no: built from less than the whole source, because that was asked for"
        if built.incomplete
        else "yes, as the catalog counts it",
        "Homepage": card.homepage,
        "Licence": spdx(card),
        "Terms": " ".join(licence.terms.split()),
        "Redistribution": ALLOWED[licence.redistribution],
        "Commercial use": ALLOWED[licence.commercial],
        "To be named in these words": " ".join(licence.credit.split()),
    }


def _noticed(told: Sequence[Mapping[str, Any]]) -> tuple[Noticed, ...]:
    by_kind: dict[tuple[bool, str], list[Mapping[str, Any]]] = defaultdict(list)
    counts: Counter[tuple[bool, str]] = Counter()
    for notice in told:
        key = (notice["dropped"], notice["kind"])
        by_kind[key].append(notice)
        counts[key] += notice["count"]
    return tuple(
        Noticed(
            kind,
            dropped,
            count,
            len(by_kind[dropped, kind]),
            tuple((each["where"], each["what"]) for each in by_kind[dropped, kind][:SHOWN]),
        )
        for (dropped, kind), count in sorted(counts.items(), key=lambda item: (not item[0][0], -item[1], item[0][1]))
    )


def measured_here(found: Confounded, built: Built) -> bool:
    """Tell whether a published measure of confounding is of this very build."""
    return found.fingerprint == built.fingerprint


def _measured(found: Confounded, built: Built) -> dict[str, Any]:
    worst = found.worst
    return {
        "of_this_build": measured_here(found, built),
        "version": found.version,
        "config": found.config,
        "fingerprint": found.fingerprint,
        "auc": worst.auc,
        "low": worst.low,
        "high": worst.high,
        "scheme": worst.scheme,
        "warning": found.warning,
        "command": found.command,
    }
