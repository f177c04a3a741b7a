"""Batches made from plain buffers equal those that Arrow makes, for any rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.features import arrow_schema
from covid_datasets.prepare.columnar import arrow_array, record_batch
from covid_datasets.read.encode import Room, encode, encode_into

NESTED = pa.schema(
    [
        ("text", pa.string()),
        ("data", pa.binary()),
        ("truth", pa.bool_()),
        ("small", pa.int32()),
        ("large", pa.int64()),
        ("real", pa.float64()),
        ("texts", pa.list_(pa.string())),
        ("pairs", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))),
        (
            "deep",
            pa.struct([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("ok", pa.bool_())]),
        ),
        ("lists", pa.list_(pa.list_(pa.int64()))),
    ]
)


def values(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of an Arrow type, nulls among them at every depth."""
    if pa.types.is_struct(kind):
        inner: st.SearchStrategy[Any] = st.fixed_dictionaries({field.name: values(field.type) for field in kind})
    elif pa.types.is_list(kind):
        inner = st.lists(values(kind.value_type), max_size=4)
    elif pa.types.is_string(kind):
        inner = st.text(max_size=9)
    elif pa.types.is_binary(kind):
        inner = st.binary(max_size=9)
    elif pa.types.is_boolean(kind):
        inner = st.booleans()
    elif pa.types.is_floating(kind):
        inner = st.floats(allow_nan=False)
    else:
        inner = st.integers(-(1 << kind.bit_width - 1), (1 << kind.bit_width - 1) - 1)
    return st.none() | inner


def rows(schema: pa.Schema) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries({field.name: values(field.type) for field in schema}), max_size=12)


@settings(deadline=None, max_examples=60)
@given(rows(NESTED))
def test_any_nested_rows(found: list[dict[str, Any]]) -> None:
    batch = record_batch(found, NESTED)
    batch.validate(full=True)
    assert batch.equals(pa.RecordBatch.from_pylist(found, NESTED))
    assert batch.to_pylist() == found


@settings(deadline=None, max_examples=15)
@given(rows(arrow_schema()))
def test_any_stored_rows(found: list[dict[str, Any]]) -> None:
    batch = record_batch(found, arrow_schema())
    batch.validate(full=True)
    assert batch.equals(pa.RecordBatch.from_pylist(found, arrow_schema()))


def test_a_missing_key_is_null() -> None:
    assert record_batch([{}, {"text": "ä"}], NESTED).column("text").to_pylist() == [None, "ä"]


def test_a_batch_that_is_too_large_for_offsets_is_told() -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return 1 << 31

    with pytest.raises(OverflowError, match="does not fit one Arrow array; the limit is 2 GiB"):
        arrow_array([Large()], pa.binary())


def test_a_negative_zero_stays_one() -> None:
    """Directions of slices have them, and a row that does not come back as it was would not verify."""
    schema = pa.schema([("orientation", pa.list_(pa.float64())), ("age", pa.float64())])
    (row,) = record_batch([{"orientation": [1.0, -0.0], "age": -0.0}], schema).to_pylist()
    assert repr(row) == "{'orientation': [1.0, -0.0], 'age': -0.0}"


def test_values_that_lie_side_by_side_are_not_copied() -> None:
    room = memoryview(bytearray(range(200)))
    side_by_side = [room[10:50], room[50:60], room[60:110]]
    found = arrow_array(side_by_side, pa.binary())
    assert found.to_pylist() == [bytes(value) for value in side_by_side]
    assert found.buffers()[2].address == pa.py_buffer(room).address + 10
    other = memoryview(bytearray(30))
    for values in (
        [*side_by_side, None],
        [room[0:5], room[6:9]],
        [room[5:9], room[0:5]],
        [room[:4], b"x"],
        [room, other],
    ):
        assert arrow_array(values, pa.binary()).to_pylist() == [value and bytes(value) for value in values]


def test_slices_of_a_room_are_the_files_that_encode_gives() -> None:
    slices = [np.full((20, 30), value, np.int16)[::-1] for value in range(-3, 3)]
    room = Room(3 * len(encode(slices[0])) + 100)
    for _ in range(2):
        files = [encode_into(pixels, room) for pixels in slices]
        assert [isinstance(file, memoryview) for file in files] == [True] * 3 + [False] * 3, "the room is full"
        assert arrow_array(files, pa.binary()).to_pylist() == [encode(pixels) for pixels in slices]
        room.clear()
    assert encode_into(slices[0].astype(np.uint8), room) == encode(slices[0].astype(np.uint8))
