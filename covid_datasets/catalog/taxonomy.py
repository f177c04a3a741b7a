"""The findings that labels are drawn from (``catalogs/_taxonomy.toml``), and how raw spellings map to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError, IntegrityError


class UnknownFindingError(IntegrityError):
    """A raw label that the taxonomy has never seen; the row is kept without a label, and reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingClass:
    """One class: its id, the next wider one, the one that it excludes, and the raw spellings that mean it."""

    id: str
    parent: str
    excludes: str = ""
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxonomy:
    """All classes in their fixed order, and the values that mean "not labelled"."""

    classes: tuple[FindingClass, ...]
    unlabelled: tuple[str, ...] = field(default=("",))


@lru_cache(maxsize=1)
def label_names() -> tuple[str, ...]:
    """List the class ids in the order of the ``label`` feature.

    >>> label_names()[:3]
    ('no_finding', 'covid19', 'not_covid19')
    """
    return tuple(finding.id for finding in load_taxonomy().classes)


@lru_cache(maxsize=1)
def finding_names() -> tuple[str, ...]:
    """List the classes as text, in the same order: each by the first spelling that the taxonomy has for it.

    >>> finding_names()[:3]
    ('No Finding', 'COVID-19', 'NonCOVID')
    """
    return tuple((*finding.synonyms, finding.id)[0] for finding in load_taxonomy().classes)


def agree(first: str, second: str) -> bool:
    """Tell whether two classes can both be true of one picture: one is wider, or says only what it is not.

    >>> agree("sars", "viral_pneumonia"), agree("sars", "not_covid19"), agree("covid19", "not_covid19")
    (True, True, False)
    >>> agree("sars", "other_pneumonia"), agree("no_finding", "other_pneumonia")
    (True, False)
    """
    one, other = (first, *ancestors(first)), (second, *ancestors(second))
    if first in other or second in one:
        return True
    classes = {finding.id: finding for finding in load_taxonomy().classes}
    pairs = ((classes[first], other), (classes[second], one))
    return any(
        said.excludes and said.excludes not in lineage and (not said.parent or said.parent in lineage)
        for said, lineage in pairs
    )


def classify(raw: str) -> str | None:
    """Map a raw finding to a class id; ``None`` where the source says that it is not labelled.

    >>> classify("Pneumonia/Viral/COVID-19 "), classify("COVID-19, ARDS"), classify("todo")
    ('covid19', 'covid19', None)

    Raises:
        UnknownFindingError: The taxonomy has never seen the value.
    """
    spellings = _spellings()
    for candidate in (raw, raw.rsplit("/", maxsplit=1)[-1]):
        if (found := _folded(candidate)) in spellings:
            return spellings[found]
    raise UnknownFindingError(
        f"finding {raw!r}: expected a spelling of catalogs/_taxonomy.toml, found a new one; add it there to its class"
    )


def ancestors(label: str) -> tuple[str, ...]:
    """List the wider findings of a class, the nearest first.

    >>> ancestors("covid19")
    ('viral_pneumonia', 'pneumonia', 'lung_opacity', 'abnormal')
    """
    parents = {finding.id: finding.parent for finding in load_taxonomy().classes}
    found = []
    parent = parents[label]
    while parent:
        found.append(parent)
        parent = parents[parent]
    return tuple(found)


@lru_cache(maxsize=1)
def load_taxonomy() -> Taxonomy:
    """Read the taxonomy that is installed with the library."""
    return read_taxonomy(catalog_folder() / "_taxonomy.toml")


def read_taxonomy(path: Path) -> Taxonomy:
    """Read and validate a taxonomy file at any path."""
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    taxonomy = read_typed(Taxonomy, table, path)
    before: set[str] = set()
    parents = {finding.id: finding.parent for finding in taxonomy.classes}
    for finding in taxonomy.classes:
        if finding.id in before:
            raise CatalogError(f"{path}: key 'classes': expected unique ids, found {finding.id!r} twice")
        before.add(finding.id)
        if finding.excludes and finding.excludes not in parents:
            raise CatalogError(
                f"{path}: class {finding.id!r}: key 'excludes': expected a class, found {finding.excludes!r}"
            )
        seen, parent = {finding.id}, finding.parent
        while parent:
            if parent not in parents or parent in seen:
                raise CatalogError(
                    f"{path}: class {finding.id!r}: key 'parent': expected a wider class, found {parent!r}"
                )
            seen.add(parent)
            parent = parents[parent]
    _index(taxonomy, path)
    return taxonomy


@lru_cache(maxsize=1)
def _spellings() -> Mapping[str, str | None]:
    return _index(load_taxonomy(), catalog_folder() / "_taxonomy.toml")


def _index(taxonomy: Taxonomy, path: Path) -> Mapping[str, str | None]:
    """Map each folded spelling to its class; one spelling never means two classes."""
    index: dict[str, str | None] = {_folded(value): None for value in taxonomy.unlabelled}
    for finding in taxonomy.classes:
        for spelling in {_folded(finding.id), *map(_folded, finding.synonyms)}:
            if index.get(spelling, finding.id) != finding.id:
                raise CatalogError(
                    f"{path}: class {finding.id!r}: key 'synonyms': expected spellings of its own, "
                    f"found {spelling!r}, which means {index[spelling]!r}"
                )
            index[spelling] = finding.id
    return MappingProxyType(index)


def _folded(spelling: str) -> str:
    return " ".join(spelling.split()).casefold()
