"""One page of an audit, with the pairs side by side: it needs no network, runs nothing, and trusts no name in it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image

from covid_datasets.audits.bonds import KINDS, OF_PICTURES
from covid_datasets.audits.looks import shown
from covid_datasets.audits.sample import Sample
from covid_datasets.errors import CovidDatasetsError
from covid_datasets.harmless import visible

if TYPE_CHECKING:
    from covid_datasets.audits.report import Audit, Pair

MOST = 60
"""Pairs of one kind that are shown: a picture takes some 10 kB of the page."""
SIDE = 240
"""The longer side of a picture in it."""
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2.5rem }
.leaks { color: #b3261e } .clean { color: #2e7d32 } .quiet { opacity: .7 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }
td.number { text-align: right }
article { border: 1px solid #8886; border-radius: .5rem; padding: .8rem; margin: 1rem 0 }
.sides { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; flex: 1 1 16rem; min-width: 0 }
.frame { height: 240px; display: flex; align-items: center; justify-content: center; background: #000; color: #bbb }
figcaption { overflow-wrap: anywhere } .part { font-weight: 600 }
code { font-size: .85em; overflow-wrap: anywhere; white-space: pre-wrap; user-select: all }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
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


def page(audit: Audit) -> str:
    """Write the page."""
    thumbnail = lru_cache(maxsize=4 * MOST)(lambda row: _thumbnail(audit.samples[row]))
    return "\n".join(_lines(audit, thumbnail)) + "\n"


def _lines(audit: Audit, thumbnail: Callable[[int], str]) -> Iterator[str]:
    verdict = f"Leaks: {audit.leaks:,}" if audit.leaks else "No leak found"
    title = f"Audit of {audit.what}" + (f", scheme {audit.scheme}" if audit.scheme else "")
    yield "<!doctype html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{_text(title)}</h1>"
    yield f'<p class="{"leaks" if audit.leaks else "clean"}"><strong>{verdict}</strong></p>'
    yield f"<p>Level {audit.level}: {_text(audit.why)}</p>"
    yield from _table(
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
        yield from _table(("row", "part", "is in", "how it is known"), rows[: 10 * MOST], len(rows))
    if audit.removed:
        yield "<h2>The split without what leaks</h2>"
        yield "<p>These rows have to go; training sets lose rows before test sets.</p>"
        gone = [(each.name, each.split, each.why) for each in audit.removed]
        yield from _table(("row", "goes from", "because of"), gone[: 10 * MOST], len(gone))
    if audit.notes:
        yield "<h2>What is known of this scheme</h2><ul>"
        yield from (f"<li>{_text(note)}</li>" for note in audit.notes)
        yield "</ul>"
    if audit.notices:
        yield "<h2>What was odd</h2>"
        yield from _table(("what", "where", ""), [(each.kind, each.where, each.what) for each in audit.notices])
    yield "</body></html>"


def _section(title: str, meaning: str, pairs: Sequence[Pair], thumbnail: Callable[[int], str]) -> Iterator[str]:
    if not pairs:
        return
    yield f"<h2>{_text(title)}</h2><p>{_text(meaning)}</p>"
    for pair in pairs[:MOST]:
        yield '<article><div class="sides">'
        for side in (0, 1):
            name = (pair.first, pair.second)[side]
            who = pair.patients[side] or "unknown"
            label = pair.labels[side]
            said = f"patient {who}" + (f", label {label}" if label else "")
            yield (
                f'<figure><div class="frame">{thumbnail(pair.rows[side])}</div><figcaption>'
                f'<span class="part">{_text(pair.splits[side])}</span> {_text(name)}<br>'
                f'<span class="quiet">{_text(said)}</span></figcaption></figure>'
            )
        score = "" if pair.score is None else f" (score {pair.score:.3f})"
        yield f"</div><p>{_text(pair.evidence)}{score}</p>"
        if pair.kind in OF_PICTURES:
            line = _text(identity_line(pair), keep="\t")
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
    first, second, evidence = (visible(text, keep="") for text in (pair.first, pair.second, pair.evidence))
    return f"{first.partition('/')[2] or first}\tpicture:{second}\t\tshows what {second} shows: {evidence}"


def _table(names: Sequence[str], rows: Sequence[Sequence[object]], count: int = 0) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{_text(name)}</th>" for name in names) + "</tr>"
    for row in rows:
        cells = (
            f'<td class="number">{cell:,}</td>' if isinstance(cell, int) else f"<td>{_text(str(cell))}</td>"
            for cell in row
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</table>"
    if count > len(rows):
        yield f"<p>… and {count - len(rows):,} more.</p>"


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
    grey.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    grey.convert("L").save(out, "JPEG", quality=80)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode("ascii")}">'


def _text(text: str, keep: str = "") -> str:
    """Show text as what it is, whatever it is made of."""
    return html.escape(visible(text, keep=keep))
