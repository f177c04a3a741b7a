"""The indices of all pieces as one, in the order of the plan, and how the index of a finished build is written.

Looks are most of an index and are asked for now and then: they stay in the files of the pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.columns import GROUP, INDEX_FILE
from covid_datasets.disk import whole
from covid_datasets.prepare.columnar import arrow_array
from covid_datasets.prepare.place import Place
from covid_datasets.prepare.plan import Plan
from covid_datasets.prepare.rows import INDEX_SCHEMA, SHEET
from covid_datasets.prepare.sheets import STORED
from covid_datasets.schema import Notice
from covid_datasets.splits.index import LOOKS, Index

_BATCH_ROWS = 1 << 8
_OPEN = 4
"""Pieces whose looks are mapped at once."""


@dataclass(frozen=True)
class PieceIndex(Index):
    """The index of a build under way; ``numbers`` and ``offsets`` tell in which piece, and where, looks are."""

    place: Place | None = None
    numbers: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    offsets: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def stored_looks(self, row: int) -> pa.Scalar:
        """Return the looks of a row as its piece has them."""
        return self._of_piece(int(self.numbers[row])).column(LOOKS)[int(self.offsets[row])]

    def sheet_rows(self, splits: Sequence[str], order: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield what `prepare.sheets` needs of rows, in the order of the files, a batch at a time."""
        light = self.table.select([name for name in STORED if name in self.table.column_names])
        groups = self.group_ids
        for start in range(0, len(order), _BATCH_ROWS):
            rows = order[start : start + _BATCH_ROWS]
            for row, told in zip(rows, _take(light, rows).to_pylist(), strict=True):
                sheet = self._of_piece(int(self.numbers[row])).column(SHEET)
                yield told | sheet[int(self.offsets[row])].as_py() | {"split": splits[row], GROUP: groups[row]}

    def looks_by_part(self) -> Iterator[tuple[np.ndarray, pa.Array]]:
        """Yield rows with their looks, piece by piece."""
        order = np.lexsort((self.offsets, self.numbers))
        numbers = self.numbers[order]
        for number in np.unique(numbers).tolist():
            rows = order[np.searchsorted(numbers, number) : np.searchsorted(numbers, number, "right")]
            start = 0
            for chunk in self._of_piece(number).column(LOOKS).chunks:
                yield rows[start : start + len(chunk)], chunk
                start += len(chunk)

    @cached_property
    def _of_piece(self) -> Callable[[int], pa.Table]:
        place = self.place
        assert place is not None, "an index without pieces has no rows"
        return lru_cache(maxsize=_OPEN)(lambda number: place.index(number)[0].select([LOOKS, SHEET]))


def read_indices(plan: Plan, place: Place) -> tuple[PieceIndex, list[list[int]], list[Notice], list[Mapping[str, Any]]]:
    """Read what the workers found: the index in the order of the plan; of each piece the rows, notices and the seal."""
    light = INDEX_SCHEMA.remove(INDEX_SCHEMA.get_field_index(LOOKS))
    tables, rows, notices = [pa.Table.from_batches([], light)], list[list[int]](), list[Notice]()
    seals: list[Mapping[str, Any]] = []
    place.bring_indices(piece.number for piece in plan.pieces)
    for piece in plan.pieces:
        part, told, seal = place.index(piece.number)
        tables.append(part.select(light.names).replace_schema_metadata(None))
        rows.append(part.column("row").to_pylist())
        notices += told
        seals.append(seal)
    order = np.argsort(np.fromiter((row for of_piece in rows for row in of_piece), np.int64), kind="stable")
    counts = [len(of_piece) for of_piece in rows]
    numbers = np.repeat([piece.number for piece in plan.pieces], counts)
    offsets = np.arange(len(order)) - np.repeat(np.cumsum([0, *counts])[:-1], counts)
    table = _take(pa.concat_tables(tables), order.tolist())
    return PieceIndex(table, place=place, numbers=numbers[order], offsets=offsets[order]), rows, notices, seals


def write_index(index: PieceIndex, splits: Sequence[str], order: Sequence[int], final: Path) -> None:
    """Store the index in the order of the files, with the group and the split of each row.

    The name of the group is stored too: to work it out takes a second of who loads a million rows.
    """
    names, groups, group_ids = index.texts("sample_id"), index.groups, index.group_ids
    schema = INDEX_SCHEMA
    for name in ("split", "group", GROUP):
        schema = schema.append(pa.field(name, pa.string()))
    with (
        whole(final / INDEX_FILE, durable=False) as private,
        pa.OSFile(str(private), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for start in range(0, len(order), _BATCH_ROWS):
            rows = order[start : start + _BATCH_ROWS]
            columns = dict(zip(index.table.column_names, _take(index.table, rows).columns, strict=True))
            columns[LOOKS] = arrow_array([index.stored_looks(row).as_py() for row in rows], schema.field(LOOKS).type)
            columns["split"] = arrow_array([splits[row] for row in rows], pa.string())
            columns["group"] = arrow_array([names[groups[row]] for row in rows], pa.string())
            columns[GROUP] = arrow_array([group_ids[row] for row in rows], pa.string())
            writer.write_table(pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema))


def _take(table: pa.Table, rows: Sequence[int]) -> pa.Table:
    """Reorder a table with the system's allocator: Arrow's own takes several times the size of what it copies."""
    import pyarrow.compute as pc  # here, so that loading a finished build does without it

    return pc.take(table, arrow_array(rows, pa.int64()), memory_pool=pa.system_memory_pool())
