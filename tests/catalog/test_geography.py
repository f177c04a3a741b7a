"""The table of places: every country that a source can name has a dot, or is known to have none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.geography import countries, country_of, nowhere, read_geography
from covid_datasets.errors import CatalogError
from tests.sources import jhu_csse

ROOT = Path(__file__).resolve().parents[2]


def constants(path: Path) -> Iterator[str]:
    """Yield each text that a builder gives as the country of a record."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        pairs: list[tuple[object, ast.expr]] = []
        if isinstance(node, ast.keyword):
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [(getattr(key, "value", None), value) for key, value in zip(node.keys, node.values, strict=True)]
        yield from (str(value.value) for name, value in pairs if name == "country" and isinstance(value, ast.Constant))


def test_every_country_of_a_builder_has_a_place() -> None:
    found = {name for path in (ROOT / "builders").glob("*.py") for name in constants(path)}
    assert {"Germany", "United States", "Spain", "Iran"} <= found, "the search finds what is there"
    assert {name for name in found if country_of(name) is None} == set()


def test_every_country_that_a_card_renames_has_a_place() -> None:
    renamed = load_card("jhu_csse").facts["countries"]
    assert {name for name in (*renamed, *renamed.values()) if country_of(name) is None} == set()


def test_every_country_of_the_small_sources_is_known() -> None:
    told = {str(row["country"]) for row in jhu_csse.EXPECTED if row.get("country")}
    assert told
    assert {name for name in told if country_of(name) is None and not nowhere(name)} == set()


def test_the_countries_of_the_real_collection_have_places() -> None:
    """What stands behind the last comma of a place is whatever people wrote: in cohen@2020-06-22 it is this."""
    told = (
        "Afghanistan Argentina Australia Austria Belgium Brazil Canada China Colombia Denmark Egypt Germany Greece "
        "Guatemala Hungary Iran Israel Italy Japan Jordan Malaysia Malta Pakistan Philippines Portugal Qatar Russia "
        "Singapore Spain Sweden Taiwan Thailand Turkey USA Vietnam"
    ).split()
    told += ["Hong Kong", "Saudi Arabia", "South Korea", "United Kingdom"]
    assert [name for name in told if country_of(name) is None] == []


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("US", "United States"),
        ("usa.", "United States"),
        ("Taiwan*", "Taiwan"),
        (" Azerbaijan", "Azerbaijan"),
        ("Korea, South", "South Korea"),
        ("TÜRKIYE", "Turkey"),
        ("Cote d'Ivoire", "Côte d'Ivoire"),
        ("Congo (Kinshasa)", "Congo (Kinshasa)"),
        ("Niger", "Niger"),
        ("Guinea-Bissau", "Guinea-Bissau"),
    ],
)
def test_spellings(told: str, name: str) -> None:
    found = country_of(told)
    assert found
    assert found.name == name


@pytest.mark.parametrize("told", ["", "?", "Wuhan", "Europe", "<script>", "Diamond Princess", "Italy Italy", "\u202e"])
def test_what_is_no_country_has_no_place(told: str) -> None:
    assert country_of(told) is None
    assert bool(nowhere(told)) == (told == "Diamond Princess")


def test_dots_are_on_the_map_and_few_lie_on_each_other() -> None:
    there = [(each.latitude, each.longitude) for each in countries()]
    assert all(-58 <= north <= 82 and -180 <= east <= 180 for north, east in there)
    assert len(there) >= 193, "all members of the United Nations, and territories"
    same = sum(one == other for one, other in combinations(there, 2))
    assert same < 30, "in whole degrees only small islands and Channel Islands share a place"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[places]\nItaly = [43]\n[spellings]\n[nowhere]\n", "places.Italy: expected degrees north"),
        ("[places]\nItaly = [91, 12]\n[spellings]\n[nowhere]\n", "places.Italy: expected degrees north"),
        ("[places]\nItaly = [43.5, 12]\n[spellings]\n[nowhere]\n", "expected a whole number"),
        ("[places]\nItaly = [43, 12]\nITALY = [1, 1]\n[spellings]\n[nowhere]\n", "'ITALY': expected each name once"),
        ("[places]\nItaly = [43, 12]\n[spellings]\nX = 'Itlay'\n[nowhere]\n", "spellings.X: expected a name of"),
        ("[places]\nItaly = [43, 12]\n[spellings]\n[nowhere]\nitaly = 'a ship'\n", "'italy': expected each name once"),
        ("[places]\n'1' = [43, 12]\n[spellings]\n[nowhere]\n", "'1': expected each name once"),
    ],
)
def test_a_wrong_table_is_refused(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "_places.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=what.replace("[", r"\[")):
        read_geography(path)
