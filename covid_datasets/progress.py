"""One progress display for all that takes long: bars in terminals, one line in notebooks, rare lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from covid_datasets.harmless import visible

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Unit = Literal["bytes", "rows", "pairs", "files", "pictures", "traits", "steps"]

PLAIN_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
NOTEBOOK_EVERY = 0.5
"""Seconds between two changes of the line in a notebook."""


class Display:
    """Counts what tasks have done; thread-safe. This base shows nothing."""

    def __init__(self, title: str, unit: Unit = "bytes", total: int | None = None) -> None:
        """Start at nothing done."""
        self._began = time.monotonic()
        self._at_start: int | None = None
        self.title = visible(title, keep="")
        self.unit: Unit = unit
        self._total = total
        self._totals: dict[str, int | None] = {}
        self._done: dict[str, int] = {}
        self._lock = threading.RLock()

    @property
    def done(self) -> int:
        """What all tasks have done together."""
        with self._lock:
            return sum(self._done.values())

    @property
    def total(self) -> int | None:
        """What all tasks have to do together, ``None`` while one of them does not know."""
        with self._lock:
            known = [total for total in self._totals.values() if total is not None]
            if self._total is not None:
                return max(self._total, sum(known))
            return sum(known) if len(known) == len(self._totals) else None

    def add(self, task: str, total: int | None) -> None:
        """Add a task, or give a task that is there its total."""
        with self._lock:
            self._totals[task] = total
            self._done.setdefault(task, 0)
            self._show(task)

    def advance(self, task: str, n: int = 1) -> None:
        """Say that a task did ``n`` more; negative when it has to start over."""
        with self._lock:
            self._totals.setdefault(task, None)
            self._done[task] = self._done.get(task, 0) + n
            self._show(task)

    def note(self, text: str) -> None:
        """Tell the user one sentence, such as whom we wait for."""

    def close(self) -> None:
        """Leave the screen tidy."""

    def _show(self, task: str) -> None:
        """Draw; called with the lock held."""

    def _told(self) -> str:
        """Say how far things are; what was there at the start took no time."""
        if self._at_start is None:
            self._at_start = self.done
        rate = max(self.done - self._at_start, 0) / max(time.monotonic() - self._began, 1e-3)
        return describe(self.done, self.total, rate, self.unit)


class PlainDisplay(Display):
    """A line on stderr at most every ten seconds: for logs, batch jobs and pipes."""

    def __init__(self, title: str, unit: Unit = "bytes", total: int | None = None) -> None:
        """Start the clock, so that short work stays silent."""
        super().__init__(title, unit, total)
        self._last = self._began

    def note(self, text: str) -> None:
        """Print the sentence."""
        print(f"{self.title}: {visible(text)}", file=sys.stderr, flush=True)

    def _show(self, task: str) -> None:
        told, now = self._told(), time.monotonic()
        if now - self._last >= PLAIN_EVERY:
            self._last = now
            print(f"{self.title}: {told}", file=sys.stderr, flush=True)


class NotebookDisplay(Display):
    """One line under the cell that is written anew; needs no widgets, and the last one is saved with the notebook."""

    def __init__(self, title: str, unit: Unit = "bytes", total: int | None = None) -> None:
        """Start without a line."""
        super().__init__(title, unit, total)
        self._last = self._began - NOTEBOOK_EVERY
        self._name = f"covid_datasets-{uuid.uuid4().hex}"
        self._is_there = False

    def note(self, text: str) -> None:
        """Print the sentence."""
        print(f"{self.title}: {visible(text)}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave a line that says what was done."""
        with self._lock:
            if self._is_there:
                self._draw(f"{so_far(self.done, self.total, self.unit)} in {time.monotonic() - self._began:.1f} s")

    def _show(self, task: str) -> None:
        told, now = self._told(), time.monotonic()
        if now - self._last >= NOTEBOOK_EVERY:
            self._draw(told)
            self._last = now

    def _draw(self, text: str) -> None:
        from IPython.display import display, update_display

        draw = update_display if self._is_there else display
        draw({"text/plain": f"{self.title}: {text}"}, raw=True, display_id=self._name)
        self._is_there = True


class RichDisplay(Display):
    """Bars with amount, speed and time left; one for the whole and one per running task."""

    def __init__(self, title: str, unit: Unit = "bytes", total: int | None = None) -> None:
        """Prepare the bars; the first task makes them visible."""
        super().__init__(title, unit, total)
        self._bars: Progress | None = None
        self._whole: TaskID | None = None
        self._ids: dict[str, TaskID] = {}

    def note(self, text: str) -> None:
        """Print the sentence above the bars."""
        with self._lock:
            self._start().console.print(visible(text), markup=False, highlight=False)

    def close(self) -> None:
        """Stop drawing; the bar of the whole stays."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()

    def _start(self) -> Progress:
        if self._bars is None:
            self._bars = _rich_bars()
            self._whole = self._bars.add_task(self.title, total=None, told="")
            self._bars.start()
        return self._bars

    def _show(self, task: str) -> None:
        bars = self._start()
        if task not in self._ids:
            self._ids[task] = bars.add_task(f"  {visible(task, keep='')}", total=None, visible=False, told="")
        done, total = self._done[task], self._totals[task]
        several = len(self._totals) > 1
        told = so_far(done, total, self.unit)
        bars.update(self._ids[task], completed=done, total=total, visible=several and done != total, told=told)
        if self._whole is not None:
            bars.update(self._whole, completed=self.done, total=self.total, told=self._told())


@contextmanager
def progress(
    title: str, *, total_bytes: int | None = None, enabled: bool | None = None, unit: Unit = "bytes"
) -> Iterator[Display]:
    """Show the progress of some tasks together.

    Args:
        title: What is being done, in a few words.
        total_bytes: The total of all tasks in ``unit``, where it is known beforehand.
        enabled: Whether to show anything; ``None`` asks ``COVID_DATASETS_PROGRESS`` (``0`` is silent).
        unit: What is counted.
    """
    kind: type[Display] = Display
    if is_wanted() if enabled is None else enabled:
        kind = NotebookDisplay if in_notebook() else RichDisplay if sys.stderr.isatty() else PlainDisplay
    display = kind(title, unit, total_bytes)
    try:
        yield display
    finally:
        display.close()


def tell(text: str) -> None:
    """Say one sentence where progress is shown."""
    if text and is_wanted():
        print(visible(text), file=sys.stderr, flush=True)


def is_wanted() -> bool:
    """Tell whether to show anything: ``COVID_DATASETS_PROGRESS=0`` is silent."""
    return os.environ.get("COVID_DATASETS_PROGRESS", "1").strip().lower() not in {"0", "false", "no", "off"}


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def so_far(done: int, total: int | None, unit: Unit) -> str:
    """Say how much is done, and of how much where that is known.

    >>> so_far(30, 90, "rows"), so_far(90, 90, "rows"), so_far(30, None, "rows")
    ('30 of 90 rows', '90 rows', '30 rows')
    """
    if not total or total == done:
        return amount(done, unit)
    return f"{amount(done)} of {amount(total)}" if unit == "bytes" else f"{done:,} of {amount(total, unit)}"


def describe(done: int, total: int | None, rate: float, unit: Unit) -> str:
    """Say in one line how far things are.

    >>> describe(30_000_000, 90_000_000, 2_000_000, "bytes")
    '30.0 MB of 90.0 MB, 2.0 MB/s, 30 s left'
    >>> describe(30, None, 10, "rows")
    '30 rows, 10 rows/s'
    >>> describe(2, 36, 0.2, "steps")
    '2 of 36 steps, 12 steps/min, 170 s left'
    """
    slow = 0 < rate < 1 and unit != "bytes"
    parts = [so_far(done, total, unit), f"{amount(rate * 60, unit)}/min" if slow else f"{amount(rate, unit)}/s"]
    if total and rate > 0:
        parts.append(f"{max(total - done, 0) / rate:.0f} s left")
    return ", ".join(parts)


def amount(value: float, unit: Unit = "bytes") -> str:
    """Write a number with its unit.

    >>> amount(0), amount(1_500), amount(2_340_000_000), amount(1_200, "rows")
    ('0 B', '1.5 kB', '2.3 GB', '1,200 rows')
    """
    if unit != "bytes":
        return f"{value:,.0f} {unit}"
    for name in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if name == "B" else f"{value:.1f} {name}"
        value /= 1000
    return f"{value:.1f} TB"


def _rich_bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    what, how_far = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[told]"))
    return Progress(what, BarColumn(), how_far, console=Console(stderr=True))
