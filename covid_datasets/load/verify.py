"""Check a finished build against its own hashes: every file, every image, every row, and the fingerprint over all."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pyarrow as pa

from covid_datasets.catalog.layout import is_litter
from covid_datasets.catalog.published import SPLITS
from covid_datasets.features import arrow_schema
from covid_datasets.measure.image import UndecodableError, decode, grey_of, pixel_hash
from covid_datasets.prepare.find import at_hand, find_folder
from covid_datasets.prepare.finish import fingerprint_of
from covid_datasets.prepare.result import Built, split_files
from covid_datasets.prepare.rows import row_digest
from covid_datasets.prepare.seal import MANIFEST_FILE, SEAL_FILE, Folder, damaged, difference, read_manifest
from covid_datasets.prepare.tabular import table_digest
from covid_datasets.prepare.workers import worker_pool
from covid_datasets.read.encode import digest
from covid_datasets.schema import CONTENT
from covid_datasets.settings import Settings, given_path, refuse_stores, usable_cores
from covid_datasets.splits.index import INDEX_FILE, Index
from covid_datasets.store import Store, is_url

if TYPE_CHECKING:
    from covid_datasets.prepare.derived.asked import ViewOptions

_WAITING = 256
"""Images that are given to threads ahead of what was decoded."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found; ``problems`` names every sample that is not as it was built."""

    id: str
    path: Folder
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

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, paragraph, shown

        how = "every byte, and the pixels of every image" if self.pixels else "every byte"
        return shown(
            f"{self.id} in {self.path}",
            paragraph("All is as it was built." if self.ok else "Not all is as it was built.", warns=not self.ok),
            paragraph(f"{self.rows:,} rows, {self.bytes:,} bytes, {self.seconds:.1f} s; checked: {how}."),
            bullets(self.problems, f"What differs: {len(self.problems):,}"),
        )


def verify(
    name: str | os.PathLike[str],
    *,
    pixels: bool = False,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **view: Unpack[ViewOptions],
) -> VerifyReport:
    """Check a finished build, by name or by its folder.

    The manifest must have the digest that lies beside it, and every file the SHA-256 that the manifest names; these are
    compared first, in threads. Where one differs, its images are hashed and its rows digested, to name the samples.
    With ``pixels``, every image is decoded too and its pixels are hashed. ``derive``, ``window``, ``image_size``,
    ``to_spacing`` and ``to_orientation`` name a view, as in `load_dataset`.

    Raises:
        DamagedFileError: The manifest was changed, a file is gone, or one that was changed cannot be read at all.
    """
    started = time.perf_counter()
    folder = _folder(name, config, cache_dir, view)
    if isinstance(folder, Store):
        if not pixels:
            return _check_objects(folder, started)
        folder = at_hand(folder, Settings.resolve(cache_dir)).path  # its pictures are decoded here, so they come here
    manifest = read_manifest(folder)
    built = Built(path=folder, **manifest["build"])
    sealed: dict[str, Any] = manifest["files"]
    changed = _changed(folder, sealed)
    unknown = _unknown_files(folder, sealed)
    told = {**{name: what for name, what in changed.items() if not _is_data(name)}, **unknown}
    problems = [f"{name}: {what}" for name, what in told.items()]
    size = 0
    if INDEX_FILE not in changed:  # it says what every row should be: without it nothing else can be told
        index = Index.read(folder)
        if changed or unknown:
            check = _check_table if built.columns else partial(_check_samples, pixels=pixels)
            found, size = check(built, index, sealed, changed)
            problems = [*found, *problems]
        else:
            size = sum(_size_of(batch) for name in sealed if _is_data(name) for batch in _open(folder / name))
            digests = zip(index.texts("row_sha256"), index.texts("split"), strict=True)
            problems = _check_fingerprint(built, dict(zip(index.texts("sample_id"), digests, strict=True)), problems)
        if pixels and not built.columns:
            problems += _check_pictures(built.path, [name for name in sealed if _is_data(name) and name not in changed])
    return VerifyReport(built.id, folder, built.rows, size, pixels, time.perf_counter() - started, tuple(problems))


def _folder(
    name: str | os.PathLike[str],
    config: str | None,
    cache_dir: str | os.PathLike[str] | None,
    view: ViewOptions,
) -> Folder:
    """Find a build by its own folder, or URL, or by name."""
    refuse_stores(name=name)
    if is_url(name):
        return Store.of(os.fspath(name))
    folder = given_path(name, "name")
    if (folder / MANIFEST_FILE).exists() or (folder / SEAL_FILE).exists():
        return folder
    return find_folder(name, config, cache_dir=cache_dir, **view)


def _check_objects(build: Store, started: float) -> VerifyReport:
    """Hash every object of a build in a store; nothing of it is kept here but the index, which has the fingerprint."""
    manifest = read_manifest(build)
    sealed: dict[str, Any] = manifest["files"]
    changed = _changed(build, sealed)
    problems = [f"{name}: {what}" for name, what in changed.items()]
    problems += [
        f"{name}: expected no such file, found one that is not of this build"
        for name in build.sizes()
        if name not in {*sealed, MANIFEST_FILE, SEAL_FILE}
    ]
    built = Built(path=Path(), url=build.url, **manifest["build"])
    with TemporaryDirectory(prefix="covid-datasets-") as folder:
        if INDEX_FILE not in changed:
            build.get_file(INDEX_FILE, Path(folder) / INDEX_FILE)
            index = Index.read(Path(folder))
            digests = zip(index.texts("row_sha256"), index.texts("split"), strict=True)
            problems = _check_fingerprint(built, dict(zip(index.texts("sample_id"), digests, strict=True)), problems)
            del index
    size = sum(told["size"] for name, told in sealed.items() if _is_data(name))
    return VerifyReport(built.id, build, built.rows, size, False, time.perf_counter() - started, tuple(problems))


def _changed(folder: Folder, sealed: Mapping[str, Any]) -> dict[str, str]:
    """Hash all files, in threads, the large ones first; say how those differ that are not as they were built."""
    largest = sorted(sealed, key=lambda name: (-sealed[name]["size"], name))
    with ThreadPoolExecutor(usable_cores(), "verify") as pool:
        found = dict(zip(largest, pool.map(lambda name: difference(folder, name, sealed[name]), largest), strict=True))
    return {name: found[name] for name in sealed if found[name]}


def _is_data(name: str) -> bool:
    return name.endswith(".arrow") and "/" in name  # in the folder of a split


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


def _check_samples(
    built: Built, index: Index, sealed: Mapping[str, Any], changed: Mapping[str, str], *, pixels: bool
) -> tuple[list[str], int]:
    """Digest the rows of the files that were changed, and say which are not as the index has them."""
    wanted = dict(zip(index.texts("sample_id"), index.texts("row_sha256"), strict=True))
    problems: list[str] = []
    total = 0
    found: dict[str, tuple[str, str]] = {}
    untold: list[tuple[str, str]] = []
    files = [(split, file) for split in SPLITS for file in _files(built.path, split)]
    names = [file.relative_to(built.path).as_posix() for _, file in files]
    differences = [changed.get(name, "" if name in sealed else "expected no such file") for name in names]
    with worker_pool(None, None) as pool:
        each = map if pool is None else pool.map
        check = partial(_check_file, built.path, pixels)
        for (split, _), name, checked in zip(
            files, names, each(check, [file for _, file in files], map(bool, differences)), strict=True
        ):
            before = len(problems)
            problems += checked.problems
            for sample, digest in checked.digests.items():
                digest = digest or wanted.get(sample, "")  # of a file that is as it was built
                if sample in found:
                    problems.append(f"{sample}: found twice in the files")
                if digest != wanted.get(sample):
                    problems.append(f"{sample}: row: expected digest {wanted.get(sample)}, found {digest}")
                found[sample] = (digest, split)
            total += checked.bytes
            if (what := differences[names.index(name)]) and len(problems) == before:
                untold.append((split, f"{name}: {what}"))
    lost = sorted(set(wanted) - set(found))
    problems += [f"{sample}: expected in the files, found nothing" for sample in lost]
    problems = _check_fingerprint(built, found, problems)
    split_of = dict(zip(index.texts("sample_id"), index.texts("split"), strict=True))
    told = {split_of[sample] for sample in lost}
    return [*problems, *(what for split, what in untold if split not in told)], total


def _check_fingerprint(built: Built, found: Mapping[str, tuple[str, str]], problems: list[str]) -> list[str]:
    """Compare the fingerprint too, where no row says already what differs."""
    if problems or (fingerprint := fingerprint_of(found)) == built.content:
        return problems
    return [f"fingerprint: expected {built.content}, found {fingerprint}"]


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in a file: the digest of each row, empty where all are as they were built, and what is wrong."""

    digests: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def _files(build: Path, split: str) -> list[Path]:
    with _whole(build, build / split / "state.json"):
        return split_files(build, split)


def _open(file: Path) -> pa.RecordBatchReader:
    return pa.ipc.open_stream(pa.memory_map(str(file)))


def _size_of(batch: pa.RecordBatch) -> int:
    """Count the bytes of the images, volumes and videos of a batch; of a table, those of its columns."""
    kinds = [batch.column(kind).flatten()[0] for kind in CONTENT if kind in batch.schema.names]
    return sum(map(_length, kinds)) if kinds else batch.nbytes


def _length(column: pa.Array) -> int:
    """Subtract where the first value begins from where the last one ends: importing Arrow's compute takes longer."""
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    ends = np.frombuffer(column.buffers()[1], width)[column.offset : column.offset + len(column) + 1]
    return int(ends[-1] - ends[0]) if len(column) else 0


def _batches(build: Path, files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for file in files:
        with _whole(build, file):
            for batch in _open(file):
                batch.validate(full=True)  # offsets that point outside of the file would end this process
                yield batch


def _check_table(
    built: Built, index: Index, sealed: Mapping[str, Any], changed: Mapping[str, str]
) -> tuple[list[str], int]:
    """Digest the rows of each record of a table, which are stored one record after the other."""
    files = [file for split in built.splits for file in _files(built.path, split)]
    batches = list(_batches(built.path, files))
    with _whole(built.path, built.path):
        table = pa.Table.from_batches(batches, batches[0].schema if batches else arrow_schema(built.columns))
        problems = _check_records(built, index, table)
    if problems:
        return problems, table.nbytes
    names = [file.relative_to(built.path).as_posix() for file in files]
    differing = [name for name in names if name not in sealed or name in changed]
    return [f"{name}: {changed.get(name, 'expected no such file')}" for name in differing], table.nbytes


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
    return _check_fingerprint(built, found, problems)


@contextmanager
def _whole(build: Path, file: Path) -> Iterator[None]:
    """Name the file that cannot be read, or not be understood."""
    try:
        yield
    except Exception as error:  # a file that was changed is any input: what reads it may fail in any way
        found = str(error) or type(error).__name__
        raise damaged(build, str(file), "the whole file as it was built", found) from error


def _check_file(build: Path, pixels: bool, file: Path, changed: bool) -> _Checked:
    """Check the rows of one file, in a worker; of one that is as it was built no more than the names are needed."""
    found, size = _Checked(), 0
    for batch in _batches(build, [file]):
        with _whole(build, file):
            digests, problems = _check(batch, pixels=pixels) if changed else (dict.fromkeys(_names(batch), ""), [])
        found.problems.extend(problems)
        found.problems.extend(f"{sample}: found twice in the files" for sample in digests if sample in found.digests)
        found.digests.update(digests)
        size += _size_of(batch)
    return replace(found, bytes=size)


def _names(batch: pa.RecordBatch) -> list[str]:
    names: list[str] = batch.column("sample_id").to_pylist()
    return names


def _check(batch: pa.RecordBatch, *, pixels: bool) -> tuple[dict[str, str], list[str]]:
    fields = {kind: batch.column(kind).flatten() for kind in CONTENT}  # with what is null in their parents
    bytes_of = {kind: found[0] for kind, found in fields.items()}
    paths = {kind: found[1].to_pylist() for kind, found in fields.items()}
    digests, problems = {}, []
    for number, row in enumerate(batch.drop_columns(list(CONTENT)).to_pylist()):
        sample = row["sample_id"]
        for kind, values in bytes_of.items():
            if not values[number].is_valid:
                continue
            data = values[number].as_buffer()
            if (sha256 := digest(memoryview(data))) != row["sha256"]:
                problems.append(f"{sample}: {kind}: expected sha256 {row['sha256']}, found {sha256}")
            elif pixels and kind == "image" and row["pixel_hash"] is not None:
                problems += _check_pixels(row, data)
        digests[sample] = row_digest(
            row | {kind: paths[kind][number] and {"path": paths[kind][number]} for kind in CONTENT}
        )
    return digests, problems


def _check_pictures(build: Path, names: Sequence[str]) -> list[str]:
    """Decode the images of files that are as they were built, in threads: decoders release the interpreter lock."""
    rows = ((batch, number) for name in names for batch in _open(build / name) for number in range(len(batch)))
    with ThreadPoolExecutor(usable_cores(), "decode") as pool:
        problems: list[str] = []
        waiting: deque[Future[list[str]]] = deque()
        for batch, number in rows:
            waiting.append(pool.submit(_check_picture, batch, number))
            if len(waiting) >= _WAITING:
                problems += waiting.popleft().result()
        for last in waiting:
            problems += last.result()
    return problems


def _check_picture(batch: pa.RecordBatch, number: int) -> list[str]:
    image = batch.column("image")[number]
    row = {name: batch.column(name)[number].as_py() for name in ("sample_id", "pixel_hash", "hu_slope", "hu_intercept")}
    return [] if row["pixel_hash"] is None or not image.is_valid else _check_pixels(row, image["bytes"].as_buffer())


def _check_pixels(row: Mapping[str, Any], data: pa.Buffer) -> list[str]:
    sample, wanted, slope, intercept = (row[name] for name in ("sample_id", "pixel_hash", "hu_slope", "hu_intercept"))
    try:
        found = pixel_hash(grey_of(decode(data.to_pybytes()), None if slope is None else (slope, intercept)))
    except UndecodableError as error:
        return [f"{sample}: image: {error}"]
    return [] if found == wanted else [f"{sample}: pixels: expected {wanted}, found {found}"]
