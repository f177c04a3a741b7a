"""Real processes for tests: fresh interpreters, forks that can be killed, and file systems of their own."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from covid_datasets.prepare.result import Built, split_files

Finished = subprocess.CompletedProcess[str]
EMPTY: Mapping[str, str] = MappingProxyType({})


def python(
    code: str, *arguments: str | Path, options: Sequence[str] = (), environment: Mapping[str, str] = EMPTY
) -> Finished:
    """Run code in a fresh interpreter."""
    command = [sys.executable, *options, "-c", code, *map(str, arguments)]
    return subprocess.run(
        command, text=True, capture_output=True, env=os.environ | dict(environment), timeout=1000, check=False
    )


def fork(function: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Start a function in a copy of this process, which is quicker than a fresh one and dies as well."""
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    return process


def kill_amid_pieces(process: BaseProcess, work: Path, pieces: int) -> int:
    """Kill a process that makes a view once so many pieces are finished, and return how many were."""

    def finished() -> int:
        return len(list(work.glob("*/pieces-*/piece-*/index.arrow")))

    while process.is_alive() and finished() < pieces:
        time.sleep(0.001)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return finished()


@cache
def private_mounts() -> tuple[str, ...]:
    """Return the start of a command whose mounts nobody else sees and that end with it; nothing where that fails."""
    for start in (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount")):
        try:
            subprocess.run([*start, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return start
    return ()


def with_mounts(script: str, **environment: str | Path) -> Finished:
    """Run a shell script that may mount; ``$PYTHON`` is this interpreter."""
    values = os.environ | {name: str(value) for name, value in environment.items()} | {"PYTHON": sys.executable}
    command = [*private_mounts(), "bash", "-euc", script]
    return subprocess.run(command, text=True, capture_output=True, env=values, timeout=1000, check=False)


class Serial(Executor):
    """Runs each task at once, in this thread, and counts them."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:
            future.set_exception(error)
        return future


def table_of(built: Built) -> pa.Table:
    """Read all rows in stored order, whatever files they are in."""
    files = [file for split in built.splits for file in split_files(built.path, split)]
    return pa.concat_tables([pa.ipc.open_stream(file.read_bytes()).read_all() for file in files]).combine_chunks()


def digest_of(built: Built) -> str:
    """Digest all rows in stored order, and the split of each, whatever files they are in."""
    digest = hashlib.sha256(repr(dict(built.splits)).encode())
    for row in table_of(built).to_pylist():
        digest.update(repr(row).encode())
    return digest.hexdigest()


def files_below(folder: Path) -> dict[str, tuple[int, int, int]]:
    """List the files of a folder with inode, time and size: nothing was touched where this is the same."""
    found = {path: path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {str(path): (stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in found.items()}


def leftovers(cache_folder: Path) -> list[str]:
    """List what a finished build should not leave: work folders, parts and locks."""
    parts = [path for path in cache_folder.rglob("*") if path.name.endswith((".part", ".lock"))]
    return sorted(str(path) for path in [*parts, *(cache_folder / "prepared" / ".work").glob("*")])


def copy_of(built: Built, folder: Path) -> Path:
    """Copy a finished build to a place where a test may damage it."""
    shutil.copytree(built.path, folder)
    return folder
