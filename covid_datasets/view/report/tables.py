"""`qc.csv` and `id_map.csv` of several builds in one folder; every build has its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from covid_datasets.columns import CONTENT, GROUP
from covid_datasets.disk import make_folder, refused
from covid_datasets.load.stored import StoredGroups, open_table
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.sheets import FILE, STORED, write_sheets

_BATCH = 1 << 14


def save_tables(builds: Sequence[Built], folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write both tables of some builds into a folder, each whole or not at all; few rows are in memory at a time.

    Raises:
        CacheError: The place cannot be written.
    """
    target = Path(folder).expanduser()
    make_folder(target)
    told = (({name: getattr(each, name) for name in ("id", "version", "config")}, each) for each in builds)
    try:
        return write_sheets(target, ((of, _rows(built), built.manifest().get("notices", ())) for of, built in told))
    except OSError as error:
        raise refused(target, error) from error


def _rows(built: Built) -> Iterator[Mapping[str, Any]]:
    """Give the rows of each split, read some at a time; nothing of a table without samples."""
    if built.columns:
        return
    stored, groups, start = open_table(built), StoredGroups(built), 0
    for split, rows in built.splits.items():
        for begin in range(start, start + rows, _BATCH):
            some = stored.slice(begin, min(_BATCH, start + rows - begin))
            files = pc.coalesce(*(pc.struct_field(some[name], "path") for name in CONTENT)).to_pylist()
            names = groups.slice(begin, len(some)).to_pylist()
            for row, file, group in zip(some.select(STORED).to_pylist(), files, names, strict=True):
                yield row | {"split": split, FILE: file, GROUP: group}
        start += rows
