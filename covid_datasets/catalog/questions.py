"""What people asked about a source, and the answer: ``catalogs/questions/<id>.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed
from covid_datasets.errors import CatalogError


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that users of a source asked, what is known, and where it was asked: a thread or a document."""

    asked: str
    answer: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _QuestionFile:
    question: tuple[Question, ...]


def questions_of(card: Card) -> tuple[Question, ...]:
    """Read what people asked about a source; empty where nothing is on record.

    >>> from covid_datasets.catalog.cards import load_card
    >>> questions_of(load_card("phantom")), questions_of(load_card("covid_ct"))[0].where
    ((), ('UCSD-AI4H/COVID-CT#11',))
    """
    path = catalog_folder() / "questions" / f"{card.id}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", card.id) or not path.is_file():
        return ()
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _mtime: int) -> tuple[Question, ...]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    questions = read_typed(_QuestionFile, table, path).question
    for number, question in enumerate(questions):
        for key in ("asked", "answer", "where"):
            if not getattr(question, key):
                raise CatalogError(f"{path}: key 'question[{number}].{key}': expected text, found none")
    return questions
