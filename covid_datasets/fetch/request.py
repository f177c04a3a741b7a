"""One HTTP request: proxies, redirects, and credentials that go to nobody but the host they are for."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin, urlsplit

from covid_datasets.errors import DownloadError
from covid_datasets.fetch.hosts import behind
from covid_datasets.fetch.places import redacted
from covid_datasets.fetch.transfer import Limits

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse

_PAGE = 1 << 16  # how much of an HTML page is read to find its title
_REDIRECTS = {301, 302, 303, 307, 308}
_TITLE = re.compile(rb"(?is)<title[^>]*>(.*?)</title")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response's bytes: at most ``promised`` of them where the host says a number."""

    status: int
    headers: HTTPMessage
    response: HTTPResponse
    url: str

    @property
    def promised(self) -> int | None:
        """The length that the host gave for this body, if any."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdigit() and not self.response.chunked else None

    def read(self, size: int) -> bytes:
        """Return what is there, up to ``size`` bytes; ``b""`` at the end.

        Bodies that are not chunked are read below ``HTTPResponse``, which would hide bytes beyond the promised ones.
        """
        return (self.response if self.response.chunked else self.response.fp).read1(size)


def ask(url: str, headers: dict[str, str], limits: Limits) -> Answer:
    """Send the request and follow redirects; credentials stay with the scheme, host and port they are for."""
    from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

    # Only what is wanted: no handler for redirects, statuses, file: or ftp:, which are dealt with here and by callers.
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler()):
        opener.add_handler(handler)
    login = login_of(url)
    home, here = _origin(url), url
    for _ in range(limits.redirects + 1):
        parts = urlsplit(here)
        clean = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        request = Request(quote(clean, safe="%/:=&?~+!$,;'@()*[]"), headers=headers)  # noqa: S310
        if login and _origin(here) == home:
            request.add_unredirected_header("Authorization", login)
        response: HTTPResponse = opener.open(request, timeout=limits.timeout)
        target = response.headers.get("Location")
        if response.status not in _REDIRECTS or not target:
            return Answer(response.status, response.headers, response, here)
        response.close()
        try:
            here = urljoin(here, target)
            schemes = (parts.scheme, _origin(here)[0])
        except ValueError as error:
            raise DownloadError(f"{redacted(url)}: expected a redirect to a URL, found a malformed one") from error
        if schemes[1] not in ("http", "https") or schemes == ("https", "http"):
            raise DownloadError(
                f"{redacted(url)}: expected a redirect that stays on {schemes[0]}, found one to {redacted(here)}. "
                f"Next: check that this network does not tamper with traffic, or use a mirror: COVID_DATASETS_MIRROR"
            )
    raise DownloadError(
        f"{redacted(url)}: expected at most {limits.redirects} redirects, found more; the last leads to "
        f"{redacted(here)}. Next: open the URL in a browser; if it works there, report it to covid-datasets"
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def login_of(url: str) -> str:
    """Give the Authorization header for a URL: from the URL itself, else its host's key, else netrc; empty without."""
    import base64

    parts = urlsplit(url)
    user, password = parts.username or "", parts.password or ""
    if not user and (host := behind(url)) and (key := host.login()):
        return key
    if user:
        user, password = unquote(user), unquote(password)
    else:
        user, password = _from_netrc(parts.hostname or "")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""


def _from_netrc(host: str) -> tuple[str, str]:
    import netrc
    import warnings

    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    if not path.is_file():
        return "", ""
    try:
        user, account, password = netrc.netrc(str(path)).hosts.get(host, ("", "", ""))
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        # Without the parser's own words: they may quote a password.
        line = f" at line {error.lineno}" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
        warnings.warn(f"{path}: cannot be read{line}; going on without credentials", stacklevel=2)
        return "", ""
    return user or account or "", password or ""


def title(answer: Answer, first: bytes = b"") -> str:
    """Quote the title of a web page or the message of an API, introduced by a word; empty where there is neither."""
    import html
    import json
    from http.client import HTTPException

    page, longest = first, _PAGE if answer.promised is None else min(_PAGE, answer.promised)
    try:
        while len(page) < longest and not _TITLE.search(page) and (chunk := answer.read(_PAGE)):
            page += chunk
    except (OSError, HTTPException):
        pass  # the title is a courtesy; the error that quotes it is raised either way
    if answer.headers.get_content_type() == "application/json":
        try:
            message = json.loads(page).get("message")
        except (ValueError, RecursionError, AttributeError):
            return ""
        return f" saying {' '.join(message.split())[:200]!r}" if isinstance(message, str) and message else ""
    match = _TITLE.search(page)
    text = " ".join(html.unescape(match[1].decode(errors="replace")).split())[:100] if match else ""
    return f" titled {text!r}" if text else ""


def retry_after(headers: HTTPMessage) -> float:
    """Read Retry-After, in seconds or as a date; 0 where it is absent or unreadable."""
    from email.utils import parsedate_to_datetime

    text: str = headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return 0.0
