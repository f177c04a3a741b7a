"""The page of a report, section by section."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from covid_datasets.catalog.confounded import confounding_warning
from covid_datasets.catalog.geography import nowhere
from covid_datasets.markup import SENTENCE, document, named, picture, table, text
from covid_datasets.splits.audit import AuditReport
from covid_datasets.view.attribution import cited
from covid_datasets.view.report.change import Change
from covid_datasets.view.report.counts import UNKNOWN, Counted
from covid_datasets.view.report.described import Described, measured_here
from covid_datasets.view.report.map import Mapped, mapped
from covid_datasets.view.report.map import drawn as drawn_map
from covid_datasets.view.report.pictures import drawn

if TYPE_CHECKING:
    from covid_datasets.view.report.report import Report, Together

MOST = 60
"""Values of one column that are shown; the JSON has all."""
FEW = 12
"""The same where they are sentences, as of a column in which a source tells freely what others tell in a word."""
LONGEST_VALUE = 80
"""Characters of a counted value that are shown; the JSON has it whole."""
CAPTIONS = {
    "label": "Labels",
    "modality": "Modalities",
    "view": "Views",
    "sex": "Sex",
    "age": "Age in years",
    "severity": "Severity",
    "severity scores": "Severity scores: rows that have one",
    "outcome": "Outcome",
    "survival": "Survival: what the source says about death",
    "masks": "Masks",
    "month": "Timeline: the month in which a picture was taken or published, as far as its source tells",
    "country": "Rows by country, those with most rows first",
    "licence": "Licences that single pictures state",
    "quality": "Grades",
    "quality reasons": "Reasons against a picture",
    "flags": "Flags: what the catalog or a builder says of single rows",
}
_OF_PEOPLE = (
    "label", "sex", "age", "severity", "severity scores", "outcome", "survival", "modality", "view", "masks",
)  # fmt: skip
_SECTIONS = (
    ("Labels, people and views", _OF_PEOPLE),
    ("When and where", ("month", "country")),
    ("Quality", ("quality", "quality reasons", "flags")),
)


def page(report: Report) -> str:
    """Write the page."""
    return document(f"Report of {report.title}", _body(report))


def _body(report: Report) -> Iterator[str]:
    yield f"<h1>Report of {text(report.title)}</h1>"
    yield '<p class="quiet">From what is built on this machine. For research, not for diagnosis.</p>'
    yield from _contents(report)
    if report.change:
        yield from _change(report.change)
    if report.together:
        yield from _together(report.together, [each.built.id for each in report.builds if not each.built.columns])
    for number, each in enumerate(report.builds):
        yield f'<section id="build{number}" aria-label="{text(each.name)}"><h2>{text(each.name)}</h2>'
        yield from _build(each)
        yield "</section>"


def _contents(report: Report) -> Iterator[str]:
    links = [("change", "What differs")] if report.change else []
    links += [("together", "All together")] if report.together else []
    links += [(f"build{number}", each.name) for number, each in enumerate(report.builds)]
    if len(links) > 1:
        yield '<nav aria-label="Contents"><ul>'
        yield from (f'<li><a href="#{place}">{text(title)}</a></li>' for place, title in links)
        yield "</ul></nav>"


def _build(of: Described) -> Iterator[str]:
    built = of.built
    yield f"<p>{text(of.card.summary)}</p>"
    if of.audits:
        yield from (_verdict(audit) for audit in of.audits)
    if warning := confounding_warning(built.id, built.version, built.config):
        said = re.sub("`([^`]+)`", r"<code>\1</code>", text(warning))  # a command in a sentence of ours
        yield f'<p class="leaks"><strong>Confounded:</strong> {said}</p>'
    yield from _splits(of)
    yield from named(of.facts, "What it is")
    for title, columns in _SECTIONS:
        yield from _counts(title, [counted for name in columns if (counted := of.counted(name))], built.splits)
    if of.known:
        yield "<h3>Columns</h3>"
        rows = [(name, built.columns[name], count) for name, count in of.known.items()]
        yield from table("Columns of the table", ("column", "type", "rows that say something"), rows)
    yield from _pictures(of)
    yield from _notices(of)
    yield from _leakage(of)
    yield from _confounding(of)
    yield from _overlaps(of)
    yield from _licence(of)


def _verdict(audit: AuditReport) -> str:
    verdict = "leaks" if audit.leaks else "no leak found"
    return (
        f'<p class="{"leaks" if audit.leaks else "clean"}">Scheme {text(audit.scheme)}: <strong>{verdict}</strong></p>'
    )


def _splits(of: Described) -> Iterator[str]:
    built = of.built
    rows = [*built.splits.items(), ("all", built.rows)]
    rows.append(("dropped", built.dropped))
    yield from table("Rows", ("split", "rows"), rows, bars=[count for _, count in rows])


def _counts(title: str, found: Sequence[Counted], splits: Mapping[str, int]) -> Iterator[str]:
    if not found:
        return
    yield f"<h3>{title}</h3>"
    silent = [each.name for each in found if set(each.values) == {UNKNOWN}]
    for each in found:
        if each.name in silent:
            continue
        if each.name == "country" and (of_countries := mapped(each)):
            yield from _where(of_countries, splits)
            continue
        names = (each.name, *splits, "all")
        most = FEW if any(len(value) > SENTENCE for value in each.values) else MOST
        rows = [
            (_short(value), *(of.get(split, 0) for split in splits), each.total(value))
            for value, of in list(each.values.items())[:most]
        ]
        bars = [each.total(value) for value in list(each.values)[:most]]
        yield from table(CAPTIONS[each.name], names, rows, count=len(each.values), bars=bars)
    if silent:
        yield f'<p class="quiet">The source does not tell: {text(", ".join(silent))}.</p>'


def _where(found: Mapped, splits: Mapping[str, int]) -> Iterator[str]:
    """Show the map, and as a table all of it: countries, what is none, and the rows that tell nothing."""
    yield from drawn_map(found)
    told = [(at.name, of) for at, of in found.rows.items()]
    elsewhere = [(f"{_short(name)} ({nowhere(name) or 'not on the map'})", of) for name, of in found.elsewhere.items()]
    told += [*elsewhere[:MOST], *([(UNKNOWN, found.silent)] if found.silent else [])]
    rows = [(name, *(of.get(split, 0) for split in splits), sum(of.values())) for name, of in told]
    bars = [sum(of.values()) for _, of in told]
    count = len(rows) + len(elsewhere[MOST:])
    yield from table(CAPTIONS["country"], ("country", *splits, "all"), rows, count=count, bars=bars)
    silent, all_rows = sum(found.silent.values()), sum(splits.values())
    yield f'<p class="quiet">{silent:,} of {all_rows:,} rows tell no country. A dot is about the middle of a country; '
    yield "its area grows with its rows, and countries without rows have small dots.</p>"


def _short(value: str) -> str:
    """Cut what a source tells in sentences where others tell a word, so that the counts stay a table."""
    return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE].rstrip()}… ({len(value):,} characters)"


def _pictures(of: Described) -> Iterator[str]:
    yield "<h3>Pictures</h3>"
    if of.why:
        yield f"<p>{text(of.why)}</p>"
    if not of.pictures:
        return
    masks = sorted({name for each in of.pictures for name in each.outlines})
    outlined = f" Masks are outlined: {text(', '.join(masks))}." if masks else ""
    yield f"<p>{len(of.pictures):,} of {of.built.rows:,} rows, some of each label, made small. Of a volume or a video "
    yield f"it is the middle.{outlined}</p>"
    yield '<div class="grid">'
    for each, image in zip(of.pictures, drawn(of.built, of.pictures), strict=True):
        label = each.label or "no label"
        seen = f"Picture of {each.sample_id}, {label}" + "".join(
            f", {name} outlined in {colour}" for name, colour in each.outlines.items()
        )
        frame = "cannot be decoded here" if image is None else picture(image, seen)
        outlines = ", ".join(f"{name} {colour}" for name, colour in each.outlines.items())
        credit = "".join(f"<br>{text(said)}" for said in (outlines, each.licence, each.source_url) if said)
        yield f'<figure><div class="frame">{frame}</div><figcaption><span class="part">{text(label)}</span> '
        yield f'{text(each.sample_id)}<span class="quiet">{credit}</span></figcaption></figure>'
    yield "</div>"


def _notices(of: Described) -> Iterator[str]:
    yield "<h3>What was dropped, and what is odd</h3>"
    if of.comparison:
        yield "<p>Against the catalog:</p><ul>"
        yield from (f"<li>{text(line)}</li>" for line in of.comparison)
        yield "</ul>"
    if not of.notices:
        yield "<p>Nothing was dropped, and nothing was odd.</p>"
    for each in of.notices:
        done = "Dropped" if each.dropped else "Kept, but told"
        yield from table(f"{done}: {each.kind} ({each.count:,})", ("where", "what"), each.shown, count=each.listed)
    if of.card.defects:
        defects = [(each.id, each.what, each.evidence) for each in of.card.defects]
        yield from table("Known defects of the source", ("defect", "what", "evidence"), defects)


def _leakage(of: Described) -> Iterator[str]:
    if not of.audits:
        return
    yield "<h3>Leakage</h3>"
    for audit in of.audits:
        yield from _audit(audit)


def _audit(audit: AuditReport) -> Iterator[str]:
    yield _verdict(audit)
    rows = [(each.kind, each.groups, each.straddling, each.leaking_rows) for each in audit.findings]
    names = ("what binds rows", "groups", "in several parts", "rows of these")
    yield from table(f"Scheme {audit.scheme}", names, rows)
    told = [example for each in audit.findings for example in each.examples] + list(audit.contradictions)
    if told or audit.notes:
        yield "<ul>"
        yield from (f"<li>{text(line)}</li>" for line in (*told, *audit.notes))
        yield "</ul>"


def _confounding(of: Described) -> Iterator[str]:
    if of.built.columns:
        return
    yield "<h3>Confounding</h3>"
    found = of.confounded
    if found is None:
        yield f"<p>Not measured. <code>covid-datasets confounding {text(of.card.id)}</code> does it.</p>"
        return
    of_what = "this build"
    if not measured_here(found, of.built):
        of_what = f"another build: {found.version}, config {found.config}, fingerprint {found.fingerprint[:8]}"
    yield f"<p>How well the label is told without a pixel, as AUC with its 95 % interval, measured of {text(of_what)}. "
    yield f"0.5 is guessing. <code>{text(found.command)}</code> makes it again.</p>"
    rows = [(each.trait, each.scheme, str(each)) for each in (*found.together, *found.alone, *found.person)]
    yield from table("What the label follows", ("trait", "scheme", "AUC"), rows[:MOST], count=len(rows))


def _overlaps(of: Described) -> Iterator[str]:
    if not of.card.overlaps:
        return
    yield "<h3>Overlaps with other sources</h3>"
    rows = [(each.source, each.what, each.evidence) for each in of.card.overlaps]
    yield from table("What the catalog knows", ("source", "what", "evidence"), rows)


def _licence(of: Described) -> Iterator[str]:
    yield "<h3>Licence and attribution</h3>"
    yield f"<p>{text(of.facts['Licence'])}: {text(of.facts['Terms'])}</p>"
    counted = of.counted("licence")
    if counted and set(counted.values) != {UNKNOWN}:
        rows = [(value, counted.total(value)) for value in list(counted.values)[:MOST]]
        yield from table(CAPTIONS["licence"], ("licence", "rows"), rows, count=len(counted.values))
    if of.card.citations:
        yield "<p>To be cited:</p><ul>"
        yield from (f"<li>{text(cited(each))}</li>" for each in of.card.citations)
        yield "</ul>"


def _together(found: Together, builds: Sequence[str]) -> Iterator[str]:
    yield '<section id="together" aria-label="All together"><h2>All together</h2>'
    yield "<p>Where one label is of one source alone, a model can tell the source in place of the illness.</p>"
    rows = [(label, *(of.get(each, 0) for each in builds)) for label, of in found.labels.items()]
    yield from table("Label against source", ("label", *builds), rows[:MOST], count=len(rows))
    yield "<h3>Overlaps</h3>"
    if found.kinds:
        kinds = [(kind, "yes" if proven else "no", count) for (kind, proven), count in found.kinds.items()]
        yield from table("Pairs of rows in two of them", ("what binds them", "proven", "pairs"), kinds)
        pairs = [
            (pair["first"], pair["second"], pair["kind"], "yes" if pair["together"] else "no", pair["evidence"])
            for pair in found.pairs
        ]
        names = ("row", "and row", "what binds them", "kept together", "evidence")
        yield from table("The first pairs", names, pairs, count=sum(found.kinds.values()))
    else:
        yield "<p>No picture and no person was found in two of them.</p>"
    yield "<h3>Leakage of the joint split</h3>"
    yield from _audit(found.audit)
    yield "</section>"


def _change(change: Change) -> Iterator[str]:
    first, second = change.first, change.second
    yield '<section id="change" aria-label="What differs"><h2>What differs</h2>'
    same = "Both have the same rows in the same splits." if change.is_same else "They are not the same."
    yield f"<p>{same}</p>"
    prints = [("first", first.name, first.built.fingerprint), ("second", second.name, second.built.fingerprint)]
    yield from table("The two builds", ("", "build", "fingerprint"), prints)
    for each in change.differences:
        title = f"{each.kind[0].upper()}{each.kind[1:]}: {each.count:,}, {each.meaning}"
        yield from table(title, ("sample", "first", "second"), each.shown, count=each.count)
    for name, values in change.counts.items():
        rows = [(value, was, now, f"{now - was:+,}") for value, (was, now) in values.items()]
        if any(was != now for was, now in values.values()):
            yield from table(f"Rows by {name}", (name, "first", "second", "difference"), rows[:MOST], count=len(rows))
    yield "</section>"
