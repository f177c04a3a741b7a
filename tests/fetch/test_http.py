"""Downloads over HTTP against a real server that misbehaves."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import FileIO
from pathlib import Path

import pytest

from covid_datasets.errors import (
    ChangedUpstreamError,
    DownloadError,
    HostUnreachableError,
    MissingUpstreamError,
    NoSpaceError,
    NotTheFileError,
    OfflineError,
    RefusedError,
    TruncatedError,
)
from covid_datasets.fetch import partial as part_module
from covid_datasets.fetch.http import download_http, redacted
from covid_datasets.fetch.partial import Fetched
from covid_datasets.fetch.places import place
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.settings import Settings
from tests.server import Behaviour, Server, serve, then

BODY = random.Random(7).randbytes(300_000)
QUICK = Limits(timeout=2.0, retries=2, backoff=0.01, longest_wait=0.3, redirects=3, margin=0)
PAGE = "<!DOCTYPE html><html><head><title>Quota &amp; limits\n exceeded</title></head></html>"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.zip").write_bytes(BODY)
    with serve(folder) as running:
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "a.zip.part"


def get(url: str, part: Path, *, limits: Limits = QUICK, size: int | None = None, md5: bool = False) -> Fetched:
    transfer = Transfer(Settings(cache=part.parent), limits)
    return download_http(url, part, transfer, size=size, also=["md5"] if md5 else [])


def check_whole(fetched: Fetched, part: Path, body: bytes = BODY) -> None:
    assert part.read_bytes() == body
    assert (fetched.size, fetched.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_whole_file_is_hashed_on_the_way(server: Server, part: Path) -> None:
    fetched = get(server.url("/a.zip"), part, md5=True)
    check_whole(fetched, part)
    assert fetched.md5 == hashlib.md5(BODY).hexdigest()
    assert not fetched.resumed
    assert "range" not in server.requests[0].headers


def test_chunked_and_empty_files(server: Server, part: Path) -> None:
    server.behaviours |= {"/c": Behaviour(body=BODY, chunked=True), "/e": Behaviour(body=b"")}
    check_whole(get(server.url("/c"), part), part)
    empty = part.with_name("e.part")
    check_whole(get(server.url("/e"), empty), empty, b"")


@pytest.mark.parametrize("kind", ["cut", "stall"])
def test_a_broken_transfer_goes_on_where_it_stopped(server: Server, part: Path, kind: str) -> None:
    broken = {"cut": Behaviour(times=1, cut_after=100_000), "stall": Behaviour(times=1, stall_after=100_000)}
    server.behaviours["/a.zip"] = broken[kind]
    check_whole(get(server.url("/a.zip"), part, limits=replace(QUICK, timeout=0.4)), part)
    first, second = server.of("/a.zip")
    assert second.headers["range"] == "bytes=100000-"
    assert second.headers["if-range"].startswith('"')
    assert "range" not in first.headers


def test_last_modified_serves_where_there_is_no_strong_etag(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(times=1, cut_after=100_000, etag='W/"weak"')
    check_whole(get(server.url("/a.zip"), part), part)
    assert server.of("/a.zip")[1].headers["if-range"].endswith("GMT")


def test_without_any_validator_a_retry_starts_over(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(times=1, cut_after=100_000, etag="", last_modified=False)
    check_whole(get(server.url("/a.zip"), part), part)
    assert "range" not in server.of("/a.zip")[1].headers


def test_a_part_of_a_killed_process_is_resumed(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(times=1, stall_after=200_000, stall_for=1000)
    code = (
        "import sys; from pathlib import Path; from covid_datasets.fetch.http import download_http;"
        "from covid_datasets.fetch.transfer import Transfer;"
        "from covid_datasets.settings import Settings; part = Path(sys.argv[2]);"
        "download_http(sys.argv[1], part, Transfer(Settings(cache=part.parent)))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, server.url("/a.zip"), str(part)])
    deadline = time.monotonic() + 600
    while not (part.exists() and part.stat().st_size == 200_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()

    fetched = get(server.url("/a.zip"), part)
    check_whole(fetched, part)
    assert fetched.resumed
    assert server.of("/a.zip")[1].headers["range"] == "bytes=200000-"


def test_a_part_that_was_complete_needs_no_network(server: Server, part: Path) -> None:
    get(server.url("/a.zip"), part)
    check_whole(get(server.url("/a.zip"), part), part)
    assert len(server.requests) == 1


def test_changed_content_between_tries_starts_over(server: Server, part: Path) -> None:
    new = BODY[::-1]
    server.behaviours["/a.zip"] = then(Behaviour(cut_after=100_000), Behaviour(body=new), body=BODY)
    fetched = get(server.url("/a.zip"), part)
    check_whole(fetched, part, new)
    assert not fetched.resumed


def test_a_server_that_ignores_range_starts_over(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = then(Behaviour(cut_after=100_000), Behaviour(ignore_range=True), body=BODY)
    check_whole(get(server.url("/a.zip"), part), part)
    assert "range" in server.of("/a.zip")[1].headers


def test_a_wrong_content_range_is_not_believed(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = then(
        Behaviour(cut_after=100_000), Behaviour(wrong_range=True), Behaviour(), body=BODY
    )
    check_whole(get(server.url("/a.zip"), part), part)
    assert "range" not in server.of("/a.zip")[2].headers


def test_416_starts_over(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = then(Behaviour(cut_after=100_000), Behaviour(status=416), Behaviour(), body=BODY)
    check_whole(get(server.url("/a.zip"), part), part)
    assert len(server.requests) == 3


def test_a_part_longer_than_the_file_starts_over(server: Server, part: Path) -> None:
    get(server.url("/a.zip"), part)
    with part.open("ab") as file:
        file.write(b"more")
    check_whole(get(server.url("/a.zip"), part), part)


def test_always_truncated_is_said_and_kept(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(cut_after=1000, ignore_range=True)
    with pytest.raises(TruncatedError, match=r"expected 300,000 bytes.*after 1,000, kept in a\.zip\.part\. Next: "):
        get(server.url("/a.zip"), part)
    assert len(server.requests) == 1 + QUICK.retries
    assert part.stat().st_size == 1000


def test_progress_does_not_use_up_the_retries(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(cut_after=20_000)
    check_whole(get(server.url("/a.zip"), part, limits=replace(QUICK, worth=20_000)), part)
    assert len(server.requests) == 15


def test_truncated_chunks_are_noticed(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(cut_after=1000, chunked=True, ignore_range=True)
    with pytest.raises(TruncatedError, match="ended early"):
        get(server.url("/a.zip"), part)


def test_a_promise_that_is_too_long(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(promise=50, times=None)
    with pytest.raises(TruncatedError, match="expected 300,050 bytes"):
        get(server.url("/a.zip"), part)


def test_a_promise_that_is_too_short(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(promise=-50)
    with pytest.raises(TruncatedError, match="expected 299,950 bytes, found that more came"):
        get(server.url("/a.zip"), part)
    server.behaviours["/a.zip"] = Behaviour()
    check_whole(get(server.url("/a.zip"), part), part)


def test_a_size_other_than_the_published_is_refused_before_its_bytes(server: Server, part: Path) -> None:
    with pytest.raises(ChangedUpstreamError, match=r"expected 5 bytes .published.*offers 300,000"):
        get(server.url("/a.zip"), part, size=5)
    assert not part.exists()
    server.behaviours["/a.zip"] = Behaviour(chunked=True)
    with pytest.raises(ChangedUpstreamError, match=r"expected 5 bytes, found that more came"):
        get(server.url("/a.zip"), part, size=5)


def test_silence_is_a_stall(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(delay=5)
    with pytest.raises(HostUnreachableError, match=r"127\.0\.0\.1 was silent for 0\.3 s after 0 bytes\. Next: "):
        get(server.url("/a.zip"), part, limits=replace(QUICK, timeout=0.3))
    assert len(server.requests) == 3


def test_nobody_listens(part: Path, server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HostUnreachableError, match=r"refuses the connection.*HTTPS_PROXY"):
        get(f"http://127.0.0.1:{port}/a.zip", part)


def test_unknown_host(part: Path, server: Server) -> None:
    with pytest.raises(HostUnreachableError, match=r"nowhere\.invalid cannot be resolved"):
        get("http://nowhere.invalid/a.zip", part)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_busy_hosts_are_asked_again(server: Server, part: Path, status: int) -> None:
    server.behaviours["/a.zip"] = Behaviour(status=status, times=2)
    check_whole(get(server.url("/a.zip"), part), part)
    assert len(server.requests) == 3


def test_always_busy(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(status=503)
    with pytest.raises(HostUnreachableError, match="answers 503 Service Unavailable, again and again"):
        get(server.url("/a.zip"), part)
    assert len(server.requests) == 1 + QUICK.retries


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after_is_obeyed_up_to_a_bound(server: Server, part: Path, how: str) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.behaviours["/a.zip"] = Behaviour(status=429, retry_after="3600" if how == "seconds" else later, times=1)
    start = time.monotonic()
    check_whole(get(server.url("/a.zip"), part), part)
    assert 0.3 <= time.monotonic() - start < 600


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (404, MissingUpstreamError, "not there any more"),
        (410, MissingUpstreamError, "data_dir"),
        (401, RefusedError, "machine 127.0.0.1 login"),
        (403, RefusedError, "titled 'Quota & limits exceeded'"),
        (400, DownloadError, "expected 200 or 206"),
    ],
)
def test_final_statuses_are_told_apart(
    server: Server, part: Path, status: int, kind: type[DownloadError], advice: str
) -> None:
    server.behaviours["/a.zip"] = Behaviour(status=status, html=PAGE)
    with pytest.raises(DownloadError) as caught:
        get(server.url("/a.zip"), part)
    assert type(caught.value) is kind
    assert advice in str(caught.value)
    assert server.url("/a.zip") in str(caught.value)
    assert "Next: " in str(caught.value)
    assert len(server.requests) == 1
    assert not part.exists()


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/zip"])
def test_a_web_page_is_not_a_file(server: Server, part: Path, content_type: str) -> None:
    server.behaviours["/a.zip"] = Behaviour(html="\n<!-- x -->" + PAGE, content_type=content_type)
    with pytest.raises(NotTheFileError, match="web page titled 'Quota & limits exceeded': a login or quota page"):
        get(server.url("/a.zip"), part)
    assert not part.exists()


def test_a_web_page_in_place_of_the_rest_keeps_the_part(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = then(Behaviour(cut_after=1000), Behaviour(html=PAGE), body=BODY)
    with pytest.raises(NotTheFileError):
        get(server.url("/a.zip"), part)
    assert part.stat().st_size == 1000


def test_binary_bytes_called_html_are_taken(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(content_type="text/html")
    check_whole(get(server.url("/a.zip"), part), part)


def test_redirects_are_followed_and_bounded(server: Server, part: Path) -> None:
    server.behaviours |= {"/r": Behaviour(redirect="/a.zip"), "/loop": Behaviour(redirect="/loop")}
    check_whole(get(server.url("/r"), part), part)
    with pytest.raises(DownloadError, match="at most 3 redirects"):
        get(server.url("/loop"), part.with_name("loop.part"))
    assert len(server.of("/loop")) == 4


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_leave_http_never(server: Server, part: Path, target: str) -> None:
    server.behaviours["/r"] = Behaviour(redirect=target)
    with pytest.raises(DownloadError, match="expected a redirect that stays on http"):
        get(server.url("/r"), part)


def test_redirects_never_drop_encryption(monkeypatch: pytest.MonkeyPatch, server: Server, part: Path) -> None:
    """TLS on loopback needs a certificate; so the https request alone is answered by the plain server."""
    import urllib.request

    def through_http(self: urllib.request.OpenerDirector, request: urllib.request.Request, **options: object) -> object:
        request.full_url = request.full_url.replace("https://", "http://")
        return real(self, request, **options)  # type: ignore[arg-type]

    real = urllib.request.OpenerDirector.open
    monkeypatch.setattr(urllib.request.OpenerDirector, "open", through_http)
    server.behaviours["/r"] = Behaviour(redirect=server.url("/a.zip"))
    with pytest.raises(DownloadError, match="expected a redirect that stays on https, found one to http://"):
        get(server.url("/r").replace("http://", "https://"), part)
    assert not server.of("/a.zip")


def write_netrc(text: str) -> None:
    Path(os.environ["NETRC"]).write_text(text)


def test_netrc_is_for_exactly_its_host(server: Server, part: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(password="me:s3cret")
    write_netrc("machine 127.0.0.1 login me password s3cret\n")
    check_whole(get(server.url("/a.zip"), part), part)

    write_netrc("default login me password s3cret\nmachine 0.0.1 login me password s3cret\n")
    with pytest.raises(RefusedError):
        get(server.url("/a.zip"), part.with_name("b.part"))
    assert "authorization" not in server.requests[-1].headers


@pytest.mark.parametrize("given", ["netrc", "url"])
def test_credentials_stay_behind_on_a_redirect_to_another_host(
    server: Server, part: Path, tmp_path: Path, given: str
) -> None:
    with serve(server.folder) as other:
        server.behaviours["/r"] = Behaviour(redirect=other.url("/a.zip"), password="")
        server.behaviours["/l"] = Behaviour(redirect=server.url("/a.zip", "localhost"))
        server.behaviours["/same"] = Behaviour(redirect="/a.zip")
        write_netrc("machine 127.0.0.1 login me password s3cret\n" if given == "netrc" else "")
        host = "127.0.0.1" if given == "netrc" else "me:s3cret@127.0.0.1"
        for path in ("/r", "/l", "/same"):
            check_whole(get(server.url(path, host), tmp_path / f"{path[1:]}.part"), tmp_path / f"{path[1:]}.part")
        assert all("authorization" in server.of(path)[0].headers for path in ("/r", "/l", "/same"))
        assert "authorization" not in other.requests[0].headers
        through_localhost, same = server.of("/a.zip")
        assert "authorization" not in through_localhost.headers
        assert "authorization" in same.headers


def test_secrets_never_reach_messages_or_disk(server: Server, part: Path) -> None:
    server.behaviours["/a.zip?token=t0ken"] = Behaviour(status=403)
    with pytest.raises(RefusedError) as caught:
        get(server.url("/a.zip?token=t0ken", "me:s3cret@127.0.0.1"), part)
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)
    assert redacted("https://u:p@h/x?sig=abc&a=1") == "https://h/x?sig=...&a=1"
    get(server.url("/a.zip", "me:s3cret@127.0.0.1"), part)
    assert not any("s3cret" in file.read_text("latin-1") for file in part.parent.glob("*.json"))


def test_a_broken_netrc_is_said_without_its_content(server: Server, part: Path) -> None:
    write_netrc("machine 127.0.0.1 login me passwrd hunter2\n")
    with pytest.warns(UserWarning, match="cannot be read") as warned:
        check_whole(get(server.url("/a.zip"), part), part)
    assert "hunter2" not in str(warned[0].message)


def test_proxies_of_the_environment_are_used(server: Server, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    server.behaviours["http://data.example/a.zip"] = Behaviour(body=b"through the proxy")
    check_whole(get("http://data.example/a.zip", part), part, b"through the proxy")


def test_offline_opens_no_socket(server: Server, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", no_socket)
    with pytest.raises(OfflineError, match="COVID_DATASETS_OFFLINE"):
        download_http(server.url("/a.zip"), part, Transfer(Settings(cache=part.parent, offline=True), QUICK))
    assert not server.requests


def no_socket(*arguments: object, **options: object) -> None:
    raise AssertionError("a socket was opened")


def test_no_space_is_said_before_the_first_byte(server: Server, part: Path) -> None:
    with pytest.raises(NoSpaceError, match=r"needed 300,000 bytes .* free .* are missing\. Next: "):
        get(server.url("/a.zip"), part, limits=replace(QUICK, margin=1 << 60))
    assert not part.exists()


def test_a_disk_that_fills_up_keeps_the_part(server: Server, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(part_module, "FileIO", SmallDisk)
        with pytest.raises(
            NoSpaceError,
            match=r"the disk is full \(.* free\)\. 180,000 more bytes were needed\. The 120,000 .*are kept",
        ):
            get(server.url("/a.zip"), part)
    kept = part.stat().st_size
    assert kept == SmallDisk.room
    check_whole(get(server.url("/a.zip"), part), part)
    assert server.requests[-1].headers["range"] == f"bytes={kept}-"


class SmallDisk(FileIO):
    """A file on a disk with room for so many bytes."""

    room = 120_000

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        left = self.room - os.fstat(self.fileno()).st_size
        if left <= 0:
            raise OSError(28, "No space left on device")
        return super().write(data[:left])


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/../../etc/passwd", "h/a/.%2E/.%2E/etc/passwd"),
        ("https://U:p@Host.org:8443/x y%2Fz.zip", "host.org_8443/x y%2Fz.zip"),
        ("https://h/a\\b:c|d", "h/a%5Cb%3Ac%7Cd"),
        ("https://h//a//", "h/a/index"),
        ("https://h", "h/index"),
    ],
)
def test_places_are_safe_file_names(url: str, name: str) -> None:
    assert place(url) == name


def test_places_of_different_queries_and_long_names_differ() -> None:
    assert place("https://h/get?id=1") != place("https://h/get?id=2")
    long = {place(f"https://h/{'é' * 300}{n}.tar.gz") for n in range(3)}
    assert len(long) == 3
    assert all(len(name.encode()) < 200 and name.endswith(".tar.gz") for name in long)
