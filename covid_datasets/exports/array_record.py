"""ArrayRecord: the records of TFRecord, each found by its number, for ``as_data_source`` and Grain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from covid_datasets.errors import DamagedFileError
from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.tfrecord import write_records
from covid_datasets.extras import need

HOW = """With TensorFlow Datasets, which reads this format by number and in any order, and without TensorFlow:

```python
import tensorflow_datasets as tfds

rows = tfds.builder_from_directory("this/folder").as_data_source(split="{split}")
```
"""
_OPTIONS = "group_size:1,uncompressed"
"""Each record stands alone, and pictures are compressed already."""


class ArrayRecordFile:
    """An open file of the format ArrayRecord."""

    def __init__(self, path: Path) -> None:
        """Open a new file."""
        from array_record.python.array_record_module import ArrayRecordWriter

        self._path, self._count = path, 0
        self._writer: Any = ArrayRecordWriter(str(path), _OPTIONS)

    def write(self, payload: bytes) -> None:
        """Append a record."""
        self._writer.write(payload)
        self._count += 1

    def close(self) -> None:
        """Finish the file, and count what is in it."""
        from array_record.python.array_record_module import ArrayRecordReader

        self._writer.close()
        reader = ArrayRecordReader(str(self._path))
        found = reader.num_records()
        reader.close()
        if found != self._count:
            raise DamagedFileError(f"{self._path}: expected {self._count:,} records, found {found:,}")


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Write the splits as files of records, and what TensorFlow Datasets needs to read them."""
    need("array_record")
    write_records(data, folder, "array_record", ArrayRecordFile, shard_bytes)
