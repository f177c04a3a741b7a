"""Kinds of resources: one module each, found by its name; a new one is one new file."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card, names
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.errors import CatalogError
from covid_datasets.raw import kinds
from covid_datasets.raw.kinds import OF_SOME_KINDS, Kind, by_kind, check_card, kind_of, known

FUNCTIONS = {name: value for name, value in vars(Kind).items() if inspect.isfunction(value) and name[0] != "_"}
NEW = """
from covid_datasets.raw.kinds.file import *

NEEDS, TAKES = ("path", "steps"), ()
"""


@pytest.mark.parametrize("name", known())
def test_every_kind_has_the_same_functions(name: str) -> None:
    module = kind_of(Resource(name="x", kind=name))
    assert {*module.NEEDS, *module.TAKES} <= set(OF_SOME_KINDS)
    for function, declared in FUNCTIONS.items():
        wanted = list(inspect.signature(declared).parameters.values())[1:]
        found = list(inspect.signature(getattr(module, function)).parameters.values())
        assert [each.name for each in found] == [each.name for each in wanted], (name, function)


@pytest.mark.parametrize("name", names())
def test_the_installed_cards_say_what_their_kinds_need(name: str) -> None:
    assert check_card(load_card(name)) is load_card(name)


def test_a_new_kind_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parchment.py").write_text(NEW)
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    known.cache_clear()
    try:
        scroll = Resource(name="x", kind="parchment", path="scroll.txt")
        assert kind_of(scroll).describe(scroll) == "file `scroll.txt`"
        file = Resource(name="y", path="y.csv", copies=(Copy(url="https://x.org/y.csv"),))
        assert [[each.name for each in held] for _, held in by_kind([scroll, file])] == [["x"], ["y"]]
    finally:
        known.cache_clear()


def test_an_unknown_kind_names_those_that_are_known() -> None:
    with pytest.raises(CatalogError, match="key 'kind': expected one of archive, archives, file, folder, series"):
        kind_of(Resource(name="x", kind="clay"))
