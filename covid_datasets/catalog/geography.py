"""Where on a map the dot of each country is (``catalogs/_places.toml``), whatever its name is written like."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Country:
    """A country or territory, and about where its middle is, in whole degrees north and east."""

    name: str
    latitude: int
    longitude: int


@dataclass(frozen=True, slots=True)
class Geography:
    """All of ``_places.toml``: name -> degrees, other spelling -> name, and what is none -> what it is."""

    places: Mapping[str, tuple[int, ...]]
    spellings: Mapping[str, str]
    nowhere: Mapping[str, str]


Known = tuple[tuple[Country, ...], dict[str, Country | None], dict[str, str]]


def countries() -> tuple[Country, ...]:
    """List all countries and territories that have a place.

    >>> len(countries()) > 200
    True
    """
    return _known()[0]


def country_of(told: str) -> Country | None:
    """Find the country that a source names; ``None`` of a name that has no place.

    >>> country_of("USA").name, country_of("Taiwan*").name, country_of("Cote d'Ivoire").name, country_of("Wuhan")
    ('United States', 'Taiwan', "Côte d'Ivoire", None)
    """
    return _known()[1].get(_folded(told))


def nowhere(told: str) -> str:
    """Say what a name is that is known to be no country; empty of all others.

    >>> nowhere("Diamond Princess"), nowhere("Italy")
    ('a ship', '')
    """
    return _known()[2].get(_folded(told), "")


def read_geography(path: Path) -> Known:
    """Read the table: all countries, what each folded name means, and what is known to be none.

    Raises:
        CatalogError: A name stands twice, a place is none on Earth, or a spelling is that of no country.
    """
    import tomllib

    found = read_typed(Geography, tomllib.loads(path.read_text(encoding="utf-8")), path)
    named: dict[str, Country | None] = {}
    for name, degrees in found.places.items():
        if len(degrees) != 2 or abs(degrees[0]) > 90 or abs(degrees[1]) > 180:
            what = "degrees north from -90 to 90, then east from -180 to 180"
            raise CatalogError(f"{path}: places.{name}: expected {what}, found {list(degrees)}")
        _once(named, name, Country(name, *degrees), path)
    by_name = {country.name: country for country in named.values() if country}
    for spelling, name in found.spellings.items():
        if name not in by_name:
            raise CatalogError(f"{path}: spellings.{spelling}: expected a name of [places], found {name!r}")
        _once(named, spelling, by_name[name], path)
    for name in found.nowhere:
        _once(named, name, None, path)
    return tuple(by_name.values()), named, {_folded(name): what for name, what in found.nowhere.items()}


def _once(named: dict[str, Country | None], name: str, country: Country | None, path: Path) -> None:
    if not (folded := _folded(name)) or folded in named:
        raise CatalogError(f"{path}: {name!r}: expected each name once, by its letters, found it again")
    named[folded] = country


@lru_cache(maxsize=1)
def _known() -> Known:
    return read_geography(catalog_folder() / "_places.toml")


def _folded(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if char.isalpha())
