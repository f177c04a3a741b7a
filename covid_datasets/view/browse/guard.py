"""Who may see the page: whoever has its token, from this machine, under one of its own two names."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""Sent with every answer. Nothing stays on the disk of a browser."""
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """Stands before an ASGI application and answers itself what must not reach it.

    A page of another site whose name was made to lead here (DNS rebinding) says that name as ``Host``. A script of
    another site that asks this address lacks the cookie, which is strict, and is told by ``Sec-Fetch-Site`` besides.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        """Take what is guarded, the token that lets in, and the port at which it is answered."""
        self._app, self._token = app, token
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
        self._cookie = f"covid_datasets_browse_{port}"  # cookies know no ports, and two pages may be open

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request, or let it through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return

        letting_in: list[tuple[bytes, bytes]] = []

        async def safely(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS, *letting_in]
            await send(message)

        headers = _single(scope["headers"])
        if headers.get(b"host") not in self._hosts:
            await _answer(safely, 421, b"this page is at 127.0.0.1 only\n")
        elif scope["path"] == "/" and self._fits(_token_in(scope["query_string"])):
            # No redirect: after a click in a page of another site a browser would not send a strict cookie with it.
            letting_in.append(
                (b"set-cookie", f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict".encode())
            )
            await self._app(scope, receive, safely)
        elif headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            await _answer(safely, 403, b"another site asked for this\n")
        elif not self._fits(self._token_of(headers.get(b"cookie", b""))):
            await _answer(safely, 403, b"open the address that `covid-datasets browse` printed, with its token\n")
        else:
            await self._app(scope, receive, safely)

    def _fits(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self._token.encode())

    def _token_of(self, cookies: bytes) -> str:
        try:
            found = SimpleCookie(cookies.decode("latin-1")).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found else ""


def _single(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Take the headers by name; one that is said twice is nobody's."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = b"" if name in found else value
    return found


def _token_in(query: bytes) -> str:
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=20).get("token", [""])[0]
    except ValueError:  # more fields than anybody types
        return ""


async def _answer(send: Any, status: int, body: bytes) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind]})
    await send({"type": "http.response.body", "body": body})
