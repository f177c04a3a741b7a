"""Check a finished build against its own hashes: every image, every row, and the fingerprint over all."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.published import SPLITS
from covid_datasets.errors import DamagedFileError
from covid_datasets.features import arrow_schema
from covid_datasets.load.stored import split_files
from covid_datasets.measure.image import UndecodableError, decode, grey_of, pixel_hash
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.finish import fingerprint_of
from covid_datasets.prepare.result import MANIFEST_FILE, Built
from covid_datasets.prepare.rows import row_digest
from covid_datasets.prepare.tabular import table_digest
from covid_datasets.prepare.workers import worker_pool
from covid_datasets.schema import CONTENT
from covid_datasets.splits.index import INDEX_FILE, Index


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found; ``problems`` names every sample that is not as it was built."""

    id: str
    path: Path
    rows: int
    bytes: int
    pixels: bool
    seconds: float
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Tell whether all is as it was built."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self) | {"path": str(self.path), "ok": self.ok}


def verify(
    name: str | os.PathLike[str],
    *,
    pixels: bool = False,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> VerifyReport:
    """Check a finished build, by name or by its folder.

    Every image is hashed and every row digested, and both must give the fingerprint in the manifest. With
    ``pixels``, every image is decoded as well and its pixels are hashed.
    """
    started = time.perf_counter()
    folder = Path(name)
    built = Built.read(folder) if (folder / MANIFEST_FILE).exists() else find_build(name, config, cache_dir=cache_dir)
    with _whole(built.path, built.path / INDEX_FILE):
        index = Index.read(built.path)
    if built.columns:
        problems, size = _check_table(built, index)
        seconds = time.perf_counter() - started
        return VerifyReport(built.id, built.path, built.rows, size, pixels, seconds, tuple(problems))
    wanted = dict(zip(index.texts("sample_id"), index.texts("row_sha256"), strict=True))
    problems = []
    rows = total = 0
    found: dict[str, tuple[str, str]] = {}
    files = [(split, file) for split in SPLITS for file in _files(built.path, split)]
    with worker_pool(None, None) as pool:
        each = map if pool is None else pool.map
        for (split, _), checked in zip(files, each(partial(_check_file, built.path, pixels), files), strict=True):
            problems += checked.problems
            for sample, digest in checked.digests.items():
                if sample in found:
                    problems.append(f"{sample}: found twice in the files")
                if digest != wanted.get(sample):
                    problems.append(f"{sample}: row: expected digest {wanted.get(sample)}, found {digest}")
                found[sample] = (digest, split)
            rows, total = rows + len(checked.digests), total + checked.bytes
    problems += [f"{sample}: expected in the files, found nothing" for sample in sorted(set(wanted) - set(found))]
    if not problems and fingerprint_of(found) != built.fingerprint:
        problems.append(f"fingerprint: expected {built.fingerprint}, found {fingerprint_of(found)}")
    return VerifyReport(built.id, built.path, rows, total, pixels, time.perf_counter() - started, tuple(problems))


@dataclass(frozen=True, slots=True)
class _Checked:
    digests: dict[str, str]
    bytes: int
    problems: list[str]


def _files(build: Path, split: str) -> list[Path]:
    with _whole(build, build / split / "state.json"):
        return split_files(build, split)


def _batches(build: Path, files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with _whole(build, file):
            batches = pa.ipc.open_stream(pa.memory_map(str(file)))
            for batch in batches:
                batch.validate(full=True)  # offsets that point outside of the file would end this process
                yield batch


def _check_table(built: Built, index: Index) -> tuple[list[str], int]:
    """Digest the rows of each record of a table, which are stored one record after the other."""
    files = [file for split in built.splits for file in _files(built.path, split)]
    batches = list(_batches(built.path, files))
    table = pa.Table.from_batches(batches, batches[0].schema if batches else arrow_schema(built.columns))
    counts: list[int] = index.table.column("rows").to_pylist()
    names, splits = index.texts("sample_id"), index.texts("split")
    problems, found, start = [], {}, 0
    for name, split, count, wanted in zip(names, splits, counts, index.texts("row_sha256"), strict=True):
        digest = table_digest(table.slice(start, count))
        found[name] = (digest, split)
        start += count
        if digest != wanted:
            problems.append(f"{name}: rows: expected digest {wanted}, found {digest}")
    if table.num_rows != start:
        problems.append(f"rows: expected {start:,}, found {table.num_rows:,}")
    if not problems and fingerprint_of(found) != built.fingerprint:
        problems.append(f"fingerprint: expected {built.fingerprint}, found {fingerprint_of(found)}")
    return problems, table.nbytes


@contextmanager
def _whole(build: Path, file: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except (ValueError, KeyError, OSError) as error:  # pyarrow's own errors are among them
        raise DamagedFileError(
            f"{file}: expected the whole file as it was built, found: {error}. Remove {build} and build again."
        ) from error


def _check_file(build: Path, pixels: bool, place: tuple[str, Path]) -> _Checked:
    """Check the rows of one file, in a worker."""
    whole = _Checked({}, 0, [])
    for batch in _batches(build, [place[1]]):
        found = _check(batch, pixels)
        twice = [f"{sample}: found twice in the files" for sample in found.digests if sample in whole.digests]
        whole = _Checked(
            whole.digests | found.digests, whole.bytes + found.bytes, [*whole.problems, *found.problems, *twice]
        )
    return whole


def _check(batch: pa.RecordBatch, pixels: bool) -> _Checked:
    fields = {kind: batch.column(kind).flatten() for kind in CONTENT}  # with what is null in their parents
    bytes_of = {kind: found[0] for kind, found in fields.items()}
    paths = {kind: found[1].to_pylist() for kind, found in fields.items()}
    digests, problems, total = {}, [], 0
    for number, row in enumerate(batch.drop_columns(list(CONTENT)).to_pylist()):
        sample = row["sample_id"]
        for kind, values in bytes_of.items():
            if not values[number].is_valid:
                continue
            data = values[number].as_buffer()
            total += data.size
            if (sha256 := hashlib.sha256(data).hexdigest()) != row["sha256"]:
                problems.append(f"{sample}: {kind}: expected sha256 {row['sha256']}, found {sha256}")
            elif pixels and kind == "image" and row["pixel_hash"] is not None:
                problems += _check_pixels(row, data.to_pybytes())
        digests[sample] = row_digest(
            row | {kind: paths[kind][number] and {"path": paths[kind][number]} for kind in CONTENT}
        )
    return _Checked(digests, total, problems)


def _check_pixels(row: dict[str, Any], data: bytes) -> list[str]:
    sample, wanted, slope, intercept = (row[name] for name in ("sample_id", "pixel_hash", "hu_slope", "hu_intercept"))
    try:
        found = pixel_hash(grey_of(decode(data), None if slope is None else (slope, intercept)))
    except UndecodableError as error:
        return [f"{sample}: image: {error}"]
    return [] if found == wanted else [f"{sample}: pixels: expected {wanted}, found {found}"]
