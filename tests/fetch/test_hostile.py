"""Hosts that lie, splice, drip, and send what no honest host sends."""

from __future__ import annotations

import hashlib
import random
import traceback
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from covid_datasets.errors import (
    ChangedUpstreamError,
    CovidDatasetsError,
    DownloadError,
    HostUnreachableError,
    NotTheFileError,
    OfflineError,
    TruncatedError,
    UsageError,
)
from covid_datasets.fetch import cached as cached_module
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import Download, receipt_path, require_mirror
from covid_datasets.fetch.download import locate
from covid_datasets.fetch.http import download_http
from covid_datasets.fetch.page import is_page, title_of, unlike
from covid_datasets.fetch.partial import Fetched, hash_file
from covid_datasets.fetch.places import is_internal, redacted
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.settings import Settings
from tests.fetch.fuzz import mutants, raw_errors
from tests.server import Behaviour, Server, serve, then

BODY = random.Random(9).randbytes(300_000)
NEW = random.Random(10).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
QUICK = Limits(timeout=2.0, retries=2, backoff=0.01, longest_wait=0.05, redirects=3, margin=0)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("COVID_DATASETS_PROGRESS", "0")
    (tmp_path / "site").mkdir()
    with serve(tmp_path / "site") as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache")


def get(server: Server, settings: Settings, path: str = "/a.zip", **published: str) -> Download:
    return locate(Asset(name="images", urls=(server.url(path),), **published), Transfer(settings, QUICK))[0]  # type: ignore[arg-type]


def bring(server: Server, tmp_path: Path, limits: Limits = QUICK, path: str = "/a.zip") -> Fetched:
    return download_http(server.url(path), tmp_path / "a.zip.part", Transfer(Settings(tmp_path), limits))


# Two versions are never spliced

CUT = Behaviour(body=BODY, cut_after=100_000, etag='"one"')


@pytest.mark.parametrize(
    "rest",
    [
        {"etag": '"two"'},
        {"etag": ""},
        {"etag": 'W/"one"'},
        {"etag": '"one"', "headers": {"Last-Modified": "Mon, 02 Nov 2026 00:00:00 GMT"}},
        {"etag": '"one"', "headers": {"Content-Range": "bytes 100000-299999/300001"}},
        {"etag": '"one"', "headers": {"Content-Range": "bytes 100000-300000/300000"}},
        {"etag": '"one"', "headers": {"Content-Range": "bytes 100000-99999/300000"}},
        {"etag": '"one"', "headers": {"Content-Range": f"bytes {'1' * 5000}-2/3"}},
        {"etag": '"one"', "headers": {"Content-Range": "bytes ²-³/*"}},
        {"etag": '"one"', "headers": {"Content-Range": None}},
    ],
)
def test_the_rest_of_another_version_is_not_taken(server: Server, tmp_path: Path, rest: dict[str, object]) -> None:
    """The second answer is a 206 whatever If-Range said; only its own words show that it is of another file."""
    spliced = Behaviour(body=NEW, ignore_if_range=True, **rest)  # type: ignore[arg-type]
    server.behaviours["/a.zip"] = [CUT, spliced, Behaviour(body=NEW, etag='"two"')]
    fetched = bring(server, tmp_path)
    assert (tmp_path / "a.zip.part").read_bytes() == NEW
    assert not fetched.resumed


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_etag_the_time_of_change_has_to_stay(server: Server, tmp_path: Path, etag: str) -> None:
    first = replace(CUT, etag=etag)
    for headers in ({"Last-Modified": None}, {"Last-Modified": "Mon, 02 Nov 2026 00:00:00 GMT"}):
        spliced = Behaviour(body=NEW, etag=etag, ignore_if_range=True, headers=headers)
        server.requests.clear()
        server.behaviours["/a.zip"] = [first, spliced, Behaviour(body=NEW)]
        bring(server, tmp_path)
        assert (tmp_path / "a.zip.part").read_bytes() == NEW
        (tmp_path / "a.zip.part").unlink()


def test_a_host_that_lies_in_every_header_is_found_out_by_a_whole_reading(server: Server, settings: Settings) -> None:
    lie = Behaviour(body=NEW, etag='"one"', ignore_if_range=True)
    server.behaviours["/a.zip"] = [CUT, lie]
    found = get(server, settings)
    assert found.path.read_bytes() == NEW
    assert "range" not in server.requests[-1].headers

    found.path.unlink()  # an honest download is not refused later
    assert get(server, settings).verified == "matches first download"


def test_what_never_comes_in_one_piece_has_to_come_twice_alike(server: Server, settings: Settings) -> None:
    server.behaviours["/a.zip"] = then(*[CUT, Behaviour(etag='"one"')] * 2, body=BODY)
    assert get(server, settings).sha256 == SHA256
    assert len(server.requests) == 4


def test_what_is_never_alike_is_not_taken(server: Server, settings: Settings) -> None:
    bodies = [random.Random(seed).randbytes(300_000) for seed in range(3)]
    server.behaviours["/a.zip"] = [
        one for body in bodies for one in (CUT, Behaviour(body=body, etag='"one"', ignore_if_range=True))
    ]
    with pytest.raises(TruncatedError, match="expected the same bytes twice, found 3 different readings"):
        get(server, settings)
    assert not list(settings.downloads.rglob("a.zip"))


def test_a_published_hash_needs_no_second_reading(server: Server, settings: Settings) -> None:
    server.behaviours["/a.zip"] = then(CUT, Behaviour(etag='"one"'), body=BODY)
    assert get(server, settings, sha256=SHA256).verified == "published hash"
    assert len(server.requests) == 2


def test_a_host_that_always_breaks_off_is_not_asked_for_ever(server: Server, settings: Settings) -> None:
    cut, rest = replace(CUT, body=BODY), Behaviour(body=BODY, etag='"one"')
    server.behaviours["/a.zip"] = [cut, rest] * 10
    with pytest.raises(ChangedUpstreamError):
        get(server, settings, sha256="0" * 64)
    assert len(server.requests) == 2 * cached_module.READINGS


# What is no whole file


def test_a_body_without_a_length_is_read_until_two_readings_agree(server: Server, settings: Settings) -> None:
    """Where the end of the connection is the end of the file, nothing tells a broken one from a whole one."""
    early, whole = Behaviour(body=BODY, unlimited=True, cut_after=1000), Behaviour(body=BODY, unlimited=True)
    server.behaviours["/a.zip"] = [early, whole, whole]
    assert get(server, settings).sha256 == SHA256
    assert len(server.requests) == 3
    server.behaviours["/b.zip"] = [early, whole]
    with pytest.raises(TruncatedError, match="the transfer ended after 1,000"):
        locate(
            Asset(name="b", urls=(server.url("/b.zip"),), size=len(BODY)), Transfer(settings, replace(QUICK, retries=0))
        )


def test_a_compressed_answer_is_not_stored(server: Server, settings: Settings) -> None:
    server.behaviours |= {
        "/a.csv": Behaviour(body=b"\x1f\x8b\x08compressed", headers={"Content-Encoding": "gzip"}),
        "/a.csv.gz": Behaviour(body=b"\x1f\x8b\x08the file", headers={"Content-Encoding": "x-gzip"}),
        "/s3.zip": Behaviour(body=BODY, headers={"Content-Encoding": "aws-chunked"}),
    }
    with pytest.raises(NotTheFileError, match=r"found it compressed \(Content-Encoding: gzip\)"):
        get(server, settings, "/a.csv")
    assert get(server, settings, "/a.csv.gz").size == 11
    assert get(server, settings, "/s3.zip").sha256 == SHA256


def test_an_empty_answer_is_no_file_unless_that_is_published(server: Server, settings: Settings) -> None:
    server.behaviours |= {"/a.csv": Behaviour(body=b""), "/b.csv": Behaviour(body=b"")}
    with pytest.raises(NotTheFileError, match="expected a file, found an empty answer"):
        get(server, settings, "/a.csv")
    assert not [path for path in settings.downloads.rglob("a.csv*") if path.suffix != ".lock"]
    empty = Asset(name="b", urls=(server.url("/b.csv"),), size=0)
    assert locate(empty, Transfer(settings, QUICK))[0].size == 0


@pytest.mark.parametrize(
    ("name", "body", "kind"),
    [
        ("a.zip", b'{"error": {"code": 403, "message": "quota"}}', "application/octet-stream"),
        ("a.nii.gz", b"<?xml version='1.0'?>\n<Error><Code>SlowDown</Code></Error>", "application/xml"),
        ("a.png", "\ufeff<Error>\u00e9</Error>".encode(), ""),
        ("a.jpg", b"Too many requests", "text/plain"),
        ("a.csv", b'{"message": "not found"}', "text/csv"),
        ("a.xlsx", '{"error": 1}'.encode("utf-16"), "application/json"),
    ],
)
def test_an_error_in_place_of_a_file_is_told(
    server: Server, settings: Settings, name: str, body: bytes, kind: str
) -> None:
    server.behaviours[f"/{name}"] = Behaviour(body=body, content_type=kind)
    with pytest.raises(NotTheFileError, match=r"expected a \.\w+ file, found text that begins"):
        get(server, settings, f"/{name}")


@pytest.mark.parametrize(
    "body",
    [
        "<html><title>Log in</title>".encode("utf-16"),
        "<!DOCTYPE html><title>Log in</title>".encode("utf-16-le"),
        b"<script>location = '/login'</script>",
        b"<!-- one --><!-- two -->\n<?xml version='1.0'?><!DOCTYPE\nhtml PUBLIC 'x'><title>Log in</title>",
    ],
)
def test_pages_in_other_clothes_are_pages(server: Server, settings: Settings, body: bytes) -> None:
    server.behaviours["/data"] = Behaviour(body=body)
    with pytest.raises(NotTheFileError, match="found a web page"):
        get(server, settings, "/data")


def test_files_are_no_pages() -> None:
    assert not any(
        is_page(text) for text in (b"", b"<", b"<header>", b"<!-- c --># notes", b"<svg>", b"<!DOCTYPE svg>")
    )
    assert title_of(b"<title>" + b"x" * 500 + b"</title>") == "x" * 100
    assert unlike(b"{\x00\x01\x02", "a.zip") == unlike(b"FIPS,Admin2", "a.csv") == unlike(b"<a>", "a.xml") == ""


# Bytes that rot


def forget_what_was_read() -> None:
    cached_module._hashed.clear()  # as a new process


@pytest.mark.parametrize("published", [{}, {"sha256": SHA256}])
def test_a_flipped_bit_in_the_cache_is_not_used(server: Server, settings: Settings, published: dict[str, str]) -> None:
    server.behaviours["/a.zip"] = Behaviour(body=BODY)
    path = get(server, settings, **published).path
    rotten = bytearray(BODY)
    rotten[150_000] ^= 4
    forget_what_was_read()
    path.write_bytes(rotten)

    with pytest.raises(OfflineError, match="a file with other bytes than were downloaded"):
        get(server, replace(settings, offline=True), **published)
    assert get(server, settings, **published).path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_cached_file_is_read_once_in_a_process(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviours["/a.zip"] = Behaviour(body=BODY)
    reads: list[Path] = []

    def counted(path: Path, also: Collection[str] = ()) -> Fetched:
        reads.append(path)
        return hash_file(path, also)

    monkeypatch.setattr(cached_module, "hash_file", counted)
    for _ in range(3):
        get(server, settings)
    assert reads == []  # its bytes were hashed as they came
    forget_what_was_read()
    for _ in range(3):
        found = get(server, settings)
    assert reads == [found.path]
    assert receipt_path(found.path).is_file()


# Hosts that never end


def test_a_host_that_drips_is_left(server: Server, tmp_path: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(body=BODY, drip=0.02)
    impatient = replace(QUICK, retries=0, window=0.2)
    with pytest.raises(HostUnreachableError, match=r"sent too little to ever end \(\d+ bytes in 0 s\)"):
        bring(server, tmp_path, impatient)


def test_headers_that_never_end_are_left(server: Server, tmp_path: Path) -> None:
    server.behaviours["/a.zip"] = Behaviour(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 60_000)
    with pytest.raises(HostUnreachableError, match="its headers do not end within"):
        bring(server, tmp_path, replace(QUICK, retries=0))


# Answers that no honest host sends

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: ²\r\nETag: é\r\n\r\nPK".encode("latin-1"),
        OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nPK",
        OK + b"Content-Length: -5\r\nContent-Encoding: \xff\r\nContent-Type: \xfe;;;\r\n\r\nPK",
    ],
)
def test_impossible_lengths_are_no_lengths(server: Server, settings: Settings, answer: bytes) -> None:
    server.behaviours["/a.zip"] = Behaviour(raw=answer)
    assert get(server, settings).path.read_bytes() == b"PK"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff garbage",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999999 OK\r\n\r\n",
        OK + b"A: b\r\n" * 100_000 + b"\r\n",
        OK + b"A: " + b"b" * 70_000 + b"\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n\xb2\r\nPK\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nPK\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\nPK",
        "HTTP/1.1 429 Busy\r\nRetry-After: ²\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
        b"HTTP/1.1 429 Busy\r\nRetry-After: " + b"9" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Busy\r\nRetry-After: Mon, 99 Foo 99999999 00:00:00\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/2\r\n\r\nPK",
    ],
)
def test_garbage_is_an_error_of_ours(server: Server, settings: Settings, answer: bytes) -> None:
    server.behaviours["/a.zip"] = Behaviour(raw=answer)
    with pytest.raises(DownloadError, match=r"/a\.zip: .*Next: "):
        get(server, settings)


@pytest.mark.parametrize(
    "target",
    [
        "http://[::1",
        "http://h:99999999/",
        "http://h:abc@/",
        "http://h:0x50/",
        "http://" + "a" * 300 + ".example/",
        "http://" + "." * 10 + "/",
        "http://a b/",
        "http:///nowhere",
        "http://\u00e9\u00e9.invalid/\u00ff",
        "//",
        "http://127.0.0.1:1/" + "x" * 60_000,
    ],
)
def test_redirects_to_impossible_places(server: Server, settings: Settings, target: str) -> None:
    server.behaviours["/a.zip"] = Behaviour(redirect=target)
    with pytest.raises(DownloadError, match=r"Next: ") as caught:
        get(server, settings)
    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xA9FEA9FE", "[fe80::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"],
)
def test_redirects_to_inner_addresses_are_refused(server: Server, settings: Settings, host: str) -> None:
    server.behaviours["/a.zip"] = Behaviour(redirect=f"http://{host}/latest/meta-data/iam/")
    with pytest.raises(DownloadError, match="found one to the inner address"):
        get(server, settings)


def test_a_name_that_leads_to_an_inner_address_is_refused(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback plays the inner address: a name that leads there is refused, the address itself may be typed."""
    monkeypatch.setattr("covid_datasets.fetch.connection.is_internal", lambda host: host == "127.0.0.1")
    server.behaviours["/a.zip"] = Behaviour(body=BODY)
    with pytest.raises(DownloadError, match=r"localhost: expected a host of the network, found the inner address"):
        locate(Asset(name="x", urls=(server.url("/a.zip", "localhost"),)), Transfer(settings, QUICK))
    assert not server.requests
    assert get(server, settings).sha256 == SHA256
    assert not is_internal("localhost")
    assert not is_internal("")


def test_mutated_answers_are_files_or_errors_of_ours() -> None:
    assert raw_errors(500, seed=0) == []
    assert len({mutant for seed in range(50) for mutant in mutants(seed)}) > 50


# What is said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://h/x?pwd=a&sv=b&access_code=c&jwt=d&page=2",
            "https://h/x?pwd=...&sv=...&access_code=...&jwt=...&page=2",
        ),
        ("https://h/x#id_token=a;code=b", "https://h/x#id_token=...;code=..."),
        ("https://h/x;jsessionid=a?b=1", "https://h/x;jsessionid=...?b=1"),
        ("https://h/x?a=1?token=b", "https://h/x?a=1?token=..."),
        ("https://h/x?token=a?b&c=1", "https://h/x?token=...&c=1"),
        ("https://h/x?to%6ben=a", "https://h/x?to%6ben=..."),
        ("https://h/x?url=https%3A%2F%2Fme%3Apw%40i%2F", "https://h/x?url=..."),
        ("https://h/x?url=https%3A%2F%2Fi%2F%3Fsig%3Da", "https://h/x?url=..."),
        ("https://me:pw@[bad/x?token=a", "https://[bad/x?token=..."),
    ],
)
def test_secrets_are_left_out(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_errors_show_no_tracebacks_of_the_http_library_and_no_secrets(server: Server, settings: Settings) -> None:
    server.behaviours["/a.zip?token=t0ken"] = Behaviour(redirect="http://me:s3cret@h:p0rt/?token=t0ken")
    for path in ("/a.zip?token=t0ken", "/b.zip"):
        server.behaviours["/b.zip"] = Behaviour(raw=b"garbage")
        with pytest.raises(CovidDatasetsError) as caught:
            get(server, settings, path)
        shown = "".join(traceback.format_exception(caught.value))
        assert "urllib" not in shown
        assert not any(secret in shown.split("Error: ")[-1] for secret in ("t0ken", "s3cret"))


def test_no_text_holds_an_address_of_memory() -> None:
    from covid_datasets.measure.image import UndecodableError, decode

    with pytest.raises(UndecodableError, match=r"cannot identify image file; 8 bytes beginning"):
        decode(b"no image")
    assert str(DownloadError(f"{object()} cannot be read")) == "<object object> cannot be read"


def test_an_object_that_changes_while_it_is_read_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/changing/a.zip", BODY)
    described = memory.info
    states = iter(["one", "two"])
    monkeypatch.setattr(
        type(memory), "info", lambda _, path, **options: described(path) | {"ETag": next(states, "two")}
    )
    found = locate(Asset(name="x", urls=("memory://changing/a.zip",)), Transfer(settings, QUICK))[0]
    assert (found.etag, found.sha256) == ("ETag=two", SHA256)


def test_no_network_is_said_once(settings: Settings, server: Server) -> None:
    urls = tuple(f"http://nowhere.invalid/{name}.zip" for name in "abc")
    with pytest.raises(HostUnreachableError) as caught:
        locate(Asset(name="images", urls=urls), Transfer(settings, QUICK))
    assert str(caught.value).startswith(
        "images: no network: the name nowhere.invalid cannot be resolved; 3 copies tried. Next: check the network"
    )
    assert str(caught.value).count("nowhere.invalid") == 1


def test_a_mirror_that_is_not_there_is_said_first(tmp_path: Path) -> None:
    import covid_datasets

    gone = tmp_path / "usb"
    with pytest.raises(UsageError, match=r"usb: expected the folder of a mirror .* found nothing there\. Next: mount"):
        covid_datasets.build_dataset("covid_ct", cache_dir=tmp_path / "cache", mirror=str(gone))
    gone.touch()
    with pytest.raises(UsageError, match="found a file there"):
        require_mirror(Settings(tmp_path, mirror=gone.as_uri()))
    require_mirror(Settings(tmp_path, mirror=str(tmp_path)))
    require_mirror(Settings(tmp_path, mirror="https://mirror.example.org"))
