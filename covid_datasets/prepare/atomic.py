"""Arrow files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.prepare.columnar import record_batch


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
