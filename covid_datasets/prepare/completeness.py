"""Is the source whole? Losses are held against the catalog's tolerance, counts against its expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.errors import IncompleteSourceError
from covid_datasets.prepare.components import Share
from covid_datasets.schema import Notice

SHOWN = 20


def check_complete(
    choice: Choice, kept: int, notices: Sequence[Notice], shares: Sequence[Share] = (), allow_missing: bool = False
) -> bool:
    """Tell whether a build is incomplete; fail where it is and nobody allowed that.

    Raises:
        IncompleteSourceError: More is lost than the catalog tolerates, or nothing is left; lists what and why.
    """
    version = choice.state
    lost = [notice for notice in notices if notice.lost]
    count = sum(notice.count for notice in lost)
    expected = version.images if version.images and is_whole(choice) else kept + count
    short = max(count, expected - kept)
    if kept and short <= version.tolerance * expected:
        return False
    if kept and allow_missing:
        return True
    unit = "rows or files" if choice.columns else "images"
    title = (
        f"{choice.card.id}@{choice.version}: {short:,} of {expected:,} {unit} are missing or damaged; "
        f"the catalog tolerates {version.tolerance:.1%}"
    )
    lost = [notice for notice in lost if notice.where not in {share.name for share in shares}]
    components = ["Its components:", *(f"  {share}" for share in shares)] if shares else []
    lines = [f"  {notice.where}: {notice.kind}: {notice.what}" for notice in lost[:SHOWN]]
    more = [f"  … and {len(lost) - SHOWN:,} more"] if len(lost) > SHOWN else []
    hint = "To build what is there, marked incomplete: allow_missing=True, or --allow-missing." if kept else ""
    raise IncompleteSourceError("\n".join([title, *components, *lines, *more, hint]).rstrip())


def compare(choice: Choice, build: Mapping[str, Any]) -> list[str]:
    """Hold the counts of a build against those of the catalog, a line each."""
    if not is_whole(choice):
        return []
    expected = choice.state
    pairs = [("rows", expected.images, build["rows"]), ("patients", expected.patients, build["patients"])]
    pairs += [(label, count, build["labels"].get(label, 0)) for label, count in expected.labels.items()]
    return [
        f"{name}: expected {wanted:,}, found {'unknown' if found is None else f'{found:,}'}"
        + ("" if wanted == found else " (differs)")
        for name, wanted, found in pairs
        if wanted is not None
    ]


def is_whole(choice: Choice) -> bool:
    """Tell whether a config is the whole source, which expected counts are of; the first one is."""
    return choice.config == next(iter(choice.card.configs))
