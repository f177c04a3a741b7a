"""The published tables: printed cells from the cards, our counts beside them, and wrong rows refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card, names
from covid_datasets.catalog.overview import list_datasets
from covid_datasets.catalog.seed_tables import seed_tables
from covid_datasets.catalog.seeds import seed_rows, seed_totals
from covid_datasets.cli import main
from covid_datasets.errors import CatalogError, UsageError
from covid_datasets.view.page import page
from tests.tiny import CARD, VERSION, installed

ROW = """
[[seed]]
table = "covid-arc"
row = 11
name = "Site 11"
note = "343 is printed for 243."
also = ["phantom"]

[seed.cells]
location = "Hannover, Germany"
images_covid19 = "343"
images_other = "Pneumonia 1,000 Normal 2"
"""


@pytest.mark.parametrize("table", list(seed_tables()))
def test_a_row_of_a_published_table_is_on_one_card(table: str) -> None:
    rows = seed_rows(table)
    assert [row["row"] for row in rows] == list(range(1, seed_tables()[table].rows + 1)), "each row has its source"
    assert all(row["name"] and row["dataset"] for row in rows)
    assert {name for row in rows for name in row["dataset"]} <= set(names())


def test_the_command_prints_what_is_printed_and_what_we_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--seed", "covid-arc", "--json"]) == 0
    rows = {row["row"]: row for row in json.loads(capsys.readouterr().out)}
    hannover = rows[11]
    assert (hannover["name"], hannover["dataset"], hannover["images_covid19"]) == ("Site 11", ["hannover"], "343")
    assert hannover["our_images"] == 243
    assert "343 is printed" in hannover["note"]
    assert main(["list", "--seed", "covid-arc"]) == 0
    text = capsys.readouterr().out
    assert "264,976 / 350,578: images, as the text states them" in text
    assert "264,976 / 350,745: outputs" in text


def test_the_page_of_a_source_has_its_rows() -> None:
    text = page(load_card("hannover"))
    assert "## As published tables list it" in text
    assert "- Number of Images: COVID-19: 343" in text


def test_numbers_in_cells_are_summed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path, monkeypatch, {"one": CARD + VERSION + ROW, "phantom": CARD + VERSION}):
        [row] = seed_rows("covid-arc")
        assert (row["dataset"], row["images_other"], row["format"]) == (
            ["one", "phantom"],
            "Pneumonia 1,000 Normal 2",
            None,
        )
        assert "343 / 1,002: the sum of all numbers in the printed cells" in seed_totals("covid-arc")
        assert list_datasets(seed="covid-arc").column("dataset").to_pylist() == [["one", "phantom"]]


def test_a_row_on_two_cards_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = {"one": CARD + VERSION + ROW, "phantom": CARD + VERSION + ROW}
    with (
        installed(tmp_path, monkeypatch, cards),
        pytest.raises(CatalogError, match="covid-arc, row 11: expected it on one card, found it on one and on phantom"),
    ):
        seed_rows("covid-arc")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("covid-arc", "covid-ark", r"seed\[0\].table': expected one of survey, covid-arc, .*, found 'covid-ark'"),
        ("row = 11", "row = 24", r"seed\[0\].row': expected 1 to 23, found 24"),
        ("row = 11", 'row = "11"', r"seed\[0\].row': expected a whole number, found '11'"),
        ("images_other =", "images_others =", r"cells.images_others': expected one of location, .*"),
        ('"343"', "343", r"cells.images_covid19': expected text, found 343"),
        (
            'also = ["phantom"]',
            'also = ["phantm"]',
            r"seed\[0\].also': expected sources in the catalog, found 'phantm'",
        ),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str) -> None:
    assert old in ROW
    cards = {"one": CARD + VERSION + ROW.replace(old, new), "phantom": CARD + VERSION}
    with installed(tmp_path, monkeypatch, cards), pytest.raises(CatalogError, match=said):
        load_card("one")


@pytest.mark.parametrize("seed", ["surveys", 1, ["survey"], ""])
def test_an_unknown_table_is_told(seed: object) -> None:
    with pytest.raises(UsageError, match="seed: expected one of survey, covid-arc, covid-arc-analysis, found"):
        list_datasets(seed=seed)  # type: ignore[arg-type]


def test_a_published_table_is_shown_whole() -> None:
    with pytest.raises(UsageError, match="seed: expected no modality"):
        list_datasets(modality="CT", seed="survey")
