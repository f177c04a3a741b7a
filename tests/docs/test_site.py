"""What the site adds to the texts: what is built here, pictures that may be shown, and links that are checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import covid_datasets
from covid_datasets import build_dataset
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import info
from covid_datasets.prepare.result import Built
from covid_datasets.view.report.counts import Counted
from covid_datasets.view.report.described import describe
from docs.site.api import GROUPS, reference
from docs.site.build import MARK, SiteError, build, complete, empty, extend, take_notebooks
from docs.site.links import broken
from docs.site.measured import measured
from docs.site.pairs import Shelf, copies, proven
from docs.site.seeds import tables
from docs.site.stage import lay_out
from tests.docs.hostile import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ("Contents", "What a build of it holds", "Patients", "Licence")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_dataset("phantom", "small", cache_dir=tmp_path_factory.mktemp("phantom"), num_proc=1)


def forbidding(card: Card, **changes: object) -> Card:
    return replace(card, licence=replace(card.licence, **changes))  # type: ignore[arg-type]


def samples(built: Built) -> list[str]:
    cache = built.path.parents[4]
    found: list[str] = covid_datasets.load_splits("phantom", config="small", cache_dir=cache)["sample_id"].to_pylist()
    return found


def test_texts_keep_their_places_and_what_they_link_to_comes_along(tmp_path: Path) -> None:
    checkout, stage = tmp_path / "checkout", tmp_path / "stage"
    (checkout / "docs" / "sources").mkdir(parents=True)
    (checkout / "results").mkdir()
    (checkout / "results" / "a.json").write_text("{}")
    (checkout / "results" / "secret.json").write_text("{}")
    (tmp_path / "outside.txt").write_text("no part of the checkout")
    (checkout / "docs" / "sources" / "x.md").write_text("# X")
    (checkout / "docs" / "sources" / "README.md").write_text("# An old list")
    (checkout / "README.md").write_text(
        "# R\n[all](docs/sources/) [x](docs/sources/x.md#x) [r](results/a.json) [o](../outside.txt)\n"
        "```\n[in code](results/secret.json)\n```\n"
    )
    assert lay_out(checkout, stage) == [Path("results/a.json")]
    laid = sorted(path.relative_to(stage).as_posix() for path in stage.rglob("*") if path.is_file())
    assert laid == ["README.md", "docs/sources/x.md", "results/a.json"]
    assert "[all](docs/sources/index.rst) [x](docs/sources/x.md#x)" in (stage / "README.md").read_text()


def test_every_kind_of_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<h1 id="here">B</h1><a href="a.html#there">back</a>')
    good = '<p id="there"><a href="b.html#here">b</a><a href="https://example.org/x">out</a><a href="#there">up</a>'
    (tmp_path / "a.html").write_text(good)
    assert broken(tmp_path) == []
    bad = {
        '<a href="gone.html">': "there is no such file",
        '<a href="b.html#gone">': "there is no such place",
        '<a href="#gone">': "there is no such place",
        '<a href="../secret.html">': "leads out of the site",
        '<a href="JavaScript:alert(1)">': "a browser would run it",
        '<a href="data:text/html,x">': "a browser would run it",
        '<img src="gone.jpg">': "there is no such file",
        '<img src="https://example.org/x.png">': "loads this img from elsewhere",
        '<script src="//example.org/x.js"></script>': "loads this script from elsewhere",
    }
    for tag, why in bad.items():
        (tmp_path / "a.html").write_text(good + tag)
        found = broken(tmp_path)
        assert len(found) == 1, tag
        assert why in found[0], tag


def test_a_page_says_what_its_build_holds(built: Built, tmp_path: Path) -> None:
    page = tmp_path / "phantom.md"
    text = "\n".join(measured(describe(built, info("phantom")), page))
    assert built.fingerprint[:16] in text
    assert "### Labels" in text
    assert "scheme `patient`: no leak found" in text
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert 0 < len(drawn) <= 12
    assert all(f"](pictures/{name})" in text for name in drawn)


@pytest.mark.parametrize("changes", [{"redistribution": "no"}, {"redistribution": "unknown"}, {"spdx": "CC-BY-ND-4.0"}])
def test_no_picture_without_a_licence_that_permits_it(built: Built, tmp_path: Path, changes: dict[str, str]) -> None:
    card, page = forbidding(info("phantom"), **changes), tmp_path / "phantom.md"
    text = "\n".join(measured(describe(built, card), page))
    assert "No picture is shown" in text
    names = samples(built)
    identities(tmp_path, names[0], names[1])
    shelf = Shelf.of({"phantom": (built, card)})
    assert "how it is known" not in "\n".join(copies("phantom", tmp_path, shelf, page))
    assert not (tmp_path / "pictures").exists()


def identities(folder: Path, one: str, other: str, said: str = "") -> None:
    name = one.removeprefix("phantom/")
    line = f"{name}\tpicture:{one}\t\tshows what {other} shows: {said or 'same bytes (sha256 00)'}"
    (folder / "phantom.tsv").write_text(f"sample_id\ttie\tflag\tevidence\n{line}\n", encoding="utf-8")


def test_proven_copies_are_counted_and_shown_beside_each_other(built: Built, tmp_path: Path) -> None:
    names = samples(built)
    identities(tmp_path, names[0], names[1], f"{HOSTILE} (looked at)")
    assert [(pair.first, pair.second) for pair in proven("phantom", tmp_path)] == [(names[0], names[1])]
    shelf = Shelf.of({"phantom": (built, info("phantom"))})
    text = "\n".join(copies("phantom", tmp_path, shelf, tmp_path / "phantom.md"))
    assert "| [`phantom`](phantom.md) | 1 |" in text
    assert len(list((tmp_path / "pictures").iterdir())) == 2
    assert text.count("](pictures/phantom-pair0-") == 2
    assert "<script" not in text.replace("\\<script", "")
    elsewhere = Shelf.of({})
    assert "pictures/" not in "\n".join(copies("phantom", tmp_path, elsewhere, tmp_path / "phantom.md"))
    assert list(copies("cohen", tmp_path, shelf, tmp_path / "cohen.md")) == []


def test_a_page_is_extended_in_its_place(built: Built, tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "sources"
    folder.mkdir(parents=True)
    (folder / "phantom.md").write_text((ROOT / "docs" / "sources" / "phantom.md").read_text())
    assert extend(tmp_path, {"phantom": (built, info("phantom"))}, tmp_path) == ("phantom",)
    text = (folder / "phantom.md").read_text()
    places = [text.index(f"\n## {title}\n") for title in SECTIONS]
    assert places == sorted(places)
    assert "[`phantom`](phantom.md)" in (folder / "table.inc").read_text()


def test_a_hostile_value_stays_text_in_a_table(built: Built, tmp_path: Path) -> None:
    of = describe(built, info("phantom"))
    country = Counted("country", {HOSTILE: {"train": 1}})
    text = "\n".join(measured(replace(of, counts=(country,), pictures=()), tmp_path / "x.md"))
    line = next(line for line in text.splitlines() if "script" in line)
    assert line.replace("\\|", "").count("|") == len(built.splits) + 3
    assert "\\<script" in line


def test_each_public_name_is_in_the_reference_once() -> None:
    named = [name for names in GROUPS.values() for name in names]
    assert sorted(named) == sorted(set(covid_datasets.__all__) - {"__version__"})
    assert ".. autofunction:: covid_datasets.load_dataset" in reference()


def test_the_published_tables_are_whole() -> None:
    text = tables()
    for table in ("survey", "covid-arc", "covid-arc-analysis"):
        rows = covid_datasets.list_datasets(seed=table)
        assert all(f"\n| {row} | " in text for row in rows["row"].to_pylist())
    widths = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| ")}
    assert len(widths) <= 3, "one width for each table"


def test_only_a_folder_of_its_own_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(SiteError, match="expected an empty folder or an earlier site"):
        empty(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    site = tmp_path / "site"
    empty(site)
    (site / "old.html").touch()
    empty(site)
    assert [path.name for path in site.iterdir()] == [MARK]


def test_a_page_that_nobody_placed_is_there(tmp_path: Path) -> None:
    (tmp_path / "docs" / "sources").mkdir(parents=True)
    for name in ("README", "NEW", "docs/guide", "docs/new_guide", "docs/sources/phantom"):
        (tmp_path / f"{name}.md").touch()
    start = ".. toctree::\n   :caption: Start\n\n   What it is <README>\n   docs/guide\n"
    assert complete(start, tmp_path).partition(":caption: More\n\n")[2] == "   NEW\n   docs/new_guide\n"
    (tmp_path / "NEW.md").unlink()
    (tmp_path / "docs" / "new_guide.md").unlink()
    assert complete(start, tmp_path) == start


def test_notebooks_that_were_promised_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="expected executed notebooks"):
        build(tmp_path / "site", notebooks=tmp_path / "mispelled")


def test_notebooks_come_with_their_outputs(tmp_path: Path) -> None:
    assert take_notebooks(tmp_path / "none", tmp_path / "stage") == 0
    (tmp_path / "1_first.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {"language_info": {"name": "python"}}})
    )
    (tmp_path / "note.txt").touch()
    assert take_notebooks(tmp_path, tmp_path / "stage") == 1
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["1_first.ipynb"]
    taken = json.loads((tmp_path / "stage" / "1_first.ipynb").read_text())
    assert taken["metadata"]["language_info"]["pygments_lexer"] == "ipython3", "so that !commands are no errors"
