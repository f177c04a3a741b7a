"""Facts that only a builder reads are on its card: a build depends on them as on the builder."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets import catalogs
from covid_datasets.catalog.cards import load_card
from covid_datasets.prepare.inputs import declared_inputs, key_of
from tests.small import write_catalog


@pytest.mark.parametrize("name", ["cohen", "covidx"])
def test_a_fact_that_changes_makes_a_build_anew(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is composed of the first, so that its builds depend on the facts of both."""
    write_catalog(tmp_path / "catalog")
    monkeypatch.setattr(catalogs, "__path__", [str(tmp_path / "catalog")])

    def key() -> str:
        return key_of(declared_inputs(load_card(name).choice(), "full"))

    before = key()
    assert key() == before
    card = tmp_path / "catalog" / "cohen.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace('"wbc count" = ', '"white blood count" = '), encoding="utf-8")
    assert card.read_text(encoding="utf-8") != text
    assert key() != before
