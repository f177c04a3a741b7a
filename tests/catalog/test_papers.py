"""What papers state: read strictly, and shown on the page of its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.papers import Count, papers_of, with_papers
from covid_datasets.errors import CatalogError
from covid_datasets.view.page import page
from tests.tiny import CARD, VERSION, installed

PAPER = """
[[paper]]
citation = "tiny2020"
text = "the preprint"
contradictions = ["2 in the abstract, 3 in the text."]

[[paper.figures]]
what = "men | all"
where = "table 1"
stated = 2
count = { form = "distinct", of = "patient_id", among.sex = ["M"], known = ["age"] }
why = "One is listed twice."

[[paper.figures]]
what = "readers"
where = "the text"
stated = 0.5
why = "Nobody published them."
"""


def write(folder: Path, text: str) -> None:
    (folder / "papers").mkdir()
    (folder / "papers" / "tiny.toml").write_text(text, encoding="utf-8")


def test_figures_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path, monkeypatch, {"tiny": CARD + VERSION, "other": CARD + VERSION}) as folder:
        write(folder, PAPER)
        [paper] = papers_of(load_card("tiny"))
        assert (paper.citation, paper.contradictions) == ("tiny2020", ("2 in the abstract, 3 in the text.",))
        assert [figure.stated for figure in paper.figures] == [2.0, 0.5]
        assert str(paper.figures[0].count) == "distinct patient_id where sex is M and age is known"
        assert paper.figures[1].count is None
        assert (papers_of(load_card("other")), with_papers()) == ((), ["tiny"])


def test_its_page_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path, monkeypatch, {"tiny": CARD + VERSION, "other": CARD + VERSION}) as folder:
        write(folder, PAPER)
        text = page(load_card("tiny"))
        counted = "`distinct patient_id where sex is M and age is known`"
        assert f"| men \\| all | table 1 | 2 | {counted} |" in text
        assert "| readers | the text | 0.5 | not at all: the data cannot tell |" in text
        assert "In two ways: 2 in the abstract, 3 in the text." in text
        assert "covid-datasets info tiny --paper" in text
        assert "## Figures that papers state" not in page(load_card("other"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"tiny2020"', '"tiny2021"', r"paper\[0\].citation': expected one of the card's, tiny2020, found 'tiny2021'"),
        ("stated = 2", 'stated = "2"', r"figures\[0\].stated': expected float, found '2'"),
        ("stated = 2", "stated = nan", r"figures\[0\].stated': expected a number, found nan"),
        ("stated = 2", "states = 2", r"figures\[0\].states': expected one of what, where, stated, count, why"),
        (
            'form = "distinct"',
            'form = "median"',
            r"count.form': expected one of rows, distinct, minimum, maximum, mean",
        ),
        ('form = "distinct", ', "", r"count.of': expected none where rows are counted, found 'patient_id'"),
        ('of = "patient_id", ', "", r"count.of': expected the column whose distinct is meant, found ''"),
        ('["M"]', '"M"', r"count.among.sex': expected a list, found 'M'"),
        ('["M"]', "[]", r"count.among.sex': expected at least one value, found none"),
        ('why = "Nobody published them."', "", r"figures\[1\].why': expected why nothing can be counted, found none"),
        ('where = "table 1"', 'where = " "', r"figures\[0\].where': expected text, found none"),
        ("[[paper]]", "[[papers]]", r"key 'papers': expected one of paper"),
        ("[[paper]]", "[[paper", r"tiny.toml: not a TOML file"),
    ],
)
def test_wrong_figures_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    assert old in PAPER
    with installed(tmp_path, monkeypatch, {"tiny": CARD + VERSION}) as folder:
        write(folder, PAPER.replace(old, new, 1))
        with pytest.raises(CatalogError, match=said):
            papers_of(load_card("tiny"))


def test_a_count_says_what_it_counts() -> None:
    assert str(Count()) == "rows"
    assert Count(known=("a",), among={"a": (1,), "b": (2,)}, unknown=("c",)).columns == ("a", "b", "c")
