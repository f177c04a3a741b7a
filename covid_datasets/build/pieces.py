"""What a worker does: read the rows of one piece, measure each image once, write the piece atomically."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.build.columnar import record_batch
from covid_datasets.build.measure import Measured, UndecodableError, measure, measure_pixels
from covid_datasets.build.plan import Piece
from covid_datasets.build.result import Verify
from covid_datasets.build.rows import INDEX_SCHEMA, index_row, stored_row
from covid_datasets.errors import DamagedFileError, IntegrityError, NotThereError
from covid_datasets.features import arrow_schema
from covid_datasets.fetch.raw import RawFiles
from covid_datasets.formats.encode import encode, extension
from covid_datasets.schema import File, Notice, Parts, Record, Rows

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
    raw: RawFiles
    folder: str
    verify: Verify
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task; the rows are on disk."""

    number: int
    bytes: int


class _DroppedError(Exception):
    """A row that cannot be in the dataset; becomes a notice."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.what)
        self.notice = notice


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
    told = {"notices": json.dumps([[note.kind, note.where, note.what, note.dropped] for note in notices])}
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
            data, measured = _content(task, record)
            masks, lost = _masks(task, record, data)
        except _DroppedError as dropped:
            yield dropped.notice
            continue
        yield from lost
        row = stored_row(task.dataset, record, data, masks, measured)
        size = len(data) + sum(map(len, masks.values()))
        yield row, index_row(number * PARTS, record, row, size, measured)


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
            own = replace(record, sample_id=f"{record.sample_id}/{part.id}", image=image, masks=masks, **part.fields)
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


class CheckedFiles:
    """The raw files as a function of parts or rows sees them: what it reads is what the manifest says, or an error."""

    def __init__(self, raw: RawFiles) -> None:
        self._raw = raw

    def has(self, path: str) -> bool:
        """Tell whether a raw file is there."""
        return self._raw.has(path)

    def read(self, path: str) -> bytes:
        """Return the bytes of a raw file that is whole, else raise a `DamagedFileError`."""
        try:
            data = _read(self._raw, File(path), "damaged file")
            if self._raw.identity(path):
                _check_identity(self._raw, path, data, hashlib.sha256(data).hexdigest())
        except _DroppedError as dropped:
            raise DamagedFileError(f"{path}: {dropped.notice.what}") from dropped
        return data


def _content(task: Task, record: Record) -> tuple[bytes, Measured]:
    reference = record.content
    if reference is None or isinstance(reference, Parts | Rows):
        return b"", Measured(sha256="")
    data = _read(task.raw, reference, "damaged file")
    sha256 = hashlib.sha256(data).hexdigest()
    _check_identity(task.raw, reference.path, data, sha256)
    if task.verify == "bytes":
        return data, Measured(sha256)
    try:
        if record.volume is not None:
            from covid_datasets.formats.nifti import measure_volume  # an extra, of which most sources need nothing

            return data, measure_volume(data, sha256, reference.path)
        if record.video is not None:
            from covid_datasets.formats.video import measure_video

            return data, measure_video(data, sha256, reference.path)
        return data, measure(data, sha256, reference.path)
    except UndecodableError as error:
        raise _DroppedError(Notice("undecodable (poor)", reference.path, str(error), dropped=True)) from error


def _read(raw: RawFiles, reference: Any, kind: str) -> bytes:
    try:
        data: bytes = reference.read(raw)
    except (IntegrityError, NotThereError, FileNotFoundError) as error:
        raise _DroppedError(Notice(kind, reference.path, str(error), dropped=True)) from error
    if not data:
        raise _DroppedError(Notice("empty file", reference.path, "expected an image, found 0 bytes", dropped=True))
    return data


def _check_identity(raw: RawFiles, path: str, data: bytes, sha256: str) -> None:
    identity = raw.identity(path)
    wrong = identity and identity.mismatch(data, sha256)
    if wrong:
        raise _DroppedError(Notice("changed or damaged", path, f"{wrong} ({len(data):,} bytes)", dropped=True))


def _masks(task: Task, record: Record, image: bytes) -> tuple[dict[str, bytes], list[Notice]]:
    """Read the masks; one that is missing, damaged or not on the voxels of its image is told, and the image stays."""
    found: dict[str, bytes] = {}
    lost: list[Notice] = []
    for name, reference in sorted({**record.masks, **record.volume_masks}.items()):
        try:
            data = _read(task.raw, reference, "damaged mask")
            if isinstance(reference, File):
                _check_identity(task.raw, reference.path, data, hashlib.sha256(data).hexdigest())
            if record.volume is not None and name in record.volume_masks and task.verify == "full":
                from covid_datasets.formats.masks import check_mask  # an extra, of which most sources need nothing

                lost += check_mask(image, record.volume.path, data, reference.path)
            found[name] = data
        except (_DroppedError, DamagedFileError) as error:
            what = error.notice.what if isinstance(error, _DroppedError) else str(error)
            lost.append(Notice("mask not usable", reference.path, what))
    return found, lost


class AtomicArrow:
    """An Arrow stream file that has its name only when it is whole and, if it is to be durable, on the disk."""

    def __init__(self, path: Path, schema: pa.Schema, *, durable: bool = True) -> None:
        self._durable = durable
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.{id(self):x}.part")
        self._schema = schema

    def __enter__(self) -> AtomicArrow:
        """Open the temporary file."""
        self._sink = pa.OSFile(str(self._part), "wb")
        self._writer = pa.ipc.new_stream(self._sink, self._schema)
        return self

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows as one batch."""
        if rows:
            self._writer.write_batch(record_batch(rows, self._schema))

    def write_table(self, table: pa.Table) -> None:
        """Append a table."""
        self._writer.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give the file its name, or remove it after an error."""
        try:
            if kind is None:
                self._writer.close()
            self._sink.close()
            if kind is None:
                if self._durable:
                    with self._part.open("rb") as written:
                        os.fsync(written.fileno())
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)


def read_piece_index(folder: Path, number: int) -> tuple[pa.Table, list[Notice]]:
    """Read the index of a finished piece, and its notices."""
    with pa.memory_map(str(index_path(folder, number))) as source:
        table = pa.ipc.open_stream(source).read_all()
    told = json.loads((table.schema.metadata or {}).get(b"notices", b"[]"))
    return table, [Notice(kind, where, what, dropped) for kind, where, what, dropped in told]


def is_finished(folder: Path, number: int) -> bool:
    """Tell whether a piece is whole: its index is, which is written after it."""
    try:
        read_piece_index(folder, number)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True
