"""Pages of HTML: they need no network, run nothing, and trust no name in them.

Whoever writes a page gives text, tables and pictures; nothing that others wrote becomes markup. A page is light or dark
as its reader's machine is, is read on a phone and by a screen reader, and prints.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from PIL import Image

from covid_datasets.harmless import visible

SIDE = 240
"""The longer side of a picture in a page."""
LONGEST = 1000
"""So many characters of one text are shown: file names can have thousands."""
SENTENCE = 60
"""A cell with more characters is prose; on a phone the cells of such a row stand below each other."""
MOST = 20
"""So many sentences or rows of one kind a notebook shows."""
_LINES = "\n\t"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; --line: #8886;
  --leaks: #b3261e; --clean: #1b6e20; --quiet: #555; --bar: #3f6fb5 }
@media (prefers-color-scheme: dark) { :root { --leaks: #ff8a80; --clean: #81c784; --quiet: #b0b0b0; --bar: #7ea6e0 } }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin-top: 2.5rem }
h3 { font-size: 1rem; margin: 1.5rem 0 0 }
.leaks { color: var(--leaks) } .clean { color: var(--clean) } .quiet { color: var(--quiet) }
.wide { overflow-x: auto; margin: 1rem 0 } table { border-collapse: collapse }
caption { text-align: left; font-weight: 600; max-width: calc(100vw - 2rem) }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }
th { font-weight: 600 } thead th { overflow-wrap: normal } tbody th { font-weight: 400 }
tbody th, td:not(.number, .bars) { min-width: 6.5rem }
.number { white-space: nowrap } td.number, thead th.number { text-align: right }
tbody tr { border-top: 1px solid var(--line) }
.bar { display: block; height: .8em; min-width: 1px; background: var(--bar); print-color-adjust: exact }
td.bars { width: 12rem; min-width: 6rem; vertical-align: middle }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; margin: 1rem 0 }
.sides { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; flex: 1 1 16rem; min-width: 0 }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13rem, 100%), 1fr)); gap: 1rem }
.frame { height: 240px; display: flex; align-items: center; justify-content: center; background: #000; color: #ccc }
.frame img { max-width: 100%; max-height: 100% }
.part { font-weight: 600 }
.map { display: block; width: 100%; max-width: 42rem; height: auto; margin-top: 1rem; print-color-adjust: exact }
.map .edge { fill: none; stroke: var(--line); stroke-width: .5 } .map .none { fill: var(--quiet); opacity: .5 }
.map .some { fill: var(--bar); fill-opacity: .6; stroke: var(--bar); stroke-width: .5 }
.map text { font-size: 9px; fill: currentColor; stroke: Canvas; stroke-width: 2px; paint-order: stroke }
code { font-size: .85em; white-space: pre-wrap; user-select: all }
@media (max-width: 480px) { :root { font-size: 14px } body { margin: 1rem auto } th, td { padding-right: .6rem }
  tbody th { min-width: 7.5rem } td.bars { width: 3rem; min-width: 1.5rem } thead th.number { white-space: normal }
  .grid { grid-template-columns: 1fr 1fr } .frame { height: 160px }
  .prose :is(tbody, tr, th, td) { display: block } .prose thead { display: none } .prose tr { padding: .3rem 0 }
  .prose tbody th { font-weight: 600 }
  .prose td:not(:empty)::before { content: attr(data-head) ": "; color: var(--quiet) } }
@media print { body { max-width: none; margin: 0 } figure, tr, article { break-inside: avoid }
  .wide { overflow: visible } }
"""
_IN_NOTEBOOK = """
.covid-datasets { overflow-wrap: anywhere; max-width: 62rem }
.covid-datasets p { margin: .4em 0 }
.covid-datasets pre { white-space: pre-wrap; max-height: 24rem; overflow: auto; color: inherit; background: none }
.covid-datasets .warns { border-left: .25rem solid currentColor; padding-left: .6rem }
.covid-datasets .wide { overflow-x: auto; margin: .4em 0 }
.covid-datasets table { border-collapse: collapse; margin: 0; color: inherit; background: none }
.covid-datasets caption { text-align: left; font-style: italic; color: inherit; caption-side: top; padding: 0 }
.covid-datasets tr, .covid-datasets tbody tr:nth-child(n) { background: none }
.covid-datasets :is(th, td) { text-align: left; vertical-align: top; padding: .1rem 1rem .1rem 0; border: 0;
  color: inherit; max-width: 40rem; white-space: normal }
.covid-datasets thead th { font-weight: 600 } .covid-datasets tbody th { font-weight: 400 }
.covid-datasets tbody :is(th, td):not(.number, .bars) { min-width: 5rem } .covid-datasets tbody th { min-width: 9rem }
.covid-datasets :is(td.number, thead th.number) { text-align: right; white-space: nowrap }
.covid-datasets td.bars { width: 10rem; min-width: 5rem; vertical-align: middle }
.covid-datasets .bar { display: block; height: .7em; min-width: 1px; background: currentColor; opacity: .45 }
"""


def document(title: str, body: Iterable[str], language: str = "en") -> str:
    """Write a page around what is in its body.

    >>> page = document("<b>", ["<p>A paragraph.</p>"])
    >>> "<title>&lt;b&gt;</title>" in page, page.count("<script"), "default-src 'none'" in page
    (True, 0, True)
    """
    head = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head><body><main>"
    )
    return "\n".join([head, *body, "</main></body></html>"]) + "\n"


def text(said: str, keep: str = "", longest: int = LONGEST) -> str:
    r"""Show text as what it is, whatever it is made of; of a very long one only the beginning.

    >>> text('"><img src=x>\u202e'), text("a" * 1001, longest=3)
    ('&quot;&gt;&lt;img src=x&gt;\\u202e', 'aaa… (1,001 characters)')
    """
    more = f"… ({len(said):,} characters)" if len(said) > longest else ""
    return html.escape(visible(said[:longest], keep=keep)) + more


def table(
    caption: str,
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    count: int = 0,
    bars: Sequence[float] = (),
) -> Iterator[str]:
    """Write a table; the first cell of a row names it, and whole numbers are aligned.

    Args:
        caption: What it shows; a screen reader says it first.
        names: The heads of the columns.
        rows: A cell for each of them. ``None`` is an empty cell.
        count: How many rows there are, where only the first are given.
        bars: For each row the length of a bar behind it, of the longest.

    >>> print("".join(table("Labels", ("label", "rows"), [("<b>", 1200)])).partition("<tbody>")[2][:66])
    <tr><th scope="row">&lt;b&gt;</th><td class="number">1,200</td></t
    """
    rows = list(rows)
    numeric = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(names))]
    prose = len(names) > 2 and any(isinstance(cell, str) and len(cell) > SENTENCE for row in rows for cell in row[1:])
    heads = [f' data-head="{text(name)}"' if prose else "" for name in names]
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{text(caption)}"><table{_PROSE if prose else ""}>'
    yield f"<caption>{text(caption)}</caption><thead><tr>"
    yield "".join(
        f'<th scope="col"{_NUMBER if number else ""}>{text(name)}</th>'
        for name, number in zip(names, numeric, strict=True)
    )
    yield f"{'<td></td>' if bars else ''}</tr></thead><tbody>"
    longest = max(bars, default=0) or 1
    for at, row in enumerate(rows):
        first, *others = row
        cells = "".join(
            f"<td{_NUMBER if _is_number(cell) else ''}{head}>{_cell(cell)}</td>"
            for head, cell in zip(heads[1:], others, strict=True)
        )
        if bars:
            cells += (
                f'<td class="bars" aria-hidden="true"><span class="bar" style="width:{bars[at] / longest:.1%}"></span>'
            )
            cells += "</td>"
        yield f'<tr><th scope="row"{_NUMBER if _is_number(first) else ""}>{_cell(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"
    if count > len(rows):
        yield f"<p>… and {count - len(rows):,} more.</p>"


def named(pairs: Mapping[str, object], caption: str) -> Iterator[str]:
    """Write facts under their names, as a table of two columns; what is empty is left out."""
    rows = [(name, _said(told)) for name, told in pairs.items() if told not in ("", None)]
    yield from table(caption, ("what", "value"), rows)


def picture(image: Image.Image, seen: str = "") -> str:
    """Put a picture into a page, made small. ``seen`` says what it shows, where no text beside it does."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    out = io.BytesIO()
    small.convert("RGB" if small.mode == "RGB" else "L").save(out, "JPEG", quality=80)
    return f'<img alt="{text(seen)}" src="data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode("ascii")}">'


_NUMBER = ' class="number"'
_PROSE = ' class="prose"'
_JOINT = re.compile(r"[_/](?=\w)")


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _cell(cell: object) -> str:
    """Write a cell; a line may end behind an underscore or a slash, of which ids and paths are full."""
    return "" if cell is None else _JOINT.sub(r"\g<0><wbr>", text(_said(cell)))


def _said(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def paragraph(said: str, *, warns: bool = False) -> Iterator[str]:
    """Write a sentence, where there is one; one that warns stands out without a colour, so on any ground."""
    if said:
        yield f'<p class="warns"><strong>{text(said)}</strong></p>' if warns else f"<p>{text(said)}</p>"


def bullets(said: Sequence[str], title: str = "") -> Iterator[str]:
    """Write the first of some sentences as a list; nothing where there are none.

    >>> "".join(bullets(["<b>"], "Notes"))
    '<p><strong>Notes</strong></p><ul><li>&lt;b&gt;</li></ul>'
    """
    if said:
        yield (f"<p><strong>{text(title)}</strong></p>" if title else "") + "<ul>"
        yield from (f"<li>{text(each)}</li>" for each in said[:MOST])
        yield "</ul>" + (f"<p>… and {len(said) - MOST:,} more.</p>" if len(said) > MOST else "")


def verbatim(said: str) -> Iterator[str]:
    """Write lines as they are, of many the first."""
    yield f"<pre>{text(said, keep=_LINES, longest=20 * LONGEST)}</pre>"


def shown(title: str, *parts: Iterable[str]) -> str:
    """Show a value in a notebook, under its name: small tables in the notebook's own letters and colours.

    It brings no ground and no colour of its own, so it is light or dark as the notebook is, and stays readable where
    its style is taken away, as on GitHub.

    >>> print(shown("<b>", paragraph("one row")).partition("</style>")[2])
    <p><strong>&lt;b&gt;</strong></p>
    <p>one row</p></div>
    """
    body = [f"<p><strong>{text(title)}</strong></p>", *(piece for part in parts for piece in part)]
    return f'<div class="covid-datasets"><style>{_IN_NOTEBOOK}</style>' + "\n".join(body) + "</div>"


def framed(page: str, title: str, height: str = "36rem") -> str:
    """Put a page into another one, such as a notebook: its style stays inside, and it may run nothing.

    >>> framed('<p id="a">', "A page").count("<p")
    0
    """
    return (
        f'<iframe sandbox title="{text(title)}" srcdoc="{html.escape(page)}" '
        f'style="width:100%;height:{height};border:1px solid #8886"></iframe>'
    )
