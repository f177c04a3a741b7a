"""A real object store for tests: a server of the S3 protocol in a process of its own, and a proxy that misbehaves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

MISSING = [name for name in ("moto", "s3fs", "flask") if not find_spec(name)]
needs_store = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: pip install 'covid_datasets[dev]'")
BUCKET = "covid-datasets-test"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Serve S3 on loopback; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as server:  # type: ignore[call-overload]
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    connection = HTTPConnection("127.0.0.1", port, timeout=10)
                    connection.request("PUT", f"/{BUCKET}")
                    assert connection.getresponse().status == 200
                    break
                except OSError:
                    assert server.poll() is None, "expected that the server starts"
                    assert time.monotonic() < deadline, "expected that the server answers"
                    time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


Fault = Callable[[str, str, int], str]
"""Takes method, path and number of a request; returns "503", "cut" (half of the answer), "drop" (none), "lost" (the
store does it, and nobody is told), "slow", "unheeded" (a condition does not reach the store), or nothing."""


@contextmanager
def proxy(target: str, fault: Fault) -> Iterator[str]:
    """Stand before a store and do what networks do."""
    host, port = target.removeprefix("http://").split(":")
    count, lock = iter(range(1 << 30)), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.body()
            with lock:
                what = fault(self.command, self.path, next(count))
            if what == "slow":
                time.sleep(0.5)
            if what == "503":
                self.reply(503, {"Content-Type": "application/xml"}, b"<Error><Code>SlowDown</Code></Error>")
                return
            if what == "drop":
                self.close_connection = True
                return
            connection = HTTPConnection(host, int(port), timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
            if what == "unheeded":
                headers = {name: value for name, value in headers.items() if name.lower() != "if-none-match"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if what == "lost":
                self.close_connection = True
                return
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.reply(answer.status, kept, data, cut=what == "cut", length=length)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                found = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return found
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def reply(
            self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False, length: str | None = None
        ) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = self.close_connection or cut

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that went away."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


_HOP = {"connection", "content-length", "transfer-encoding", "server", "date"}


def use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let this process and those that it starts find the store."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)
    forget_connections()


def forget_connections() -> None:
    """Let fsspec make new file systems: it keeps them by their arguments, and an address is none of these."""
    if not MISSING:
        from s3fs import S3FileSystem

        S3FileSystem.clear_instance_cache()


def environment(address: str) -> dict[str, str]:
    """Give the variables that a process needs to find the store."""
    return {**os.environ, **KEYS, "AWS_ENDPOINT_URL": address}
