"""One page per source, made from its card alone, and the index of them.

``python -m covid_datasets.contribute.pages`` rewrites ``docs/sources/``.

``--check`` writes nothing and fails where a page is not what its card says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card, names
from covid_datasets.view.page import counts, modalities, page, spdx, table

GENERATED = "<!-- Generated from the catalog by `python -m covid_datasets.contribute.pages`; edit the TOML instead. -->"


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
    """Return name and text of every file that ``docs/sources/`` should hold."""
    cards = [load_card(name) for name in names()]
    return {"README.md": index(cards)} | {f"{card.id}.md": f"{GENERATED}\n\n{page(card)}" for card in cards}


def stale(folder: Path) -> list[Path]:
    """List pages that are missing, outdated, or of no source."""
    wanted = pages()
    wrong = [name for name, text in wanted.items() if not (folder / name).exists() or _read(folder / name) != text]
    return [folder / name for name in wrong] + _unwanted(folder, wanted)


def rewrite(folder: Path) -> list[Path]:
    """Bring the pages of a folder up to date; return those that changed."""
    changed, wanted = stale(folder), pages()
    folder.mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path.name in wanted:
            path.write_text(wanted[path.name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite or check the pages of a checkout."""
    parser = argparse.ArgumentParser(prog="python -m covid_datasets.contribute.pages", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/sources"))
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is not up to date")
    arguments = parser.parse_args(argv)
    changed = stale(arguments.folder) if arguments.check else rewrite(arguments.folder)
    for path in changed:
        print(f"not up to date: {path}" if arguments.check else path)
    if arguments.check and changed:
        print("run: python -m covid_datasets.contribute.pages", file=sys.stderr)
        return 1
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _unwanted(folder: Path, wanted: Mapping[str, str]) -> list[Path]:
    return sorted(path for path in folder.glob("*.md") if path.name not in wanted)


if __name__ == "__main__":
    sys.exit(main())
