"""A real HTTP server on loopback that can misbehave in every way that real hosts do, one way per path."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a path answers; the default is a good server with Range, If-Range, ETag and Last-Modified.

    Attributes:
        body: Served instead of the file of the folder.
        times: Misbehave for this many requests only, then answer well; ``None`` is for ever.
        stall_after: Send this many bytes of the body, then nothing for ``stall_for`` seconds.
        cut_after: Send this many bytes of the body, then close the connection.
        promise: Added to the true Content-Length.
        chunked: Send the body in chunks, without a Content-Length.
        redirect: Send the client there.
        ignore_range: Answer 200 with the whole file whatever is asked.
        wrong_range: Answer 206 with a Content-Range that is ten bytes off.
        status: Answer with this status.
        retry_after: Sent as Retry-After.
        html: Answer 200 with this page instead of the file.
        content_type: Sent as Content-Type.
        etag: Sent instead of the hash of the body; "" sends none.
        last_modified: Whether to send Last-Modified.
        password: What Basic credentials ("user:password") the path wants, else 401.
        authorization: What Authorization header the path wants, else 401.
        delay: Seconds before the answer.
        headers: Sent instead of the headers that are right; a value of ``None`` sends none.
        ignore_if_range: Answer 206 with the rest of this body, whatever version the client has.
        unlimited: Say no length; the end of the connection is the end of the body.
        drip: Seconds between two bytes of the body.
        raw: Send these bytes instead of an answer.
        accept_ranges: Whether to say that ranges are served.
        rate: Bytes a second that each connection gets; 0 is no limit.
        most: Answer 503 to a request that comes while this many are answered.
    """

    body: bytes | None = None
    times: int | None = None
    stall_after: int | None = None
    stall_for: float = 5.0
    cut_after: int | None = None
    promise: int = 0
    chunked: bool = False
    redirect: str = ""
    ignore_range: bool = False
    wrong_range: bool = False
    status: int = 200
    retry_after: str = ""
    html: str = ""
    content_type: str = "application/octet-stream"
    etag: str | None = None
    last_modified: bool = True
    password: str = ""
    authorization: str = ""
    delay: float = 0.0
    headers: Mapping[str, str | None] = field(default_factory=dict)
    ignore_if_range: bool = False
    unlimited: bool = False
    drip: float = 0.0
    raw: bytes | None = None
    accept_ranges: bool = True
    rate: float = 0.0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    path: str
    headers: dict[str, str]


@dataclass
class Server:
    """The running server: set ``behaviours[path]``, read ``requests``."""

    folder: Path
    port: int = 0
    behaviours: dict[str, Behaviour | Sequence[Behaviour]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)
    busy: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Give the URL of a path."""
        return f"http://{host}:{self.port}{path}"

    def of(self, path: str) -> list[Request]:
        """List the requests for a path, in order."""
        return [request for request in self.requests if request.path == path]

    def behaviour(self, path: str, nth: int) -> Behaviour:
        """Choose how the ``nth`` request (from 0) of a path is answered; a sequence is gone through, its last stays."""
        chosen = self.behaviours.get(path, Behaviour())
        if not isinstance(chosen, Behaviour):
            return chosen[min(nth, len(chosen) - 1)]
        if chosen.times is not None and nth >= chosen.times:
            return Behaviour(body=chosen.body, etag=chosen.etag, last_modified=chosen.last_modified)
        return chosen


@contextmanager
def serve(folder: Path, behaviours: dict[str, Behaviour | Sequence[Behaviour]] | None = None) -> Iterator[Server]:
    """Serve a folder on 127.0.0.1 until the context ends."""
    server = Server(folder, behaviours=behaviours if behaviours is not None else {})
    handler = type("BoundHandler", (_Handler,), {"site": server})
    with _QuietServer(("127.0.0.1", 0), handler) as httpd:
        server.port = httpd.server_address[1]
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            httpd.shutdown()
            thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    site: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.site.lock:
            nth = len(self.site.of(self.path))
            self.site.requests.append(Request(self.path, {key.lower(): value for key, value in self.headers.items()}))
            self.site.busy += 1
        try:
            self._respond(self.site.behaviour(self.path, nth))
        finally:
            with self.site.lock:
                self.site.busy -= 1

    def _respond(self, behaviour: Behaviour) -> None:
        self.close_connection = True
        self.site.stopping.wait(behaviour.delay)
        if 0 < behaviour.most < self.site.busy:
            self._answer(503, b"", {})
        elif behaviour.raw is not None:
            self.wfile.write(behaviour.raw)
        elif behaviour.authorization and self.headers.get("Authorization") != behaviour.authorization:
            self._answer(401, b'{"code":401,"message":"Unauthenticated"}', {"Content-Type": "application/json"})
        elif behaviour.redirect:
            self._answer(302, b"", {"Location": behaviour.redirect})
        elif behaviour.password and not self._knows(behaviour.password):
            self._answer(401, b"", {"WWW-Authenticate": "Basic"})
        elif behaviour.status != 200:
            headers = {"Content-Type": behaviour.content_type}
            headers |= {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
            self._answer(behaviour.status, behaviour.html.encode() or behaviour.body or b"", headers)
        elif behaviour.html:
            self._answer(200, behaviour.html.encode(), {"Content-Type": behaviour.content_type})
        else:
            self._file(behaviour)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _knows(self, password: str) -> bool:
        import base64

        return self.headers.get("Authorization") == "Basic " + base64.b64encode(password.encode()).decode()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _file(self, behaviour: Behaviour) -> None:
        path = self.site.folder / unquote(self.path.split("?")[0]).lstrip("/")
        if behaviour.body is None and not path.is_file():
            self._answer(404, b"", {})
            return
        body = path.read_bytes() if behaviour.body is None else behaviour.body
        etag = f'"{hashlib.md5(body).hexdigest()}"' if behaviour.etag is None else behaviour.etag
        modified = formatdate(path.stat().st_mtime if path.is_file() else 1_600_000_000, usegmt=True)
        headers = {"Content-Type": behaviour.content_type}
        headers |= {"ETag": etag} if etag else {}
        headers |= {"Last-Modified": modified} if behaviour.last_modified else {}
        start = self._start(behaviour, (etag, modified))
        if start is not None and start >= len(body):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        end = self._end(len(body))
        status, rest = (200, body) if start is None else (206, body[start:end])
        headers |= {"Accept-Ranges": "bytes"} if behaviour.accept_ranges else {}
        if start is not None:
            shown = start + (10 if behaviour.wrong_range else 0)
            headers["Content-Range"] = f"bytes {shown}-{end - 1}/{len(body)}"
        if behaviour.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(rest) + behaviour.promise)
        if behaviour.unlimited:
            del headers["Content-Length"]
        self.send_response(status)
        for name, value in (headers | dict(behaviour.headers)).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self._send(rest, behaviour)

    def _start(self, behaviour: Behaviour, validators: tuple[str, str]) -> int | None:
        wanted = self.headers.get("Range", "")
        if behaviour.ignore_range or not wanted.startswith("bytes="):
            return None
        condition = self.headers.get("If-Range")
        fits = condition is None or condition in validators or behaviour.ignore_if_range
        return int(wanted[6:].split("-")[0]) if fits else None

    def _end(self, size: int) -> int:
        last = self.headers.get("Range", "").rpartition("-")[2]
        return min(int(last) + 1, size) if last.isdecimal() else size

    def _send(self, rest: bytes, behaviour: Behaviour) -> None:
        stops = [stop for stop in (behaviour.stall_after, behaviour.cut_after) if stop is not None]
        sent = rest[: min(stops)] if stops else rest
        if behaviour.chunked:
            sent = b"%x\r\n%b\r\n" % (len(sent), sent) + (b"" if stops else b"0\r\n\r\n")
        step = 1 if behaviour.drip else 1 << 16 if behaviour.rate else max(len(sent), 1)
        pause = step / behaviour.rate if behaviour.rate else behaviour.drip
        for at in range(0, len(sent), step):
            if self.site.stopping.wait(pause):
                return
            self.wfile.write(sent[at : at + step])
            self.wfile.flush()
        if behaviour.stall_after is not None:
            self.site.stopping.wait(behaviour.stall_for)


def then(*behaviours: Behaviour, body: bytes) -> list[Behaviour]:
    """Answer one request after the other, all with the same body where they have none of their own."""
    return [replace(behaviour, body=body) if behaviour.body is None else behaviour for behaviour in behaviours]
