"""From pieces to splits: when pixels proved that rows belong to another split, only their pieces are rewritten.

Pieces are written under the split that the metadata promises. Duplicates that only the pixels show may move a
few rows; then the pieces that lose or gain rows are written again from the local pieces, never from the source.
All other pieces are linked into place as they are.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from covid_datasets.catalog.published import SPLITS
from covid_datasets.features import arrow_schema
from covid_datasets.prepare.arrow_file import arrow_file
from covid_datasets.prepare.place import Place
from covid_datasets.prepare.plan import MIN_BATCH_BYTES


@dataclass(frozen=True, slots=True)
class Layout:
    """For each split, the files to be, each a list of rows, and the piece to link where nothing changed."""

    files: dict[str, list[tuple[int | None, list[int]]]]

    def order(self) -> list[int]:
        """List all rows in stored order."""
        return [row for split in SPLITS for _, rows in self.files[split] for row in rows]


def lay_out(pieces: Sequence[tuple[str, list[int]]], split_of: dict[int, str]) -> Layout:
    """Decide the files of each split.

    ``pieces`` are (planned split, its rows), ``split_of`` the final split of each row that was kept. Rows stay in
    the order of the plan within a split, whatever the pieces were.

    >>> lay_out([("train", [0, 1]), ("test", [2])], {0: "train", 1: "test", 2: "test"}).files["test"]
    [(None, [1, 2])]
    """
    files: dict[str, list[tuple[int | None, list[int]]]] = {split: [] for split in SPLITS}
    origin = {row: number for number, (_, rows) in enumerate(pieces) for row in rows}
    for split in SPLITS:
        numbers = [number for number, (planned, rows) in enumerate(pieces) if planned == split and rows]
        wanted = sorted(row for row, final in split_of.items() if final == split)
        if not numbers:
            files[split] = [(None, wanted)] if wanted else []
            continue
        firsts = [pieces[number][1][0] for number in numbers]
        members: dict[int, list[int]] = {number: [] for number in numbers}
        for row in wanted:
            number = origin[row]
            if number not in members:  # moved here: joins the piece that spans its place
                number = numbers[max(bisect.bisect_right(firsts, row) - 1, 0)]
            members[number].append(row)
        for number, rows in members.items():
            if rows:
                files[split].append((number if rows == pieces[number][1] else None, rows))
    return Layout(files)


def write_splits(
    layout: Layout,
    place: Place,
    pieces: Sequence[tuple[str, list[int]]],
    target: Path,
    splits: Sequence[str] = SPLITS,
    schema: pa.Schema | None = None,
    batch_bytes: int = MIN_BATCH_BYTES,
) -> dict[str, list[str]]:
    """Link or write the files of every split; returns their names by split."""
    places = {row: (number, offset) for number, (_, rows) in enumerate(pieces) for offset, row in enumerate(rows)}
    names: dict[str, list[str]] = {}
    for split in splits:
        folder = target / split
        folder.mkdir(parents=True)
        files = layout.files[split] or [(None, [])]
        names[split] = [f"data-{number:05d}-of-{len(files):05d}.arrow" for number in range(len(files))]
        for name, (piece, rows) in zip(names[split], files, strict=True):
            if piece is not None:
                place.link(piece, folder / name)
            else:
                with arrow_file(folder / name, schema or arrow_schema()) as sink:
                    for batch in _batches(rows, places, place, batch_bytes):
                        sink.write_table(batch)
    return names


def _batches(rows: list[int], places: dict[int, tuple[int, int]], place: Place, batch_bytes: int) -> Iterator[pa.Table]:
    """Take rows from wherever they are, and put them together as they would have been written."""
    run: list[pa.Table] = []
    held = 0
    tables: dict[int, pa.Table] = {}
    for row in rows:
        number, offset = places[row]
        if number not in tables:
            tables[number] = pa.ipc.open_stream(pa.memory_map(str(place.rows_file(number)))).read_all()
        one = tables[number].slice(offset, 1)
        run.append(one)
        held += one.nbytes
        if held >= batch_bytes:
            yield pa.concat_tables(run).combine_chunks(memory_pool=pa.system_memory_pool())
            run, held = [], 0
    if run:
        yield pa.concat_tables(run).combine_chunks(memory_pool=pa.system_memory_pool())
