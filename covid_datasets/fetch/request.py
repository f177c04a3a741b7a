"""One HTTP request: proxies, redirects, and credentials that go to nobody but the host they are for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin, urlsplit

from covid_datasets.errors import CovidDatasetsError, DownloadError
from covid_datasets.fetch.hosts import behind
from covid_datasets.fetch.page import has_title, message_of, title_of
from covid_datasets.fetch.places import is_internal, redacted
from covid_datasets.fetch.transfer import Limits

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse

_PAGE = 1 << 16  # how much of an HTML page is read to find its title
_REDIRECTS = {301, 302, 303, 307, 308}


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
        return None if self.response.chunked else whole_number(self.header("Content-Length"))

    @property
    def content_type(self) -> str:
        """What the host calls these bytes, in lower case and without parameters."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """Give the value of a header; empty where it is absent."""
        return str(self.headers.get(name, "")).strip()

    def read(self, size: int) -> bytes:
        """Return what is there, up to ``size`` bytes; ``b""`` at the end.

        Bodies that are not chunked are read below ``HTTPResponse``, which would hide bytes beyond the promised ones.
        """
        with foreign(self.url):
            return (self.response if self.response.chunked else self.response.fp).read1(size)


def whole_number(text: str) -> int | None:
    """Read a number as HTTP writes it; ``None`` where it is none, or none that a file could have.

    >>> whole_number("300"), whole_number("²"), whole_number("9" * 5000), whole_number("-1")
    (300, None, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


@contextmanager
def foreign(url: str) -> Iterator[None]:
    """Make one error of ours out of whatever the HTTP library makes of an answer that no honest host sends.

    What another try may mend, broken connections and broken protocols, passes.
    """
    from http.client import HTTPException, InvalidURL

    try:
        yield
    except InvalidURL:  # in its own words it quotes the URL, and with that its secrets
        what = "a URL that is none"
    except (CovidDatasetsError, OSError, HTTPException):
        raise
    except Exception as error:
        what = f"an answer that cannot be read ({type(error).__name__})"
    else:
        return
    raise DownloadError(
        f"{redacted(url)}: expected a file, found {what}. Next: open the URL in a browser, or use a mirror: "
        f"COVID_DATASETS_MIRROR"
    )


def ask(url: str, headers: dict[str, str], limits: Limits) -> Answer:
    """Send the request and follow redirects; credentials stay with the scheme, host and port they are for."""
    from urllib.request import OpenerDirector, ProxyHandler, Request

    from covid_datasets.fetch.connection import Http, Https

    # Only what is wanted: no handler for redirects, statuses, file: or ftp:, which are dealt with here and by callers.
    opener = OpenerDirector()
    for handler in (ProxyHandler(), Http(limits), Https(limits)):
        opener.add_handler(handler)
    with foreign(url):
        login = login_of(url)
        home, here = _origin(url), url
    for _ in range(limits.redirects + 1):
        with foreign(here):
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
            scheme, hostname, _ = _origin(here)
            schemes = (parts.scheme, scheme)
        except ValueError:
            raise DownloadError(
                f"{redacted(url)}: expected a redirect to a URL, found a malformed one. Next: open the URL in a "
                f"browser; if it works there, report it to covid-datasets"
            ) from None
        if is_internal(hostname or ""):
            raise DownloadError(
                f"{redacted(url)}: expected a redirect to a host of the network, found one to the inner address "
                f"{hostname}. Next: check that this network does not tamper with traffic"
            )
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
    from http.client import HTTPException

    page, chunk = bytearray(first), first
    longest = _PAGE if answer.promised is None else min(_PAGE, answer.promised)
    try:
        while len(page) < longest and not has_title(page[-len(chunk) - 8 :]) and (chunk := answer.read(_PAGE)):
            page += chunk
    except (OSError, HTTPException, DownloadError):
        pass  # the title is a courtesy; the error that quotes it is raised either way
    if answer.content_type == "application/json":
        message = message_of(bytes(page))
        return f" saying {message!r}" if message else ""
    text = title_of(bytes(page))
    return f" titled {text!r}" if text else ""


def retry_after(headers: HTTPMessage) -> float:
    """Read Retry-After, in seconds or as a date; 0 where it is absent or unreadable."""
    from email.utils import parsedate_to_datetime

    text = str(headers.get("Retry-After", "")).strip()
    if (seconds := whole_number(text)) is not None:
        return float(seconds)
    try:
        return max(parsedate_to_datetime(text[:100]).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError, IndexError):  # what the parser makes of dates that are none
        return 0.0
