"""Tables without images in the spine: checked against their card, digested by value, counted, and never divided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets import audit, build_dataset, load_dataset, load_splits, propose_splits, verify
from covid_datasets.catalog.card import Card, ColumnType, Config
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import DamagedFileError, IncompleteSourceError, InvalidRecordError, UsageError
from covid_datasets.features import arrow_schema
from covid_datasets.prepare.columnar import record_batch
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.tabular import table_digest
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record, Rows
from covid_datasets.splits.index import Index

COLUMNS: dict[str, ColumnType] = {
    "day": "date32",
    "at": "timestamp[s]",
    "place": "string",
    "deaths": "int64",
    "rate": "float64",
    "few": "int32",
    "odd": "bool",
}
FIRST = date(2020, 1, 22)


def rows_of(raw: RawTree, place: str, count: int) -> Iterator[Mapping[str, Any] | pa.Table | Notice]:
    """Rows in both forms: columns of values, then an Arrow table of the same columns."""
    if place == "damaged":
        yield {"place": place, "deaths": [1]}
        raise DamagedFileError("damaged.csv: expected a table, found nothing")
    yield Notice("odd place", place, "kept")
    days = [date(2020, 1, 1 + number) for number in range(count)]
    yield {"day": days, "place": place, "deaths": [None, *range(count - 1)], "odd": [True] * count, "rate": 0.5}
    last: dict[str, Any] = {"day": None, "at": datetime(2020, 3, 1, 12, 30), "place": place, "few": 3}
    yield pa.Table.from_batches([record_batch([last], arrow_schema(COLUMNS))])


def records(raw: RawTree) -> Iterator[Record | Notice]:
    for number, place in enumerate(("Peru", "Chad", "Fiji", "Cuba")):
        yield Record(sample_id=place, rows=Rows(place, rows_of, (place, number + 1), (), 100))


def use_table(monkeypatch: pytest.MonkeyPatch) -> Card:
    """Make the card of phantom that of a table with the columns of this test."""
    card = load_card("phantom")
    versions = {name: replace(version, images=None, patients=None) for name, version in card.versions.items()}
    configs = {"small": Config(summary="All.")}
    card = replace(card, modalities=(), columns=COLUMNS, configs=configs, versions=versions)
    monkeypatch.setattr("covid_datasets.catalog.cards.load_card", lambda name: card)
    return card


@pytest.fixture
def table_card(monkeypatch: pytest.MonkeyPatch) -> Card:
    monkeypatch.setattr("covid_datasets.builders.phantom.records", records)
    return use_table(monkeypatch)


@pytest.fixture
def built(table_card: Card, tmp_path: Path) -> Built:
    return build_dataset("phantom", cache_dir=tmp_path / "cache", num_proc=1)


def load(built: Built, **options: Any) -> Any:
    return load_dataset("phantom", cache_dir=built.path.parents[4], **options)


def test_rows_are_counted_and_all_in_one_split(built: Built) -> None:
    assert (built.rows, built.patients, built.splits, built.labels) == (14, 0, {"train": 14}, {})
    assert built.columns == COLUMNS
    index = Index.read(built.path)
    assert dict(zip(index.texts("sample_id"), index.column("rows"), strict=True)) == {
        "phantom/Chad": 3,
        "phantom/Cuba": 5,
        "phantom/Fiji": 4,
        "phantom/Peru": 2,
    }
    assert built.manifest()["audits"] == []
    assert "14 rows, 0 dropped" in built.report()
    assert "odd place (4)" in built.report()


def test_types_come_back(built: Built) -> None:
    rows = load(built, split="train", framework="numpy")
    assert rows[0] == {
        "day": date(2020, 1, 1),
        "at": None,
        "place": "Chad",
        "deaths": None,
        "rate": 0.5,
        "few": None,
        "odd": True,
    }
    assert rows[2]["at"] == datetime(2020, 3, 1, 12, 30)
    assert len(rows) == len(list(rows)) == 14


def test_hugging_face_knows_the_types(built: Built) -> None:
    datasets = pytest.importorskip("datasets")
    found = load(built)
    assert list(found) == ["train"]
    assert {name: feature.dtype for name, feature in found["train"].features.items()} == COLUMNS
    assert found["train"][0]["day"] == date(2020, 1, 1)
    assert datasets.load_from_disk(str(built.path))["train"].num_rows == 14


def test_pandas_has_times(built: Built) -> None:
    pytest.importorskip("pandas")
    frame = load(built, split="train", framework="pandas")
    assert frame["day"].dtype.kind == frame["at"].dtype.kind == "M"
    assert frame["deaths"].sum() == sum(sum(range(count)) for count in range(4))


def test_streams_are_the_same_before_and_after_the_build(table_card: Card, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    before = load_dataset("phantom", streaming=True, cache_dir=tmp_path)
    assert list(before) == ["train"]
    rows = list(before["train"])
    build_dataset("phantom", cache_dir=tmp_path, num_proc=1)
    assert list(load_dataset("phantom", split="train", streaming=True, cache_dir=tmp_path)) == rows


@pytest.mark.parametrize(
    ("view", "count"),
    [
        ({"place": "Cuba"}, 5),
        ({"place": ["Cuba", "Chad"]}, 8),
        ({"day": date(2020, 1, 2)}, 3),
        ({"day": ["2020-01-02", "2020-01-03"], "place": "Fiji"}, 2),
        ({"deaths": None}, 8),
        ({"odd": True}, 10),
        ({"few": 3, "at": datetime(2020, 3, 1, 12, 30)}, 4),
    ],
)
def test_columns_filter(built: Built, view: dict[str, Any], count: int) -> None:
    assert len(load(built, split="train", framework="numpy", **view)) == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deaths": "three"}, "deaths='three': expected values of type int64"),
        ({"day": "yesterday"}, "day='yesterday': expected values of type date32"),
        ({"modality": "CT"}, "filter 'modality': expected a column with single values \\(day, at, place"),
        ({"framework": "torch"}, "texts and dates make no tensors. Use framework='hf', 'numpy' or 'pandas'"),
        ({"scheme": "fold-1-of-5"}, "expected no scheme, found 'fold-1-of-5'"),
        ({"license": "commercial"}, "one licence is for all its rows"),
        ({"split": "test"}, "expected one of train, found 'test'"),
    ],
)
def test_what_only_images_can_do_is_refused(built: Built, options: dict[str, Any], message: str) -> None:
    if options.get("framework") == "torch":
        pytest.importorskip("torch")
    with pytest.raises(UsageError, match=message):
        load(built, **{"framework": "numpy", "split": "train", **options})


def test_patients_are_not_asked_for(built: Built) -> None:
    for ask in (load_splits, audit, propose_splits):
        with pytest.raises(UsageError, match="a table without images and patients: all its rows are in"):
            ask("phantom", cache_dir=built.path.parents[4])


def test_a_list_with_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="jhu_csse is a table without images, with columns of its own: expected it"):
        load_dataset(["phantom", "jhu_csse"], cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == [], "nothing is built before"


@pytest.mark.parametrize(("num_proc", "shard_bytes"), [(2, None), (2, 1), (1, 150)])
def test_workers_and_shards_change_nothing(
    built: Built, num_proc: int, shard_bytes: int | None, tmp_path: Path
) -> None:
    again = build_dataset("phantom", cache_dir=tmp_path / "other", num_proc=num_proc, shard_bytes=shard_bytes)
    assert again.fingerprint == built.fingerprint
    assert list(load(again, split="train", framework="numpy")) == list(load(built, split="train", framework="numpy"))


def test_a_finished_table_verifies_and_a_changed_one_does_not(built: Built) -> None:
    report = verify(built.path)
    assert report.ok, report.problems
    assert report.rows == 14
    path = next((built.path / "train").glob("*.arrow"))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    changed = table.to_pylist()
    changed[3]["deaths"] = 7  # the first row of Cuba
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(pa.Table.from_pylist(changed, table.schema))
    assert [problem.partition(":")[0] for problem in verify(built.path).problems] == ["phantom/Cuba"]


def test_lost_rows_are_found(built: Built) -> None:
    path = next((built.path / "train").glob("*.arrow"))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.slice(0, 13))
    assert "rows: expected 14, found 13" in verify(built.path).problems


def test_a_damaged_record_is_dropped_whole_and_the_build_incomplete(
    table_card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_damage(raw: RawTree) -> Iterator[Record | Notice]:
        yield from records(raw)
        yield Record(sample_id="damaged", rows=Rows("damaged.csv", rows_of, ("damaged", 3), (), 100))

    monkeypatch.setattr("covid_datasets.builders.phantom.records", with_damage)
    with pytest.raises(IncompleteSourceError, match="1 of 15 rows or files are missing or damaged"):
        build_dataset("phantom", cache_dir=tmp_path, num_proc=1)
    built = build_dataset("phantom", cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert (built.rows, built.dropped, built.incomplete) == (14, 1, True)
    assert "damaged.csv: expected a table, found nothing" in built.report()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"deaths": ["3"]}, "column 'deaths': expected int64, found str"),
        ({"deaths": [3.0]}, "column 'deaths': expected int64, found float"),
        ({"day": [datetime(2020, 1, 1)]}, "column 'day': expected date32.day., found datetime"),
        ({"odd": [1]}, "column 'odd': expected bool, found int"),
        ({"rate": [float("nan")]}, "column 'rate': expected numbers or nulls, found NaN"),
        ({"deaths": [1], "few": [1, 2]}, "expected lists of one length"),
        ({"deaths": 1}, "expected lists of one length"),
        ({"deaths": [1], "born": [2]}, "found deaths, born"),
        (pa.table({"deaths": [1]}), "day: expected date32.day., found nothing"),
    ],
)
def test_rows_that_do_not_fit_the_card(
    table_card: Card, columns: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(raw: RawTree) -> Iterator[Record]:
        yield Record(sample_id="x", rows=Rows("x", lambda raw: iter([columns]), (), (), 1))

    monkeypatch.setattr("covid_datasets.builders.phantom.records", one)
    with pytest.raises(InvalidRecordError, match=f"builder phantom, record 'x': .*{message}"):
        build_dataset("phantom", cache_dir=tmp_path, num_proc=1)


def test_images_and_rows_do_not_mix(table_card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.builders.phantom.records", lambda raw: iter([Record(sample_id="x")]))
    with pytest.raises(InvalidRecordError, match="rows: expected rows, because the card has .columns., found None"):
        build_dataset("phantom", cache_dir=tmp_path, num_proc=1)


def test_rows_need_the_columns_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("covid_datasets.builders.phantom.records", records)
    with pytest.raises(InvalidRecordError, match="expected an image, because the card has no .columns., found Peru"):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)


def test_a_record_of_a_missing_file_is_told(table_card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(raw: RawTree) -> Iterator[Record]:
        yield Record(sample_id="x", rows=Rows("x.csv", rows_of, ("x", 1), ("x.csv",)))

    monkeypatch.setattr("covid_datasets.builders.phantom.records", one)
    with pytest.raises(IncompleteSourceError, match="x.csv: missing file"):
        build_dataset("phantom", cache_dir=tmp_path, num_proc=1)


CELLS = st.fixed_dictionaries(
    {
        "day": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        "at": st.none()
        | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0)),
        "place": st.none() | st.text(max_size=4),
        "deaths": st.none() | st.integers(-(2**63), 2**63 - 1),
        "rate": st.none() | st.floats(allow_nan=False),
        "few": st.none() | st.integers(-(2**31), 2**31 - 1),
        "odd": st.none() | st.booleans(),
    }
)


@given(st.lists(CELLS, max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_the_digest_is_of_the_values(rows: list[dict[str, Any]], first: int, second: int) -> None:
    """Cuts, offsets and what lies under nulls change nothing; each value does."""
    schema = arrow_schema(COLUMNS)
    table = pa.Table.from_pylist(rows, schema)
    ours = pa.Table.from_batches([record_batch(rows, schema)])
    assert ours.to_pylist() == rows
    low, high = sorted((first, second))
    cut = pa.concat_tables([table.slice(0, low), table.slice(low, high - low), table.slice(high)])
    assert table_digest(table) == table_digest(ours) == table_digest(cut)
    for number, row in enumerate(rows):
        other = [*rows[:number], row | {"deaths": 0 if row["deaths"] is None else None}, *rows[number + 1 :]]
        assert table_digest(pa.Table.from_pylist(other, schema)) != table_digest(table)


def test_the_digest_is_for_ever() -> None:
    """Fingerprints go into papers: the digest of these rows never changes."""
    row = {"day": FIRST, "place": "Perú", "deaths": 3, "rate": 0.1, "odd": False}
    table = pa.Table.from_pylist([row, {}], arrow_schema(COLUMNS))
    assert table_digest(table) == "6166f6229cf4860b11277e6848835e9d9d46af4d03ce94f73b81b16c1fb258d2"


def test_what_lies_under_a_null_does_not_count() -> None:
    valid = pa.py_buffer(np.packbits([True, False], bitorder="little"))
    values = [pa.Array.from_buffers(pa.int64(), 2, [valid, pa.py_buffer(np.array([1, junk]))]) for junk in (0, 99)]
    first, second = (pa.table({"deaths": value}) for value in values)
    assert table_digest(first) == table_digest(second)
