"""Something large is made once: in private, by one process at a time, and seen when it is whole.

Whoever comes second waits and shares what the first one made; where the first one dies, the next goes on.
"""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from covid_datasets.disk import make_folder, publish_folder, remove_folder
from covid_datasets.errors import CacheError
from covid_datasets.harmless import visible
from covid_datasets.holder import read_holder
from covid_datasets.lock import Lock
from covid_datasets.prepare.seal import MANIFEST_FILE

LEASE = 120.0
"""Seconds without a sign of life after which another process takes a build over."""


def once(final: Path, work: Path, write: Callable[[Path, Lock], Path]) -> None:
    """Make a folder that has a manifest, unless it is there.

    Args:
        final: What the folder is called when it is whole.
        work: Where it is worked on; what is finished there is kept for whoever goes on after a crash.
        write: Gets a private folder for this attempt and the lock, and returns the folder that it made in it.
    """
    from covid_datasets.prepare.workers import telling

    while not is_built(final) or work.exists():
        with Lock(work.with_name(f"{work.name}.lock"), expire=LEASE, on_wait=_say) as lock:
            if not is_built(final):
                try:
                    with _attempt(work, lock) as attempt:
                        made = write(attempt, lock)
                        with telling(work):
                            _publish(made, final, lock)
                except Exception:
                    if lock.still_mine():
                        raise
                    continue  # somebody took over while this process was suspended: wait for it, and share its build
            if lock.still_mine():
                shutil.rmtree(work, ignore_errors=True)  # also where one was killed right after its last step
                break


def is_built(final: Path) -> bool:
    """Tell whether a folder is there as a whole."""
    return (final / MANIFEST_FILE).exists()


def proceed(lock: Lock) -> None:
    """Stop a holder that was suspended for so long that somebody took over."""
    if not lock.still_mine():
        raise CacheError(f"{lock.path}: expected to hold this lock still, found it held by {read_holder(lock.path)}")


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)


@contextmanager
def _attempt(work: Path, lock: Lock) -> Iterator[Path]:
    """Make the private folder of one try, which no other has, and remove those of tries that were killed."""
    attempt = work / f"attempt-{uuid.uuid4().hex[:12]}"
    from covid_datasets.prepare.workers import telling

    with telling(work):
        earlier = list(work.glob("attempt-*"))  # before asking for the lock: so none is of who takes over from here on
        for each in earlier:
            proceed(lock)
            shutil.rmtree(each, ignore_errors=True)
        make_folder(attempt)
    try:
        yield attempt
    finally:
        shutil.rmtree(attempt, ignore_errors=True)


def _publish(made: Path, final: Path, lock: Lock) -> None:
    """Make a folder visible in one step, unless another attempt was first."""
    proceed(lock)
    if not publish_folder(made, final) and not is_built(final):  # what is there lost its manifest
        proceed(lock)
        remove_folder(final)
        publish_folder(made, final)
