"""Find and read the catalog files (``catalogs/*.toml``), strictly.

Everything that is known about a source lives in its TOML file; ``catalogs/README.md`` explains every field.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Card, Choice
from covid_datasets.catalog.checks import check_card
from covid_datasets.catalog.short import written_out
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import AccessRequired, CatalogError, UnknownDatasetError, UnknownVersionError, UsageError


def catalog_folder() -> Path:
    """Return the folder of the installed catalog files."""
    import covid_datasets.catalogs

    return Path(covid_datasets.catalogs.__path__[0])


def names() -> list[str]:
    """List the ids of all sources, sorted."""
    return sorted(path.stem for path in catalog_folder().glob("*.toml") if not path.stem.startswith("_"))


def load_card(name: str) -> Card:
    """Read one source's card.

    >>> load_card("phantom").modalities
    ('CT', 'CXR')
    """
    _need_text(name)
    path = catalog_folder() / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,99}", name) or not path.exists():
        raise UnknownDatasetError(_unknown(name))
    return _read_card(path, path.stat().st_mtime_ns)


def info(name: str) -> Card:
    """Return everything known about a source.

    >>> info("cohen").licence.per_image
    True
    """
    return load_card(split_name(name)[0])


def readable_cards() -> tuple[list[Card], dict[str, CatalogError]]:
    """Read all cards that can be read; of the others, say what is wrong. A broken card stops nobody but itself.

    >>> cards, problems = readable_cards()
    >>> [card.id for card in cards] == names(), problems
    (True, {})
    """
    cards, problems = [], {}
    for name in names():
        try:
            cards.append(load_card(name))
        except CatalogError as error:
            problems[name] = error
    return cards, problems


def choose(name: str, config: str | None = None) -> Choice:
    """Choose what to load: ``"cohen"``, ``"cohen@2020-06-22"``, in one of its configs.

    >>> choose("phantom", "small").config, choose("cohen@6a42423").version
    ('small', '6a42423')
    """
    identifier, version = split_name(canonical(name))
    card = load_card(identifier)
    if not card.has_data:
        raise AccessRequired(unavailable_text(card))
    return card.choice(version, config)


def canonical(name: str) -> str:
    """Name what is loaded under a name: the source itself, or, with a warning, the one that it is the same as.

    >>> canonical("cohen@2020-06-22")
    'cohen@2020-06-22'
    """
    identifier, version = split_name(name)
    same_as = load_card(identifier).same_as
    if not same_as:
        return name
    if version and "@" in same_as:
        raise UnknownVersionError(f"{name}: {identifier} is the one version {same_as}; expected no other one")
    if load_card(split_name(same_as)[0]).same_as:
        raise CatalogError(f"{identifier}: key 'same_as': expected a source with data, found the alias {same_as!r}")
    # Told from this line whoever asks, so that Python says it once.
    warnings.warn(f"{identifier} holds the same samples as {same_as}: loading {same_as}", stacklevel=1)
    return f"{same_as}@{version}" if version else same_as


def unavailable_text(card: Card) -> str:
    """Say that nothing of a source can be loaded, why, and all that could help."""
    steps = [f"  {number}. {step}" for number, step in enumerate(card.access.steps, start=1)]
    return "\n".join(
        [
            f"{card.id} ({card.title}): nothing of it can be loaded. {card.access.why}",
            card.summary,
            *(["", "What can be done:", *steps] if steps else []),
            "",
            *([f"Homepage: {card.homepage}"] if card.homepage else []),
            f"All that is known about it: covid-datasets info {card.id}",
        ]
    )


def split_name(spec: str) -> tuple[str, str | None]:
    """Split ``"cohen@2020-06-22"`` into a name and a version.

    >>> split_name("cohen@2020-06-22"), split_name("cohen")
    (('cohen', '2020-06-22'), ('cohen', None))
    """
    _need_text(spec)
    name, _, version = spec.partition("@")
    return name, version or None


def names_in(given: str | Sequence[str]) -> list[str]:
    """List the names that somebody gave: one, or several.

    >>> names_in("cohen"), names_in(["cohen", "pocus"])
    (['cohen'], ['cohen', 'pocus'])
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        _need_text(given)
        return [str(given)]
    for each in given:
        _need_text(each)
    return list(given)


def _need_text(name: object) -> None:
    if not isinstance(name, str):
        raise UsageError(f"name: expected the name of a dataset as text, such as 'cohen', found {name!r}")


@lru_cache(maxsize=128)
def _read_card(path: Path, _mtime: int) -> Card:
    return read_card(path)


def read_card(path: Path) -> Card:
    """Read and validate a catalog file at any path."""
    data = path.read_bytes()
    try:
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, an impossible date, endless nesting
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    for given in ("id", "digest"):
        if given in table:
            raise CatalogError(f"{path}: key {given!r}: expected nothing (it is derived), found {table[given]!r}")
    table |= {"id": path.stem, "digest": hashlib.sha256(data).hexdigest()}
    card = read_typed(Card, written_out(table, path), path)
    check_card(card, path)
    return card


def _unknown(name: str) -> str:
    import difflib

    known = names()
    near = difflib.get_close_matches(name[:100], known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"there is no dataset {name[:100]!r}.{hint} Known: {', '.join(known)}"
