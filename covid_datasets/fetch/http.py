"""Download over HTTP: resume across processes, bounded retries, and failures told apart."""

from __future__ import annotations

import http.client
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

from covid_datasets.errors import (
    ChangedUpstreamError,
    DownloadError,
    HostUnreachableError,
    MissingUpstreamError,
    NotTheFileError,
    OfflineError,
    RefusedError,
    TruncatedError,
)
from covid_datasets.fetch.part import Fetched, Limits, Origin, Part
from covid_datasets.fetch.places import redacted as redacted
from covid_datasets.fetch.request import Answer, ask, retry_after, title
from covid_datasets.settings import Settings

_CHUNK = 1 << 18
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_HTML = re.compile(rb"(?is)\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b")
_LATER = "Next: try again later (what arrived is kept and resumed), or use a mirror: COVID_DATASETS_MIRROR"


class Retry(Exception):
    """A failure that another try may mend; ``error`` is what to raise when none does."""

    def __init__(self, error: DownloadError, *, wait: float = 0.0, at_most: int | None = None) -> None:
        """Say how long the host asks to wait, and after how many retries it is hopeless."""
        super().__init__(str(error))
        self.error = error
        self.wait = wait
        self.at_most = at_most


def download_http(
    url: str,
    part: Path,
    *,
    settings: Settings,
    limits: Limits | None = None,
    size: int | None = None,
    md5: bool = False,
    on_bytes: Callable[[int], object] | None = None,
    on_total: Callable[[int], object] | None = None,
) -> Fetched:
    """Bring a URL's bytes into ``part``, going on from what an earlier process left there.

    Args:
        url: An http or https URL.
        part: Where the bytes go; the caller renames it after it compared the hash.
        settings: Only ``offline`` matters here.
        limits: Patience: time-outs, retries, redirects.
        size: The published size; a host that offers another one is refused before its bytes are read.
        md5: Whether to take the MD5 too, for catalogs that publish only that.
        on_bytes: Told how many bytes came (negative when it starts over); may raise to cancel.
        on_total: Told the size of the whole file when the host says it.
    """
    if settings.offline:
        raise OfflineError(f"{redacted(url)}: COVID_DATASETS_OFFLINE forbids the network")
    limits = limits or Limits()
    with Part(part, md5=md5, margin=limits.margin, on_bytes=on_bytes) as open_part:
        with_retries(lambda: _attempt(url, open_part, limits, size, on_total), url, open_part, limits)
        return open_part.finish()


def with_retries(attempt: Callable[[], None], url: str, part: Part, limits: Limits) -> None:
    """Call ``attempt`` until it goes through, with growing pauses, as often as ``limits`` allow."""
    tries, furthest = 0, part.size
    while True:
        try:
            return attempt()
        except Retry as problem:
            retry = problem
        except (OSError, http.client.HTTPException) as error:
            retry = _broken_connection(url, error, part, limits)
        tries = 0 if part.size - furthest >= limits.worth else tries + 1
        furthest = max(furthest, part.size)
        if tries > (limits.retries if retry.at_most is None else min(limits.retries, retry.at_most)):
            raise retry.error from retry.__cause__
        pause = limits.backoff * 2 ** max(tries - 1, 0) * random.uniform(0.5, 1.0)  # noqa: S311
        _sleep(min(max(pause, retry.wait), limits.longest_wait), part)


def _attempt(url: str, part: Part, limits: Limits, size: int | None, on_total: Callable[[int], object] | None) -> None:
    if part.size and part.size == part.origin.total:
        return  # an earlier process got it all and was killed before it could say so
    if not part.origin.validator or part.size > (part.origin.total or part.size):
        part.start_over(Origin())
    start = part.size
    headers = {"User-Agent": "covid-datasets", "Accept": "*/*", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": part.origin.validator}
    answer = ask(url, headers, limits)
    with answer.response:
        first = b""
        if answer.status == 206 and start:
            _check_range(answer, part, url)
        elif answer.status == 200:
            first = _first_bytes(answer, url)
            part.start_over(Origin(_validator(answer.headers), answer.promised))
        else:
            _raise_status(answer, part, limits)
        total = part.origin.total
        if size is not None and total is not None and total != size:
            raise ChangedUpstreamError(
                f"{redacted(url)}: expected {size:,} bytes (published in the catalog), the host offers {total:,}. "
                f"Next: update covid-datasets, or use another copy of the source with data_dir="
            )
        if on_total and total is not None:
            on_total(total)
        part.check_space()
        _copy(answer, first, part, url, size)


def _copy(answer: Answer, first: bytes, part: Part, url: str, size: int | None) -> None:
    """Append the body; one byte more than promised is asked for, so that a lie in either direction shows."""
    total = size if part.origin.total is None else part.origin.total
    if total is None and answer.promised is not None:
        total = part.size + answer.promised
    chunk = first or answer.read(_CHUNK if total is None else min(_CHUNK, total - part.size + 1))
    while chunk:
        if total is not None and part.size + len(chunk) > total:
            part.start_over(Origin())
            text = f"{redacted(url)}: expected {total:,} bytes, found that more came"
            if answer.promised is None:  # nobody lied: the file is not the published one
                raise ChangedUpstreamError(f"{text}. Next: update covid-datasets, or use another copy with data_dir=")
            raise Retry(TruncatedError(f"{text} than the host had promised. {_LATER}"))
        part.write(chunk)
        if part.size == total and answer.promised is not None:
            return  # a host that keeps the connection open would make us wait for the end
        chunk = answer.read(_CHUNK if total is None else min(_CHUNK, total - part.size + 1))
    if total is not None and part.size < total:
        raise Retry(
            TruncatedError(
                f"{redacted(url)}: expected {total:,} bytes, the transfer ended after {part.size:,}, "
                f"{limits_text(part)}. {_LATER}"
            )
        )


def limits_text(part: Part) -> str:
    """Say whether the bytes at hand can be gone on from."""
    return f"kept in {part.path.name}" if part.origin.validator else "which this host gives no way to resume"


def _check_range(answer: Answer, part: Part, url: str) -> None:
    """Check that a partial answer is exactly the rest of the bytes at hand."""
    found = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", found.strip())
    total = part.origin.total
    fits = match is not None and int(match[1]) == part.size and (total is None or match[3] in ("*", str(total)))
    if not fits:
        wanted = f"bytes {part.size}-.../{total or '*'}"
        part.start_over(Origin())
        error = DownloadError(f"{redacted(url)}: expected the range {wanted!r}, found {found!r}. {_LATER}")
        raise Retry(error)


def _first_bytes(answer: Answer, url: str) -> bytes:
    """Read the beginning and refuse a web page in place of a file."""
    first = answer.read(_CHUNK)
    if urlsplit(url).path.lower().endswith((".html", ".htm")):
        return first
    kind = answer.headers.get_content_type()
    claims = kind in ("text/html", "application/xhtml+xml") and b"\0" not in first  # archives and images hold zeros
    if claims or _HTML.match(first.removeprefix(b"\xef\xbb\xbf")):
        came_from = f" from {redacted(answer.url)}" if answer.url != url else ""
        raise NotTheFileError(
            f"{redacted(url)}: expected a file, found a web page{came_from}{title(answer, first)}: a login or quota "
            f"page. Next: open the URL in a browser; log in or wait until the quota resets, or download the file there "
            f"and pass its folder as data_dir="
        )
    return first


def _validator(headers: http.client.HTTPMessage) -> str:
    """Choose what If-Range may carry: a strong ETag, else the modification time."""
    etag: str = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _raise_status(answer: Answer, part: Part, limits: Limits) -> None:
    status, url = answer.status, redacted(answer.url)
    what = f"{url}: the host answers {status} {http.client.responses.get(status, '')}".rstrip()
    if status in (404, 410):
        raise MissingUpstreamError(
            f"{what}: the file is not there any more. Next: use a copy with data_dir= or a mirror"
        )
    if status in (401, 403, 407):
        host = urlsplit(answer.url).hostname
        raise RefusedError(
            f"{what}{title(answer)}: it refuses these credentials, or asks for some. Next: put 'machine {host} login "
            f"NAME password SECRET' into ~/.netrc (chmod 600), or download by hand and pass the folder as data_dir="
        )
    if status == 416 or status == 206:  # our part does not fit what is there now
        part.start_over(Origin())
        raise Retry(DownloadError(f"{what} to a download from its beginning. {_LATER}"))
    if status in _BUSY:
        raise Retry(HostUnreachableError(f"{what}, again and again. {_LATER}"), wait=retry_after(answer.headers))
    raise DownloadError(f"{what}; expected 200 or 206. Next: open the URL in a browser, or use a mirror")


def _broken_connection(url: str, error: Exception, part: Part, limits: Limits) -> Retry:
    """Say in words why there was no connection, or why it did not last."""
    import socket
    import ssl

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
    elif isinstance(reason, TimeoutError):
        what = f"{host} was silent for {limits.timeout:g} s {where}"
    elif isinstance(reason, http.client.IncompleteRead):
        error_text = f"{redacted(url)}: the transfer ended early, {where}, {limits_text(part)}. {_LATER}"
        retry = Retry(TruncatedError(error_text))
        retry.__cause__ = error
        return retry
    else:
        what = f"the connection to {host} broke {where} ({type(reason).__name__}: {reason})"
    hint = "Next: check the network, DNS and the proxy (HTTPS_PROXY), or use a mirror: COVID_DATASETS_MIRROR"
    retry = Retry(HostUnreachableError(f"{redacted(url)}: {what}. {hint}"), at_most=at_most)
    retry.__cause__ = error
    return retry


def _sleep(seconds: float, part: Part) -> None:
    """Wait in small steps, at each of which the caller may cancel."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.25))
        part.on_bytes(0)
