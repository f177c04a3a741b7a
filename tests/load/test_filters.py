"""Keyword arguments of `load_dataset`: a name is a filter by a stored column, or it shapes a derived form."""

from __future__ import annotations

import inspect

from covid_datasets.catalog.cards import load_card, names
from covid_datasets.load.dataset import DERIVED, load_dataset
from covid_datasets.schema import COLUMNS


def test_no_stored_column_has_the_name_of_a_derived_form() -> None:
    cards = [load_card(name) for name in names()]
    tables = [card.columns for card in cards] + [form.columns for card in cards for form in card.configs.values()]
    stored = set(COLUMNS).union(*tables)
    assert len(set(DERIVED)) == len(DERIVED) == 6
    assert stored & set(DERIVED) == set()


def test_what_is_not_named_in_the_signature_is_a_filter() -> None:
    (catch_all,) = [
        each for each in inspect.signature(load_dataset).parameters.values() if each.kind is each.VAR_KEYWORD
    ]
    assert catch_all.name == "filters"
