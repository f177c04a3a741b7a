"""Which rows of which builds a caller chose, whatever holds them: ours, or a dataset of Hugging Face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.errors import UsageError
from covid_datasets.load.rows import NumpyRows
from covid_datasets.load.selection import stored_groups
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.columnar import whole_numbers
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.seal import MANIFEST_FILE
from covid_datasets.splits.subset import GROUP

UNLABELLED = -1
"""The number of a label that nobody told."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Rows of one or more builds, in order; every column is an array, so that worker processes share its memory.

    Attributes:
        builds: The builds, each once.
        build_of: Which of them each row is of.
        rows: Its number in that build.
        labels: Numbers of classes, -1 where nobody told.
        ids: The sample ids.
        groups: A number for each group of rows that may show one person; ``None`` where nobody asked the build.
        label_names: The classes by their numbers.
    """

    builds: tuple[Built, ...]
    build_of: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    groups: np.ndarray | None
    label_names: tuple[str, ...]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def keep(self, kept: np.ndarray) -> Chosen:
        """Keep some of the rows."""
        groups = None if self.groups is None else self.groups[kept]
        columns = {name: getattr(self, name)[kept] for name in ("build_of", "rows", "labels", "ids")}
        return replace(self, groups=groups, **columns)


def chosen_of(ds: Any) -> Chosen:
    """Find the rows of anything that `load_dataset` returns for one split.

    Raises:
        UsageError: It is something else, or its rows are no longer those of a build.
    """
    rows = getattr(ds, "numpy_rows", ds)
    if isinstance(rows, NumpyRows):
        return _of_rows(rows)
    if type(ds).__module__.partition(".")[0] == "datasets" and hasattr(ds, "cache_files"):
        return _of_huggingface(ds)
    raise UsageError(
        "expected a split as load_dataset returns it with framework='hf', 'numpy' or 'torch', without streaming; "
        f"found {type(ds).__module__}.{type(ds).__name__}"
    )


def _of_rows(rows: NumpyRows) -> Chosen:
    builds = tuple({part.build.path: part.build for part in rows.parts}.values())
    if any(built.columns for built in builds):
        raise UsageError(f"{builds[0].id}: expected images, found a table without any")
    number = {built.path: position for position, built in enumerate(builds)}
    build_of = [np.full(len(part.rows), number[part.build.path]) for part in rows.parts]
    known = all(part.groups is not None for part in rows.parts)
    return Chosen(
        builds,
        np.concatenate(build_of) if build_of else np.empty(0, np.int64),
        np.concatenate([np.asarray(part.rows, np.int64) for part in rows.parts] or [np.empty(0, np.int64)]),
        _labels(rows.column("label")) if builds else np.empty(0, np.int64),
        _texts(rows.column("sample_id")) if builds else np.empty(0, np.dtypes.StringDType()),
        _codes(rows.column(GROUP)) if builds and known else None,
        rows.label_names,
    )


def _of_huggingface(ds: Any) -> Chosen:
    files = [Path(file["filename"]) for file in ds.cache_files]
    builds = _builds_below(files) if files or len(ds) else ()  # select([]) leaves no file
    for name in ("sample_id", "label"):
        if name not in ds.column_names:
            raise UsageError(f"expected the column {name!r}, found {', '.join(ds.column_names)}; load it as well")
    names = [name for name in ("sample_id", "label", GROUP) if name in ds.column_names]
    table: pa.Table = ds.select_columns(names).with_format("arrow")[:]
    ids = pc.cast(table.column("sample_id"), pa.string())
    build_of, rows = np.full(len(ids), -1), np.full(len(ids), -1, np.int64)
    for number, built in enumerate(builds):
        found = pc.index_in(ids, value_set=open_table(built).column("sample_id").combine_chunks())
        place = np.array([-1 if value is None else value for value in found.to_pylist()], np.int64)
        there = place >= 0
        build_of[there], rows[there] = number, place[there]
    if len(ids) and rows.min() < 0:
        where = ", ".join(f"{built.id}@{built.version}" for built in builds)
        raise UsageError(f"{ids[int(rows.argmin())]}: expected a row of a build, found none of this name in {where}")
    groups = table.column(GROUP) if GROUP in names else _groups(builds, build_of, rows)
    return Chosen(
        builds,
        build_of,
        rows,
        _labels(table.column("label")),
        _texts(ids),
        None if groups is None else _codes(groups),
        tuple(ds.features["label"].names),
    )


def _builds_below(files: Sequence[Path]) -> tuple[Built, ...]:
    """Open the builds that files are of; a file of no build holds rows that `map` or somebody else wrote."""
    stored = [file for file in files if file.name.startswith("data-")]
    folders = list(dict.fromkeys(file.parent.parent for file in stored))
    strange = [file for file in files if file not in stored and not _is_order(file)]
    strange += [folder for folder in folders if not (folder / MANIFEST_FILE).exists()]
    if strange or not folders:
        where = f" ({strange[0]})" if strange else ""
        raise UsageError(
            "expected the rows as load_dataset gives them, also after select, filter, shuffle or sort; found rows that "
            f"are in no build{where}: map, cast and the like write them anew. Make the batches first, and change these"
        )
    return tuple(map(Built.read, folders))


def _is_order(file: Path) -> bool:
    """Tell whether a file holds no rows, but only their order, which is one column of numbers."""
    names: list[str] = pa.ipc.open_stream(pa.memory_map(str(file))).schema.names
    return names == ["indices"]


def _groups(builds: Sequence[Built], build_of: np.ndarray, rows: np.ndarray) -> pa.Array | None:
    """Take the groups of one build; those across several are known only to the column of a joint dataset."""
    if len(builds) != 1 or (groups := stored_groups(builds[0])) is None:
        return None
    return groups.take(whole_numbers(rows))


def _labels(column: pa.ChunkedArray) -> np.ndarray:
    return np.array([UNLABELLED if value is None else value for value in column.to_pylist()], np.int64)


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), np.dtypes.StringDType())


def _codes(column: Any) -> np.ndarray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.array(array.dictionary_encode().indices.to_pylist(), np.int64)
