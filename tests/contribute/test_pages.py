"""The pages of `docs/sources/` are what the cards say, and a stale one is found."""

from pathlib import Path

import pytest

from covid_datasets.catalog.cards import read_card, readable_cards
from covid_datasets.contribute import pages
from tests.view.test_page import CARD

ROOT = Path(__file__).resolve().parents[2]


def test_tables_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "made_up.toml").write_text(CARD, encoding="utf-8")
    card = read_card(tmp_path / "made_up.toml")
    assert "A \\| B" in pages.index([card])
    for line in pages.index([card]).splitlines()[4:]:
        assert line.replace("\\|", "").count("|") == 8


def test_pages_of_this_checkout_are_up_to_date() -> None:
    assert pages.stale(ROOT / "docs" / "sources") == []


def names() -> list[str]:
    """Name the sources that have a page."""
    return [card.id for card in readable_cards()[0]]


def test_check_finds_what_is_stale(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pages.main([str(tmp_path / "sources")]) == 0
    assert pages.main([str(tmp_path / "sources"), "--check"]) == 0
    written = {path.name for path in (tmp_path / "sources").iterdir()}
    assert written == {"README.md"} | {f"{name}.md" for name in names()}
    assert all(f"]({name}.md)" in (tmp_path / "sources" / "README.md").read_text("utf-8") for name in names())

    first = tmp_path / "sources" / f"{names()[0]}.md"
    good = first.read_text(encoding="utf-8")
    first.write_text(good + "edited by hand\n", encoding="utf-8")
    (tmp_path / "sources" / "gone.md").write_text("a source that is no more")
    capsys.readouterr()
    assert pages.main([str(tmp_path / "sources"), "--check"]) == 1
    output = capsys.readouterr()
    assert first.name in output.out
    assert "gone.md" in output.out
    assert "python -m covid_datasets.contribute.pages" in output.err
    assert first.read_text(encoding="utf-8") != good, "a check writes nothing"

    assert pages.main([str(tmp_path / "sources")]) == 0
    assert first.read_text(encoding="utf-8") == good
    assert not (tmp_path / "sources" / "gone.md").exists()
