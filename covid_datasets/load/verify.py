"""Check a finished build against its own hashes: every file, every image, every row, and the fingerprint over all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.layout import is_litter
from covid_datasets.catalog.published import SPLITS
from covid_datasets.features import arrow_schema
from covid_datasets.load.stored import split_files
from covid_datasets.measure.image import UndecodableError, decode, grey_of, pixel_hash
from covid_datasets.prepare.find import find_folder
from covid_datasets.prepare.finish import fingerprint_of
from covid_datasets.prepare.result import Built
from covid_datasets.prepare.rows import row_digest
from covid_datasets.prepare.seal import MANIFEST_FILE, SEAL_FILE, damaged, difference, read_manifest
from covid_datasets.prepare.tabular import table_digest
from covid_datasets.prepare.workers import worker_pool
from covid_datasets.read.encode import digest
from covid_datasets.schema import CONTENT
from covid_datasets.settings import given_path
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

    The manifest must have the digest that lies beside it, and every file the SHA-256 that the manifest names. Every
    image is hashed and every row digested as well, to name the sample where a file was changed; both must give the
    fingerprint in the manifest. With ``pixels``, every image is decoded too and its pixels are hashed.

    Raises:
        DamagedFileError: The manifest was changed, a file is gone, or one that was changed cannot be read at all.
    """
    started = time.perf_counter()
    folder = given_path(name, "name")
    if not ((folder / MANIFEST_FILE).exists() or (folder / SEAL_FILE).exists()):
        folder = find_folder(name, config, cache_dir=cache_dir)
    manifest = read_manifest(folder)
    built = Built(path=folder, **manifest["build"])
    sealed: dict[str, Any] = manifest["files"]
    changed = {name: difference(folder, name, sealed[name]) for name in sealed if not _is_data(name)}
    problems = [f"{name}: {what}" for name, what in {**changed, **_unknown_files(folder, sealed)}.items() if what]
    size = 0
    if not changed[INDEX_FILE]:  # it says what every row should be: without it nothing else can be told
        check = _check_table if built.columns else partial(_check_samples, pixels=pixels)
        found, size = check(built, Index.read(folder), sealed)
        problems = [*found, *problems]
    return VerifyReport(built.id, folder, built.rows, size, pixels, time.perf_counter() - started, tuple(problems))


def _is_data(name: str) -> bool:
    return name.endswith(".arrow") and name != INDEX_FILE


def _unknown_files(folder: Path, sealed: Mapping[str, Any]) -> dict[str, str]:
    """Find files that no build wrote; what ``datasets`` keeps beside the data, or a file manager, does no harm."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {
        name: "expected no such file, found one that is not of this build"
        for name in names
        if name not in {*sealed, MANIFEST_FILE, SEAL_FILE}
        and not name.rpartition("/")[2].startswith(("cache-", "tmp"))
        and not is_litter(name)
    }


def _check_samples(built: Built, index: Index, sealed: Mapping[str, Any], *, pixels: bool) -> tuple[list[str], int]:
    """Digest every row of every file, and say what is not as the index has it."""
    wanted = dict(zip(index.texts("sample_id"), index.texts("row_sha256"), strict=True))
    problems: list[str] = []
    total = 0
    found: dict[str, tuple[str, str]] = {}
    files = [(split, file) for split in SPLITS for file in _files(built.path, split)]
    changed: list[tuple[str, str]] = []
    check = partial(_check_file, built.path, sealed, pixels)
    with worker_pool(None, None) as pool:
        each = map if pool is None else pool.map
        for (split, file), checked in zip(files, each(check, [file for _, file in files]), strict=True):
            before = len(problems)
            problems += checked.problems
            for sample, digest in checked.digests.items():
                if sample in found:
                    problems.append(f"{sample}: found twice in the files")
                if digest != wanted.get(sample):
                    problems.append(f"{sample}: row: expected digest {wanted.get(sample)}, found {digest}")
                found[sample] = (digest, split)
            total += checked.bytes
            if checked.difference and len(problems) == before:
                changed.append((split, f"{file.relative_to(built.path).as_posix()}: {checked.difference}"))
    lost = sorted(set(wanted) - set(found))
    problems += [f"{sample}: expected in the files, found nothing" for sample in lost]
    problems += _check_fingerprint(built, found, problems)
    split_of = dict(zip(index.texts("sample_id"), index.texts("split"), strict=True))
    told = {split_of[sample] for sample in lost}
    return [*problems, *(what for split, what in changed if split not in told)], total


def _check_fingerprint(built: Built, found: Mapping[str, tuple[str, str]], problems: Sequence[str]) -> list[str]:
    """Compare the fingerprint, where no row says already what differs."""
    if problems or (fingerprint := fingerprint_of(found)) == built.fingerprint:
        return []
    return [f"fingerprint: expected {built.fingerprint}, found {fingerprint}"]


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in a file: the digest of each row, how it differs as a whole, and what is wrong with its rows."""

    digests: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    difference: str = ""
    problems: list[str] = field(default_factory=list)


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


def _check_table(built: Built, index: Index, sealed: Mapping[str, Any]) -> tuple[list[str], int]:
    """Digest the rows of each record of a table, which are stored one record after the other."""
    files = [file for split in built.splits for file in _files(built.path, split)]
    batches = list(_batches(built.path, files))
    with _whole(built.path, built.path):
        table = pa.Table.from_batches(batches, batches[0].schema if batches else arrow_schema(built.columns))
        problems = _check_records(built, index, table)
    changed = {file.relative_to(built.path).as_posix(): _difference(built.path, file, sealed) for file in files}
    return problems or [f"{name}: {what}" for name, what in changed.items() if what], table.nbytes


def _check_records(built: Built, index: Index, table: pa.Table) -> list[str]:
    counts: list[int] = index.table.column("rows").to_pylist()
    names, splits = index.texts("sample_id"), index.texts("split")
    problems: list[str] = []
    found, start = {}, 0
    for name, split, count, wanted in zip(names, splits, counts, index.texts("row_sha256"), strict=True):
        digest = table_digest(table.slice(start, count))
        found[name] = (digest, split)
        start += count
        if digest != wanted:
            problems.append(f"{name}: rows: expected digest {wanted}, found {digest}")
    if table.num_rows != start:
        problems.append(f"rows: expected {start:,}, found {table.num_rows:,}")
    return problems + _check_fingerprint(built, found, problems)


def _difference(build: Path, file: Path, sealed: Mapping[str, Any]) -> str:
    name = file.relative_to(build).as_posix()
    return difference(build, name, sealed[name]) if name in sealed else "expected no such file"


@contextmanager
def _whole(build: Path, file: Path) -> Iterator[None]:
    """Name the file that cannot be read, or not be understood."""
    try:
        yield
    except Exception as error:  # a file that was changed is any input: what reads it may fail in any way
        found = str(error) or type(error).__name__
        raise damaged(build, str(file), "the whole file as it was built", found) from error


def _check_file(build: Path, sealed: Mapping[str, Any], pixels: bool, file: Path) -> _Checked:
    """Check the rows of one file, in a worker. Where the whole file is as it was built, so are its images."""
    with _whole(build, file):
        found = _Checked(difference=_difference(build, file, sealed))
    size = 0
    for batch in _batches(build, [file]):
        with _whole(build, file):
            digests, problems, taken = _check(batch, pixels=pixels, contents=bool(found.difference))
        found.problems.extend(problems)
        found.problems.extend(f"{sample}: found twice in the files" for sample in digests if sample in found.digests)
        found.digests.update(digests)
        size += taken
    return replace(found, bytes=size)


def _check(batch: pa.RecordBatch, *, pixels: bool, contents: bool) -> tuple[dict[str, str], list[str], int]:
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
            if contents and (sha256 := digest(memoryview(data))) != row["sha256"]:
                problems.append(f"{sample}: {kind}: expected sha256 {row['sha256']}, found {sha256}")
            elif pixels and kind == "image" and row["pixel_hash"] is not None:
                problems += _check_pixels(row, data.to_pybytes())
        digests[sample] = row_digest(
            row | {kind: paths[kind][number] and {"path": paths[kind][number]} for kind in CONTENT}
        )
    return digests, problems, total


def _check_pixels(row: dict[str, Any], data: bytes) -> list[str]:
    sample, wanted, slope, intercept = (row[name] for name in ("sample_id", "pixel_hash", "hu_slope", "hu_intercept"))
    try:
        found = pixel_hash(grey_of(decode(data), None if slope is None else (slope, intercept)))
    except UndecodableError as error:
        return [f"{sample}: image: {error}"]
    return [] if found == wanted else [f"{sample}: pixels: expected {wanted}, found {found}"]
