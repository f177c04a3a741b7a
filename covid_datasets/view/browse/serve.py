"""Serve the page on this machine alone, until the program is ended."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from covid_datasets.errors import UsageError, words_of
from covid_datasets.extras import need
from covid_datasets.view.browse.shelf import Shelf

if TYPE_CHECKING:
    from uvicorn import Server

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is ready to be served at an address, which holds its token."""

    address: str
    server: Server
    door: socket.socket

    def run(self) -> None:
        """Serve until the server is told to exit."""
        self.server.run(sockets=[self.door])


@contextmanager
def prepared_page(shelf: Shelf, port: int = 0) -> Iterator[Page]:
    """Open the door on the loopback interface; nothing is answered before `Page.run`."""
    need("starlette", "uvicorn")
    from uvicorn import Config, Server

    from covid_datasets.view.browse.app import make_app

    # The protocol is named, because asyncio turns off Nagle's algorithm only where it is: else every answer, whose head
    # and body are two packets, waits 40 ms for the browser to acknowledge the first one.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UsageError(f"--port: expected one that is free, found {port}: {words_of(error)}") from error
        number, token = door.getsockname()[1], secrets.token_urlsafe(32)
        app = make_app(shelf, token, number)
        # Its log of requests would hold the token. Headers and connections of one person are few.
        config = Config(app, log_level="error", access_log=False, lifespan="off", server_header=False, ws="none")
        yield Page(f"http://{HOST}:{number}/?token={token}", Server(config), door)


def browse(shelf: Shelf, port: int, say: Callable[[str], None], *, opened: bool = True) -> None:
    """Serve the page, say where it is, and open it in the browser of this machine."""
    with prepared_page(shelf, port) as page:
        say(page.address)
        if opened:
            webbrowser.open(page.address)
        page.run()
