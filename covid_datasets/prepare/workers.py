"""Run the pieces of a plan on any executor, skip those that are finished, and turn failures into clear errors."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from covid_datasets.disk import is_full, refused
from covid_datasets.errors import BuildError, CovidDatasetsError
from covid_datasets.prepare.growth import Growth
from covid_datasets.prepare.pieces import Task, Work, is_finished, write_piece
from covid_datasets.prepare.tabular import write_tables
from covid_datasets.settings import usable_cores

Doable = TypeVar("Doable", bound=Work)


@contextmanager
def worker_pool(executor: Executor | None, num_proc: int | None) -> Iterator[Executor | None]:
    """Open the executor that a build runs on: the caller's, which stays open, or one of its own.

    Its own are processes by fork, which start at once and do not run the caller's script again. They are started
    here, before the plan is made, so that they do not inherit it. Where a platform cannot fork safely, or
    this process is a daemon, which may have no children, threads: decoding and hashing release the interpreter lock,
    so they scale nearly as well. ``None`` means this process.
    """
    workers = num_proc or usable_cores()
    if executor is not None:
        yield executor
    elif workers == 1:
        yield None
    elif sys.platform == "linux" and not multiprocessing.current_process().daemon:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, fork, initializer=_prepare_worker) as processes:
            processes.submit(os.getpid).result()  # the first task starts them all
            yield processes
    else:
        with ThreadPoolExecutor(workers) as threads:
            yield threads


def _prepare_worker() -> None:
    """Let a worker die with the process that started it; after a ``kill -9`` it would wait for work for ever.

    Ctrl-C in a terminal reaches workers too: they end without a word, and the process that started them says it.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="watch parent", daemon=True).start()


def run_tasks(
    tasks: Sequence[Doable],
    pool: Executor | None,
    growth: Growth,
    proceed: Callable[[], object],
    write: Callable[[Doable], int],
) -> None:
    """Finish every task by ``write``; ``proceed`` is called after each, and raises to stop.

    Finished pieces of an earlier, interrupted run are left as they are.
    """
    left = [task for task in tasks if task.place and not is_finished(task.place.pieces, task.piece.number)]
    for number in {task.piece.number for task in tasks} - {task.piece.number for task in left}:
        growth.finished(number)
    if pool is not None:
        _collect(left, pool, growth, proceed, write)
    else:
        for task in left:
            growth.finished(write(task))
            proceed()


def write(task: Task) -> int:
    """Write one piece, of samples or of rows of a table; return its number."""
    return write_tables(task) if task.columns else write_piece(task)


def _collect(
    tasks: Sequence[Doable],
    executor: Executor,
    growth: Growth,
    proceed: Callable[[], object],
    write: Callable[[Doable], int],
) -> None:
    # Large pieces first: a short one at the end leaves no worker waiting for long.
    futures = [executor.submit(write, task) for task in sorted(tasks, key=lambda task: -task.piece.bytes)]
    try:
        for future in as_completed(futures):
            growth.finished(future.result())
            proceed()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)  # after an error: whoever gets the lock next is not to meet a worker that still writes


@contextmanager
def telling(folder: Path) -> Iterator[None]:
    """Turn what can go wrong in a worker, or on the disk, into errors that say what to do."""
    resume = "Finished shards are kept: run the same command again to go on."
    try:
        yield
    except CovidDatasetsError:
        raise
    except BrokenExecutor as error:
        raise BuildError(
            f"a worker process died, most likely for lack of memory; use fewer (num_proc=1). {resume}"
        ) from error
    except OSError as error:
        if is_full(error):
            raise refused(folder, error, resume) from error
        raise BuildError(f"{folder}: {error}. {resume}") from error
