"""Which pictures are those of public sources: an index of hashes that comes with the catalog.

It holds the first 64 bits of each hash. With 15,000 pictures in it, each with three hashes, the chance that any of a
million other pictures is taken for a known one is 10^6 * 45,000 / 2^64, about 2 in a billion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from covid_datasets.audits.looks import Look
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError

FILE = "known.arrow"
BYTES = 8
"""Of each hash that are kept."""
KINDS = ("sha256", "git_sha1", "pixel_hash")
"""Hashes of the bytes, as everybody and as git make them, and of the decoded grey values."""
SCHEMA = pa.schema([("source", pa.string()), ("sample", pa.string()), *((kind, pa.binary(BYTES)) for kind in KINDS)])
SAID = {"sha256": "same bytes", "git_sha1": "same bytes", "pixel_hash": "same pixels"}


@dataclass(frozen=True, slots=True)
class Index:
    """All that is known, and for each kind of hash its sorted beginnings with the row of each."""

    table: pa.Table
    sorted: dict[str, tuple[NDArray[np.uint64], NDArray[np.int64]]]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources whose pictures are known."""
        return tuple(sorted(set(self.table["source"].to_pylist())))

    def find(self, kind: str, digest: str) -> list[tuple[str, str]]:
        """Name source and sample of all that begin with these digits."""
        values, rows = self.sorted[kind]
        wanted = np.frombuffer(bytes.fromhex(digest[: 2 * BYTES]), ">u8").astype(np.uint64)
        first, last = np.searchsorted(values, wanted[0], "left"), np.searchsorted(values, wanted[0], "right")
        found = rows[first:last].tolist()
        return [(self.table["source"][row].as_py(), self.table["sample"][row].as_py()) for row in found]


@lru_cache(maxsize=2)
def read_index(path: Path | None = None) -> Index:
    """Read what the catalog knows.

    >>> len(read_index().sources) > 5
    True
    """
    path = path or catalog_folder() / FILE
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise CatalogError(f"{path}: expected the index of known pictures, found: {error}") from error
    if table.schema != SCHEMA:
        raise CatalogError(f"{path}: expected {', '.join(SCHEMA.names)}, found {', '.join(table.column_names)}")
    return Index(table, {kind: _sorted(table[kind]) for kind in KINDS})


def _sorted(column: pa.ChunkedArray) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    there = column.is_valid().to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(there)
    values = np.frombuffer(b"".join(column.drop_null().to_pylist()), ">u8").astype(np.uint64)
    order = np.argsort(values, kind="stable")
    return values[order], rows[order]


def known_pictures(looks: Sequence[Look | None], besides: Collection[str] = ()) -> Iterator[tuple[int, str, str, str]]:
    """Yield row, source, sample and how it is known, for each picture that a public source has.

    Args:
        looks: The pictures.
        besides: Sources of which these pictures are anyway.
    """
    index = read_index()
    for row, look in enumerate(looks):
        if look is None or look.blank:
            continue
        digests = zip(KINDS, (look.measured.sha256, look.git_sha1, look.measured.pixel_hash), strict=True)
        told: set[str] = set(besides)
        for kind, digest in digests:
            for source, sample in index.find(kind, digest) if digest else ():
                if source not in told:
                    told.add(source)
                    yield row, source, sample, SAID[kind]


def write_index(records: Iterable[tuple[str, str, dict[str, str]]], path: Path) -> int:
    """Write the index: sources and samples with their hashes, each of which is cut; return how many there are."""
    rows = [
        {"source": source, "sample": sample}
        | {kind: bytes.fromhex(digest[: 2 * BYTES]) for kind, digest in all_of.items()}
        for source, sample, all_of in sorted(records, key=lambda each: each[:2])
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer,
    ):
        writer.write_table(table)
    return len(rows)
