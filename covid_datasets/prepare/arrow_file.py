"""Arrow files that are whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.disk import whole
from covid_datasets.prepare.columnar import record_batch

_BUFFER_BYTES = 1 << 18
"""The many small pieces of a batch are written together."""


@dataclass(frozen=True, slots=True)
class Sink:
    """An open Arrow stream."""

    writer: pa.RecordBatchStreamWriter
    schema: pa.Schema

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Append rows as one batch."""
        if rows:
            self.writer.write_batch(record_batch(rows, self.schema))

    def write_table(self, table: pa.Table) -> None:
        """Append a table."""
        self.writer.write_table(table)


@contextmanager
def arrow_file(path: Path, schema: pa.Schema) -> Iterator[Sink]:
    """Write an Arrow stream file, which has its name only when it is whole; a power cut may still take it.

    >>> path = getfixture("tmp_path") / "a.arrow"
    >>> with arrow_file(path, pa.schema([("a", pa.string())])) as sink:
    ...     sink.write([{"a": "x"}])
    >>> pa.ipc.open_stream(path.read_bytes()).read_all().to_pydict()
    {'a': ['x']}
    """
    with (
        whole(path, durable=False) as private,
        pa.output_stream(str(private), buffer_size=_BUFFER_BYTES) as file,
        pa.ipc.new_stream(file, schema) as writer,
    ):
        yield Sink(writer, schema)
