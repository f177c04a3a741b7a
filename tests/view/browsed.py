"""The page of `browse` on a real server on loopback, and somebody who asks it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from covid_datasets import build_dataset
from covid_datasets.view.browse.serve import Page, prepared_page
from covid_datasets.view.browse.shelf import Shelf


def two_builds(folder: Path) -> Path:
    """Fill a cache with two configs of one source."""
    for config in ("small", "default"):
        build_dataset("phantom", config, cache_dir=folder, num_proc=1)
    return folder


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Visitor:
    """Somebody at the page, with the cookie that a browser would have, or without."""

    address: str
    cookie: str = ""

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask for a path exactly as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host="host" in headers)
            sent = {"cookie": self.cookie, **{name.replace("_", "-"): value for name, value in headers.items()}}
            for name, value in sent.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def ask(self, path: str, start: int = 0, count: int = 100, **question: Any) -> Any:
        """Ask a question and return the JSON."""
        found = self.get(f"/{path}?ask={quote(json.dumps(question))}&start={start}&count={count}")
        assert found.status == 200, found.body
        return found.json

    def rows(self, **question: Any) -> list[str]:
        return [row["sample_id"] for row in self.ask("rows", 0, 500, **question)["rows"]]


@contextmanager
def served(page: Page) -> Iterator[None]:
    """Serve a page in a thread."""
    thread = threading.Thread(target=page.run, daemon=True)
    thread.start()
    try:
        while not page.server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield
    finally:
        page.server.should_exit = True
        thread.join(30)


@contextmanager
def visited(shelf: Shelf) -> Iterator[Visitor]:
    """Serve a shelf in a thread, and let somebody in."""
    with prepared_page(shelf) as page, served(page):
        first = Visitor(page.address).get(f"/?{urlsplit(page.address).query}")
        yield Visitor(page.address, first.headers["set-cookie"].partition(";")[0])
