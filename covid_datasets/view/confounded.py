"""The section of a source's page that says how far its label follows where a picture is from."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.confounded import Confounded, Measured, confounded

_MEANS = (
    "The area under the ROC curve of a model that sees these traits and no pixel, for people it has not learned from; "
    "0.5 is guessing. In brackets is the 95 % interval."
)


def measured(card: Card) -> Iterator[str]:
    """List what was measured, with the command that does it again; nothing where it was not."""
    found = confounded(card.id)
    if found is None:
        return
    yield from ("## Confounding", "")
    if found.warning:
        yield from (f"> **Warning.** {found.warning[0].upper()}{found.warning[1:]}", "")
    yield f"{_MEANS} See [confounding](../confounding.md)."
    schemes = list(dict.fromkeys(each.scheme for each in found.together))
    yield from ("", f"| trait | {' | '.join(schemes)} |", f"|{' --- |' * (len(schemes) + 1)}")
    for each in dict.fromkeys(row.trait for row in (*found.together, *found.alone, *found.person, *found.remaining)):
        cells = (_cell(found, each, scheme) for scheme in schemes)
        yield f"| {each} | {' | '.join(cells)} |"
    if found.remaining:
        yield from ("", f"The last line is what is left in the pixels once these are {found.pixels}.")
    lacks = f", which lacks {found.lacking:,} samples of the source" if found.lacking else ""
    build = f"`{found.version}`, fingerprint `{found.fingerprint[:8]}`{lacks}"
    yield ""
    yield f"{found.rows:,} rows in {found.groups:,} groups of {build}. `{found.command}` makes it again."


def _cell(found: Confounded, trait: str, scheme: str) -> str:
    rows: tuple[Measured, ...] = (*found.together, *found.alone, *found.person, *found.remaining)
    return next((str(row) for row in rows if row.trait == trait and row.scheme == scheme), "")
