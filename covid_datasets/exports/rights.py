"""What the licences of a dataset let its users carry elsewhere: of several, the strictest counts."""

from __future__ import annotations

from collections import Counter

from covid_datasets.errors import UsageError
from covid_datasets.exports.exportable import Exportable, Source
from covid_datasets.load.licences import permitted

_SHOWN = 3


def check_redistribution(data: Exportable, place: str) -> None:
    """Refuse to carry rows to a place that others may read, where not every licence is known to permit it.

    Raises:
        UsageError: Which source, or which rows, forbid it or do not say; and what can be done.
    """
    reasons = [*_of_sources(data), *_of_rows(data)]
    if reasons:
        raise UsageError(
            f"{place}: expected data that may be redistributed, found: {'; '.join(reasons)}. Next: export to a folder "
            "of your own disk; or keep what may be passed on with load_dataset(..., license='redistribution'); or, if "
            "you have the rights or the place is yours alone, say so: i_have_the_rights=True (--i-have-the-rights)"
        )


def _of_sources(data: Exportable) -> list[str]:
    if not data.sources:
        return ["rows that do not tell which source they come from"]
    return [_why(source) for source in data.sources if _allowed(source) in ("no", "unknown")]


def _allowed(source: Source) -> str:
    return source.card.licence.redistribution if source.card else "unknown"


def _why(source: Source) -> str:
    if source.card is None:
        return f"{source.id}, of which no card states a licence"
    said = "forbids it" if _allowed(source) == "no" else "does not say"
    return f"{source.id}, whose licence {said} ({source.card.licence.spdx or source.card.licence.terms})"


def _of_rows(data: Exportable) -> list[str]:
    """Look at the licence of each row, where its source gives one to each image, and where it states one at all."""
    each = {source.id for source in data.sources if _allowed(source) == "per-image"}
    if "license" not in data.features.names:
        return [
            f"{', '.join(sorted(each))}, whose images have licences of their own, without the column license"
        ] * bool(each)
    names = [name for name in ("dataset", "license") if name in data.features.names]
    forbidden: Counter[str | None] = Counter()
    for split in data.splits.values():
        for batch in split.batches(1 << 16, names):
            texts = batch.column("license").to_pylist()
            ids = batch.column("dataset").to_pylist() if "dataset" in names else [None] * len(texts)
            for id, text in zip(ids, texts, strict=True):
                silent = text is None or not text.strip()
                if silent and (id in each if id is not None else bool(each)):
                    forbidden[None] += 1
                elif not silent and not permitted(text, "redistribution"):
                    forbidden[text] += 1
    if not forbidden:
        return []
    shown = ", ".join(
        f"{count:,} {'without a licence' if text is None else repr(text)}"
        for text, count in forbidden.most_common(_SHOWN)
    )
    return [f"{sum(forbidden.values()):,} of {data.rows:,} rows whose own licence does not permit it ({shown})"]
