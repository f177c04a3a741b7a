"""Open the Arrow files of a build, memory-mapped."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from covid_datasets.prepare.result import Built


def split_files(build: Path, split: str) -> list[Path]:
    """List the files of a split, in order, as ``datasets`` reads them from ``state.json``."""
    state = json.loads((build / split / "state.json").read_text(encoding="utf-8"))
    return [build / split / file["filename"] for file in state["_data_files"]]


def open_table(build: Built) -> pa.Table:
    """Map all rows of a build: train, validation, test, one after the other."""
    return _open(build.path, tuple(build.splits))


@lru_cache(maxsize=8)
def _open(path: Path, splits: tuple[str, ...]) -> pa.Table:
    files = [file for split in splits for file in split_files(path, split)]
    return pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(file))).read_all() for file in files])
