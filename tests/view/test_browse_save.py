"""A selection of the page of `browse` as a file, and text of sources that is an attack."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pytest

from covid_datasets import load_dataset, search
from covid_datasets.load.metadata import find_library
from covid_datasets.view.browse.shelf import Shelf
from tests.view.browsed import Visitor, two_builds, visited

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("duckdb")
NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_builds(tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def visitor(cache: Path) -> Iterator[Visitor]:
    with visited(Shelf.open(cache)) as found:
        yield found


def test_a_selection_is_saved_as_search_writes_it(visitor: Visitor, cache: Path, tmp_path: Path) -> None:
    question = quote(json.dumps({"split": ["test"], "config": ["small"]}))
    found = visitor.get(f"/save/csv?ask={question}")
    search("split = 'test' AND config = 'small'", cache_dir=cache).to_csv(tmp_path / "expected.csv")
    assert found.body.decode() == (tmp_path / "expected.csv").read_text(encoding="utf-8")
    assert found.headers["content-disposition"] == 'attachment; filename="selection.csv"'


def test_a_selection_is_a_split_that_loads(visitor: Visitor, cache: Path, tmp_path: Path) -> None:
    found = visitor.get(f"/save/split?ask={quote(json.dumps({'config': ['small']}))}")
    (tmp_path / "split.csv").write_bytes(found.body)
    loaded = load_dataset("phantom", "small", scheme=str(tmp_path / "split.csv"), framework="numpy", cache_dir=cache)
    usual = load_dataset("phantom", "small", framework="numpy", cache_dir=cache)
    for name in usual:
        assert loaded[name].column("sample_id").to_pylist() == usual[name].column("sample_id").to_pylist()


def test_a_sample_in_two_splits_is_told(visitor: Visitor, cache: Path) -> None:
    placed: dict[str, set[str]] = {}
    for row in search(cache_dir=cache):
        placed.setdefault(row["sample_id"], set()).add(row["split"])
    found = visitor.get("/save/split")
    if any(len(splits) > 1 for splits in placed.values()):
        assert (found.status, found.json["error"]) == (400, "UsageError")
    else:
        rows = list(csv.DictReader(io.StringIO(found.body.decode())))
        assert {row["sample_id"]: {row["split"]} for row in rows} == placed


def test_names_that_are_an_attack_stay_text(cache: Path) -> None:
    """Labels and ids with markup, formulas and control characters: JSON holds them as they are, CSV runs none."""
    library = find_library(cache / "prepared")
    table = library.tables[0]
    odd = ["=HYPERLINK(1)", NASTY, "a\x1b]0;owned\x07", "\u202egnp.exe", '"><img src=x onerror=alert(1)>']
    words = [odd[row % len(odd)] for row in range(table.num_rows)]
    for name in ("label_raw", "country"):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(words, pa.string()))
    with visited(
        Shelf(replace(library, builds=library.builds[:1], tables=(table,)), [pa.array(words, pa.string())])
    ) as visitor:
        build = visitor.ask("rows")["rows"][0]["build"]
        assert visitor.get(f"/sample/{build}/1").json["row"]["label_raw"] == NASTY
        told = visitor.get(f"/sample/{build}/2")
        assert told.json["row"]["label_raw"] == r"a\x1b]0;owned\x07"
        assert told.headers["content-type"] == "application/json"
        assert visitor.ask("rows", country=[NASTY])["total"] == words.count(NASTY)
        saved = visitor.get("/save/csv").body.decode()
        cells = {row["label_raw"] for row in csv.DictReader(io.StringIO(saved))}
        assert cells >= {"'=HYPERLINK(1)", NASTY, r"a\x1b]0;owned\x07"}
        assert "\x1b" not in saved
