"""The published tables that list our sources: each cell as printed, and what we count beside it.

What a table is stands in ``catalogs/_seeds.toml``, its rows on the cards of the sources that they are about.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from covid_datasets.catalog.card import Card, Seed
from covid_datasets.catalog.cards import readable_cards
from covid_datasets.catalog.seed_tables import seed_tables
from covid_datasets.errors import CatalogError, UsageError, not_one_of

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = re.compile(r"[0-9][0-9,]*")


def seed_rows(table: str) -> list[dict[str, Any]]:
    """List the rows of a published table in order: printed cells by their keys, and ours with ``our_`` before them.

    ``dataset`` names the row's own source, then others that the row is about too.

    >>> [row["dataset"] for row in seed_rows("survey") if row["name"].startswith("COVID-CT")]
    [['covid_ct']]
    """
    if table not in tuple(seed_tables()):
        raise UsageError(f"seed: {not_one_of(table, seed_tables())}")
    columns, (cards, problems) = seed_tables()[table].columns, readable_cards()
    for problem in problems.values():
        warnings.warn(f"left out, because its card cannot be read: {problem}", stacklevel=2)
    found = {seed.row: _row(card, seed, columns) for card, seed in _seeds(cards, table)}
    return [found[number] for number in sorted(found)]


def seed_list(table: str) -> pa.Table:
    """Return the rows of a published table as an Arrow table; its totals are in the metadata of the schema."""
    import pyarrow as pa

    rows, counts = seed_rows(table), {"row", "our_images", "our_patients", "our_covid19", "our_other"}
    names = list(rows[0]) if rows else []
    kinds = {name: pa.int64() if name in counts else pa.string() for name in names} | {"dataset": pa.list_(pa.string())}
    metadata = {"title": seed_tables()[table].title, "totals": "\n".join(seed_totals(table))}
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, kinds[name]) for name in names], metadata))


def seed_totals(table: str) -> list[str]:
    """Say what totals are printed, and what the printed cells and our counts sum to.

    >>> seed_totals("survey")
    []
    """
    known = seed_tables()[table]
    if not known.summed:
        return []
    rows = seed_rows(table)
    printed = " / ".join(f"{sum(sum(_numbers(row[name] or '')) for row in rows):,}" for name in known.summed)
    ours = sum(row["our_images"] or 0 for row in rows)
    return [
        *(f"{' / '.join(total[name] for name in known.summed)}: {total['what']}" for total in known.totals),
        f"{printed}: the sum of all numbers in the printed cells",
        f"{ours:,}: images of the rows' own sources, as we count them",
    ]


def _seeds(cards: list[Card], table: str) -> Iterator[tuple[Card, Seed]]:
    seen = dict[int, str]()
    for card in cards:
        for seed in card.seed:
            if seed.table != table:
                continue
            if seed.row in seen:
                raise CatalogError(
                    f"{table}, row {seed.row}: expected it on one card, found it on {seen[seed.row]} and on {card.id}"
                )
            seen[seed.row] = card.id
            yield card, seed


def _row(card: Card, seed: Seed, columns: Mapping[str, str]) -> dict[str, Any]:
    version = card.versions.get(seed.version or card.default_version)
    labels = version.labels if version else {}
    others = [count for label, count in labels.items() if label != "covid19"]
    return {
        "row": seed.row,
        "name": seed.name,
        "dataset": [card.id, *seed.also],
        **{column: seed.cells.get(column) for column in columns},
        "our_modalities": ", ".join(card.modalities),
        "our_images": version and version.images,
        "our_covid19": labels.get("covid19"),
        "our_other": sum(others) if others else None,
        "our_patients": version and version.patients,
        "our_access": card.access.kind,
        "url": card.homepage,
        "note": seed.note or None,
    }


def _numbers(text: str) -> list[int]:
    """Find the numbers in a printed cell.

    >>> _numbers("Pneumonia 150071 Normal 95,756")
    [150071, 95756]
    """
    return [int(found.replace(",", "")) for found in _NUMBER.findall(text)]
