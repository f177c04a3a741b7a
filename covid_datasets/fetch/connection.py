"""Connections that a hostile host cannot keep for ever: a lowest rate, headers that end, no way to inner addresses.

Bytes are counted where they leave the socket, so that headers, chunk sizes and bodies are all bounded by one rule.
Imported when something is downloaded only: it needs the HTTP library.
"""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

from covid_datasets.errors import DownloadError
from covid_datasets.fetch.places import is_internal
from covid_datasets.fetch.transfer import Limits

HEADERS = 1 << 20
"""Bytes after which headers have to end; interim answers (100 Continue) count."""


class SlowError(TimeoutError):
    """A host sends so little that the transfer would never end."""


class Paced(RawIOBase):
    """The bytes of a socket, counted; only the time that is spent waiting for them counts."""

    def __init__(self, raw: RawIOBase, limits: Limits) -> None:
        """Take over a socket's bytes."""
        self.raw, self.limits = raw, limits
        self.allowed: int | None = None
        self._waited, self._count = 0.0, 0

    def readable(self) -> bool:
        """Allow reading."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there; raise where too little came for too long."""
        before = time.monotonic()
        count: int | None = self.raw.readinto(buffer)
        self._waited += time.monotonic() - before
        self._count += count or 0
        if self.allowed is not None:
            self.allowed -= count or 0
            if self.allowed < 0:
                raise HTTPException(f"its headers do not end within {HEADERS:,} bytes")
        if count and self._waited >= self.limits.window:
            if self._count < self.limits.slowest * self._waited:
                raise SlowError(f"{self._count:,} bytes in {self._waited:.0f} s")
            self._waited, self._count = 0.0, 0
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self.raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, limits: Limits, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._paced = Paced(self.fp.detach(), limits)
        self.fp = BufferedReader(self._paced)

    def begin(self) -> None:
        self._paced.allowed = HEADERS
        super().begin()
        self._paced.allowed = None


class _Guarded(HTTPConnection):
    def __init__(self, *arguments: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.response_class = lambda sock, *args, **opts: _Response(sock, limits, *args, **opts)  # type: ignore[assignment]

    def connect(self) -> None:
        super().connect()
        peer = self.sock.getpeername()
        # Who types such an address means it; a name that leads there does not.
        if isinstance(peer, tuple) and is_internal(peer[0]) and not is_internal(self.host):
            raise DownloadError(f"{self.host}: expected a host of the network, found the inner address {peer[0]}")


class _GuardedTls(_Guarded, HTTPSConnection):
    pass


class Http(HTTPHandler):
    """Opens http URLs over guarded connections."""

    def __init__(self, limits: Limits) -> None:
        """Remember the limits."""
        super().__init__()
        self.limits = limits

    def http_open(self, req: Request) -> HTTPResponse:
        """Send a request."""
        return self.do_open(_Guarded, req, limits=self.limits)  # type: ignore[arg-type]


class Https(HTTPSHandler):
    """Opens https URLs over guarded connections."""

    def __init__(self, limits: Limits) -> None:
        """Remember the limits."""
        super().__init__()
        self.limits = limits

    def https_open(self, req: Request) -> HTTPResponse:
        """Send a request."""
        return self.do_open(_GuardedTls, req, limits=self.limits)  # type: ignore[arg-type]
