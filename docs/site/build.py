"""Make the site: lay the texts out, add what is measured here, let Sphinx make pages of it, and check every link."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import readable_cards
from covid_datasets.contribute.pages import index
from covid_datasets.errors import NotBuiltError
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.view.report.described import describe
from docs.site.api import reference
from docs.site.links import broken
from docs.site.measured import measured
from docs.site.pairs import Shelf, copies
from docs.site.seeds import tables
from docs.site.stage import copy, lay_out

CHECKOUT = Path(__file__).resolve().parents[2]
MARK = ".covid_datasets-site"
"""Lies in a folder that holds a site, so that no other folder is ever emptied."""
BEFORE = "\n## Patients\n"
"""What is measured stands before this section of a source's page."""
LAST = "\n## Cite\n"
INDEX = """\
Sources
=======

.. include:: table.inc
   :parser: myst_parser.sphinx_

.. toctree::
   :hidden:

"""
"""Shows the table of sources; their pages are named below it."""


@dataclass(frozen=True, slots=True)
class Site:
    """A finished site, and what it took."""

    folder: Path
    seconds: float
    pages: int
    megabytes: float
    measured: tuple[str, ...]
    pictures: int

    def __str__(self) -> str:
        """Say it in two lines."""
        return (
            f"{self.folder / 'index.html'}\n{self.pages} pages, {self.megabytes:.1f} MB, {self.pictures} pictures, "
            f"{self.seconds:.0f} s; no warning, no broken link; measured here: {', '.join(self.measured) or 'nothing'}"
        )


class SiteError(RuntimeError):
    """The site cannot be made as it is; the message lists what is wrong."""


def build(
    out: Path, *, notebooks: Path | None = None, cache_dir: Path | None = None, checkout: Path = CHECKOUT
) -> Site:
    """Make the site of a checkout in a folder: ``out/html`` is what a server serves.

    Args:
        out: A folder for the site alone; what an earlier call left there is removed.
        notebooks: Where executed notebooks are; without it, those of the checkout as they are.
        cache_dir: Where builds are looked for, of which pages tell. What is not built is not told.
        checkout: Where the texts are.

    Raises:
        SiteError: No notebooks where they were said to be, a warning of Sphinx, a link that leads nowhere, a picture
            that is not there.
    """
    start = time.monotonic()
    empty(out)
    stage, html = out / "text", out / "html"
    if notebooks and not any(notebooks.glob("*.ipynb")):
        raise SiteError(f"{notebooks}: expected executed notebooks, *.ipynb, found none")
    others = lay_out(checkout, stage)
    told = extend(stage, dict(_built(cache_dir)), checkout / "catalogs" / "identities")
    _write(stage / "docs" / "seeds.md", tables())
    _write(stage / "docs" / "api.rst", reference())
    copy(checkout / "docs" / "demo.py", stage / "docs" / "demo.py")
    start_page = (checkout / "docs" / "site" / "index.rst").read_text(encoding="utf-8")
    if not take_notebooks(notebooks or checkout / "notebooks", stage / "notebooks"):
        start_page = start_page.replace("   notebooks/*\n", "")
    _write(stage / "index.rst", complete(start_page, stage))
    render(stage, html, others)
    files = [path for path in html.rglob("*") if path.is_file()]
    return Site(
        folder=html,
        seconds=time.monotonic() - start,
        pages=sum(path.suffix == ".html" for path in files),
        megabytes=sum(path.stat().st_size for path in files) / 1e6,
        measured=told,
        pictures=len(list((html / "_images").glob("*"))),
    )


def render(stage: Path, html: Path, others: Sequence[Path] = ()) -> None:
    """Let Sphinx make pages of texts, put the other files beside them, and check every link.

    Raises:
        SiteError: A warning of Sphinx, a link that leads nowhere, or a picture that is not there.
    """
    options = ["-q", "-W", "--keep-going", "-j", "auto", "-b", "html", "-d", str(html.parent / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, "-c", str(CHECKOUT / "docs"), str(stage), str(html)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SiteError(f"{done.stdout}{done.stderr}".strip().replace(f"{stage}/", ""))
    for path in others:
        copy(stage / path, html / path)
    if wrong := broken(html):
        raise SiteError("\n".join(wrong))


def extend(stage: Path, builds: Mapping[str, tuple[Built, Card]], identities: Path) -> tuple[str, ...]:
    """Add to the page of each source what its build and the proven copies tell, and the page that lists them all."""
    folder, shelf = stage / "docs" / "sources", Shelf.of(builds)
    cards = [card for card in readable_cards()[0] if (folder / f"{card.id}.md").is_file()]
    _write(folder / "table.inc", index(cards).partition("# Sources\n")[2])
    _write(folder / "index.rst", INDEX + "".join(f"   {card.id}\n" for card in cards))
    for card in cards:
        page = folder / f"{card.id}.md"
        text = page.read_text(encoding="utf-8")
        if card.id in builds:
            text = _before(BEFORE, text, "\n".join(measured(describe(*builds[card.id]), page)))
        _write(page, _before(LAST, text, "\n".join(copies(card.id, identities, shelf, page))))
    return tuple(card.id for card in cards if card.id in builds)


def empty(folder: Path) -> None:
    """Make a folder for a site; one that holds anything else is left alone."""
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise SiteError(
                f"{folder}: expected an empty folder or an earlier site, found other files; name another one"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _built(cache_dir: Path | None) -> Iterator[tuple[str, tuple[Built, Card]]]:
    """Find the finished build of each source, in its default version and config."""
    for card in readable_cards()[0]:
        if card.has_data and not card.builder:
            try:
                yield card.id, (find_build(card.id, cache_dir=cache_dir), card)
            except NotBuiltError:
                continue


def _before(heading: str, text: str, section: str) -> str:
    """Put a section before another one, or at the end of a page that lacks that one."""
    first, found, rest = text.partition(heading)
    return f"{first}\n{section}\n{found}{rest}" if section else text


def complete(start_page: str, stage: Path) -> str:
    """Add the pages that no list of the start page names, so that a new text is there also where nobody placed it."""
    pages = [path.relative_to(stage).with_suffix("") for path in sorted(stage.rglob("*.md"))]
    named = re.findall(r"^   (?:.*<)?([\w/]+)>?$", start_page, re.MULTILINE)
    lacking = [page.as_posix() for page in pages if page.as_posix() not in named and page.parent.name != "sources"]
    more = "".join(f"   {page}\n" for page in lacking)
    return f"{start_page}\n.. toctree::\n   :hidden:\n   :caption: More\n\n{more}" if more else start_page


def take_notebooks(folder: Path, place: Path) -> int:
    """Take the notebooks of a folder along and count them; each says that its cells are IPython, commands and all."""
    found = sorted(folder.glob("*.ipynb"))
    for path in found:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["metadata"].setdefault("language_info", {"name": "python"}).setdefault("pygments_lexer", "ipython3")
        _write(place / path.name, json.dumps(notebook))
    return len(found)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
