"""What papers state of a source: ``catalogs/papers/<id>.toml``, each figure with how it is counted in what is built."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError

Form = Literal["rows", "distinct", "minimum", "maximum", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How a figure is counted: rows, or something of a column, among the rows that meet all conditions.

    A column is a stored one, a part of one (``clinical.temperature_c``, ``masks.lung``), or a column of the source's
    own table, as text (``source_row.Age``). Nulls are no value: ``distinct`` and the others leave them out.

    ``among`` has the values that a column may hold, ``known`` and ``unknown`` name columns that must, or must not, hold
    anything.
    """

    form: Form = "rows"
    of: str = ""
    among: Mapping[str, tuple[str | int | float | bool, ...]] = field(default_factory=dict)
    known: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are looked at, each once."""
        named = (*([self.of] if self.of else []), *self.among, *self.known, *self.unknown)
        return tuple(dict.fromkeys(named))

    def __str__(self) -> str:
        """Say it in words.

        >>> str(Count(form="distinct", of="patient_id", among={"label": ("covid19",)}, known=("age",)))
        'distinct patient_id where label is covid19 and age is known'
        """
        conditions = [f"{name} is {' or '.join(map(str, values))}" for name, values in self.among.items()]
        conditions += [f"{name} is known" for name in self.known] + [f"{name} is unknown" for name in self.unknown]
        what = f"{self.form} {self.of}".strip()
        return f"{what} where {' and '.join(conditions)}" if conditions else what


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that a paper states, where it does, and how it is counted; ``why`` says why ours is another one.

    Without ``count`` the built data cannot tell, and ``why`` says what it lacks.
    """

    what: str
    where: str
    stated: float
    count: Count | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Figures that a paper, or another text of its authors, states of one state of a source.

    ``citation`` is the key of a citation of the card, and empty where others state the figures; ``text`` says what
    exactly was read: an edition, a file of the source, somebody else's text. ``dataset`` names another source, where
    the figures are of that one; ``contradictions`` are what the text says in two ways.
    """

    text: str
    figures: tuple[Figure, ...]
    citation: str = ""
    dataset: str = ""
    version: str = ""
    config: str = ""
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _PaperFile:
    paper: tuple[Paper, ...]


def with_papers() -> list[str]:
    """List the sources with figures of papers.

    >>> "covid_ct" in with_papers()
    True
    """
    return sorted(path.stem for path in (catalog_folder() / "papers").glob("*.toml"))


def papers_of(card: Card) -> tuple[Paper, ...]:
    """Read what papers state of a source; empty where nothing is on record.

    >>> from covid_datasets.catalog.cards import load_card
    >>> papers_of(load_card("covid_ct"))[0].citation, papers_of(load_card("phantom"))
    ('yang2020covidct', ())
    """
    path = catalog_folder() / "papers" / f"{card.id}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", card.id) or not path.is_file():
        return ()
    papers = _read(path, path.stat().st_mtime_ns)
    known = [citation.key for citation in card.citations]
    for number, paper in enumerate(papers):
        if paper.citation not in ("", *known):
            raise CatalogError(
                f"{path}: key 'paper[{number}].citation': expected one of the card's, {', '.join(known)}, "
                f"found {paper.citation!r}"
            )
    return papers


@lru_cache(maxsize=32)
def _read(path: Path, _mtime: int) -> tuple[Paper, ...]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    papers = read_typed(_PaperFile, table, path).paper
    for number, paper in enumerate(papers):
        for place, figure in enumerate(paper.figures):
            _check(figure, f"{path}: key 'paper[{number}].figures[{place}]")
    return papers


def _check(figure: Figure, where: str) -> None:
    for key in ("what", "where"):
        if not getattr(figure, key).strip():
            raise CatalogError(f"{where}.{key}': expected text, found none")
    if not math.isfinite(figure.stated):
        raise CatalogError(f"{where}.stated': expected a number, found {figure.stated}")
    if figure.count is None and not figure.why.strip():
        raise CatalogError(f"{where}.why': expected why nothing can be counted, found none")
    if figure.count is None:
        return
    if (figure.count.form == "rows") == bool(figure.count.of):
        wanted = "none where rows are counted" if figure.count.of else f"the column whose {figure.count.form} is meant"
        raise CatalogError(f"{where}.count.of': expected {wanted}, found {figure.count.of!r}")
    if empty := [name for name, values in figure.count.among.items() if not values]:
        raise CatalogError(f"{where}.count.among.{empty[0]}': expected at least one value, found none")
