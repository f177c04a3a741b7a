"""Try again: what may be mended by it, how often, and with which pauses."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from covid_datasets.errors import DownloadError, HostUnreachableError, TruncatedError, words_of
from covid_datasets.fetch.partial import Partial
from covid_datasets.fetch.places import redacted
from covid_datasets.fetch.transfer import Limits

LATER = "Next: try again later (what arrived is kept and resumed), or use a mirror: COVID_DATASETS_MIRROR"


class Retry(Exception):
    """A failure that another try may mend; ``error`` is what to raise when none does."""

    def __init__(self, error: DownloadError, *, wait: float = 0.0, at_most: int | None = None) -> None:
        """Say how long the host asks to wait, and after how many retries it is hopeless."""
        super().__init__(str(error))
        self.error = error
        self.wait = wait
        self.at_most = at_most


def with_retries(attempt: Callable[[], None], url: str, part: Partial, limits: Limits) -> None:
    """Call ``attempt`` until it goes through, with growing pauses, as often as ``limits`` allow."""
    from http.client import HTTPException

    tries, furthest = 0, part.size
    while True:
        try:
            return attempt()
        except Retry as problem:
            retry = problem
        except (OSError, HTTPException) as error:
            retry = _broken_connection(url, error, part, limits)
        tries = 0 if part.size - furthest >= limits.worth else tries + 1
        furthest = max(furthest, part.size)
        if tries > (limits.retries if retry.at_most is None else min(limits.retries, retry.at_most)):
            raise retry.error from None  # its text says the cause; tracebacks of the HTTP library would only hide it
        pause = limits.backoff * 2 ** max(tries - 1, 0) * random.uniform(0.5, 1.0)  # noqa: S311
        _sleep(min(max(pause, retry.wait), limits.longest_wait), part)


def keeping(part: Partial) -> str:
    """Say whether the bytes at hand can be gone on from."""
    return f"kept in {part.path.name}" if part.stamp.validator else "which this host gives no way to resume"


def _broken_connection(url: str, error: Exception, part: Partial, limits: Limits) -> Retry:
    """Say in words why there was no connection, or why it did not last."""
    import socket
    import ssl
    from http.client import IncompleteRead
    from urllib.error import URLError

    from covid_datasets.fetch.connection import SlowError

    never = isinstance(error, URLError)  # urllib wraps what goes wrong before the request is out
    reason = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    host, where = urlsplit(url).hostname, f"after {part.size:,} bytes"
    at_most: int | None = 1 if never else None
    if isinstance(reason, ssl.SSLCertVerificationError):
        what, at_most = f"the certificate of {host} cannot be verified ({reason.verify_message})", 0
    elif isinstance(reason, socket.gaierror):
        what = f"the name {host} cannot be resolved"
    elif isinstance(reason, ConnectionRefusedError):
        what = f"{host} refuses the connection"
    elif isinstance(reason, SlowError):
        what = f"{host} sent too little to ever end ({reason}) {where}"
    elif isinstance(reason, TimeoutError):
        what = f"{host} was silent for {limits.timeout:g} s {where}"
    elif isinstance(reason, IncompleteRead):
        error_text = f"{redacted(url)}: the transfer ended early, {where}, {keeping(part)}. {LATER}"
        return Retry(TruncatedError(error_text))
    else:
        what = f"the connection to {host} broke {where} ({words_of(reason)})"
    hint = "Next: check the network, DNS and the proxy (HTTPS_PROXY), or use a mirror: COVID_DATASETS_MIRROR"
    unreachable = HostUnreachableError(f"{redacted(url)}: {what}. {hint}")
    unreachable.cause = what
    return Retry(unreachable, at_most=at_most)


def _sleep(seconds: float, part: Partial) -> None:
    """Wait in small steps, at each of which the caller may cancel."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.25))
        part.on_bytes(0)
