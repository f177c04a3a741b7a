"""How much memory a build takes: this process and those that it started, together, at their worst moment."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path

EVERY_SECONDS = 0.02


class PeakMemory:
    """Watch the resident memory of this process and of all below it, from ``with`` on.

    Pages that processes share count once for each. Workers on other machines are not seen.
    """

    def __init__(self) -> None:
        """Start with what is in use now."""
        self._peak = resident_mb()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()

    def mb(self) -> float:
        """Return the peak until now, in MB."""
        self._peak = max(self._peak, resident_mb())
        return round(self._peak, 1)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self._peak = max(self._peak, resident_mb())


def resident_mb() -> float:
    """Return the memory that this process and its children hold, in MB.

    Where the system does not tell that, the largest that this process and any one child ever held.
    """
    if Path("/proc/self/status").exists():
        return _resident_kb("self") * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_maxrss for usage in usages) * unit / 1e6


def _resident_kb(process: str) -> int:
    folder = Path("/proc", process)
    try:
        status = (folder / "status").read_text()
        threads = [task.read_text() for task in folder.glob("task/*/children")]
    except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
        return 0
    own = status.partition("VmRSS:")[2].split()
    return int(own[0] if own else 0) + sum(_resident_kb(child) for text in threads for child in text.split())
