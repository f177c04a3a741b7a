"""One page per source, made from its card alone, and the index of them.

``python -m covid_datasets.contribute.pages`` rewrites ``docs/sources/``. Their index, ``README.md``, is made too,
but is not under version control: two new sources never meet in one file.

``--check`` writes nothing and fails where a page is not what its card says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import names, readable_cards
from covid_datasets.view.page import counts, modalities, page, spdx, table

GENERATED = "<!-- Generated from the catalog by `python -m covid_datasets.contribute.pages`; edit the TOML instead. -->"

INDEX = "README.md"


def index(cards: Iterable[Card]) -> str:
    """Write the table of all sources as Markdown."""
    rows = [
        (
            f"[`{card.id}`]({card.id}.md)",
            card.title,
            modalities(card),
            *counts(card),
            card.access.kind,
            spdx(card),
        )
        for card in cards
    ]
    columns = ("id", "source", "modalities", "images", "patients", "access", "licence")
    return "\n".join([GENERATED, "", "# Sources", "", *table(columns, rows)]) + "\n"


def pages() -> dict[str, str]:
    """Return name and text of every page that ``docs/sources/`` should hold."""
    return {f"{card.id}.md": f"{GENERATED}\n\n{page(card)}" for card in _cards()}


def _cards() -> list[Card]:
    """Read the cards of this package; those of others have pages of their own."""
    return [card for card in readable_cards()[0] if not card.builder]


def stale(folder: Path) -> list[Path]:
    """List pages that are missing, outdated, or of no source."""
    wanted = pages()
    wrong = [name for name, text in wanted.items() if not (folder / name).exists() or _read(folder / name) != text]
    return [folder / name for name in wrong] + _unwanted(folder)


def rewrite(folder: Path) -> list[Path]:
    """Bring the pages of a folder up to date; return those that changed."""
    changed, wanted = stale(folder), pages()
    folder.mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path.name in wanted:
            path.write_text(wanted[path.name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    (folder / INDEX).write_text(index(_cards()), encoding="utf-8", newline="\n")
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite or check the pages of a checkout."""
    parser = argparse.ArgumentParser(prog="python -m covid_datasets.contribute.pages", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/sources"))
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is not up to date")
    arguments = parser.parse_args(argv)
    for problem in readable_cards()[1].values():
        print(f"no page: {problem}", file=sys.stderr)
    changed = stale(arguments.folder) if arguments.check else rewrite(arguments.folder)
    for path in changed:
        print(f"not up to date: {path}" if arguments.check else path)
    if arguments.check and changed:
        print("run: python -m covid_datasets.contribute.pages", file=sys.stderr)
        return 1
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _unwanted(folder: Path) -> list[Path]:
    """List pages of no source; one whose card cannot be read stays as it is."""
    kept = {INDEX, *(f"{name}.md" for name in names())}
    return sorted(path for path in folder.glob("*.md") if path.name not in kept)


if __name__ == "__main__":
    sys.exit(main())
