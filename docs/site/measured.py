"""The section of a source's page that says what a build of it holds, on the machine that makes the site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from covid_datasets.harmless import code, markdown
from covid_datasets.view.page import table
from covid_datasets.view.report.counts import UNKNOWN, Counted
from covid_datasets.view.report.described import Described
from covid_datasets.view.report.page import CAPTIONS
from covid_datasets.view.report.pictures import drawn
from docs.site.pictures import credit, shown

MOST = 12
"""Values of one column, and pictures, that a page shows; a report of your own build has all."""
TITLE = "What a build of it holds"


def measured(of: Described, page: Path) -> Iterator[str]:
    """Write the section, and its pictures beside the page."""
    built = of.built
    yield from (f"## {TITLE}", "")
    yield (
        f"Counted in version `{built.version}`, config `{built.config}`, as it was built on the machine that made this "
        f"page: {built.rows:,} rows{f' of {built.people}' if built.people else ''}, {built.dropped:,} dropped, "
        f"fingerprint `{built.fingerprint[:16]}`."
    )
    if built.incomplete:
        yield "It was built from less than the whole source, which was asked for: the counts under Contents are larger."
    yield f"`covid-datasets report {built.id} -o report.html` says the same, and more, of yours."
    if warning := _leaks(of):
        yield from ("", warning)
    yield from _counts(of)
    if of.known:
        rows = [(code(name), f"{count:,}") for name, count in of.known.items()]
        yield from ("", "### Columns that say something", "", *table(("column", "rows that say something"), rows))
    yield from _notices(of)
    yield from _pictures(of, page)


def _leaks(of: Described) -> str:
    verdicts = [
        f"scheme `{audit.scheme}`: {'**leaks**' if audit.leaks else 'no leak found'}"
        for audit in of.audits
        if audit.findings
    ]
    return f"Its splits, audited when it was built: {', '.join(verdicts)}." if verdicts else ""


def _counts(of: Described) -> Iterator[str]:
    silent = []
    for name, caption in CAPTIONS.items():
        found = of.counted(name)
        if found is None or name == "licence":  # the page has a section of licences
            continue
        title = re.split("[:,]", caption)[0]  # a heading is shorter than a caption
        if set(found.values) == {UNKNOWN}:
            silent.append(title.lower())
            continue
        yield from ("", f"### {title}", "", *_table(found, list(of.built.splits)))
    if silent:
        yield from ("", f"The source does not tell: {', '.join(silent)}.")


def _table(found: Counted, splits: Sequence[str]) -> Iterator[str]:
    most = sorted(found.values, key=lambda value: -found.total(value))[:MOST]
    rows = [
        (markdown(value), *(f"{of.get(split, 0):,}" for split in splits), f"{found.total(value):,}")
        for value, of in found.values.items()
        if value in most
    ]
    yield from table((found.name, *splits, "all"), rows)
    if len(found.values) > MOST:
        yield from ("", f"… and {len(found.values) - MOST:,} more, with fewer rows.")


def _notices(of: Described) -> Iterator[str]:
    if not of.notices:
        return
    rows = [
        ("dropped" if each.dropped else "kept, but told", markdown(each.kind), f"{each.count:,}") for each in of.notices
    ]
    yield from ("", "### What was dropped, and what is odd", "", *table(("", "what", "how often"), rows))


def _pictures(of: Described, page: Path) -> Iterator[str]:
    if of.built.columns:
        return
    yield from ("", "### Pictures", "")
    pictures = of.pictures[:: -(-len(of.pictures) // MOST)] if of.pictures else ()
    if of.why:
        yield from (markdown(of.why), "")
    rows = []
    for number, (each, image) in enumerate(zip(pictures, drawn(of.built, pictures), strict=True)):
        if image is None:
            continue
        label = each.label or "no label"
        outlines = ", ".join(f"{name} in {colour}" for name, colour in each.outlines.items())
        drawing = shown(image, page, f"{of.built.id}-{number}", f"{each.sample_id}, {label}")
        rows.append((f"{drawing} **{markdown(label)}** {credit(each.sample_id, outlines, each.licence)}",))
    if rows:
        yield from table((f"{len(rows)} of {of.built.rows:,} rows, some of each label, made small",), rows)
