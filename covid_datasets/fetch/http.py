"""Download over HTTP: resume across processes, bounded retries, and failures told apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
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
from covid_datasets.fetch.hosts import behind
from covid_datasets.fetch.page import is_page, unlike
from covid_datasets.fetch.partial import Fetched, Partial, Stamp
from covid_datasets.fetch.places import redacted as redacted
from covid_datasets.fetch.ranges import LOOK, download_ranges, worth_it
from covid_datasets.fetch.request import Answer, ask, retry_after, title, whole_number
from covid_datasets.fetch.retries import LATER, Retry, keeping, with_retries
from covid_datasets.fetch.transfer import Limits, Transfer

_HEADERS = {"User-Agent": "covid-datasets", "Accept": "*/*", "Accept-Encoding": "identity"}
_CHUNK = 1 << 18
_LOOK = 1 << 10  # bytes that are looked at before any is written
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_CODINGS = {"gzip", "x-gzip", "deflate", "br", "compress", "x-compress", "zstd"}


def download_http(
    url: str,
    part: Path,
    transfer: Transfer,
    *,
    size: int | None = None,
    also: Collection[str] = (),
    on_bytes: Callable[[int], object] | None = None,
    on_total: Callable[[int], object] | None = None,
) -> Fetched:
    """Bring a URL's bytes into ``part``, going on from what an earlier process left there.

    Args:
        url: An http or https URL.
        part: Where the bytes go; the caller renames it after it compared the hash.
        transfer: Whether the network may be used, and how patiently.
        size: The published size; a host that offers another one is refused before its bytes are read.
        also: Hashes to take besides SHA-256, for catalogs that publish others.
        on_bytes: Told how many bytes came (negative when it starts over); may raise to cancel.
        on_total: Told the size of the whole file when the host says it.
    """
    if transfer.settings.offline:
        raise OfflineError(f"{redacted(url)}: COVID_DATASETS_OFFLINE forbids the network")
    limits = transfer.limits
    with Partial(part, also=also, margin=limits.margin, on_bytes=on_bytes) as partial:
        with_retries(lambda: _attempt(url, partial, limits, size, on_total), url, partial, limits)
        return partial.finish()


def _attempt(
    url: str, part: Partial, limits: Limits, size: int | None, on_total: Callable[[int], object] | None
) -> None:
    if part.size and part.size == part.stamp.total:
        return  # an earlier process got it all and was killed before it could say so
    if not part.stamp.validator or part.size > (part.stamp.total or part.size):
        part.start_over(Stamp())
    if part.ahead:  # of an earlier try or process, over several connections
        _ranges(url, part, limits)
        return
    start = part.size
    headers = dict(_HEADERS)
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": part.stamp.validator}
    answer = ask(url, headers, limits)
    with answer.response:
        first = b""
        if answer.status == 206 and start:
            part.go_on(_check_range(answer, part, url))
        elif answer.status == 200:
            first = _first_bytes(answer, url, part.path.name.removesuffix(".part"))
            part.start_over(_stamp(answer))
        else:
            _raise_status(answer, part)
        total = part.stamp.total
        if size is not None and total is not None and total != size:
            raise ChangedUpstreamError(
                f"{redacted(url)}: expected {size:,} bytes (published in the catalog), the host offers {total:,}. "
                f"Next: update covid-datasets, or use another copy of the source with data_dir="
            )
        if on_total and total is not None:
            on_total(total)
        part.check_space()
        several = (
            min(limits.connections, part.at_once)
            if answer.status == 206 or answer.header("Accept-Ranges") == "bytes"
            else 1
        )
        rate = _copy(answer, first, part, url, size, several)
    if rate is not None:
        _ranges(url, part, limits, rate)


def _ranges(url: str, part: Partial, limits: Limits, rate: float = 0.0) -> None:
    """Bring the rest over several connections, and never put together what is not of one version."""

    def ask_range(start: int, end: int) -> Answer:
        span = {"Range": f"bytes={start}-{end - 1}", "If-Range": part.stamp.validator}
        answer = ask(url, {**_HEADERS, **span}, limits)
        if answer.status != 206:
            answer.response.close()
            if answer.status != 200:
                _raise_status(answer, part)
            raise Retry(DownloadError(f"{redacted(url)}: expected a range, found the whole file. {LATER}"))
        if problem := _not_the_range(answer, part.stamp, start, end):
            answer.response.close()
            raise Retry(DownloadError("{}: expected {}, found {}. {}".format(redacted(url), *problem, LATER)))
        return answer

    part.go_on(part.stamp.total)
    part.check_space()
    from http.client import HTTPException

    try:
        download_ranges(ask_range, part, min(limits.connections, part.at_once), rate)
    except (Retry, OSError, HTTPException) as error:
        part.at_once = max(1, part.at_once // 2)  # it may not like so many
        if isinstance(error, Retry) and not isinstance(error.error, TruncatedError | HostUnreachableError):
            part.at_once = 1  # an odd answer: one connection goes on from here, and finds out what is there now
            part.drop_ahead()
        raise


def _copy(answer: Answer, first: bytes, part: Partial, url: str, size: int | None, connections: int) -> float | None:
    """Append the body; one byte more than promised is asked for, so that a lie in either direction shows.

    Where several ``connections`` are worth it, stop in the middle and return the rate, in bytes a second.
    """
    began, before, looked = time.monotonic(), part.size, False
    total = size if part.stamp.total is None else part.stamp.total
    if total is None and answer.promised is not None:
        total = part.size + answer.promised
    part.delimited = total is not None or answer.response.chunked
    chunk = first
    while True:
        if total is not None and part.size + len(chunk) > total:
            part.start_over(Stamp())
            text = f"{redacted(url)}: expected {total:,} bytes, found that more came"
            if answer.promised is None:  # nobody lied: the file is not the published one
                raise ChangedUpstreamError(f"{text}. Next: update covid-datasets, or use another copy with data_dir=")
            raise Retry(TruncatedError(f"{text} than the host had promised. {LATER}"))
        part.write(chunk)
        if not looked and (waited := time.monotonic() - began) >= LOOK:
            looked, rate = True, (part.size - before) / waited
            if worth_it(part, rate, connections):
                return rate
        if part.size == total and answer.promised is not None:
            return None  # a host that keeps the connection open would make us wait for the end
        chunk = answer.read(_CHUNK if total is None else min(_CHUNK, total - part.size + 1))
        if not chunk:
            break
    if total is not None and part.size < total:
        raise Retry(
            TruncatedError(
                f"{redacted(url)}: expected {total:,} bytes, the transfer ended after {part.size:,}, "
                f"{keeping(part)}. {LATER}"
            )
        )
    return None


def _not_the_range(answer: Answer, stamp: Stamp, start: int, end: int) -> tuple[str, str] | None:
    """Say how an answer is not the very range of the very version that was asked for; ``None`` where it is."""
    wanted, found = f"bytes {start}-{end - 1}/{stamp.total}", answer.header("Content-Range")
    if found.lower() != wanted or answer.promised != end - start or answer.header("Content-Encoding"):
        return f"the range {wanted!r}", repr(found[:100])
    return _changed(stamp, _stamp(answer))


def _check_range(answer: Answer, part: Partial, url: str) -> int | None:
    """Check that a partial answer is the rest of the very file whose bytes are at hand; give the size of the whole.

    A host may answer with the rest of another version whatever If-Range said, so its own words are compared too.
    """
    found = answer.header("Content-Range")
    unit, _, rest = found.partition(" ")
    span, _, whole = rest.strip().partition("/")
    first, last = (whole_number(text) for text in (*span.split("-", 1), "")[:2])
    total, known = whole_number(whole), part.stamp.total
    fits = unit.lower() == "bytes" and first == part.size and last is not None and last >= first
    fits &= whole == "*" or (total is not None and last is not None and last < total and known in (None, total))
    if not fits:
        wanted, found = f"the range 'bytes {part.size}-.../{known or '*'}'", repr(found[:100])
    elif changed := _changed(part.stamp, _stamp(answer)):
        wanted, found = changed
    else:
        return total
    part.start_over(Stamp())
    raise Retry(DownloadError(f"{redacted(url)}: expected {wanted}, found {found}. {LATER}"))


def _changed(before: Stamp, now: Stamp) -> tuple[str, str] | None:
    """Say which of a file's marks is not what it was; the one that If-Range carried has to be there again."""
    for name, old, new in (("ETag", before.etag, now.etag), ("Last-Modified", before.modified, now.modified)):
        if old != new and (new or old == before.validator):
            return f"{name} {old[:100]!r} as before", repr(new[:100])
    return None


def _first_bytes(answer: Answer, url: str, name: str) -> bytes:
    """Read the beginning and refuse what is no file of this name: a web page, an error, a compressed answer."""
    coding = answer.header("Content-Encoding").lower()
    enough = _LOOK if answer.promised is None else min(_LOOK, answer.promised)
    first = b""
    while len(first) < enough and (chunk := answer.read(_CHUNK)):
        first += chunk
    as_stored = name.lower().endswith((".gz", ".tgz")) and first.startswith(b"\x1f\x8b")  # the file is what is said
    if coding in _CODINGS and not as_stored:
        raise NotTheFileError(
            f"{redacted(url)}: expected the file as it is, which was asked for, found it compressed "
            f"(Content-Encoding: {coding}). Next: download it in a browser and pass its folder as data_dir="
        )
    if urlsplit(url).path.lower().endswith((".html", ".htm")):
        return first
    kind = answer.content_type
    claims = kind in ("text/html", "application/xhtml+xml") and b"\0" not in first  # archives and images hold zeros
    came_from = f" from {redacted(answer.url)}" if answer.url != url else ""
    if claims or is_page(first):
        raise NotTheFileError(
            f"{redacted(url)}: expected a file, found a web page{came_from}{title(answer, first)}: a login or quota "
            f"page. Next: open the URL in a browser; log in or wait until the quota resets, or download the file there "
            f"and pass its folder as data_dir="
        )
    if problem := unlike(first, name, kind):
        raise NotTheFileError(
            f"{redacted(url)}: {problem}{came_from}: an error of the host. Next: open the URL in a browser; try again "
            f"later, or use another copy with data_dir="
        )
    return first


def _stamp(answer: Answer) -> Stamp:
    """Note what an answer says of the file's version; If-Range may carry a strong ETag, else the modification time."""
    etag, modified = answer.header("ETag"), answer.header("Last-Modified")
    return Stamp(etag if etag.startswith('"') else modified, answer.promised, etag, modified)


def _raise_status(answer: Answer, part: Partial) -> None:
    from http.client import responses

    status, url = answer.status, redacted(answer.url)
    what = f"{url}: the host answers {status} {responses.get(status, '')}".rstrip()
    if status in (404, 410):
        raise MissingUpstreamError(
            f"{what}: the file is not there any more. Next: use a copy with data_dir= or a mirror"
        )
    if status in (401, 403, 407):
        raise RefusedError(
            f"{what}{title(answer)}: {_advice(answer)}, or download by hand and pass the folder as data_dir="
        )
    if status in (206, 416):  # our part does not fit what is there now
        part.start_over(Stamp())
        raise Retry(DownloadError(f"{what} to a download from its beginning. {LATER}"))
    if status in _BUSY:
        raise Retry(HostUnreachableError(f"{what}, again and again. {LATER}"), wait=retry_after(answer.headers))
    raise DownloadError(f"{what}; expected 200 or 206. Next: open the URL in a browser, or use a mirror")


def _advice(answer: Answer) -> str:
    """Say how to be allowed what was refused."""
    if (host := behind(answer.url)) and (
        advice := host.refused(answer.url.removeprefix(f"{host.api}/"), answer.status)
    ):
        return advice
    name = urlsplit(answer.url).hostname
    return (
        f"it refuses these credentials, or asks for some. Next: put 'machine {name} login NAME password SECRET' into "
        f"~/.netrc (chmod 600)"
    )
