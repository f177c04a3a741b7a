"""One spelling for each manufacturer (``catalogs/_equipment.toml``), whatever headers and tables write."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Manufacturer:
    """A company: what it is called here, what its spellings start with, and those that are no more than that."""

    name: str
    starts: tuple[str, ...]
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Equipment:
    """All of ``_equipment.toml``."""

    manufacturers: tuple[Manufacturer, ...]


def manufacturer(said: str | None) -> str | None:
    """Return the one spelling of a manufacturer; of one that nobody knows, what is said, without spaces around it.

    >>> manufacturer("SIEMENS"), manufacturer("Siemens Healthineers"), manufacturer("GE MEDICAL SYSTEMS")
    ('Siemens', 'Siemens', 'GE')
    >>> manufacturer("Gendex "), manufacturer(" "), manufacturer(None)
    ('Gendex', None, None)
    """
    if said is None or not said.strip():
        return None
    starts, whole = _spellings()
    letters = _folded(said)
    if letters in whole:
        return whole[letters]
    fits = [spelling for spelling in starts if letters.startswith(spelling)]
    return starts[max(fits, key=len)] if fits else said.strip()


@lru_cache(maxsize=1)
def _spellings() -> tuple[dict[str, str], dict[str, str]]:
    import tomllib

    path = catalog_folder() / "_equipment.toml"
    known = read_typed(Equipment, tomllib.loads(path.read_text(encoding="utf-8")), path)
    found: tuple[dict[str, str], dict[str, str]] = {}, {}
    for company in known.manufacturers:
        for spellings, index in zip((company.starts, company.whole), found, strict=True):
            for spelling in spellings:
                if spelling in index or spelling != _folded(spelling):
                    what = "lower-case letters, each spelling once"
                    raise CatalogError(f"{path}: {company.name!r}: expected {what}, found {spelling!r}")
                index[spelling] = company.name
    return found


def _folded(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())
