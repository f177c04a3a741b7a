"""Arrays of NumPy that somebody else wrote: numbers or a clear error, and no pickle is ever opened."""

from __future__ import annotations

import io
import pickle
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.arrays import read_npy
from tests.raws import Files


def npy(array: np.ndarray, **options: Any) -> bytes:
    np.save(out := io.BytesIO(), array, **options)
    return out.getvalue()


def read(data: bytes, shape: tuple[int | None, ...] = (None, 3)) -> np.ndarray:
    return read_npy(Files({"a.npy": data}), "a.npy", shape)


@pytest.mark.parametrize("kind", ["<i8", ">i4", "u1", "<f4", "?"])
def test_numbers_of_every_kind_and_order(kind: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(kind)
    assert np.array_equal(read(npy(array)), array)
    assert np.array_equal(read(npy(np.asfortranarray(array))), array)
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=(2, 0))
    assert np.array_equal(read(out.getvalue()), array)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "x"))


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    for data in (npy(np.array([Trap(trap)], object), allow_pickle=True), pickle.dumps(Trap(trap))):
        with pytest.raises(DamagedFileError, match=r"a\.npy"):
            read(data)
    assert not trap.exists()


def test_another_shape_is_named() -> None:
    with pytest.raises(DamagedFileError, match="expected any x 3 numbers, found 3 x 2"):
        read(npy(np.zeros((3, 2))))
    with pytest.raises(DamagedFileError, match="expected any x 3 numbers, found one"):
        read(npy(np.array(1.0)))


def test_a_header_that_promises_more_takes_no_memory() -> None:
    data = npy(np.zeros((2, 3))).replace(b"(2, 3), }        ", b"(200000000000, 3),}"[:19].ljust(17))
    tracemalloc.start()
    with pytest.raises(DamagedFileError, match=r"a\.npy"):
        read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 175), st.binary(min_size=0, max_size=6))
def test_any_bytes_give_numbers_or_a_clear_error(place: int, wrong: bytes) -> None:
    data = bytearray(npy(np.arange(6.0).reshape(2, 3)))
    data[place : place + len(wrong) + 1] = wrong
    with suppress(DamagedFileError):
        assert read(bytes(data)).shape[1] == 3
