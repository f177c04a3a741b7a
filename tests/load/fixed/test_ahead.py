"""Blocks are read once each, a bounded number of them ahead, and the samples are the same."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, load_dataset, to_numpy
from covid_datasets.load.fixed import ahead, make
from covid_datasets.load.fixed.ahead import Span
from covid_datasets.load.fixed.order import WINDOW_BLOCKS

SIDE, BLOCK = 8, 2
"""Two samples a block, of 42."""


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(make, "PIECE_BYTES", BLOCK * SIDE * SIDE)
    build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    return load_dataset("phantom", "small", "all", framework="numpy", cache_dir=tmp_path)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> list[Span]:
    """What is read, while it is read for real."""
    found: list[Span] = []
    real = ahead.read

    def read(wanted: list[Span]) -> None:
        found.extend(wanted)
        real(wanted)

    monkeypatch.setattr(ahead, "read", read)
    return found


def readers() -> list[threading.Thread]:
    """List the threads that read ahead; others may end at any time."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("read ahead")]


def epoch(batches: Any) -> dict[str, bytes]:
    return {
        name: image.tobytes()
        for batch in batches
        for name, image in zip(batch["sample_id"], batch["image"], strict=True)
    }


def test_every_block_is_read_once_and_as_a_whole(rows: Any, spans: list[Span]) -> None:
    options: dict[str, Any] = {"image_size": SIDE, "batch_size": 4, "dtype": "uint8"}
    blocks = to_numpy(rows, shuffle="blocks", **options)
    found = epoch(blocks)
    assert found == epoch(to_numpy(rows, **options))
    sizes = [(last - first) // SIDE**2 for _, first, last in spans]
    assert sum(sizes) == len(rows)
    assert sizes.count(BLOCK) == len(rows) // BLOCK
    assert len(set(spans)) == len(spans)


def test_no_more_is_read_than_the_next_window(rows: Any, spans: list[Span]) -> None:
    batches = iter(to_numpy(rows, image_size=SIDE, batch_size=2, dtype="uint8", shuffle="blocks"))
    next(batches)
    assert len(spans) <= 2 * WINDOW_BLOCKS
    assert len(readers()) == 1
    batches.close()
    assert readers() == [], "the thread ends with the epoch"


def test_rows_of_a_filter_and_of_several_sources(rows: Any, spans: list[Span]) -> None:
    some = rows.select(range(1, 42, 3))
    options: dict[str, Any] = {"image_size": SIDE, "batch_size": 4, "dtype": "uint8"}
    assert epoch(to_numpy(some, shuffle="blocks", **options)) == epoch(to_numpy(some, **options))
    assert sum((last - first) // SIDE**2 for _, first, last in spans) == len(some)


def test_a_file_that_cannot_be_read_is_an_error(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = to_numpy(rows, image_size=SIDE, batch_size=4, shuffle="blocks")

    def fail(_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ahead, "read", fail)
    with pytest.raises(OSError, match="Input/output error"):
        list(batches)


def test_it_reads_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(np.arange(100, dtype=np.uint8).tobytes())
    assert ahead.read([(file, 10, 20), (file, 90, 200)]) == 20
