"""What a row costs: no column that was not asked for, one batch of a file, no detour of grey over colour."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from covid_datasets import collate
from covid_datasets.columns import INDEX_FILE
from covid_datasets.load import stored
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.rows import decoded
from covid_datasets.load.stored import Columns, open_table
from covid_datasets.prepare.result import Built
from covid_datasets.schema import COLUMNS
from covid_datasets.splits.index import Index
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE", "ignore:.* have no label")


def load(small: SmallSources, name: str = "phantom", split: str = "all", **options: Any) -> Any:
    config = small.build(name).config
    options.setdefault("framework", "numpy")
    return load_dataset(name, config, split, cache_dir=small.cache, allow_missing=True, offline=True, **options)


def same(one: Any, other: Any) -> bool:
    """Compare values of rows, arrays among them."""
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else bool(one == other)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the files that are mapped from here on."""
    found: list[Path] = []
    memory_map = pa.memory_map

    def counted(path: str) -> Any:
        found.append(Path(path))
        return memory_map(path)

    monkeypatch.setattr(pa, "memory_map", counted)
    stored._stored_groups.cache_clear()  # an index that an earlier test has opened
    return found


@pytest.mark.parametrize("name", ["phantom", "cohen", "covid_ct"])
def test_rows_are_those_that_arrow_reads(small: SmallSources, name: str) -> None:
    whole = open_table(small.build(name)).to_pylist()
    columns = Columns(small.build(name), list(COLUMNS))
    assert [columns.row(number) for number in range(len(whole))] == whole
    for row, wanted in zip(load(small, name), whole, strict=True):
        assert same({key: row[key] for key in COLUMNS}, decoded(wanted))


@pytest.mark.parametrize(
    "values",
    [
        [None, None],
        [1, None, 3],
        [{"a": 1, "b": None}, {"a": None, "b": None}],
        [{"a": 1}, None],
        [{"a": None}, {"a": None}],
        [[], None, ["x"]],
        [{"a": {"b": b"x"}}, {"a": {"b": None}}, {"a": None}],
    ],
)
@pytest.mark.parametrize("skip", [0, 1])
def test_every_shape_of_a_column_is_read_as_arrow_reads_it(values: list[Any], skip: int) -> None:
    column = pa.array(values).slice(skip)
    read = stored.reader(column)
    assert [read and read(row) for row in range(len(column))] == column.to_pylist()


def test_a_row_does_not_share_what_can_be_changed(small: SmallSources) -> None:
    rows = load(small)
    rows[0]["clinical"]["temperature"] = rows[0]["masks"]["lung"] = "changed"
    assert rows[0]["clinical"].get("temperature") != "changed"
    assert isinstance(rows[0]["masks"]["lung"], np.ndarray | None)


def test_only_the_split_that_is_needed_is_opened(small: SmallSources, opened: list[Path]) -> None:
    rows = load(small, split="validation", columns=["image", "label"])
    assert opened == [], "nothing is opened before the first row"
    assert rows[0]["image"].dtype == np.uint8
    assert {path.parent.name for path in opened} == {"validation"}


@pytest.mark.parametrize("columns", [["label"], ["image", "label"], ["sample_id", "group_id"], ["group_id"]])
def test_no_other_column_becomes_python_objects(
    small: SmallSources, columns: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[int] = []
    reader = stored.reader

    def counted(column: pa.Array) -> Any:
        if not unpacked or unpacked[-1] != id(column):
            unpacked.append(id(column))
        return reader(column) if not isinstance(column, pa.StructArray) else lambda row: column[row].as_py()

    monkeypatch.setattr(stored, "reader", counted)
    row = load(small, split="validation", columns=columns)[0]
    assert list(row) == columns
    scales = {"hu_slope", "hu_intercept"} if "image" in columns else set()
    assert len(unpacked) == len({*columns, *scales} - {"group_id"})


def test_one_batch_of_many_is_read_for_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a row costs does not grow with the number of batches: 3 files of 500 batches, of 1 to 3 rows."""
    schema = pa.schema([("number", pa.int64()), ("image", pa.binary())])
    (tmp_path / "train").mkdir()
    numbers = iter(range(10_000))
    total = 0
    for file in range(3):
        with pa.ipc.new_stream(tmp_path / "train" / f"{file}.arrow", schema) as writer:
            for batch in range(500):
                rows = [{"number": next(numbers), "image": bytes(50)} for _ in range(batch % 3 + 1)]
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
                total += len(rows)
    state = {"_data_files": [{"filename": f"{file}.arrow"} for file in range(3)]}
    (tmp_path / "train" / "state.json").write_text(json.dumps(state))
    built = Built("x", "1", "default", tmp_path, "", total, 0, {"train": total}, {}, 0, 0.0, False, "full")
    read: list[int] = []
    read_record_batch = pa.ipc.read_record_batch

    def counted(*arguments: Any) -> Any:
        read.append(1)
        return read_record_batch(*arguments)

    monkeypatch.setattr(pa.ipc, "read_record_batch", counted)
    columns = Columns(built, ["number"])
    for number in (total - 1, 0, 1, total // 2, total // 2):
        assert columns.row(number) == {"number": number}
    assert len(read) == 4, "0 | 1 2 are two batches, and one that was read is not read again"
    assert [columns.row(number)["number"] for number in range(total)] == list(range(total))


def test_rows_go_to_other_processes_unopened(small: SmallSources, opened: list[Path]) -> None:
    rows = load(small, split="train", columns=["sample_id"])
    wanted = rows[3]
    sent = pickle.dumps(rows)
    assert pickle.loads(sent)[3] == wanted
    assert len(sent) < 10_000


def test_batches_of_a_data_loader(small: SmallSources) -> None:
    torch = pytest.importorskip("torch")
    rows = load(small, "covid_ct", framework="torch", columns=["image", "label", "sample_id"])
    assert [row["sample_id"] for row in rows.__getitems__([3, 0, -1])] == [
        rows[number]["sample_id"] for number in (3, 0, len(rows) - 1)
    ]
    loader = torch.utils.data.DataLoader(rows, batch_size=5, collate_fn=collate)
    assert [name for batch in loader for name in batch["sample_id"]] == rows.column("sample_id").to_pylist()


def test_grey_stays_grey(small: SmallSources, monkeypatch: pytest.MonkeyPatch) -> None:
    """No grey picture is decoded to colour and back: not as an array, not as a tensor, not in a batch."""
    torch = pytest.importorskip("torch")
    converted: list[str] = []
    convert = Image.Image.convert

    def counted(image: Image.Image, *rest: Any, **more: Any) -> Image.Image:
        converted.append(image.mode)
        return convert(image, *rest, **more)

    monkeypatch.setattr(Image.Image, "convert", counted)
    grey = load(small, "cohen", pixel_mode="L")
    assert len(grey) > 1
    assert {row["image"].ndim for row in grey} == {2}
    tensors = load(small, "cohen", framework="torch", pixel_mode="L", columns=["image", "label"])
    batch = collate(tensors.__getitems__(range(len(tensors))))
    assert {image.shape[0] for image in batch["image"]} == {1}
    assert {image.dtype for image in batch["image"]} == {torch.uint8}
    assert converted == []


def test_tables_have_rows_too(small: SmallSources) -> None:
    rows = load(small, "jhu_csse", columns=None)
    whole = open_table(dataclasses.replace(small.build("jhu_csse"))).to_pylist()
    assert [rows[number] for number in (0, 7, -1)] == [whole[number] for number in (0, 7, -1)]


def test_groups_are_read_only_where_they_are_asked_for(small: SmallSources, opened: list[Path]) -> None:
    rows = load(small, "covid_ct", split="train", columns=["label", "group_id"])
    assert "index.arrow" not in {path.name for path in opened}
    assert rows[0]["group_id"]
    assert "index.arrow" in {path.name for path in opened}


def test_the_index_of_an_earlier_release_names_groups_too(small: SmallSources, tmp_path: Path) -> None:
    """Groups were not stored once; they are worked out then, and are the same."""
    built = small.build("covid_ct")
    with pa.ipc.open_file(str(built.path / INDEX_FILE)) as source:
        index = source.read_all()
    earlier = index.drop_columns(["group_id"])
    with pa.ipc.new_file(tmp_path / INDEX_FILE, earlier.schema) as writer:
        writer.write_table(earlier)
    found = stored.StoredGroups(dataclasses.replace(built, path=tmp_path)).slice(0)
    assert found.to_pylist() == index.column("group_id").to_pylist() == Index(earlier).stored_group_ids
