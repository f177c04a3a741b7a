"""One page per source, made from its card alone, and the index of them; the ledger and the leaderboard, from results.

``python -m covid_datasets.contribute.pages`` rewrites ``docs/sources/``, ``docs/ledger.md``, ``docs/leaderboard.md``.
The index of sources, ``README.md``, is made too, but is not under version control: two new sources never meet in one
file.

``--check`` writes nothing and fails where a page is not what its card says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from covid_datasets.audits.ledger.run import outdated, published_result
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import names, readable_cards
from covid_datasets.catalog.ledger import entry_names, load_entry
from covid_datasets.contribute.results import read_papers, read_results
from covid_datasets.view.leaderboard import leaderboard_page
from covid_datasets.view.ledger import ledger_page
from covid_datasets.view.page import counts, modalities, page, spdx, table

GENERATED = "<!-- Generated from the catalog by `python -m covid_datasets.contribute.pages`; edit the TOML instead. -->"

INDEX = "README.md"
LEDGER = Path("..", "ledger.md")
"""The page of the ledger, as seen from that of the sources."""
LEADERBOARD = Path("..", "leaderboard.md")
RESULTS = Path("..", "..", "results")
"""What the leaderboard is made of, from there too."""


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


def ledger() -> str:
    """Write the page of the ledger: an entry without a result is not on it."""
    entries = map(load_entry, entry_names())
    rows = [(entry, result) for entry in entries if (result := published_result(entry.id))]
    return f"{GENERATED}\n\n{ledger_page(rows)}"


def leaderboard(results: Path) -> str:
    """Write the leaderboard of the results in a folder."""
    made = GENERATED.replace("from the catalog", "from results/").replace("edit the TOML", "measure again")
    return f"{made}\n\n{leaderboard_page(read_results(results), read_papers(results))}"


def _texts(folder: Path) -> dict[str, str]:
    """Return the text of every page that is made, by its path from the folder of the sources."""
    return {**pages(), LEDGER.as_posix(): ledger(), LEADERBOARD.as_posix(): leaderboard(folder / RESULTS)}


def _cards() -> list[Card]:
    """Read the cards of this package; those of others have pages of their own."""
    return [card for card in readable_cards()[0] if not card.builder]


def stale(folder: Path) -> list[Path]:
    """List pages that are missing, outdated, or of no source."""
    wanted = _texts(folder)
    wrong = [name for name, text in wanted.items() if not (folder / name).exists() or _read(folder / name) != text]
    return [folder / name for name in wrong] + _unwanted(folder)


def rewrite(folder: Path) -> list[Path]:
    """Bring the pages of a folder up to date; return those that changed."""
    changed, wanted = stale(folder), {folder / name: text for name, text in _texts(folder).items()}
    folder.mkdir(parents=True, exist_ok=True)
    for path in changed:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8", newline="\n")
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
    for name in entry_names():
        if (result := published_result(name)) and (older := outdated(result)):
            print(
                f"audit again, {', '.join(older)} changed: covid-datasets ledger {name} -o catalogs/ledger",
                file=sys.stderr,
            )
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
