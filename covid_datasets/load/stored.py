"""Open the Arrow files of a build, memory-mapped: as one table, or batch by batch where only some rows are wanted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.columns import GROUP, INDEX_FILE
from covid_datasets.prepare.disjoint import check_disjoint
from covid_datasets.prepare.result import Built, split_files

Reader = Callable[[int], Any]
"""Gives the value of a row of a batch."""
_BATCHES_READY = 2048
"""Batches of a split whose columns stay unpacked."""


def open_table(build: Built) -> pa.Table:
    """Map all rows of a build: train, validation, test, one after the other."""
    return _open(build.path, tuple(build.splits))


@lru_cache(maxsize=8)
def _open(path: Path, splits: tuple[str, ...]) -> pa.Table:
    files = [file for split in splits for file in split_files(path, split)]
    return pa.concat_tables([pa.ipc.open_stream(pa.memory_map(str(file))).read_all() for file in files])


class StoredGroups:
    """The name of the group of every row of a build, as its index has it, read when the first one is asked for."""

    def __init__(self, build: Built) -> None:
        """Take a build; nothing is opened yet, so this is cheap to send to workers."""
        self._folder = build.path

    def __getitem__(self, row: int) -> pa.Scalar:
        """Return the group of a row."""
        return _stored_groups(self._folder)[row]

    def take(self, rows: pa.Array) -> pa.Array:
        """Return the groups of some rows."""
        return _stored_groups(self._folder).take(rows)

    def slice(self, start: int, count: int | None = None) -> pa.Array:
        """Return the groups of rows that are stored one after the other."""
        return _stored_groups(self._folder).slice(start, count)


@lru_cache(maxsize=8)
def _stored_groups(build: Path) -> pa.Array:
    index = pa.ipc.open_file(pa.memory_map(str(build / INDEX_FILE))).read_all()
    if GROUP in index.column_names:
        groups = index.column(GROUP).combine_chunks()
    else:  # a build of an earlier release, whose index lacks the names
        from covid_datasets.prepare.columnar import arrow_array
        from covid_datasets.splits.index import Index

        groups = arrow_array(Index(index).stored_group_ids, pa.string())
    samples = index.column("sample_id").to_pylist
    check_disjoint(str(build / INDEX_FILE), index.column("split").to_pylist(), groups.to_pylist(), samples)
    return groups


class Columns:
    """Some columns of a build, by row. A split is opened when one of its rows is asked for, and no other column is."""

    def __init__(self, build: Built, names: Sequence[str]) -> None:
        """Take the columns that are wanted, in order; nothing is opened yet."""
        self._build, self._names = build, tuple(names)
        self._ends = list(accumulate(build.splits.values()))
        self._splits: dict[int, _Split] = {}

    def row(self, number: int) -> dict[str, Any]:
        """Return a row as plain values; rows are counted through all splits."""
        at = bisect_right(self._ends, number)
        return self._split(at).row(number - (self._ends[at - 1] if at else 0))

    def open(self) -> None:
        """Open all splits now."""
        for at in range(len(self._ends)):
            self._split(at)

    def _split(self, at: int) -> _Split:
        if at not in self._splits:
            self._splits[at] = _Split(self._build.path, list(self._build.splits)[at], self._names)
        return self._splits[at]


class _Split:
    """The batches of one split: which of them holds a row is found by bisection, and only that one is read."""

    def __init__(self, build: Path, split: str, names: Sequence[str]) -> None:
        self._names, self._wanted = names, frozenset(names)
        self._places: list[tuple[pa.Buffer, pa.Schema, int]] = []
        self._ends: list[int] = []
        for file in split_files(build, split):
            self._add(pa.memory_map(str(file)))
        # One for each object, and not on the function, where it would keep all objects alive.
        self._ready = lru_cache(maxsize=_BATCHES_READY)(self._unpack)

    def _add(self, file: pa.MemoryMappedFile) -> None:
        """Note where the batches of a file begin. Of each, one column is looked at: a batch of all takes 90 kB."""
        mapped = file.read_buffer()
        schema = pa.ipc.read_schema(mapped)
        file.seek(0)
        stream = pa.ipc.open_stream(file, options=pa.ipc.IpcReadOptions(included_fields=[0]))
        place = file.tell()
        for batch in stream:
            self._places.append((mapped, schema, place))
            self._ends.append((self._ends[-1] if self._ends else 0) + batch.num_rows)
            place = file.tell()

    def row(self, number: int) -> dict[str, Any]:
        at = bisect_right(self._ends, number)
        blank, readers = self._ready(at)
        place = number - (self._ends[at - 1] if at else 0)
        row = dict(blank)
        for name, read in readers:
            row[name] = read(place)
        return row

    def _unpack(self, number: int) -> tuple[dict[str, Any], list[tuple[str, Reader]]]:
        mapped, schema, place = self._places[number]
        batch = pa.ipc.read_record_batch(pa.ipc.read_message(mapped.slice(place)), schema)
        found = zip(schema.names, batch.columns, strict=True)
        told = [(name, reader(column)) for name, column in found if name in self._wanted]
        return dict.fromkeys(self._names), [(name, read) for name, read in told if read is not None]


def reader(column: pa.Array) -> Reader | None:
    """Say how to read a value of a column; ``None`` where all of it is null, as most columns of most sources are.

    The parts of a struct are read one by one for the same reason: of thirty measurements a source tells a few.

    >>> read = reader(pa.array([{"a": 1, "b": None}, {"a": 2, "b": None}]))
    >>> read(1), reader(pa.array([None, None]))
    ({'a': 2, 'b': None}, None)
    """
    if column.null_count == len(column):
        return None
    if not isinstance(column, pa.StructArray) or column.null_count:
        return lambda row: column[row].as_py()
    names = [field.name for field in column.type]
    parts = zip(names, map(reader, column.flatten()), strict=True)
    told = [(name, read) for name, read in parts if read is not None]

    def read_struct(row: int) -> dict[str, Any]:
        value = dict.fromkeys(names)
        for name, read in told:
            value[name] = read(row)
        return value

    return read_struct
