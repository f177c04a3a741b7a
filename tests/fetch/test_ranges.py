"""A large file over several connections: whole, of one version, resumed after a kill, and polite to its host."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.errors import ChangedUpstreamError, CovidDatasetsError, DownloadError
from covid_datasets.fetch import http, ranges
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.download import locate_all
from covid_datasets.fetch.http import download_http
from covid_datasets.fetch.partial import Fetched
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.settings import Settings
from tests.server import Behaviour, Server, serve

SIZE, SEGMENT = 1_500_001, 50_000
BODY, OTHER = (random.Random(seed).randbytes(SIZE) for seed in (1, 2))
LIMITS = Limits(timeout=0.4, backoff=0.01, retries=6, worth=1 << 30)
SLOW = Behaviour(body=BODY, rate=2e6)
PATCHES = {"SEGMENT": SEGMENT, "LEAST": 200_000, "SLOW": 0.05, "LOOK": 0.05}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files in small pieces, as if they were large."""
    for name, value in PATCHES.items():
        monkeypatch.setattr(ranges, name, value)
    monkeypatch.setattr(http, "LOOK", PATCHES["LOOK"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served") as running:
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "f.bin.part"


def bring(server: Server, part: Path, limits: Limits = LIMITS, **options: Any) -> Fetched:
    transfer = Transfer(Settings.resolve(part.parent), limits)
    return download_http(server.url("/f.bin"), part, transfer, **options)


def spans(server: Server) -> list[str]:
    return [request.headers.get("range", "") for request in server.of("/f.bin")]


def is_whole(fetched: Fetched, part: Path, body: bytes = BODY) -> bool:
    return part.read_bytes() == body and fetched.sha256 == hashlib.sha256(body).hexdigest()


@dataclass
class AtOnce:
    """How many ranges are brought now, and how many were at most; a server still counts one that it has just sent."""

    now: int = 0
    most: int = 0


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> AtOnce:
    counts, lock, real = AtOnce(), threading.Lock(), ranges._bring

    def counted(*given: Any) -> None:
        with lock:
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        try:
            real(*given)
        finally:
            with lock:
                counts.now -= 1

    monkeypatch.setattr(ranges, "_bring", counted)
    return counts


def test_a_slow_file_comes_over_several_connections_and_each_range_once(
    server: Server, part: Path, at_once: AtOnce
) -> None:
    server.behaviours["/f.bin"] = SLOW
    came: list[int] = []
    fetched = bring(server, part, on_bytes=came.append)
    assert is_whole(fetched, part)
    assert sum(came) == SIZE
    assert 2 < at_once.most <= 8
    first, *rest = spans(server)
    assert first == ""
    assert len(rest) == len(set(rest)) >= 10
    assert fetched.resumed, "it is of several answers, so somebody has to vouch for it"


@pytest.mark.parametrize(
    "behaviour",
    [
        replace(SLOW, accept_ranges=False),
        replace(SLOW, etag="", last_modified=False),
        replace(SLOW, etag='W/"weak"', last_modified=False),
        replace(SLOW, chunked=True),
        Behaviour(body=BODY),
    ],
    ids=["no ranges", "no validator", "weak validator", "no length", "fast"],
)
def test_one_connection_where_several_are_of_no_use(server: Server, part: Path, behaviour: Behaviour) -> None:
    server.behaviours["/f.bin"] = behaviour
    assert is_whole(bring(server, part), part)
    assert spans(server) == [""]


def test_one_connection_where_nobody_vouches_for_the_bytes(server: Server, tmp_path: Path) -> None:
    server.behaviours["/f.bin"] = SLOW
    url, sha256 = server.url("/f.bin"), hashlib.sha256(BODY).hexdigest()
    fetch(url, Asset(name="f", urls=(url,)), Transfer(Settings.resolve(tmp_path / "one"), LIMITS))
    assert spans(server) == [""]
    fetch(url, Asset(name="f", urls=(url,), sha256=sha256), Transfer(Settings.resolve(tmp_path / "other"), LIMITS))
    assert len(spans(server)) > 10


KILLED = f"""
import sys
from pathlib import Path
from covid_datasets.fetch import http, ranges
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.settings import Settings
for name, value in {PATCHES!r}.items():
    setattr(ranges, name, value)
http.LOOK = {PATCHES["LOOK"]!r}
url, cache, sha256 = sys.argv[1:]
fetch(url, Asset(name="f", urls=(url,), sha256=sha256), Transfer(Settings.resolve(cache), Limits(backoff=0.01)))
"""


def killed(server: Server, cache: Path) -> Path:
    """Kill a process while ranges come, of which the first is held up, and return the part that it left.

    On a busy machine it may be done before that is seen; then another one begins anew.
    """
    for _ in range(5):
        if part := _killed(server, cache):
            return part
        for path in cache.iterdir():
            if path != server.folder:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    raise AssertionError("expected to kill it while it worked")


def _killed(server: Server, cache: Path) -> Path | None:
    server.behaviours["/f.bin"] = [SLOW, replace(SLOW, stall_after=30_000, stall_for=90.0), SLOW]
    url, sha256 = server.url("/f.bin"), hashlib.sha256(BODY).hexdigest()
    child = subprocess.Popen([sys.executable, "-c", KILLED, url, str(cache), sha256])
    deadline = time.monotonic() + 60
    while not (found := [path for path in cache.rglob("*.part.json") if _scattered(path)]):
        if child.poll() is not None:
            assert child.returncode == 0
            return None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert [path.name for path in cache.rglob("f.bin*") if path.suffix == ".bin"] == [], "nothing half done is visible"
    return found[0].with_suffix("")


def _scattered(sidecar: Path) -> bool:
    try:
        found = json.loads(sidecar.read_text()).get("ahead", {}).get("ranges", ())
    except (OSError, ValueError):
        return False
    return bool(sum(end - start for start, end in found) > 3 * SEGMENT)


def again(server: Server, cache: Path) -> Path:
    url, sha256 = server.url("/f.bin"), hashlib.sha256(BODY).hexdigest()
    return fetch(url, Asset(name="f", urls=(url,), sha256=sha256), Transfer(Settings.resolve(cache), LIMITS)).path


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_process_loses_only_what_was_under_way(server: Server, tmp_path: Path) -> None:
    killed(server, tmp_path)
    before = len(spans(server))
    server.behaviours["/f.bin"] = SLOW
    assert again(server, tmp_path).read_bytes() == BODY
    asked = [tuple(map(int, span[6:].split("-"))) for span in spans(server)[before:]]
    assert sum(last + 1 - start for start, last in asked) < SIZE - SEGMENT
    assert "" not in spans(server)[before:]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("damage", ["shorter", "sidecar", "claims too much", "changed upstream", "no ranges any more"])
def test_what_a_killed_process_left_is_not_believed_blindly(server: Server, tmp_path: Path, damage: str) -> None:
    part = killed(server, tmp_path)
    sidecar = part.with_name(part.name + ".json")
    table = json.loads(sidecar.read_text())
    server.behaviours["/f.bin"] = SLOW
    if damage == "shorter":
        os.truncate(part, part.stat().st_size // 3)
    elif damage == "sidecar":
        sidecar.write_text(sidecar.read_text()[:-40])
    elif damage == "claims too much":
        table["ahead"]["ranges"] = [[0, SIZE + 5]]
        sidecar.write_text(json.dumps(table))
    elif damage == "changed upstream":
        server.behaviours["/f.bin"] = replace(SLOW, body=OTHER)
        with pytest.raises(ChangedUpstreamError, match=f"found {hashlib.sha256(OTHER).hexdigest()}"):
            again(server, tmp_path)
        return
    else:
        server.behaviours["/f.bin"] = replace(SLOW, ignore_range=True)
    assert again(server, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("nth", [2, 6])
@pytest.mark.parametrize(
    "odd",
    [
        {"cut_after": 30_000},
        {"stall_after": 30_000, "stall_for": 1.0},
        {"status": 503},
        {"status": 429},
        {"wrong_range": True},
        {"ignore_range": True},
        {"headers": {"Content-Range": None}},
        {"headers": {"Content-Range": f"bytes 0-49999/{SIZE + 1}"}},
        {"headers": {"Content-Length": "7"}},
        {"headers": {"Content-Encoding": "gzip"}},
        {"etag": '"another"', "ignore_if_range": True},
        {"raw": b"no HTTP at all\r\n\r\n"},
    ],
    ids=lambda odd: "-".join(map(str, odd)),
)
def test_an_odd_answer_in_the_middle_changes_no_byte(server: Server, part: Path, odd: dict[str, Any], nth: int) -> None:
    server.behaviours["/f.bin"] = [SLOW] * nth + [replace(SLOW, **odd), SLOW]
    came: list[int] = []
    assert is_whole(bring(server, part, on_bytes=came.append), part)
    assert sum(came) == SIZE


@pytest.mark.parametrize("nth", [1, 5])
@pytest.mark.parametrize("ignores", [False, True])
def test_versions_are_never_put_together(server: Server, part: Path, nth: int, ignores: bool) -> None:
    """The file changes while ranges of it come; some hosts send ranges of the new one whatever If-Range says."""
    new = replace(SLOW, body=OTHER, ignore_if_range=ignores)
    server.behaviours["/f.bin"] = [SLOW] * nth + [new]
    assert is_whole(bring(server, part), part, OTHER)


def test_a_host_that_always_answers_with_all_of_it_is_asked_once_for_a_range(server: Server, part: Path) -> None:
    server.behaviours["/f.bin"] = replace(SLOW, ignore_range=True)
    assert is_whole(bring(server, part), part)
    assert len(spans(server)) <= 2 + 4, "the few that were asked at once, and the whole"


def test_a_host_that_wants_fewer_connections_gets_them(server: Server, part: Path) -> None:
    server.behaviours["/f.bin"] = replace(SLOW, most=2)
    assert is_whole(bring(server, part), part)


def test_a_host_that_is_gone_keeps_what_came(server: Server, part: Path) -> None:
    server.behaviours["/f.bin"] = [SLOW] * 8 + [replace(SLOW, status=503)]
    with pytest.raises(DownloadError, match="503"):
        bring(server, part, replace(LIMITS, retries=1))
    server.behaviours["/f.bin"] = SLOW
    before = len(spans(server))
    assert is_whole(bring(server, part), part)
    asked = [tuple(map(int, span[6:].split("-"))) for span in spans(server)[before:]]
    assert sum(last + 1 - start for start, last in asked) < SIZE


def test_it_can_be_cancelled_and_goes_on_later(server: Server, part: Path) -> None:
    server.behaviours["/f.bin"] = SLOW
    seen = 0

    def stop(count: int) -> None:
        nonlocal seen
        seen += count
        if seen > SIZE // 2:
            raise InterruptedError("enough")

    with pytest.raises((CovidDatasetsError, InterruptedError)):
        bring(server, part, replace(LIMITS, retries=0), on_bytes=stop)
    assert [thread.name for thread in threading.enumerate() if thread.name == "range"] == []
    assert is_whole(bring(server, part), part)


def test_many_files_share_the_connections_and_memory_is_bounded(
    server: Server, tmp_path: Path, at_once: AtOnce
) -> None:
    assets = []
    for number in range(4):
        server.behaviours[f"/{number}.bin"] = replace(SLOW, rate=1e6)
        url = server.url(f"/{number}.bin")
        assets.append(Asset(name=str(number), urls=(url,), sha256=hashlib.sha256(BODY).hexdigest()))
    tracemalloc.start()
    found = locate_all(assets, Transfer(Settings.resolve(tmp_path / "cache"), LIMITS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert all(download.path.read_bytes() == BODY for download, _ in found.values())
    assert 4 < at_once.most <= 4 + 7
    assert peak < 40e6
