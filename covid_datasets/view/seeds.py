"""The section of a source's page that shows its rows in the published tables, as printed."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.seed_tables import seed_tables
from covid_datasets.harmless import markdown


def listed(card: Card) -> Iterator[str]:
    """Show each row with its cells as printed, slips included, and what we say to it."""
    if not card.seed:
        return
    yield from ("## As published tables list it", "", "Cells are as printed; our own counts are under Contents.")
    for seed in card.seed:
        known = seed_tables()[seed.table]
        yield from ("", f"{known.title}, row {seed.row}, {markdown(seed.name)}:", "")
        for name, header in known.columns.items():
            if name in seed.cells:
                yield f"- {header}: {' / '.join(markdown(line) for line in seed.cells[name].splitlines())}"
        if seed.also:
            yield f"- The row is about {', '.join(f'[`{name}`]({name}.md)' for name in seed.also)} too."
        if seed.note:
            yield from ("", seed.note)
