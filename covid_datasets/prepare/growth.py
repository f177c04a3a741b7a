"""How far a build is: finished pieces, and what is written of those that are under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from covid_datasets.prepare.plan import Piece
from covid_datasets.progress import Display

EVERY = 0.5
"""Seconds between two looks at what workers write."""


class Growth:
    """Counts as the plan does: a finished piece is what was planned for it, however large it became.

    Workers may be on other machines and have no way to tell, but they write where all can see it.
    """

    def __init__(self, pieces: Sequence[Piece], attempt: Path, display: Display) -> None:
        """Start with nothing finished."""
        self._planned = {piece.number: piece.bytes for piece in pieces}
        self._reached = dict.fromkeys(self._planned, 0)
        self._attempt, self._display, self._lock = attempt, display, threading.Lock()
        display.add("build", sum(self._planned.values()))

    def finished(self, number: int) -> None:
        """Say that a piece is there, from now or from an earlier run."""
        self._reach(number, self._planned[number])

    def look(self) -> None:
        """See how large the files have become that are being written."""
        for path in self._attempt.glob("*/.rows.arrow.*"):
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue  # finished meanwhile
            number = int(path.parent.name.partition(".")[0])
            self._reach(number, min(size, self._planned[number]))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look again and again, until the block ends."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(EVERY):
                self.look()

        watcher = threading.Thread(target=watch, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()

    def _reach(self, number: int, reached: int) -> None:
        with self._lock:
            more = reached - self._reached[number]
            if more > 0:
                self._reached[number] = reached
                self._display.advance("build", more)
