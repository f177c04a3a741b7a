"""What becomes of each attribute: ``catalogs/_deidentify.toml``, and what it does not keep is removed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.typed import read_typed

Action = Literal[
    "remove", "empty", "pseudonym", "uid", "date", "time", "datetime", "age", "sex",
    "text", "code", "number", "table", "sequence",
]  # fmt: skip
NUMBERS = frozenset("DS IS FL FD SL SS UL US SV UV AT".split())
"""Kinds of values that are numbers; a text in the place of one is found when it is read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules, by keyword; see the comments of the file."""

    method: tuple[str, ...]
    codes: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    pictures: tuple[str, ...]
    groups: tuple[str, ...]
    pseudonym: tuple[str, ...]
    empty: tuple[str, ...]
    age: tuple[str, ...]
    sex: tuple[str, ...]
    uid: tuple[str, ...]
    date: tuple[str, ...]
    time: tuple[str, ...]
    datetime: tuple[str, ...]
    text: tuple[str, ...]
    code: tuple[str, ...]
    sequence: tuple[str, ...]
    table: tuple[str, ...]
    remove: tuple[str, ...]


_BY_NAME: tuple[Action, ...] = (
    "remove", "empty", "pseudonym", "uid", "date", "time", "datetime", "age", "sex",
    "text", "code", "table", "sequence",
)  # fmt: skip


@lru_cache(maxsize=1)
def profile() -> Profile:
    """Read the rules that are installed with the library."""
    import tomllib

    path = catalog_folder() / "_deidentify.toml"
    return read_typed(Profile, tomllib.loads(path.read_text(encoding="utf-8")), path)


@lru_cache(maxsize=1)
def profile_digest() -> str:
    """Return a digest of the rules: what was made by others is made anew."""
    rules = profile()
    said = repr([(each.name, getattr(rules, each.name)) for each in fields(rules)])
    return hashlib.sha256(said.encode()).hexdigest()


@lru_cache(maxsize=1)
def _actions() -> dict[str, Action]:
    rules = profile()
    return {name: action for action in reversed(_BY_NAME) for name in getattr(rules, action)}


@lru_cache(maxsize=4096)
def action_for(tag: int, vr: str) -> Action:
    """Choose what becomes of an attribute; ``vr`` is the kind of its value, and has to be that of the dictionary.

    >>> [action_for(tag, vr) for tag, vr in ((0x00100010, "PN"), (0x00180060, "DS"), (0x00080080, "LO"))]
    ['pseudonym', 'number', 'remove']
    >>> action_for(0x00091001, "LO"), action_for(0x60003000, "OW"), action_for(0x00180060, "LO")
    ('remove', 'remove', 'remove')
    """
    from pydicom.datadict import DicomDictionary

    known = DicomDictionary.get(tag)
    if known is None or vr not in known[0].split(" or ") or known[3] == "Retired":
        return "remove"
    named = _actions().get(known[4])
    if named:
        return named
    if f"{tag >> 16:04x}" not in profile().groups:
        return "remove"
    if vr in NUMBERS:
        return "number"
    if vr == "CS":
        return "code"
    return "sequence" if vr == "SQ" else "remove"
