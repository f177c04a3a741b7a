"""One file over several connections, where a host limits each of them: ranges of one version, put together on disk.

Used only for a large file whose hash is published, from a host that serves ranges and says which version they are of.
The ranges lie in the part at their places; its sidecar says which are there, so that a later process goes on. They are
hashed in order, as the beginning of the file grows. Whatever is odd about an answer ends this way of downloading, and
one connection goes on from the beginning that is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from covid_datasets.errors import TruncatedError
from covid_datasets.fetch.partial import Partial
from covid_datasets.fetch.places import redacted
from covid_datasets.fetch.request import Answer
from covid_datasets.fetch.retries import LATER, Retry

SEGMENT = 16 << 20
"""Bytes of one request; what is lost where a process is killed is at most so much for each connection."""
LEAST = 64 << 20
"""Bytes that have to be left to be worth it."""
SLOW = 3.0
"""Seconds that the rest would take on one connection, from which on it is worth it."""
LOOK = 0.5
"""Seconds over which a rate is measured."""
_FEW = 4
_GAIN = 1.3
"""Connections that are tried first, and how much faster they have to be; else the host limits something else."""
_CHUNK = 1 << 18
_EXTRA = threading.BoundedSemaphore(7)
"""Connections of this process beside the first one of each file: many files at once share them."""

Ask = Callable[[int, int], Answer]
"""Asks for the bytes from a place to a place, and refuses an answer that is anything else."""


@dataclass
class _Work:
    """What the connections share."""

    missing: list[tuple[int, int]]
    wanted: int
    active: int = 0
    came: int = 0
    under_way: dict[int, int] = field(default_factory=dict)
    error: BaseException | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)


def worth_it(part: Partial, rate: float, connections: int) -> bool:
    """Tell whether the rest of a file should come over several connections, given the rate of one."""
    left = (part.stamp.total or 0) - part.size
    return connections > 1 and bool(part.stamp.validator) and left >= LEAST and left > SLOW * rate


def download_ranges(ask: Ask, part: Partial, connections: int, rate: float = 0.0) -> None:
    """Bring what is missing of a part, over up to so many connections; ``rate`` is what one of them brought.

    Raises what went wrong first; what arrived until then is kept, as after a kill.
    """
    work = _Work(_segments(part), wanted=min(connections, _FEW))
    threads: list[threading.Thread] = []
    began, told = time.monotonic(), 0
    part.scatter()
    try:
        while True:
            with work.changed:
                _start(work, ask, part, threads)
                work.changed.wait(LOOK / 5)
                error, came, done = work.error, work.came, not work.missing and not work.under_way
            part.absorb()
            new, told = came - told, came
            part.on_bytes(new)
            if error is not None:
                raise error
            if done and part.size == part.stamp.total:
                return
            if (waited := time.monotonic() - began) >= 2 * LOOK and rate:
                gained = came / waited >= _GAIN * rate
                work.wanted, rate = (connections if gained else 1), 0.0
    finally:
        with work.changed:
            work.missing.clear()
            work.error = work.error or InterruptedError()
        for thread in threads:
            thread.join()
        part.keep_ahead([(start, at) for start, at in work.under_way.items() if at > start])
        part.on_bytes(work.came - told)


def _segments(part: Partial) -> list[tuple[int, int]]:
    """List what is missing, in pieces, the last one first, since work is taken from the end of the list."""
    total = part.stamp.total or 0
    gaps, at = [], part.size
    for start, end in [*sorted(part.ahead), (total, total)]:
        gaps += [(place, min(place + SEGMENT, start)) for place in range(at, start, SEGMENT)]
        at = max(at, end)
    return gaps[::-1]


def _start(work: _Work, ask: Ask, part: Partial, threads: list[threading.Thread]) -> None:
    """Open connections up to the wanted number, as far as this process has some left."""
    while work.error is None and work.active < min(work.wanted, work.active + len(work.missing)):
        extra = work.active > 0
        if extra and not _EXTRA.acquire(blocking=False):
            return
        work.active += 1
        threads.append(threading.Thread(target=_run, args=(work, ask, part, extra), name="range", daemon=True))
        threads[-1].start()


def _run(work: _Work, ask: Ask, part: Partial, extra: bool) -> None:
    """Bring one segment after the other, until there is none left or too many do so."""
    try:
        while True:
            with work.changed:
                if not work.missing or work.error or work.active > work.wanted:
                    return
                start, end = work.missing.pop()
                work.under_way[start] = start
            _bring(work, ask, part, start, end)
            with work.changed:
                del work.under_way[start]
                part.keep_ahead([(start, end)])
                work.changed.notify_all()
    except BaseException as error:  # handed to the thread that waits, whatever it is
        with work.changed:
            work.error = work.error or error
    finally:
        with work.changed:
            work.active -= 1
            work.changed.notify_all()
        if extra:
            _EXTRA.release()


def _bring(work: _Work, ask: Ask, part: Partial, start: int, end: int) -> None:
    answer = ask(start, end)
    with answer.response, part.writer(start) as write:
        at = start
        while at < end:
            chunk = answer.read(min(_CHUNK, end - at))
            if not chunk:
                text = f"{redacted(answer.url)}: expected bytes {start:,} to {end:,}, the transfer ended at {at:,}"
                raise Retry(TruncatedError(f"{text}. {LATER}"))
            write(chunk)
            at += len(chunk)
            with work.changed:
                work.came += len(chunk)
                work.under_way[start] = at
                if work.error is not None:
                    raise InterruptedError  # of no interest: the first error is the one that is raised
