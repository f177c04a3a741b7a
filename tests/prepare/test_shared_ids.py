"""Sources that number people alike keep them together: one id is one person in all that name the same ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card, read_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError
from covid_datasets.load.selection import select
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.inputs import declared_inputs
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from tests.sources import chest
from tests.tiny import BUILDER, CARD, VERSION, installed

HOW = 'how = "The list says."'
ALONE = re.sub(r'\n\[\[resources\.copies\]\]\nurl = "https://second.*', "", VERSION, flags=re.DOTALL)
NUMBERED = CARD.replace(HOW, f'{HOW}\nids = "hospital-7"') + ALONE.replace('manifest = "tiny.tsv"\n', "")
PEOPLE = {"first": [f"{number:04}" for number in range(40)], "second": [f"{number:04}" for number in range(20, 60)]}


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Built]]:
    """Build two sources of 40 people each, 20 of whom are in both."""
    with installed(tmp_path / "package", monkeypatch, dict.fromkeys(PEOPLE, NUMBERED), dict.fromkeys(PEOPLE, BUILDER)):
        yield {name: build(name, tmp_path) for name in PEOPLE}


def build(name: str, folder: Path) -> Built:
    tree = folder / name
    tree.mkdir()
    rows = [f"{name}{person}.png,{person},COVID-19" for person in PEOPLE[name]]
    (tree / "list.csv").write_text("\n".join(["file,patient,finding", *rows]) + "\n", encoding="utf-8")
    for number, person in enumerate(PEOPLE[name]):
        seed = 500 + number if name == "first" else 900 + number
        (tree / f"{name}{person}.png").write_bytes(chest(seed, size=(64, 64)))
    return build_dataset(name, data_dir=tree, cache_dir=folder / "cache", num_proc=1)


def test_people_of_both_have_one_tie_and_are_in_one_split(two: dict[str, Built]) -> None:
    ties = {name: [row[0] for row in Index.read(built.path).ties] for name, built in two.items()}
    assert sorted(ties["first"]) == [f"person:hospital-7/{person}" for person in PEOPLE["first"]]
    assert len(set(ties["first"]) & set(ties["second"])) == 20
    splits: dict[str, set[str]] = {}
    for split, parts in select(list(two.values()), "patient").splits.items():
        for name, rows in zip(two, parts, strict=True):
            for row in rows:
                splits.setdefault(ties[name][int(row)], set()).add(split)
    assert len(splits) == 60
    assert {tie: found for tie, found in splits.items() if len(found) > 1} == {}


def test_each_alone_puts_them_into_the_same_split(two: dict[str, Built]) -> None:
    found = []
    for built in two.values():
        index = Index.read(built.path)
        people = (patient.rpartition("/")[2] for patient in index.texts("patient_id"))
        found.append(dict(zip(people, index.texts("split"), strict=True)))
    both = found[0].keys() & found[1].keys()
    assert len(both) == 20
    assert {found[0][person] for person in both} > {"train"}
    assert [person for person in both if found[0][person] != found[1][person]] == []


def test_a_build_depends_on_whose_ids_they_are(two: dict[str, Built]) -> None:
    assert declared_inputs(load_card("first").choice(), "full")["ids"] == "hospital-7"
    path = catalog_folder() / "first.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('ids = "hospital-7"\n', ""), encoding="utf-8")
    assert "ids" not in declared_inputs(load_card("first").choice(), "full")


@pytest.mark.parametrize("ids", ["a/b", " ", "a b", "ä"])
def test_a_name_of_ids_is_plain(two: dict[str, Built], ids: str) -> None:
    path = catalog_folder() / "first.toml"
    path.write_text(NUMBERED.replace("hospital-7", ids), encoding="utf-8")
    with pytest.raises(CatalogError, match="key 'patients.ids': expected a name"):
        read_card(path)


def test_a_builder_ties_some_of_its_rows_to_people_of_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection of others has ids of its own, and knows of some rows whose they are elsewhere."""
    own = BUILDER.replace(
        'patient=row["patient"]', 'patient="x" + row["patient"], ties=("person:hospital-7/" + row["patient"],)'
    )
    assert own != BUILDER
    cards = {"first": NUMBERED, "second": CARD + ALONE.replace('manifest = "tiny.tsv"\n', "")}
    with installed(tmp_path / "package", monkeypatch, cards, {"first": BUILDER, "second": own}):
        first, second = (Index.read(build(name, tmp_path).path) for name in PEOPLE)
    splits = [
        {ties[0]: split for ties, split in zip(index.ties, index.texts("split"), strict=True)}
        for index in (first, second)
    ]
    both = splits[0].keys() & splits[1].keys()
    assert len(both) == 20
    assert {splits[0][tie] for tie in both} > {"train"}
    assert [tie for tie in both if splits[0][tie] != splits[1][tie]] == []
