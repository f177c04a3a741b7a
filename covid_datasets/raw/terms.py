"""Terms that the publisher of a source wants accepted before anything is downloaded: asked for once a cache folder."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from covid_datasets.catalog.card import Card
from covid_datasets.disk import make_folder, read_json, write_json
from covid_datasets.errors import AccessRequired
from covid_datasets.settings import Settings


def terms_to_accept(card: Card, settings: Settings) -> str:
    """Return the terms that nobody has accepted for this cache folder yet; empty where there are none.

    >>> from covid_datasets.catalog.cards import load_card
    >>> terms_to_accept(load_card("cohen"), Settings.resolve())
    ''
    """
    if not card.licence.accept or read_json(_record(card, settings)).get("terms") == _digest(card):
        return ""
    return f"{card.title} ({card.id}) may be used under these terms:\n\n{card.licence.terms.strip()}"


def require_terms(card: Card, settings: Settings, accept: bool) -> None:
    """Go on where the terms of a source are accepted, now or before, and remember it.

    Raises:
        AccessRequired: They are not; the message holds them, and how to accept.
    """
    if not (terms := terms_to_accept(card, settings)):
        return
    if accept is not True:
        raise AccessRequired(
            f"{terms}\n\nNothing is downloaded before you accept them: accept_licence=True, or --accept-licence on the "
            f"command line. It is asked once for the cache {settings.cache}, and again where the terms change."
        )
    record = _record(card, settings)
    make_folder(record.parent)
    write_json(record, {"terms": _digest(card), "when": datetime.now(UTC).isoformat(timespec="seconds")})


def _record(card: Card, settings: Settings) -> Path:
    return settings.cache / "accepted" / f"{card.id}.json"


def _digest(card: Card) -> str:
    return hashlib.sha256(card.licence.terms.strip().encode()).hexdigest()
