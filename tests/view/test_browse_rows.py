"""What the page of `browse` finds: the rows that are asked for, who belongs to them, and a selection as a file."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from covid_datasets import load_dataset, search
from covid_datasets.errors import NotBuiltError, UnknownDatasetError, UsageError
from covid_datasets.load.metadata import Library, find_library
from covid_datasets.view.browse.ask import BY_WORD, RANGES, SORTED, Ask
from covid_datasets.view.browse.shelf import Shelf
from tests.view.browsed import Visitor, two_builds, visited

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with two configs of one source; tests only look at it."""
    return two_builds(tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def shelf(cache: Path) -> Shelf:
    return Shelf.open(cache)


@pytest.fixture(scope="module")
def visitor(shelf: Shelf) -> Iterator[Visitor]:
    with visited(shelf) as found:
        yield found


def found_by(shelf: Shelf, **question: Any) -> list[dict[str, Any]]:
    return shelf.page(Ask.read(json.dumps(question)), 0, shelf.rows)


def test_all_builds_of_images_are_there_in_the_order_of_a_search(shelf: Shelf, cache: Path) -> None:
    expected = search(cache_dir=cache)
    rows = found_by(shelf)
    assert [row["sample_id"] for row in rows] == expected.column("sample_id").to_pylist()
    assert [row["split"] for row in rows] == expected.column("split").to_pylist()
    for number in (0, len(rows) - 1):
        place = shelf.place(rows[number]["build"], rows[number]["row"])
        assert shelf.told(place, rows[number]["row"]) == expected[number]


VALUES = st.dictionaries(
    st.sampled_from(("split", "finding", "sex", "modality", "config")),
    st.lists(st.sampled_from(("train", "test", "COVID-19", "F", "M", "CT", "small", "' OR 1=1 --", None)), min_size=1),
    max_size=2,
)
ENDS = st.one_of(st.none(), st.integers(0, 100), st.floats(0, 100))


@given(
    values=VALUES,
    age=st.one_of(st.none(), st.tuples(ENDS, ENDS)),
    text=st.sampled_from(("", "ct", "PHANTOM covid", "%", "_", "'")),
)
def test_what_is_found_is_what_fits(values: dict[str, Any], age: Any, text: str, shelf: Shelf) -> None:
    question = {**values, "text": text} | ({"age": list(age)} if age else {})

    def fits(row: dict[str, Any]) -> bool:
        said = [str(row[name] or "").lower() for name in ("sample_id", "patient_id", "label_raw", "finding")]
        low, high = age or (None, None)
        within = (low is None or (row["age"] is not None and row["age"] >= low)) and (
            high is None or (row["age"] is not None and row["age"] <= high)
        )
        by_word = all(row[name] in wanted for name, wanted in values.items())
        return by_word and within and all(any(word in each for each in said) for word in text.lower().split())

    stored = shelf.stored.to_pylist()
    assert shelf.select(Ask.read(json.dumps(question))).tolist() == [n for n, row in enumerate(stored) if fits(row)]


@pytest.mark.parametrize("order", SORTED)
def test_every_order_has_all_rows_once_and_unknown_ones_last(order: str, shelf: Shelf) -> None:
    for descending in (False, True):
        numbers = shelf.select(Ask(order=order, descending=descending)).tolist()
        assert sorted(numbers) == list(range(shelf.rows))
        if order in ("sample_id", "age"):
            values = shelf.stored.column(order).take(pa.array(numbers)).to_pylist()
            known = [value for value in values if value is not None]
            assert known == sorted(known, reverse=descending)
            assert values == known + [None] * (len(values) - len(known))


def test_counts_are_those_of_the_rows_that_fit(shelf: Shelf) -> None:
    question = {"split": ["train"], "age": [30, 70]}
    counts = shelf.counts(Ask.read(json.dumps(question)))
    rows = found_by(shelf, **question)
    assert set(counts) == set(BY_WORD)
    assert {sum(each.values()) for each in counts.values()} == {len(rows)}
    assert counts["finding"] == Counter(row["finding"] or "" for row in rows)
    assert None in shelf.choices["country"]


ATTACKS = [
    '{"1=1; DROP TABLE samples; --": ["a"]}',
    '{"order": "number; DROP TABLE samples"}',
    '{"order": "(SELECT 1)"}',
    '{"order": ["number"]}',
    '{"descending": "true; --"}',
    '{"text": 5}',
    '{"text": "' + "a" * 300 + '"}',
    '{"age": ["1; DROP TABLE samples", null]}',
    '{"age": [1e999, null]}',
    '{"age": [NaN, null]}',
    '{"age": [1]}',
    '{"age": [true, false]}',
    '{"age": {"a": 1}}',
    '{"age": "ab"}',
    f'{{"age": [{"9" * 4000}, null]}}',
    '{"split": []}',
    '{"split": "train"}',
    '{"split": [["train"]]}',
    '{"split": ["\\ud800"]}',
    '{"text": "\\ud800"}',
    '{"source_row": ["a"]}',
    '{"image": ["a"]}',
    json.dumps({"split": ["a"] * 201}),
    "[" * 10_000,
    "[1]",
    "{",
    "\x00",
    "a" * 20_000,
]


@pytest.mark.parametrize("question", ATTACKS, ids=range(len(ATTACKS)))
def test_what_is_no_question_is_an_error_that_says_so(question: str, visitor: Visitor) -> None:
    with pytest.raises(UsageError):
        Ask.read(question)
    if len(question) < 5000:
        found = visitor.get(f"/rows?start=0&count=5&ask={quote(question)}")
        assert (found.status, found.json["error"]) == (400, "UsageError")
    assert visitor.ask("rows")["total"] > 0


@given(text=st.text(max_size=40))
def test_any_text_is_only_ever_a_value(text: str, shelf: Shelf) -> None:
    for question in ({"text": text}, {"patient_id": [text]}, {"finding": [text, "x' OR 'a'='a"]}):
        found = found_by(shelf, **question)
        assert len(found) == shelf.rows if not text.split() and "text" in question else len(found) <= shelf.rows
    assert shelf.select(Ask()).size == shelf.rows


def test_who_belongs_to_a_row(shelf: Shelf, visitor: Visitor, cache: Path) -> None:
    stored = shelf.stored.to_pylist()
    first = found_by(shelf)[0]
    told = visitor.get(f"/sample/{first['build']}/{first['row']}").json
    same = [row["sample_id"] for row in stored[1:] if row["patient_id"] == stored[0]["patient_id"]]
    assert [row["sample_id"] for row in told["beside"]["patient"]["rows"]] == same
    assert told["beside"]["patient"]["count"] == len(same) > 0
    named = {"config": stored[0]["config"], "split": "all", "framework": "numpy", "cache_dir": cache}
    groups: Any = load_dataset("phantom", columns=["sample_id", "group_id"], **named)
    group = {row["sample_id"]: row["group_id"] for row in groups}
    own = group[stored[0]["sample_id"]]
    in_group = {row["sample_id"] for row in told["beside"]["group"]["rows"]}
    assert in_group | {stored[0]["sample_id"]} == {name for name, each in group.items() if each == own}
    asked = visitor.rows(group_id=[told["beside"]["group"]["value"]], build=[first["build"]])
    assert set(asked) == in_group | {stored[0]["sample_id"]}


def test_a_hundred_thousand_rows_come_page_by_page(cache: Path) -> None:
    library = find_library(cache / "prepared")
    built, table = library.builds[0], library.tables[0]
    times = -(-100_000 // built.rows)
    many = replace(built, rows=built.rows * times, splits={name: rows * times for name, rows in built.splits.items()})
    groups = pa.array([f"g{number // 7}" for number in range(many.rows)])
    shelf = Shelf(Library((many,), (pa.concat_tables([table] * times),), {}), [groups])
    with visited(shelf) as visitor:
        told = visitor.ask("rows", many.rows - 5, 400)
        assert told["total"] == many.rows > 100_000 - 1
        assert [row["row"] for row in told["rows"]] == list(range(many.rows - 5, many.rows))
        assert len(visitor.ask("rows", 50_000, 999_999)["rows"]) == 500
        assert visitor.ask("rows", group_id=["g7"])["total"] == 7
        counts = visitor.ask("counts")
        assert sum(counts["modality"].values()) == many.rows
        beside = visitor.get(f"/sample/{told['rows'][0]['build']}/99999").json["beside"]
        assert len(beside["patient"]["rows"]) == 100 < beside["patient"]["count"]
    for number in range(200):
        shelf.select(Ask(words=(str(number),)))
    assert shelf._selections.held <= 64 << 20


def test_a_build_that_is_removed_meanwhile_is_told(cache: Path, tmp_path: Path) -> None:
    shutil.copytree(cache / "prepared", tmp_path / "prepared")
    shelf = Shelf.open(tmp_path)
    with visited(shelf) as visitor:
        build = visitor.ask("rows")["rows"][0]["build"]
        shutil.rmtree(tmp_path / "prepared")
        found = visitor.get(f"/thumb/{build}/0")
        assert (found.status, found.json["error"]) == (410, "GoneError")
        assert "removed or built anew" in found.json["message"]
        assert visitor.get(f"/plane/{build}/0/0").status == 410
        assert visitor.ask("rows")["total"] == shelf.rows
    assert Shelf.open(tmp_path).rows == 0


def test_a_damaged_build_is_left_out_with_its_reason(cache: Path, tmp_path: Path) -> None:
    prepared = shutil.copytree(cache / "prepared", tmp_path / "prepared")
    index = next(prepared.glob("phantom/*/small/*/index.arrow"))
    index.write_bytes(bytes(index.stat().st_size))
    shelf = Shelf.open(tmp_path)
    assert [place.built.config for place in shelf.places.values()] == ["default"]
    assert len(shelf.left_out) == 1


def test_only_the_sources_that_are_named(cache: Path) -> None:
    assert Shelf.open(cache, ["phantom"]).rows == Shelf.open(cache).rows
    with pytest.raises(UnknownDatasetError, match="Did you mean 'phantom'"):
        Shelf.open(cache, ["phantoms"])
    with pytest.raises(NotBuiltError, match="Next: covid-datasets build cohen"):
        Shelf.open(cache, ["cohen"])


def test_the_columns_are_stored_ones() -> None:
    from covid_datasets.load.metadata import SEARCHABLE

    assert {*BY_WORD, *RANGES} - {"kind", "masked"} <= set(SEARCHABLE)
