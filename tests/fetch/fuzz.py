"""Answers of a host, changed at random but the same for every seed; anything raised must be an error of ours."""

from __future__ import annotations

import random
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from covid_datasets.errors import CovidDatasetsError, words_of
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.download import locate
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.settings import Settings

LIMITS = Limits(timeout=5.0, retries=1, backoff=0.0, longest_wait=0.0, redirects=2, margin=0)
BODY = b"PK\x03\x04" + bytes(range(256)) * 4
_STATUS = [200, 200, 200, 206, 206, 301, 302, 401, 403, 404, 416, 429, 503, 100, 204, 999]
_VALUES = {
    b"Content-Length": [b"1028", b"0", b"\xb2", b"9" * 5000, b"-1", b"1e3", b"1028, 1028", b""],
    b"Content-Range": [b"bytes 0-1027/1028", b"bytes 500-1027/1028", b"bytes \xb2-/*", b"bytes 5-1/0", b"bytes */9"],
    b"Content-Type": [b"application/zip", b"text/html", b"\xff\xfe", b";" * 500, b"application/json", b""],
    b"Content-Encoding": [b"gzip", b"identity", b"\xe9"],
    b"Transfer-Encoding": [b"chunked", b"Chunked, gzip", b"\xff"],
    b"ETag": [b'"a"', b'W/"a"', b'"', b"\xff", b'"' + b"b" * 9000],
    b"Last-Modified": [b"Mon, 02 Nov 2026 00:00:00 GMT", b"\xff", b"0"],
    b"Retry-After": [b"0", b"\xb2", b"9" * 5000, b"Mon, 32 Foo 99999 25:61:61 +9999", b"-1"],
    b"Location": [b"/b", b"http://[", b"http://h:99999999/", b"//", b"\xff\xfe", b"http://a b/", b"file:///", b"http://0:1/x"],
}  # fmt: skip


def mutants(seed: int) -> list[bytes]:
    """Write the answers that a host gives one after the other."""
    chance = random.Random(seed)
    return [_answer(chance) for _ in range(3)]


def _answer(chance: random.Random) -> bytes:
    body = BODY
    headers = [(name, chance.choice(values)) for name, values in _VALUES.items() if chance.random() < 0.35]
    if any(value == b"chunked" for _, value in headers):
        body = b"404\r\n" + BODY + b"\r\n0\r\n\r\n"
    chance.shuffle(headers)
    lines = [b"HTTP/1.1 %d Said" % chance.choice(_STATUS), *(name + b": " + value for name, value in headers)]
    answer = bytearray(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    for _ in range(chance.choice([0, 0, 1, 3, 20])):  # bytes are changed, taken out or put in, mostly near the head
        at = chance.randrange(min(len(answer), chance.choice([20, 300, 5000])))
        how = chance.randrange(3)
        answer[at : at + (how > 0)] = b"" if how == 2 else bytes([chance.randrange(256)])
    return bytes(answer[: chance.randrange(len(answer) + 1)] if chance.random() < 0.2 else answer)


@dataclass
class _Host:
    port: int = 0
    answers: list[bytes] = field(default_factory=list)


@contextmanager
def _hosting() -> Iterator[_Host]:
    """Answer each connection with the next of the answers, whatever it asks."""
    host = _Host()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host.port = listener.getsockname()[1]

        def work() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65536)
                        connection.sendall(host.answers.pop(0) if len(host.answers) > 1 else host.answers[0])
                    except OSError:
                        continue  # a client that goes away early

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield host
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def raw_errors(count: int, seed: int) -> list[tuple[int, str]]:
    """Download from ``count`` hostile hosts; list what was raised that is no error of ours, by seed."""
    found: list[tuple[int, str]] = []
    with _hosting() as host, tempfile.TemporaryDirectory() as folder:
        for number in range(seed, seed + count):
            host.answers = mutants(number)
            asset = Asset(name="x", urls=(f"http://127.0.0.1:{host.port}/{number}.zip",))
            try:
                locate(asset, Transfer(Settings(Path(folder)), LIMITS))
            except CovidDatasetsError:
                continue
            except Exception as error:  # what is looked for
                found.append((number, words_of(error)))
    return found
