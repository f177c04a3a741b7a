"""A layer on disk: one array, made once by threads, found whole or made anew, and mapped into memory.

It lies beside the build, which stays as it is: ``<build>.views/<name of the view>/pixels.npy``, which NumPy opens
without this library, and ``view.json``, which says what it is and holds a hash of every piece.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from covid_datasets.disk import (
    check_space,
    make_folder,
    publish_folder,
    read_json,
    refused,
    remove_folder,
    sync,
    write_json,
)
from covid_datasets.errors import CacheError, NoSpaceError
from covid_datasets.load.fixed.ahead import Array
from covid_datasets.load.fixed.layer import Layer
from covid_datasets.load.fixed.view import FORMAT, View
from covid_datasets.lock import Lock
from covid_datasets.prepare.result import Built
from covid_datasets.progress import progress, tell
from covid_datasets.settings import VIEW_FILE, VIEWS, usable_cores

ARRAY_FILE = "pixels.npy"
PIECES_FILE = "pieces.txt"
"""While a layer is made: a line for each finished piece, with its hash."""
PIECE_BYTES = 8 << 20
SPARE_BYTES = 256 << 20


def folder_of(built: Built, view: View) -> Path:
    """Name the folder of a view of a build.

    It is named by the build and the view; what it holds says the fingerprint of the build that it was made of.
    """
    return built.path.with_name(f"{built.path.name}{VIEWS}") / view.name


def stored(layer: Layer, workers: int | None = None) -> np.ndarray:
    """Map the array of a layer; make it first where it is not there, or not whole.

    Raises:
        NoSpaceError: The disk has no room for it.
        CacheError: The folder cannot be written.
        UnfitError: A sample has no place in the view.
    """
    folder = folder_of(layer.built, layer.view)
    if (array := _whole(layer, folder)) is not None:
        return array
    with Lock(folder.with_name(f"{folder.name}.lock"), on_wait=tell):
        while (array := _whole(layer, folder)) is None:
            if folder.exists():
                tell(f"{folder}: not as it was made; it is made anew")
                remove_folder(folder)
            _make(layer, folder, workers or usable_cores())
    return array


def place_of(layer: Layer) -> Array:
    """Say where the samples of a stored layer are in its file."""
    return Array(folder_of(layer.built, layer.view) / ARRAY_FILE, len(_header(layer)), layer.view.bytes)


def _whole(layer: Layer, folder: Path) -> np.ndarray | None:
    """Map an array that is as it was made: of this build and this size, and hashed again if it was touched since."""
    said, file = read_json(folder / VIEW_FILE), folder / ARRAY_FILE
    header = _header(layer)
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    size = len(header) + len(layer.rows) * layer.view.bytes
    if said.get("is") != _is(layer) or found.st_size != size:
        return None
    if found.st_mtime_ns != said.get("mtime_ns"):
        if said.get("pieces") != [_hash(file, *span) for span in _spans(layer, len(header))]:
            return None
        with _keeping():  # it was copied, and is known to be whole from here on
            write_json(folder / VIEW_FILE, said | {"mtime_ns": found.st_mtime_ns})
    with file.open("rb") as opened:
        if opened.read(len(header)) != header:
            return None
    return np.load(file, mmap_mode="r") if len(layer.rows) else np.empty((0, *layer.view.shape), layer.view.dtype)


@contextmanager
def _keeping() -> Iterator[None]:
    """Leave a folder that may not be written as it is: it is hashed again the next time."""
    try:
        yield
    except (CacheError, NoSpaceError):
        return


def _is(layer: Layer) -> dict[str, Any]:
    """Say what an array is made of: any difference, and it is another one."""
    made_of: dict[str, Any] = json.loads(json.dumps({"format": FORMAT, "view": asdict(layer.view)}))
    return made_of | {"fingerprint": layer.built.fingerprint, "rows": len(layer.rows)}


def _header(layer: Layer) -> bytes:
    """Write what stands before the values in a file of NumPy."""
    out = io.BytesIO()
    shape = (len(layer.rows), *layer.view.shape)
    kind = np.lib.format.dtype_to_descr(np.dtype(layer.view.dtype).newbyteorder("<"))
    np.lib.format.write_array_header_1_0(out, {"descr": kind, "fortran_order": False, "shape": shape})
    return out.getvalue()


def _spans(layer: Layer, start: int) -> list[tuple[int, int]]:
    """List where pieces begin in the file, and how long they are."""
    each = _rows_each(layer) * layer.view.bytes
    total = len(layer.rows) * layer.view.bytes
    return [(start + at, min(each, total - at)) for at in range(0, total, each)]


def _rows_each(layer: Layer) -> int:
    return max(1, PIECE_BYTES // layer.view.bytes)


def _hash(file: Path, start: int, size: int) -> str:
    with file.open("rb") as opened:
        opened.seek(start)
        return xxhash.xxh3_128_hexdigest(opened.read(size))


def _make(layer: Layer, folder: Path, workers: int) -> None:
    """Write all pieces that an earlier try did not, and give the folder its name in one step."""
    work = folder.with_name(f".{folder.name}")
    make_folder(work)
    header = _header(layer)
    spans = _spans(layer, len(header))
    file = work / ARRAY_FILE
    try:
        hashes = _finished(work, spans)
        check_space(work, sum(size for number, (_, size) in enumerate(spans) if number not in hashes), SPARE_BYTES)
        if not file.exists():
            file.write_bytes(header)
        title = f"Making {layer.view.name} of {layer.built.id}"
        with progress(title, total_bytes=len(layer.rows), unit="rows") as display, _pool(workers) as pool:
            display.add(title, len(layer.rows))
            display.advance(title, min(len(hashes) * _rows_each(layer), len(layer.rows)))
            _write(layer, file, spans, hashes, pool, lambda: display.advance(title, _rows_each(layer)))
        sync(file)
        pieces = [hashes[number] for number in range(len(spans))]
        (work / PIECES_FILE).unlink(missing_ok=True)
        made = {"is": _is(layer), "pieces": pieces, "mtime_ns": file.stat().st_mtime_ns}
        write_json(work / VIEW_FILE, made)
    except FileNotFoundError:
        if folder.exists():
            return  # somebody else finished it while this process was suspended
        raise
    except OSError as error:
        raise refused(work, error, "What is finished is kept.") from error
    publish_folder(work, folder)


def _pool(workers: int) -> Any:
    return ThreadPoolExecutor(workers) if workers > 1 else nullcontext()


def _finished(work: Path, spans: list[tuple[int, int]]) -> dict[int, str]:
    """List the pieces of an earlier try that are on the disk as they were written."""
    file, found = work / ARRAY_FILE, {}
    (work / VIEW_FILE).unlink(missing_ok=True)
    if file.exists() and (work / PIECES_FILE).exists():
        for line in (work / PIECES_FILE).read_text(encoding="utf-8", errors="replace").splitlines():
            number, _, digest = line.partition(" ")
            if number.isdigit() and int(number) < len(spans) and _hash(file, *spans[int(number)]) == digest:
                found[int(number)] = digest
    return found


def _write(
    layer: Layer,
    file: Path,
    spans: list[tuple[int, int]],
    hashes: dict[int, str],
    pool: Executor | None,
    finished: Callable[[], object],
) -> None:
    left = [number for number in range(len(spans)) if number not in hashes]
    stop = threading.Event()

    def one(number: int) -> tuple[int, str]:
        return number, "" if stop.is_set() else _write_piece(layer, file, number, spans[number][0])

    with (file.parent / PIECES_FILE).open("a", encoding="utf-8") as record:

        def keep(number: int, digest: str) -> None:
            hashes[number] = digest
            record.write(f"{number} {digest}\n")
            record.flush()
            finished()

        if pool is None:
            for number in left:
                keep(*one(number))
            return
        futures = [pool.submit(one, number) for number in left]
        try:
            for future in as_completed(futures):
                keep(*future.result())
        finally:
            stop.set()


def _write_piece(layer: Layer, file: Path, number: int, start: int) -> str:
    first = number * _rows_each(layer)
    last = min(first + _rows_each(layer), len(layer.rows))
    values = np.empty((last - first, *layer.view.shape), np.dtype(layer.view.dtype).newbyteorder("<"))
    for place in range(first, last):
        layer.render(place, values[place - first])
    with file.open("r+b") as opened:  # not mapped: a full disk is then an error, and not the end of the process
        opened.seek(start)
        opened.write(values.data)
        opened.flush()
    return xxhash.xxh3_128_hexdigest(values.data)
