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

from covid_datasets.disk import make_folder
from covid_datasets.errors import CacheError
from covid_datasets.harmless import visible
from covid_datasets.holder import read_holder
from covid_datasets.lock import Lock
from covid_datasets.prepare.target import Made, Target

LEASE = 120.0
"""Seconds without a sign of life after which another process takes a build over."""


def once(target: Target, write: Callable[[Path, Lock], Made]) -> None:
    """Make something that has a manifest, unless it is there.

    Args:
        target: Where it goes when it is whole, and where it is worked on; what is finished there is kept for whoever
            goes on after a crash.
        write: Gets a private folder for this attempt and the lock, and returns what it made.
    """
    work = target.work
    from covid_datasets.prepare.workers import telling

    while not target.is_built() or work.exists():
        with Lock(work.with_name(f"{work.name}.lock"), expire=LEASE, on_wait=_say) as lock:
            if not target.is_built():
                try:
                    with _attempt(work, lock) as attempt:
                        made = write(attempt, lock)
                        with telling(work):
                            proceed(lock)
                            target.publish(made, lambda: proceed(lock))
                except Exception:
                    if lock.still_mine() and not target.is_built():
                        raise
                    continue  # somebody took over while this process was suspended: wait for it, and share its build
            if lock.still_mine():
                target.clean()  # also where one was killed right after its last step
                break


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
