"""How to bring files: settings, patience, what to show and when to stop; handed on as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from covid_datasets.progress import Display
from covid_datasets.settings import Settings

CancelToken = Callable[[], object]
"""Called with every chunk of a download; raises where nobody wants it any more."""


def never() -> None:
    """Cancel nothing."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a download is; tests use tiny ones.

    Attributes:
        timeout: Seconds without an answer or a byte after which a connection counts as stalled.
        slowest: Bytes a second that a host has to send; less, over ``window``, counts as stalled too.
        window: Seconds of waiting over which the rate is measured.
        retries: Tries after the first one; a try that brought ``worth`` new bytes does not count.
        backoff: Seconds before the first retry; each later one doubles it.
        longest_wait: Upper bound of any wait in seconds, also of what a host asks for in Retry-After.
        redirects: Redirects that are followed.
        worth: New bytes that make a try a success although it broke off.
        margin: Bytes that must stay free on the disk.
        connections: How many a large file may come over at once, where one is slow and the host serves ranges.
    """

    timeout: float = 30.0
    slowest: int = 1 << 10
    window: float = 60.0
    retries: int = 5
    backoff: float = 1.0
    longest_wait: float = 120.0
    redirects: int = 10
    worth: int = 16 << 20
    margin: int = 64 << 20
    connections: int = 8


@dataclass(frozen=True, slots=True)
class Transfer:
    """How to bring files.

    Attributes:
        settings: Cache, mirror, offline.
        limits: Patience of the network.
        display: Told about bytes.
        cancel: Called with every chunk; raises to stop.
        dataset: For which dataset, as it is typed; advice names it.
        lists: What hosts of research data answered, by address: many files of one record ask for its list once.
    """

    settings: Settings
    limits: Limits = field(default_factory=lambda: Limits())
    display: Display = field(default_factory=lambda: Display(""))
    cancel: CancelToken = never
    dataset: str = ""
    lists: dict[str, object] = field(default_factory=dict, repr=False, compare=False)
