"""Parquet: ``<split>-00000-of-0000N.parquet``, read by pandas, Polars, DuckDB, Spark and Hugging Face alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from covid_datasets.exports.exportable import Exportable
from covid_datasets.exports.shards import Shards

HOW = """```python
import pandas
rows = pandas.read_parquet(".")  # or Polars, DuckDB, Spark

import datasets
rows = datasets.load_dataset("parquet", data_files={{"{split}": "{split}-*.parquet"}})
```

An image is a struct of its encoded `bytes` and the `path` of its file."""
GROUP_ROWS = 1 << 14
"""Rows of a row group, the least that a reader fetches, where they are small; else it is a batch of the split."""


def write(data: Exportable, folder: Path, *, shard_bytes: int) -> None:
    """Write the splits as Parquet files, with the features of Hugging Face in their schema."""
    write_splits(data, folder, shard_bytes, {name: name for name in data.splits})


def write_splits(data: Exportable, folder: Path, shard_bytes: int, names: Mapping[str, str]) -> None:
    """Write each split that is named, under the name that it is given."""
    options = _options(data.features)

    def open_file(path: Path) -> pq.ParquetWriter:
        return pq.ParquetWriter(path, data.features, **options)

    for name, renamed in names.items():
        shards = Shards(folder, renamed, ".parquet", open_file, shard_bytes)
        for batch in data.splits[name].batches(GROUP_ROWS):
            shards.writer().write_batch(batch, row_group_size=batch.num_rows)
        shards.finish()


def _options(schema: pa.Schema) -> dict[str, object]:
    """Encoded pictures do not get smaller by another compression, and nobody searches in them."""
    leaves = [leaf for column in schema for leaf in _leaves(column.name, column.type)]
    small = [path for path, kind in leaves if not pa.types.is_binary(kind)]
    return {
        "compression": {path: "ZSTD" if path in small else "NONE" for path, _ in leaves},
        "use_dictionary": small,
        "write_statistics": small,
        "store_schema": True,
    }


def _leaves(path: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    if pa.types.is_struct(kind):
        for inner in kind:
            yield from _leaves(f"{path}.{inner.name}", inner.type)
    elif pa.types.is_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    else:
        yield path, kind
