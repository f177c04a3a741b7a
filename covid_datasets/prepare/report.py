"""The report of a build: what is in it, what was dropped and why, in words for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.harmless import block, code, markdown, visible
from covid_datasets.prepare.completeness import compare
from covid_datasets.prepare.components import Share
from covid_datasets.prepare.result import people
from covid_datasets.raw.obtain import Origin
from covid_datasets.schema import Notice
from covid_datasets.splits.audit import AuditReport

SHOWN = 50


def write_report(
    choice: Choice,
    build: dict[str, Any],
    origins: Sequence[Origin],
    shares: Sequence[Share],
    notices: Sequence[Notice],
    quality: Counter[str],
    audits: Sequence[AuditReport],
) -> str:
    """Render the report as Markdown."""
    card = choice.card
    parts = [f"# {markdown(card.title)} (`{card.id}@{build['version']}`, config `{build['config']}`)\n"]
    if build["incomplete"]:
        parts.append("**INCOMPLETE: built from less than the whole source, because that was asked for.**\n")
    shown = "" if build["columns"] else f" of {people(build['patients'], build['groups'], build['unknown'])}"
    parts.append(
        f"{build['rows']:,} rows{shown}, {build['dropped']:,} dropped. Fingerprint `{build['fingerprint']}`.\n"
    )
    parts.append(table_text("Splits", build["splits"]))
    if build["labels"]:
        parts.append(table_text("Labels", build["labels"]))
    if quality:
        parts.append(table_text("Quality", dict(sorted(quality.items()))))
    if comparison := compare(choice, build):
        parts.append("## Against the catalog\n\n" + "\n".join(f"- {markdown(line)}" for line in comparison) + "\n")
    parts.append(_origins(origins))
    if shares:
        parts.append("## Components\n\n" + "\n".join(f"- {markdown(str(share))}" for share in shares) + "\n")
    parts.append(notices_text(notices))
    if audits:
        parts.append("## Splits, audited\n\n" + "\n".join(block(str(audit)) for audit in audits) + "\n")
    unknown = build["unknown"]
    said = (card.patients.consequence if unknown else "", card.patients.warning if unknown or not card.own_copy else "")
    if told := [text for text in said if text]:
        parts.append(f"## Patients\n\n{card.patients.how}\n\n" + "\n\n".join(f"**{text}**" for text in told) + "\n")
    return visible("\n".join(parts))


def table_text(title: str, counts: Mapping[str, int]) -> str:
    """Render counts under a heading."""
    rows = "\n".join(f"| {markdown(name)} | {count:,} |" for name, count in counts.items())
    return f"## {title}\n\n| | rows |\n|---|---:|\n{rows}\n"


def _origins(origins: Sequence[Origin]) -> str:
    if not origins:
        return ""
    rows = "\n".join(
        f"| {markdown(origin.resource)} | {markdown(origin.place)} | {origin.verified} | {origin.sha256[:16] or '–'} |"
        for origin in origins
    )
    return (
        f"## Where the raw files came from\n\n| resource | place | verified by | sha256 |\n|---|---|---|---|\n{rows}\n"
    )


def count_told(notices: Sequence[Notice], kind: str) -> int:
    """Count what was told of one kind."""
    return sum(notice.count for notice in told_of(notices, kind))


def told_of(notices: Sequence[Notice], kind: str) -> list[Notice]:
    """Choose what was told of one kind."""
    return [notice for notice in notices if notice.kind == kind]


def notices_text(notices: Sequence[Notice]) -> str:
    """Render what was dropped, and what was kept and told, by kind."""
    if not notices:
        return "## Notices\n\nNone: nothing was dropped and nothing was odd.\n"
    parts = ["## Notices\n"]
    for dropped, title in ((True, "Dropped"), (False, "Kept, but told")):
        chosen = [notice for notice in notices if notice.dropped == dropped]
        for kind in [kind for kind, _ in Counter(notice.kind for notice in chosen).most_common()]:
            listed = [notice for notice in chosen if notice.kind == kind]
            parts.append(f"### {title}: {markdown(kind)} ({sum(notice.count for notice in listed):,})\n")
            parts += [f"- {code(notice.where)}: {markdown(notice.what)}" for notice in listed[:SHOWN]]
            if len(listed) > SHOWN:
                parts.append(f"- … and {len(listed) - SHOWN:,} more, all in manifest.json")
            parts.append("")
    return "\n".join(parts)
