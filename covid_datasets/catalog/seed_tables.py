"""What the published tables are that list our sources: ``catalogs/_seeds.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedTable:
    """A published table: its title, how many rows it has, its columns, and totals that it or its text states."""

    title: str
    rows: int
    columns: Mapping[str, str]
    summed: tuple[str, ...] = ()
    totals: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeedFile:
    tables: Mapping[str, SeedTable] = field(default_factory=dict)


@lru_cache(maxsize=1)
def seed_tables() -> Mapping[str, SeedTable]:
    """Read what the published tables are.

    >>> list(seed_tables())
    ['survey', 'covid-arc', 'covid-arc-analysis']
    """
    path = catalog_folder() / "_seeds.toml"
    return read_typed(_SeedFile, tomllib.loads(path.read_text(encoding="utf-8")), path).tables


def check_seeds(card: Card, path: Path) -> None:
    """Refuse a row that its table does not have, or a cell without a column."""
    for number, seed in enumerate(card.seed):
        key = f"key 'seed[{number}]"
        known = seed_tables().get(seed.table)
        if known is None:
            raise CatalogError(
                f"{path}: {key}.table': expected one of {', '.join(seed_tables())}, found {seed.table!r}"
            )
        if not 1 <= seed.row <= known.rows:
            raise CatalogError(f"{path}: {key}.row': expected 1 to {known.rows}, found {seed.row}")
        if strange := [name for name in seed.also if not (catalog_folder() / f"{name}.toml").is_file()]:
            raise CatalogError(f"{path}: {key}.also': expected sources in the catalog, found {strange[0]!r}")
        if unknown := sorted(set(seed.cells) - set(known.columns)):
            raise CatalogError(
                f"{path}: {key}.cells.{unknown[0]}': expected one of {', '.join(known.columns)}, "
                f"found {seed.cells[unknown[0]]!r}"
            )
