"""What a worker does: read the rows of one piece, measure each once, write it and, to mark its end, its index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Any, Protocol

import pyarrow as pa

from covid_datasets.errors import DamagedFileError, InvalidRecordError
from covid_datasets.features import arrow_schema
from covid_datasets.measure.image import Measured, measure_pixels
from covid_datasets.prepare.arrow_file import Sink, arrow_file
from covid_datasets.prepare.contents import CheckedFiles, DroppedError, read_content, read_masks
from covid_datasets.prepare.place import INDEX, ROWS, Place
from covid_datasets.prepare.plan import MIN_BATCH_BYTES, Piece
from covid_datasets.prepare.result import Verify
from covid_datasets.prepare.rows import PIECE_SCHEMA, index_row, stored_row
from covid_datasets.prepare.valid import problems_of
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.bounds import allowing
from covid_datasets.read.encode import Room, digest, encode, encode_into, extension
from covid_datasets.schema import File, Notice, Part, Parts, Record

PARTS = 1 << 20
"""Rows are numbered by record and by part, so that no number depends on how many parts another record has."""

_ROOM_BYTES = 1 << 20
"""What a batch takes beyond its bytes at most, in memory that is used again: a batch is full after its last row."""

Row = tuple[dict[str, Any], dict[str, Any]]
"""A stored row and its row of the index."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work, small enough to send to any process or machine; ``columns`` are those of a table.

    ``max_voxels`` is what the card allows a volume where that is more than any file may hold. Rows are handed to Arrow
    in batches of ``batch_bytes``: with the largest image, the memory of a worker.
    """

    dataset: str
    piece: Piece
    raw: RawTree
    verify: Verify
    columns: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None
    max_voxels: int = 0
    batch_bytes: int = MIN_BATCH_BYTES


class Work(Protocol):
    """Anything that becomes one piece."""

    @property
    def piece(self) -> Piece:
        """Its number, its split, and about how large it becomes."""
        ...

    @property
    def place(self) -> Place | None:
        """Where it goes."""
        ...


class PieceWriter:
    """Writes a piece, its rows and its index with the notices; its place gives it its name when both are whole."""

    def __init__(self, task: Work, schema: pa.Schema, index_schema: pa.Schema = PIECE_SCHEMA) -> None:
        assert task.place is not None, "who streams has nowhere to write"
        self._place, self._number = task.place, task.piece.number
        self._schema, self._index_schema = schema, index_schema
        self.index: list[dict[str, Any]] = []
        self.notices: list[Notice] = []

    @contextmanager
    def open(self) -> Iterator[Sink]:
        """Open the file of the rows; the piece is published when the block ends well."""
        with self._place.writing(self._number) as private:
            with arrow_file(private / ROWS, self._schema) as sink:
                yield sink
            told = {"notices": json.dumps([astuple(note) for note in self.notices])}
            with arrow_file(private / INDEX, self._index_schema.with_metadata(told)) as sink:
                sink.write(self.index)


def write_piece(task: Task) -> int:
    """Write one piece of samples; return its number."""
    piece = PieceWriter(task, arrow_schema())
    room = Room(task.batch_bytes + _ROOM_BYTES)
    with piece.open() as sink:
        held = 0
        rows: list[dict[str, Any]] = []
        for item in piece_rows(task, room):
            if isinstance(item, Notice):
                piece.notices.append(item)
                continue
            row, index_entry = item
            rows.append(row)
            piece.index.append(index_entry)
            held += index_entry["bytes"]
            if held >= task.batch_bytes:
                sink.write(rows)
                held, rows = 0, []
                room.clear()
        sink.write(rows)
    return task.piece.number


def piece_rows(task: Task, room: Room | None = None) -> Iterator[Row | Notice]:
    """Yield each row of a piece with its index row; a notice for each that had to be dropped.

    With a ``room`` slices are in it, so rows hold what they held only until it is cleared.
    """
    return allowing(task.max_voxels, _rows(task, room))


def _rows(task: Task, room: Room | None) -> Iterator[Row | Notice]:
    for number, record in task.piece.rows:
        if isinstance(record.image, Parts):
            yield from part_rows(task, number * PARTS, record, record.image, room)
            continue
        try:
            record, told = completed(task.raw, record)
            yield from told
            data, measured = read_content(task.raw, record, task.verify)
            masks, lost = read_masks(task.raw, record, task.verify, data, measured)
        except DroppedError as dropped:
            yield dropped.notice
            continue
        yield from lost
        measured = measured.told(record.quality_reasons)
        row = stored_row(task.dataset, record, data, masks, measured)
        size = len(data) + sum(map(len, masks.values()))
        yield row, index_row(number * PARTS, record, row, size, measured, typical=record.typical)


def part_rows(task: Task, first: int, record: Record, parts: Parts, room: Room | None = None) -> Iterator[Row | Notice]:
    """Yield the rows of all parts of a record, whose files are read once."""
    count = 0
    try:
        for part in parts.function(CheckedFiles(task.raw), *parts.arguments):
            if isinstance(part, Notice):
                yield part
                continue
            path = part.path + extension(part.pixels)
            own = part_record(record, part, path)
            data = encode_into(part.pixels, room)
            encoded = {name: encode(mask) for name, mask in part.masks.items()}
            sha256 = digest(data, part.pixels)
            measured = Measured(sha256) if task.verify == "bytes" else measure_pixels(part.pixels, sha256, path)
            measured = measured.told(own.quality_reasons)
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
        yield Notice("damaged file", parts.path, f"{error}{kept}", dropped=True, lost=True)


_PART_FIELDS = {each.name for each in fields(Record)} - {
    "sample_id", "image", "volume", "video", "rows", "masks", "volume_masks", "ties", "beside",
}  # fmt: skip
_BESIDE_FIELDS = _PART_FIELDS - {"patient", "study", "label", "survival", "modality", "official_split", "license"}
"""What files beside a sample may fill: nothing that the plan has used by then."""


def completed(raw: RawTree, record: Record) -> tuple[Record, list[Notice]]:
    """Fill the fields of a record that files beside its sample say; a file that cannot be read is told.

    Raises:
        InvalidRecordError: There is no such field, the plan has used it, or a value is none that it may have.
    """
    if record.beside is None:
        return record, []
    filled: dict[str, Any] = {}
    told: list[Notice] = []
    try:
        for found in record.beside.function(CheckedFiles(raw), *record.beside.arguments):
            if isinstance(found, Notice):
                told.append(found)
            else:
                filled |= found
    except DamagedFileError as error:
        told.append(Notice("file beside not usable", record.beside.path, str(error)))
    if unknown := sorted(set(filled) - _BESIDE_FIELDS):
        raise InvalidRecordError(
            f"sample {record.sample_id!r}, {record.beside.path}: fields: expected some of "
            f"{', '.join(sorted(_BESIDE_FIELDS))}, found {', '.join(unknown)}"
        )
    flags = tuple(dict.fromkeys((*record.flags, *filled.get("flags", ()))))
    whole = replace(record, **{**filled, "flags": flags}, beside=None)
    if problems := problems_of(whole, grouped=True):
        raise InvalidRecordError(f"sample {record.sample_id!r}, {record.beside.path}: {'; '.join(problems)}")
    return whole, told


def part_record(record: Record, part: Part, path: str) -> Record:
    """Describe a part: as its record, but for the fields that are its own. Its flags come to those of the record.

    Raises:
        InvalidRecordError: There is no such field, or a part has none of its own.
    """
    if unknown := sorted(set(part.fields) - _PART_FIELDS):
        raise InvalidRecordError(
            f"sample {record.sample_id!r}, part {part.id!r}: fields: expected some of "
            f"{', '.join(sorted(_PART_FIELDS))}, found {', '.join(unknown)}"
        )
    flags = tuple(dict.fromkeys((*record.flags, *part.fields.get("flags", ()))))
    return replace(
        record,
        # A part without an id is all that its record has.
        sample_id=f"{record.sample_id}/{part.id}" if part.id else record.sample_id,
        image=File(path),
        masks={name: File(f"{part.path}.{name}{extension(mask)}") for name, mask in part.masks.items()},
        **{**part.fields, "flags": flags},
    )
