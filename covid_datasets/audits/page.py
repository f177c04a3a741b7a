"""One page of an audit, with the pairs side by side: it needs no network, runs nothing, and trusts no name in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from covid_datasets.audits.bonds import KINDS, OF_PICTURES
from covid_datasets.audits.looks import shown
from covid_datasets.audits.sample import Sample
from covid_datasets.errors import CovidDatasetsError
from covid_datasets.harmless import visible
from covid_datasets.markup import document, picture, table, text

if TYPE_CHECKING:
    from covid_datasets.audits.report import Audit, Pair

MOST = 60
"""Pairs of one kind that are shown: a picture takes some 10 kB of the page."""
_MEANING = {
    "patient": "One patient is in several parts.",
    "group": "People whom nobody told apart are in several parts: some of them may be one person.",
    "tie": "What belongs together, such as an article or a study, is in several parts.",
    "same file": "One file is listed in several parts.",
    "same bytes": "Files in several parts are the same, byte for byte.",
    "same pixels": "Files in several parts hold the same pixels, stored in another way.",
    "near-duplicate": "Pictures in several parts look the same: encoded again, resized or slightly changed.",
    "registered": "Pictures in several parts can be laid on each other: cropped, turned, mirrored, inverted or framed.",
}


def page(audit: Audit, *, pictures: bool = True) -> str:
    """Write the page; a notebook that is passed on shows it without pictures, whose licences nobody asked."""
    small: Callable[[int], str] = lru_cache(maxsize=4 * MOST)(lambda row: _thumbnail(audit.samples[row]))
    title = f"Audit of {audit.what}" + (f", scheme {audit.scheme}" if audit.scheme else "")
    return document(title, _lines(audit, title, small if pictures else _no_thumbnail))


def _lines(audit: Audit, title: str, thumbnail: Callable[[int], str]) -> Iterator[str]:
    verdict = f"Leaks: {audit.leaks:,}" if audit.leaks else "No leak found"
    yield f"<h1>{text(title)}</h1>"
    yield f'<p class="{"leaks" if audit.leaks else "clean"}"><strong>{verdict}</strong></p>'
    yield f"<p>Level {audit.level}: {text(audit.why)}</p>"
    yield from table(
        "Parts of the split",
        ("part", "rows", "known patients", "rows of unknown patients", "labels"),
        [
            (split, part.rows, part.patients, part.unknown, ", ".join(f"{k} {v:,}" for k, v in part.labels.items()))
            for split, part in audit.parts.items()
        ],
    )
    for kind in KINDS:
        found = [pair for pair in audit.pairs if pair.kind == kind]
        yield from _section(f"{kind}: {len(found):,}", _MEANING[kind], found, thumbnail)
    told = "These show one picture, and not both labels can be true."
    found = list(audit.contradictions)
    yield from _section(f"One picture, two labels: {len(found):,}", told, found, thumbnail)
    if audit.known:
        yield "<h2>Pictures of public sources</h2>"
        rows = [(each.name, each.split, f"{each.source}: {each.sample}", each.kind) for each in audit.known]
        yield from table(
            "Pictures that public sources have too",
            ("row", "part", "is in", "how it is known"),
            rows[: 10 * MOST],
            count=len(rows),
        )
    if audit.removed:
        yield "<h2>The split without what leaks</h2>"
        yield "<p>These rows have to go; training sets lose rows before test sets.</p>"
        gone = [(each.name, each.split, each.why) for each in audit.removed]
        yield from table("Rows that have to go", ("row", "goes from", "because of"), gone[: 10 * MOST], count=len(gone))
    if audit.notes:
        yield "<h2>What is known of this scheme</h2><ul>"
        yield from (f"<li>{text(note)}</li>" for note in audit.notes)
        yield "</ul>"
    if audit.notices:
        yield "<h2>What was odd</h2>"
        odd = [(each.kind, each.where, each.what) for each in audit.notices]
        yield from table("Notices", ("kind", "where", "what"), odd)


def _section(title: str, meaning: str, pairs: Sequence[Pair], thumbnail: Callable[[int], str]) -> Iterator[str]:
    if not pairs:
        return
    yield f"<h2>{text(title)}</h2><p>{text(meaning)}</p>"
    for pair in pairs[:MOST]:
        yield '<article><div class="sides">'
        for side in (0, 1):
            name = (pair.first, pair.second)[side]
            who = pair.patients[side] or "unknown"
            label = pair.labels[side]
            said = f"patient {who}" + (f", label {label}" if label else "")
            yield (
                f'<figure><div class="frame">{thumbnail(pair.rows[side])}</div><figcaption>'
                f'<span class="part">{text(pair.splits[side])}</span> {text(name)}<br>'
                f'<span class="quiet">{text(said)}</span></figcaption></figure>'
            )
        score = "" if pair.score is None else f" (score {pair.score:.3f})"
        yield f"</div><p>{text(pair.evidence)}{score}</p>"
        if pair.kind in OF_PICTURES:
            line = text(identity_line(pair), keep="\t", longest=1 << 20)
            yield f'<p class="quiet">For catalogs/identities: <code>{line}</code></p>'
        yield "</article>"
    if len(pairs) > MOST:
        yield f"<p>… and {len(pairs) - MOST:,} more: <code>covid-datasets audit --json</code> has them all.</p>"


def identity_line(pair: Pair) -> str:
    r"""Write a pair as a line of ``catalogs/identities/<source>.tsv``.

    >>> from covid_datasets.audits.report import Pair
    >>> parts, nobody = ("train", "test"), (None, None)
    >>> identity_line(Pair("cohen/1.png", "cohen/2.png", "registered", 0.9, parts, nobody, nobody, "40 points", (0, 1)))
    '1.png\tpicture:cohen/2.png\t\tshows what cohen/2.png shows: 40 points'
    """
    first, second, evidence = (visible(each, keep="") for each in (pair.first, pair.second, pair.evidence))
    return f"{first.partition('/')[2] or first}\tpicture:{second}\t\tshows what {second} shows: {evidence}"


def _no_thumbnail(_: int) -> str:
    return "save_html() shows it"


def _thumbnail(sample: Sample) -> str:
    """Show a picture as part of the page; say where there is none to show."""
    if sample.read is None:
        return "no picture"
    try:
        grey = shown(sample.read(), sample.name, sample.form)
    except (CovidDatasetsError, OSError):
        grey = None
    if grey is None:
        return "cannot be decoded"
    return picture(grey)
