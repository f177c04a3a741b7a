"""How a notebook shows a card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from covid_datasets import info
from covid_datasets.catalog.cards import names
from tests.view.pages import seen


@pytest.mark.parametrize("name", ["phantom", "covid_ct", "jhu_csse", "losangeles", "kaggle_covid_chest_xray"])
def test_a_card_says_what_it_is_and_what_to_beware_of(name: str) -> None:
    card = info(name)
    page = seen(card._repr_html_())
    assert card.title in page.text
    assert card.has_data or "Nothing of it can be loaded." in page.text


def test_every_card_can_be_shown() -> None:
    for name in names():
        assert info(name).title in seen(info(name)._repr_html_()).text


def test_a_title_is_no_markup() -> None:
    card = replace(info("phantom"), title='"></iframe><script>alert(1)</script>', summary="</p><img src=x>")
    assert "<script>alert(1)</script>" in seen(card._repr_html_()).text
