"""Questions that people asked: each belongs to a source, says where it was asked, and is text on its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from covid_datasets.catalog import questions
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.questions import questions_of
from covid_datasets.errors import CatalogError
from covid_datasets.view.asked import asked

FILES = sorted((catalog_folder() / "questions").glob("*.toml"))
THREAD = re.compile(r"[\w.-]+/[\w.-]+#\d+")


@pytest.fixture
def phantom_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of questions about phantoms, of a catalog that holds nothing else."""
    monkeypatch.setattr(questions, "catalog_folder", lambda: tmp_path)
    (tmp_path / "questions").mkdir()
    return tmp_path / "questions" / "phantom.toml"


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_each_question_is_of_a_source_and_can_be_found_again(path: Path) -> None:
    card = load_card(path.stem)
    for question in questions_of(card):
        assert question.asked.endswith("?")
        assert question.answer.endswith(".")
        assert all(THREAD.fullmatch(place) or " " in place for place in question.where), question.where
    assert "## Questions people asked" in list(asked(card))


def test_most_sources_of_which_people_asked_are_there() -> None:
    assert len(FILES) > 15
    assert not questions_of(load_card("phantom"))
    assert list(asked(load_card("phantom"))) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[question", "not a TOML file"),
        ('[[question]]\nasked = "A?"\nanswer = "B."\n', "where"),
        ('[[question]]\nasked = ""\nanswer = "B."\nwhere = ["a/b#1"]\n', "question[0].asked"),
        ('[[question]]\nasked = "A?"\nanswer = "B."\nwhere = []\n', "question[0].where"),
        ('[[question]]\nasked = "A?"\nanswer = "B."\nwhere = ["a/b#1"]\nby = "me"\n', "by"),
    ],
)
def test_a_bad_file_is_named(phantom_asked: Path, text: str, said: str) -> None:
    phantom_asked.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as told:
        questions_of(load_card("phantom"))
    assert str(phantom_asked) in str(told.value)
    assert said in str(told.value)


def test_a_question_is_no_markup_and_stays_on_one_line(phantom_asked: Path) -> None:
    phantom_asked.write_text(
        '[[question]]\nasked = "<b>Why?</b>\\n# x"\nanswer = "So.\\n\\n# A heading"\nwhere = ["[a](javascript:b)"]\n'
    )
    card: Card = load_card("phantom")
    heading, empty, line = "\n".join(asked(card)).splitlines()
    assert (heading, empty) == ("## Questions people asked", "")
    assert line.startswith("**\\<b\\>Why?\\</b\\>")
    assert line.endswith(" So. # A heading Asked in \\[a\\](javascript:b).")
