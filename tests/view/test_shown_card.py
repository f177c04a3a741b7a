"""How a notebook shows a card."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from covid_datasets import info
from covid_datasets.catalog.cards import names
from tests.view.pages import Page, is_harmless, is_readable


def inside(shown: str) -> Page:
    found = re.fullmatch(r'<iframe sandbox title="[^"<>]*" srcdoc="([^"<>]*)" style="[^"]*"></iframe>', shown)
    assert found
    return Page(html.unescape(found[1]))


@pytest.mark.parametrize("name", ["phantom", "covid_ct", "jhu_csse", "losangeles", "kaggle_covid_chest_xray"])
def test_a_card_says_what_it_is_and_what_to_beware_of(name: str) -> None:
    card = info(name)
    page = inside(card._repr_html_())
    assert is_harmless(page)
    assert is_readable(page)
    assert card.title in page.text
    assert card.has_data or "Nothing of it can be loaded." in page.text


def test_every_card_can_be_shown() -> None:
    for name in names():
        assert is_harmless(inside(info(name)._repr_html_()))


def test_a_title_is_no_markup() -> None:
    card = replace(info("phantom"), title='"></iframe><script>alert(1)</script>', summary="</p><img src=x>")
    assert "<script>alert(1)</script>" in inside(card._repr_html_()).text
