"""What a worker does: read the rows of one piece, measure each once, write it and, to mark its end, its index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.errors import DamagedFileError
from covid_datasets.features import arrow_schema
from covid_datasets.measure.image import Measured, measure_pixels
from covid_datasets.prepare.atomic import AtomicArrow
from covid_datasets.prepare.contents import CheckedFiles, DroppedError, read_content, read_masks
from covid_datasets.prepare.plan import Piece
from covid_datasets.prepare.result import Verify
from covid_datasets.prepare.rows import INDEX_SCHEMA, index_row, stored_row
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.encode import encode, extension
from covid_datasets.schema import File, Notice, Part, Parts, Record

BATCH_BYTES = 4 << 20
"""Rows are handed to Arrow in batches of this size: with the largest image, the memory of a worker."""
PARTS = 1 << 20
"""Rows are numbered by record and by part, so that no number depends on how many parts another record has."""

Row = tuple[dict[str, Any], dict[str, Any]]
"""A stored row and its row of the index."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work, small enough to send to any process or machine; ``columns`` are those of a table."""

    dataset: str
    piece: Piece
    raw: RawTree
    folder: str
    verify: Verify
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task; the rows are on disk."""

    number: int
    bytes: int


def data_path(folder: Path, number: int) -> Path:
    """Name the file of a piece's rows."""
    return folder / f"piece-{number:05d}.arrow"


def index_path(folder: Path, number: int) -> Path:
    """Name the file of a piece's index; it is written last, so it marks the piece as finished."""
    return folder / f"piece-{number:05d}.index.arrow"


def write_piece(task: Task) -> Done:
    """Write one piece: its rows, then, as the mark that it is whole, its index with the notices."""
    folder = Path(task.folder)
    notices: list[Notice] = []
    index: list[dict[str, Any]] = []
    total = 0
    with AtomicArrow(data_path(folder, task.piece.number), arrow_schema()) as sink:
        held = 0
        rows: list[dict[str, Any]] = []
        for item in piece_rows(task):
            if isinstance(item, Notice):
                notices.append(item)
                continue
            row, index_entry = item
            rows.append(row)
            index.append(index_entry)
            held += index_entry["bytes"]
            if held >= BATCH_BYTES:
                sink.write(rows)
                total, held, rows = total + held, 0, []
        sink.write(rows)
        total += held
    write_piece_index(folder, task.piece.number, index, notices)
    return Done(task.piece.number, total)


def write_piece_index(folder: Path, number: int, index: list[dict[str, Any]], notices: Sequence[Notice]) -> None:
    """Mark a piece as finished, with the notices of its worker."""
    told = {"notices": json.dumps([astuple(note) for note in notices])}
    # Not forced to the disk: if a power cut takes it, the piece counts as unfinished and is written again.
    with AtomicArrow(index_path(folder, number), INDEX_SCHEMA.with_metadata(told), durable=False) as sink:
        sink.write(index)


def piece_rows(task: Task) -> Iterator[Row | Notice]:
    """Yield each row of a piece with its index row; a notice for each that had to be dropped."""
    for number, record in task.piece.rows:
        if isinstance(record.image, Parts):
            yield from part_rows(task, number * PARTS, record, record.image)
            continue
        try:
            data, measured = read_content(task.raw, record, task.verify)
            masks, lost = read_masks(task.raw, record, task.verify, data, measured)
        except DroppedError as dropped:
            yield dropped.notice
            continue
        yield from lost
        row = stored_row(task.dataset, record, data, masks, measured)
        size = len(data) + sum(map(len, masks.values()))
        yield row, index_row(number * PARTS, record, row, size, measured, typical=record.typical)


def part_rows(task: Task, first: int, record: Record, parts: Parts) -> Iterator[Row | Notice]:
    """Yield the rows of all parts of a record, whose files are read once."""
    count = 0
    try:
        for part in parts.function(CheckedFiles(task.raw), *parts.arguments):
            if isinstance(part, Notice):
                yield part
                continue
            image = File(part.path + extension(part.pixels))
            masks = {name: File(f"{part.path}.{name}{extension(mask)}") for name, mask in part.masks.items()}
            own = replace(
                record,
                sample_id=_sample_id(record, part),
                image=image,
                masks=masks,
                **part.fields,
            )
            data = encode(part.pixels)
            encoded = {name: encode(mask) for name, mask in part.masks.items()}
            sha256 = hashlib.sha256(data).hexdigest()
            measured = Measured(sha256) if task.verify == "bytes" else measure_pixels(part.pixels, sha256, image.path)
            row = stored_row(task.dataset, own, data, encoded, measured)
            size = len(data) + sum(map(len, encoded.values()))
            # Above the lungs and below them slices are blank, and so the same in everybody.
            blank = measured.quality == "poor" or int(part.pixels.max()) == int(part.pixels.min())
            yield (
                row,
                index_row(first + count, own, row, size, measured, typical=part.typical and not blank, blank=blank),
            )
            count += 1
    except DamagedFileError as error:
        kept = f"; {count} parts before it are kept" if count else ""
        yield Notice("damaged file", parts.path, f"{error}{kept}", dropped=True)


def _sample_id(record: Record, part: Part) -> str:
    """Name the sample of a part; a part without an id is all that its record has."""
    return f"{record.sample_id}/{part.id}" if part.id else record.sample_id


def read_piece_index(folder: Path, number: int) -> tuple[pa.Table, list[Notice]]:
    """Read the index of a finished piece, and its notices."""
    with pa.memory_map(str(index_path(folder, number))) as source:
        table = pa.ipc.open_stream(source).read_all()
    told = json.loads((table.schema.metadata or {}).get(b"notices", b"[]"))
    return table, [Notice(*values) for values in told]


def is_finished(folder: Path, number: int) -> bool:
    """Tell whether a piece is whole: its index is, which is written after it."""
    try:
        read_piece_index(folder, number)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True
