"""Resources: copies in order, the cache and its memory, mirrors, offline, and several at once."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from covid_datasets.catalog.card import Access, Card, Licence, Patients, Version
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.errors import (
    CacheError,
    ChangedUpstreamError,
    CovidDatasetsError,
    HostUnreachableError,
    MissingExtraError,
    MissingUpstreamError,
    NoSpaceError,
    OfflineError,
    UsageError,
)
from covid_datasets.fetch import download as download_module
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import receipt_path
from covid_datasets.fetch.download import Download, locate, locate_all
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.progress import Display, PlainDisplay, RichDisplay, amount, progress
from covid_datasets.raw.downloads import asset_of
from covid_datasets.raw.mirror import SUMS, read_sums
from covid_datasets.raw.obtain import write_mirror
from covid_datasets.settings import Settings
from tests.server import Behaviour, Server, serve

BODY = random.Random(8).randbytes(200_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5, SHA1 = hashlib.md5(BODY).hexdigest(), hashlib.sha1(BODY).hexdigest()
QUICK = Limits(timeout=2.0, retries=1, backoff=0.01, longest_wait=0.1, redirects=3, margin=0)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("COVID_DATASETS_PROGRESS", "0")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "site"
    folder.mkdir()
    for name in ("a.zip", "b.zip"):
        (folder / name).write_bytes(BODY)
    with serve(folder) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache")


def asset(
    *urls: str, name: str = "images", size: int | None = None, sha256: str = "", md5: str = "", sha1: str = ""
) -> Asset:
    return Asset(name=name, urls=urls, size=size, sha256=sha256, md5=md5, sha1=sha1)


def get(wanted: Asset, settings: Settings) -> Download:
    return locate(wanted, Transfer(settings, QUICK))[0]


def cached(server: Server, settings: Settings, name: str = "a.zip") -> Path:
    return settings.downloads / f"127.0.0.1_{server.port}" / name


# The cache


def test_a_first_download_is_recorded_and_then_reused(server: Server, settings: Settings) -> None:
    wanted = asset(server.url("/a.zip"))
    first = get(wanted, settings)
    assert (first.path, first.size, first.sha256) == (cached(server, settings), len(BODY), SHA256)
    assert first.path.read_bytes() == BODY
    assert (first.verified, first.in_place) == ("recorded on first download", False)
    record = json.loads(receipt_path(first.path).read_text())
    assert (record["url"], record["sha256"], record["size"]) == (server.url("/a.zip"), SHA256, len(BODY))
    assert record["etag"] == first.etag != ""
    assert get(wanted, settings) == first
    assert len(server.requests) == 1
    assert sorted(path.name for path in first.path.parent.iterdir()) == ["a.zip", "a.zip.json"]


@pytest.mark.parametrize(
    "published", [{"sha256": SHA256}, {"md5": MD5}, {"sha1": SHA1}, {"md5": MD5, "sha256": SHA256, "sha1": SHA1}]
)
def test_published_hashes_are_compared(server: Server, settings: Settings, published: dict[str, str]) -> None:
    wanted = asset(server.url("/a.zip"), size=len(BODY), **published)
    assert get(wanted, settings).verified == "published hash"
    assert get(wanted, settings).verified == "published hash"
    assert len(server.requests) == 1


@pytest.mark.parametrize("published", [{"sha256": "0" * 64}, {"md5": "0" * 32}, {"sha1": "0" * 40, "md5": MD5}])
def test_a_file_other_than_the_published_is_set_aside(
    server: Server, settings: Settings, published: dict[str, str]
) -> None:
    with pytest.raises(ChangedUpstreamError) as caught:
        get(asset(server.url("/a.zip"), **published), settings)  # type: ignore[arg-type]
    rejected = cached(server, settings, "a.zip.rejected")
    for part in (server.url("/a.zip"), "expected", "found", "0000", str(rejected), "Next: update covid-datasets"):
        assert part in str(caught.value)
    assert rejected.read_bytes() == BODY
    assert not cached(server, settings).exists()


def test_the_first_hash_is_remembered_when_the_file_is_deleted(server: Server, settings: Settings) -> None:
    wanted = asset(server.url("/a.zip"))
    get(wanted, settings).path.unlink()
    assert get(wanted, settings).verified == "matches first download"

    cached(server, settings).unlink()
    server.behaviours["/a.zip"] = Behaviour(body=b"something else")
    with pytest.raises(ChangedUpstreamError, match=rf"expected sha256 {SHA256} \(recorded on .*delete .*a\.zip\.json"):
        get(wanted, settings)
    assert cached(server, settings, "a.zip.rejected").read_bytes() == b"something else"

    receipt_path(cached(server, settings)).unlink()  # what the message says to do
    assert get(wanted, settings).size == len(b"something else")


def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, settings: Settings) -> None:
    wanted = asset(server.url("/a.zip"))
    get(wanted, settings).path.write_bytes(BODY[:-1])
    assert get(wanted, settings).path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_a_file_without_record_is_used_if_its_hash_is_published(server: Server, settings: Settings) -> None:
    path = cached(server, settings)
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    assert get(asset(server.url("/a.zip"), sha256=SHA256), settings).path == path
    assert not server.requests
    get(asset(server.url("/a.zip")), settings)
    assert len(server.requests) == 1


def test_a_damaged_part_does_not_condemn_the_source(server: Server, settings: Settings) -> None:
    """A crash may leave zeros in the part; what was resumed and differs is fetched once more from its beginning."""
    server.behaviours["/a.zip"] = Behaviour(cut_after=100_000, times=2)
    wanted = asset(server.url("/a.zip"), sha256=SHA256)
    with pytest.raises(CovidDatasetsError):
        locate(wanted, Transfer(settings, Limits(timeout=0.5, retries=0, backoff=0.01, margin=0)))
    part = cached(server, settings, "a.zip.part")
    part.write_bytes(bytes(part.stat().st_size))
    assert get(wanted, settings).path.read_bytes() == BODY


def test_urls_that_differ_in_their_query_do_not_collide(server: Server, settings: Settings) -> None:
    one, two = (get(asset(server.url(f"/a.zip?id={n}")), settings) for n in (1, 2))
    assert one.path != two.path
    assert len(server.requests) == 2


# Copies


def test_the_first_copy_that_works_wins(server: Server, settings: Settings) -> None:
    server.behaviours["/bad.zip"] = Behaviour(html="<html><title>Log in</title></html>")
    wanted = asset(server.url("/gone.zip"), server.url("/bad.zip"), server.url("/b.zip"), server.url("/a.zip"))
    download, url = locate(wanted, Transfer(settings, QUICK))
    assert url == server.url("/b.zip") == download.url
    assert not server.of("/a.zip")


def test_a_copy_with_other_bytes_is_passed_over(server: Server, settings: Settings) -> None:
    server.behaviours["/a.zip"] = Behaviour(body=b"x" * len(BODY))
    wanted = asset(server.url("/a.zip"), server.url("/b.zip"), sha256=SHA256)
    assert locate(wanted, Transfer(settings, QUICK))[1] == server.url("/b.zip")


def test_an_accepted_copy_wins_and_else_the_first(server: Server, settings: Settings) -> None:
    wanted = asset(server.url("/a.zip"), server.url("/b.zip"))
    accepted = locate(wanted, Transfer(settings, QUICK), lambda _, url: url.endswith("/b.zip"))
    assert accepted[1] == wanted.urls[1]
    assert locate(wanted, Transfer(settings, QUICK), lambda *_: False)[1] == wanted.urls[0]


def test_when_no_copy_works_every_cause_is_listed(server: Server, settings: Settings) -> None:
    server.behaviours["/busy.zip"] = Behaviour(status=503)
    urls = [server.url("/gone.zip"), server.url("/busy.zip"), server.url("/a.zip")]
    with pytest.raises(MissingUpstreamError) as caught:
        get(asset(*urls, sha256="0" * 64), settings)
    text = str(caught.value)
    assert all(url in text for url in urls)
    assert all(cause in text for cause in ("404", "503", "expected sha256", "Next: ", "data_dir="))
    assert text.startswith("images: none of its 3 copies")


def test_the_error_is_of_the_kind_of_the_first_copy(server: Server, settings: Settings) -> None:
    server.behaviours["/busy.zip"] = Behaviour(status=503)
    with pytest.raises(HostUnreachableError):
        get(asset(server.url("/busy.zip"), server.url("/gone.zip")), settings)
    with pytest.raises(MissingUpstreamError, match=r"^http://.*/gone\.zip: the host answers 404"):
        get(asset(server.url("/gone.zip")), settings)


# Other protocols


def test_any_fsspec_url_and_its_resume(settings: Settings, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a.zip", BODY)
    wanted = asset("memory://bucket/a.zip", sha256=SHA256)
    first = get(wanted, settings)
    assert first.path.read_bytes() == BODY

    part = first.path.with_name("a.zip.part")
    record = json.loads(receipt_path(first.path).read_text())
    first.path.unlink()
    part.write_bytes(BODY[:50_000])
    part.with_name("a.zip.part.json").write_text(json.dumps({"validator": record["etag"], "total": len(BODY)}))
    counted = Display("test")
    locate(wanted, Transfer(settings, QUICK, counted))
    assert first.path.read_bytes() == BODY
    with pytest.raises(MissingUpstreamError, match=r"memory://bucket/b\.zip: the store has no such file"):
        get(asset("memory://bucket/b.zip"), settings)


def test_a_protocol_whose_package_is_missing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"s3:// needs the package s3fs\. Next: pip install s3fs"):
        get(asset("s3://bucket/a.zip"), settings)
    with pytest.raises(UsageError, match="expected a protocol that fsspec knows, found 'gopher'"):
        get(asset("gopher://bucket/a.zip"), settings)


def test_a_file_url_is_used_in_place(server: Server, settings: Settings) -> None:
    path = server.folder / "a.zip"
    found = get(asset(path.as_uri()), settings)
    assert (found.path, found.in_place, found.sha256) == (path, True, SHA256)


# Mirrors and offline


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    path = tmp_path / "mirror" / "data.example" / "x%20y" / "a.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    return tmp_path / "mirror"


URL = "https://data.example/x%20y/a.zip"


@pytest.mark.parametrize("as_url", [False, True])
def test_a_local_mirror_is_used_in_place(mirror: Path, tmp_path: Path, as_url: bool) -> None:
    settings = Settings(tmp_path / "cache", mirror=mirror.as_uri() if as_url else str(mirror), offline=True)
    found = get(asset(URL, sha256=SHA256), settings)
    assert (found.path.parent.parent.parent, found.in_place, found.verified) == (mirror, True, "published hash")
    assert not settings.cache.exists()


def test_a_local_mirror_hashes_only_what_somebody_needs(mirror: Path, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "cache", mirror=str(mirror))
    with_manifest = Asset(name="x", urls=(URL,), checked_inside=True)
    assert (get(with_manifest, settings).sha256, get(with_manifest, settings).verified) == ("", "content manifest")
    assert get(asset(URL), settings).sha256 == SHA256
    with pytest.raises(ChangedUpstreamError, match=r"a\.zip: expected md5 0+ .*it stands for https://data.example"):
        get(asset(URL, md5="0" * 32), settings)
    with pytest.raises(ChangedUpstreamError, match="expected 7 bytes"):
        get(asset(URL, size=7), settings)


def test_a_mirror_over_http_is_the_only_one_asked(mirror: Path, tmp_path: Path) -> None:
    with serve(mirror, {"/data.example/x%2520y/a.zip": Behaviour(body=BODY)}) as server:
        settings = Settings(tmp_path / "cache", mirror=server.url("/"))
        assert get(asset(URL, sha256=SHA256), settings).path.read_bytes() == BODY
        with pytest.raises(MissingUpstreamError, match="answers 404"):
            get(asset("https://elsewhere.example/b.zip"), settings)
        assert [request.path for request in server.requests] == [
            "/data.example/x%2520y/a.zip",
            "/elsewhere.example/b.zip",
        ]


def test_a_mirror_that_lacks_a_file_says_so(mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MissingUpstreamError, match=r"expected it at .*elsewhere.example/b.zip, .*covid-datasets mirror"
    ):
        get(asset("https://elsewhere.example/b.zip"), Settings(tmp_path / "cache", mirror=str(mirror)))


def test_offline_opens_no_socket(server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = asset(server.url("/a.zip"))
    get(wanted, settings)

    def no_socket(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    offline = Settings(settings.cache, offline=True)
    assert get(wanted, offline).path.read_bytes() == BODY
    with pytest.raises(
        OfflineError, match=r"b\.zip: expected it in the cache .*Next: .*'covid-datasets mirror cohen covid-mi"
    ):
        locate(asset(server.url("/b.zip")), Transfer(offline, QUICK, dataset="cohen"))
    with pytest.raises(OfflineError, match="s3://bucket"):
        get(asset("s3://bucket/a.zip"), offline)
    remote = Settings(settings.cache, offline=True, mirror=server.url("/"))
    with pytest.raises(OfflineError, match="none of its 2 copies"):
        get(asset(URL, server.url("/a.zip")), remote)


# Several at once


def test_several_at_once_share_urls_and_keep_their_order(server: Server, settings: Settings) -> None:
    server.behaviours["/a.zip"] = Behaviour(delay=0.1)
    names = [f"r{n}" for n in range(6)]
    wanted = [asset(server.url("/a.zip" if n % 2 else "/b.zip"), name=name) for n, name in enumerate(names)]
    located = locate_all(wanted, Transfer(settings, QUICK))
    assert list(located) == names
    assert all(download.path.read_bytes() == BODY for download, _ in located.values())
    assert sorted(request.path for request in server.requests) == ["/a.zip", "/b.zip"]


@pytest.mark.parametrize("reachable", [True, False])
def test_a_process_never_waits_for_itself(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    """Several files of a source may be in one archive, which several threads then want at once."""
    notes: list[str] = []
    display = Display("")
    monkeypatch.setattr(download_module, "progress", lambda title: nullcontext(display))
    monkeypatch.setattr(display, "note", notes.append)
    server.behaviours["/a.zip"] = Behaviour(delay=0.3, status=200 if reachable else 503)
    wanted = [asset(server.url("/a.zip"), name=str(number)) for number in range(4)]
    failed: dict[str, CovidDatasetsError] = {}
    found = locate_all(wanted, Transfer(settings, QUICK), on_error=failed.__setitem__)
    assert len(found) == (4 if reachable else 0)
    assert len(failed) == (0 if reachable else 4)
    assert notes == []


def test_accept_may_differ_by_resource(server: Server, settings: Settings) -> None:
    urls = server.url("/a.zip"), server.url("/b.zip")
    wanted = [asset(*urls, name="first"), asset(*urls, name="second")]
    located = locate_all(wanted, Transfer(settings, QUICK), accept={"second": lambda _, url: url.endswith("/b.zip")})
    assert [url for _, url in located.values()] == list(urls)


def test_the_first_failure_cancels_the_others(server: Server, settings: Settings) -> None:
    server.behaviours["/slow.zip"] = Behaviour(body=BODY, delay=0.2, status=503)
    wanted = [asset(server.url("/slow.zip"), name="slow"), asset(server.url("/gone.zip"), name="gone")]
    start = time.monotonic()
    patient = Limits(timeout=5, retries=9, backoff=500, longest_wait=5000, margin=0)
    with pytest.raises(MissingUpstreamError, match=r"gone\.zip"):
        locate_all(wanted, Transfer(settings, patient))
    assert time.monotonic() - start < 600


def test_failures_may_be_left_out(server: Server, settings: Settings) -> None:
    wanted = [asset(server.url("/gone.zip"), name="gone"), asset(server.url("/a.zip"), name="here")]
    failed: dict[str, CovidDatasetsError] = {}
    located = locate_all(wanted, Transfer(settings, QUICK), on_error=failed.__setitem__)
    assert list(located) == ["here"]
    assert isinstance(failed["gone"], MissingUpstreamError)


def test_the_disk_is_checked_for_all_files_together(server: Server, settings: Settings) -> None:
    huge = 1 << 59
    wanted = [asset(server.url(f"/{name}.zip"), name=name, size=huge) for name in "ab"]
    with pytest.raises(NoSpaceError, match=f"needed {2 * huge:,} bytes"):
        locate_all(wanted, Transfer(settings, QUICK))
    assert not server.requests


def test_two_processes_share_one_download(server: Server, settings: Settings) -> None:
    server.behaviours["/a.zip"] = Behaviour(delay=0.5)
    code = (
        "import sys; from pathlib import Path; from covid_datasets.fetch.download import Asset, locate;"
        "from covid_datasets.fetch.transfer import Transfer; from covid_datasets.settings import Settings;"
        "wanted = Asset(name='a', urls=(sys.argv[1],));"
        "print(locate(wanted, Transfer(Settings(Path(sys.argv[2]))))[0].sha256)"
    )
    command = [sys.executable, "-c", code, server.url("/a.zip"), str(settings.cache)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [child.communicate(timeout=1000)[0].strip() for child in children] == [SHA256] * 3
    assert len(server.requests) == 1


# Making a mirror


def resource(*urls: str, name: str, sha256: str = "") -> Resource:
    copies = tuple(Copy(url=url) for url in urls)
    return Resource(name=name, copies=copies, path=f"{name}.bin", sha256=sha256)


def card(name: str, *resources: Resource) -> Card:
    return Card(
        id=name,
        digest="",
        title=name,
        seed_names=(),
        summary="",
        task="",
        modalities=("CT",),
        homepage="https://example.org",
        citations=(),
        licence=Licence(spdx="", terms="", redistribution="unknown", commercial="unknown"),
        access=Access(kind="open"),
        default_version="1",
        resources=resources,
        versions={"1": Version(resources=tuple(resource.name for resource in resources))},
        patients=Patients(known="none", how=""),
    )


def test_a_mirror_answers_for_everything(server: Server, settings: Settings, tmp_path: Path) -> None:
    sources = [
        card("one", resource(server.url("/gone.zip"), server.url("/a.zip"), name="r", sha256=SHA256)),
        card("two", resource(server.url("/b.zip"), name="s"), resource(server.url("/b.zip"), name="t")),
    ]
    folder = tmp_path / "made"
    made = write_mirror([source.choice() for source in sources], folder, Transfer(settings, QUICK))
    host = f"127.0.0.1_{server.port}"
    assert [(entry.dataset, entry.resource, entry.action) for entry in made] == [
        ("one", "r", "stored"),
        ("two", "s", "stored"),
        ("two", "t", "stored"),
    ]
    assert (folder / SUMS).read_text() == f"{SHA256}  {host}/a.zip\n{SHA256}  {host}/b.zip\n"
    assert subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=folder, check=False).returncode == 0
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [SUMS, "a.zip", "b.zip"]

    asked = len(server.requests)
    isolated = Settings(tmp_path / "other", mirror=str(folder), offline=True)
    for source in sources:
        assert set(locate_all([asset_of(each) for each in source.resources], Transfer(isolated))) == set(
            source.versions["1"].resources
        )
    again = write_mirror([source.choice() for source in sources], folder, Transfer(settings, QUICK))
    assert {entry.action for entry in again} == {"kept"}
    assert len(server.requests) == asked


def test_a_damaged_file_of_a_mirror_is_replaced(server: Server, settings: Settings, tmp_path: Path) -> None:
    source = card("one", resource(server.url("/a.zip"), name="r"))
    (first,) = write_mirror([source.choice()], tmp_path / "made", Transfer(settings, QUICK))
    first.path.write_bytes(b"damaged")
    (second,) = write_mirror([source.choice()], tmp_path / "made", Transfer(settings, QUICK))
    assert second.action == "stored"
    assert first.path.read_bytes() == BODY
    first.path.unlink()
    assert read_sums(tmp_path / "made") == {}


def test_a_mirror_is_made_in_a_local_folder(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a local folder.*aws s3 sync"):
        write_mirror([], "s3://bucket/mirror", Transfer(settings))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="expected a folder, found a file"):
        write_mirror([], tmp_path / "file", Transfer(settings))


@pytest.mark.parametrize(
    ("number", "words", "kind"),
    [
        (errno.ENOSPC, "Kein Platz", NoSpaceError),
        (errno.EDQUOT, "", NoSpaceError),
        (errno.EACCES, "no space", CacheError),
    ],
)
def test_a_full_disk_is_known_by_its_number_not_by_a_word(
    server: Server, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    number: int, words: str, kind: type[Exception],
) -> None:  # fmt: skip
    def refuse(*_: object) -> None:
        raise OSError(number, words)

    monkeypatch.setattr("covid_datasets.raw.mirror.shutil.copyfile", refuse)
    source = card("one", resource(server.url("/a.zip"), name="r"))
    with pytest.raises(kind, match=r"a\.zip: (the disk is full|cannot be written)"):
        write_mirror([source.choice()], tmp_path / "made", Transfer(settings, QUICK))
    assert not [path for path in (tmp_path / "made").rglob("*") if path.is_file()]


# The progress display


def test_the_display_counts_what_comes(server: Server, settings: Settings) -> None:
    display = Display("test")
    server.behaviours["/a.zip"] = Behaviour(cut_after=1000, times=1, etag="", last_modified=False)
    locate(asset(server.url("/a.zip")), Transfer(settings, QUICK, display))
    assert (display.done, display.total) == (len(BODY), len(BODY))


def test_displays_are_thread_safe_and_add_up() -> None:
    display = Display("test", total=10)

    def work() -> None:
        for _ in range(1000):
            display.advance("x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    display.add("y", 5)
    assert (display.done, display.total) == (4000, 10)
    assert Display("none").total == 0


def test_plain_displays_are_silent_but_for_rare_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("Downloading", enabled=True) as display:
        assert isinstance(display, PlainDisplay)
        display.add("a", 4_000_000)
        display.advance("a", 1_000_000)
        assert capsys.readouterr().err == ""
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 10)
        display.advance("a", 1_000_000)
        display.advance("a", 1_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Downloading: 2.0 MB of 4.0 MB, ")
    with progress("x") as silent:  # COVID_DATASETS_PROGRESS=0
        assert type(silent) is Display


def test_rich_displays_draw_bars(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    display = RichDisplay("Downloading")
    for task in ("a", "b"):
        display.add(task, 100)
        display.advance(task, 40)
        display.advance(task, 60)
    display.note("waiting for [somebody]")
    display.close()
    assert "waiting for [somebody]" in capsys.readouterr().err
    assert amount(5e13) == "50.0 TB"


def test_importing_is_cheap() -> None:
    code = (
        "import sys, covid_datasets.fetch.download, covid_datasets.raw.mirror;"
        "print(sorted({'rich', 'fsspec', 'urllib.request', 'ssl', 'asyncio'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert run.stdout.strip() == "[]"
    assert download_module.PARALLEL == 4
