"""Arrow files that are whole or not there."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from covid_datasets.disk import whole
from covid_datasets.prepare.columnar import record_batch


class _Hashing(io.RawIOBase):
    """Passes on what is written, and hashes it on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()


@dataclass(frozen=True, slots=True)
class Sink:
    """An open Arrow stream."""

    writer: pa.RecordBatchStreamWriter
    schema: pa.Schema
    file: _Hashing

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows as one batch."""
        if rows:
            self.writer.write_batch(record_batch(rows, self.schema))

    def write_table(self, table: pa.Table) -> None:
        """Append a table."""
        self.writer.write_table(table)

    def sha256(self) -> str:
        """Return the hash of what was written; of the whole file when it is closed."""
        return self.file.digest.hexdigest()


@contextmanager
def arrow_file(path: Path, schema: pa.Schema) -> Iterator[Sink]:
    """Write an Arrow stream file, which has its name only when it is whole and on the disk.

    >>> path = getfixture("tmp_path") / "a.arrow"
    >>> with arrow_file(path, pa.schema([("a", pa.string())])) as sink:
    ...     sink.write([{"a": "x"}])
    >>> pa.ipc.open_stream(path.read_bytes()).read_all().to_pydict()
    {'a': ['x']}
    >>> sink.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
    True
    """
    with whole(path) as private, private.open("wb") as raw:
        file = _Hashing(raw)
        with pa.ipc.new_stream(file, schema) as writer:
            yield Sink(writer, schema, file)
