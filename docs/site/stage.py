"""Lay the texts of a checkout out for Sphinx, each at the place that it has in the checkout.

So a link between two of them leads to the same text on GitHub and on the site. A file that a text links to and that is
no text, such as a result, comes along, to be downloaded.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

TEXTS = ("*.md", "docs/*.md", "docs/sources/*.md", "benchmarks/README.md", "catalogs/README.md")
_LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)")
_FENCE = re.compile(r"^(```|~~~)")


LISTED = Path("docs", "sources", "README.md")
"""The table of all sources, where somebody made it: the site makes its own."""
PICTURES = (".png", ".jpg", ".svg")


def lay_out(checkout: Path, stage: Path) -> list[Path]:
    """Copy all texts, and what they link to; return what is no text and no picture, as seen from the checkout."""
    others = set()
    texts = sorted(path for pattern in TEXTS for path in checkout.glob(pattern) if path != checkout / LISTED)
    for path in texts:
        place = stage / path.relative_to(checkout)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_with_pages(path.read_text(encoding="utf-8"), path.parent), encoding="utf-8")
        for linked in linked_files(path):
            if linked.suffix != ".md" and linked.is_relative_to(checkout):
                copy(linked, stage / linked.relative_to(checkout))
                others |= {linked.relative_to(checkout)} if linked.suffix not in PICTURES else set()
    return sorted(others)


def copy(path: Path, place: Path) -> None:
    """Copy a file, with the folders that it lies in."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)


def linked_files(text: Path) -> Iterator[Path]:
    """Yield the files of the checkout that a text links to."""
    for link in _links(text.read_text(encoding="utf-8")):
        if (linked := (text.parent / link).resolve()).is_file():
            yield linked


def _links(text: str) -> Iterator[str]:
    for line in _outside_code(text):
        yield from _LINK.findall(line)


def _outside_code(text: str) -> Iterator[str]:
    inside = ""
    for line in text.splitlines():
        fence = _FENCE.match(line)
        if fence and inside in ("", fence[1]):
            inside = "" if inside else fence[1]
        elif not inside:
            yield line


def _with_pages(text: str, folder: Path) -> str:
    """Let links to a folder lead to the page of it: GitHub shows the folder, a site has none."""
    return _LINK.sub(lambda link: f"{link[0].rstrip('/')}/index.rst" if (folder / link[0]).is_dir() else link[0], text)
