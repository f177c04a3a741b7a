"""Find and read the catalog files (``catalogs/*.toml``), strictly.

Everything that is known about a source lives in its TOML file; ``catalogs/README.md`` explains every field.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Card, Choice
from covid_datasets.catalog.checks import check_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.outside import Outside, of_file, outside_sources
from covid_datasets.catalog.own import OwnData, is_path
from covid_datasets.catalog.short import written_out
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import AccessRequired, CatalogError, UnknownDatasetError, UnknownVersionError, UsageError

Name = str | os.PathLike[str]
"""A source as its users name it: an id, with a version; the path of a builder's file; or own data."""


def house_names() -> list[str]:
    """List the ids of the sources of this package, sorted."""
    return sorted(path.stem for path in catalog_folder().glob("*.toml") if not path.stem.startswith("_"))


def names() -> list[str]:
    """List the ids of all sources, sorted; those of installed packages, and that the environment names, among them."""
    inside = house_names()
    return sorted([*inside, *outside_sources(frozenset(inside))])


def load_card(name: Name) -> Card:
    """Read one source's card.

    >>> load_card("phantom").modalities
    ('CT', 'CXR')
    """
    if is_path(name):
        return _card_of_path(name)
    name = _need_text(name)
    path = catalog_folder() / f"{name}.toml"
    if re.fullmatch(r"[a-z0-9][a-z0-9_]{0,99}", name) and path.exists():
        return _read_card(path, path.stat().st_mtime_ns)
    outside = outside_sources(frozenset(house_names())).get(name)
    if outside is None:
        raise UnknownDatasetError(_unknown(name))
    return _card_from_outside(outside)


def _of_path(name: Name) -> OwnData | Outside:
    """Tell what a path names: a builder's file, or data."""
    if isinstance(name, OwnData):
        return name
    return of_file(name) if os.fspath(name).endswith(".py") else OwnData(name)


def _card_of_path(name: Name) -> Card:
    source = _of_path(name)
    if isinstance(source, OwnData):
        if not source.place.exists():
            what = f"there is no dataset {str(source)!r}, and found nothing at {source.place}"
            hint = "expected a folder, an archive or a table of your own"
            raise UnknownDatasetError(f"{what}: {hint}. Known: {', '.join(names())}")
        return source.card()
    if source.id in house_names():
        raise CatalogError(f"{source.builder}: expected an id of its own, found {source.id!r}, which is another's")
    return _card_from_outside(source)


def _card_from_outside(source: Outside) -> Card:
    path = source.card_file
    if not path.is_file():
        raise CatalogError(f"source {source.id!r}: expected its card {path}, found nothing")
    card = _read_card(path, path.stat().st_mtime_ns, source.builder)
    if any(each.manifest or each.listing or each.members for each in card.resources):
        raise CatalogError(
            f"{path}: key 'resources': expected no manifest, listing or members: only catalogs/ has these"
        )
    return card


def id_of(name: Name) -> str:
    """Return the id of a source, whatever it is named by.

    >>> id_of("cohen@2020-06-22"), id_of("/data/ward")
    ('cohen', 'own.ward')
    """
    return _of_path(name).id if is_path(name) else split_name(_need_text(name))[0]


def info(name: Name) -> Card:
    """Return everything known about a source.

    >>> info("cohen").licence.per_image
    True
    """
    return load_card(name if is_path(name) else split_name(_need_text(name))[0])


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


def choose(name: Name, config: str | None = None) -> Choice:
    """Choose what to load: ``"cohen"``, ``"cohen@2020-06-22"``, or data of one's own, in one of its configs.

    >>> choose("phantom", "small").config, choose("cohen@6a42423").version
    ('small', '6a42423')
    """
    if is_path(name):
        card, version = load_card(name), None
    else:
        identifier, version = split_name(os.fspath(canonical(name)))
        card = load_card(identifier)
    if not card.has_data:
        raise AccessRequired(unavailable_text(card))
    return card.choice(version, config)


def canonical(name: Name) -> Name:
    """Name what is loaded under a name: the source itself, or, with a warning, the one that it is the same as.

    >>> canonical("cohen@2020-06-22")
    'cohen@2020-06-22'
    """
    if is_path(name):
        return name
    name = _need_text(name)
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
            f"{card.id} ({card.title}): nothing of it can be loaded. {card.why_unavailable}",
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


def names_in(given: Name | Sequence[Name]) -> list[Name]:
    """List the names that somebody gave: one, or several.

    >>> names_in("cohen"), names_in(["cohen", "pocus"])
    (['cohen'], ['cohen', 'pocus'])
    """
    several = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    for each in several:
        _need_text(each)
    return several


def _need_text(name: object) -> str:
    if not isinstance(name, str | os.PathLike):
        raise UsageError(f"name: expected the name of a dataset as text, such as 'cohen', found {name!r}")
    return os.fspath(name)


@lru_cache(maxsize=128)
def _read_card(path: Path, _mtime: int, builder: str = "") -> Card:
    return read_card(path, builder)


def read_card(path: Path, builder: str = "") -> Card:
    """Read and validate a catalog file at any path; its builder is this package's, where none is given."""
    data = path.read_bytes()
    try:
        table: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, an impossible date, endless nesting
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    for given in ("id", "digest", "builder", "own_copy"):
        if given in table:
            raise CatalogError(f"{path}: key {given!r}: expected nothing (it is derived), found {table[given]!r}")
    table |= {"id": path.stem, "digest": hashlib.sha256(data).hexdigest(), "builder": builder}
    card = read_typed(Card, written_out(table, path), path)
    check_card(card, path)
    return card


def _unknown(name: str) -> str:
    import difflib

    known = names()
    near = difflib.get_close_matches(name[:100].lower(), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    hint += f" The folder of that name is {f'./{name}'!r}." if 0 < len(name) <= 100 and Path(name).exists() else ""
    return f"there is no dataset {name[:100]!r}.{hint} Known: {', '.join(known)}"
