"""The page of `browse` under people who scroll fast, leave, come in crowds, and build anew what is being looked at."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import build_dataset
from covid_datasets.view.browse import looking
from covid_datasets.view.browse.looking import SEEN_AT_ONCE, Looking
from covid_datasets.view.browse.pixels import small_picture
from covid_datasets.view.browse.serve import prepared_page
from covid_datasets.view.browse.shelf import GoneError, Place, Shelf
from tests.view.browsed import Visitor, served, visited

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("duckdb")


def until(true: Any) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def leave(visitor: Visitor, path: str) -> socket.socket:
    """Ask for a path; who closes what is returned hangs up."""
    caller = socket.create_connection(("127.0.0.1", visitor.port))
    caller.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{visitor.port}\r\nCookie: {visitor.cookie}\r\n\r\n".encode()
    )
    return caller


def test_an_answer_does_not_wait_for_its_first_packet_to_be_acknowledged(cache: Path) -> None:
    with prepared_page(Shelf.open(cache)) as page, served(page):
        port = page.door.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            until(lambda: page.server.server_state.connections)
            (connection,) = page.server.server_state.connections
            accepted = connection.transport.get_extra_info("socket")
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_who_hangs_up_leaves_nothing_behind(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that nobody waits for any more are not decoded, and no thread or file stays open."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    shelf = Shelf.open(cache)
    go, decoded = threading.Event(), list[int]()
    small = small_picture

    def slow(row: dict[str, Any], look: bytes) -> bytes:
        decoded.append(1)
        assert go.wait(60)
        return small(row, look)

    monkeypatch.setattr(looking, "small_picture", slow)
    with visited(shelf) as visitor:
        build = visitor.ask("rows")["rows"][0]["build"]
        before = threading.active_count(), len(os.listdir("/proc/self/fd")) if Path("/proc").exists() else 0
        callers = [leave(visitor, f"/thumb/{build}/{number % shelf.rows}") for number in range(100)]
        until(lambda: len(decoded) == SEEN_AT_ONCE)
        assert visitor.ask("rows", text="ct")["total"]  # a question does not wait for pictures
        for caller in callers:
            caller.close()
        time.sleep(0.1)
        go.set()
        assert visitor.get(f"/thumb/{build}/0").status == 200
        assert len(decoded) < 3 * SEEN_AT_ONCE
        for _ in range(20):
            leave(visitor, "/save/csv").close()
        until(lambda: Path("/proc").exists() is False or len(os.listdir("/proc/self/fd")) <= before[1] + 4)
        assert threading.active_count() <= before[0] + SEEN_AT_ONCE + 40
    assert list(tmp_path.iterdir()) == []


def test_twenty_pages_at_once_open_a_build_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[str]()
    real = Looking._open

    def told(self: Looking, place: Place) -> Any:
        opened.append(place.key)
        return real(self, place)

    monkeypatch.setattr(Looking, "_open", told)
    shelf = Shelf.open(cache)
    with visited(shelf) as visitor, ThreadPoolExecutor(20) as people:
        build = visitor.ask("rows")["rows"][0]["build"]

        def look(number: int) -> tuple[int, int]:
            picture = visitor.get(f"/thumb/{build}/{number % shelf.rows}")
            found = visitor.ask("rows", text="ct", order="sample_id", descending=bool(number % 2))
            return picture.status, found["total"]

        assert len(set(people.map(look, range(200)))) == 1
    assert opened == [build]


def test_a_build_that_is_another_one_now_is_not_shown_under_the_old_names(cache: Path, tmp_path: Path) -> None:
    """Its folder is named by what it was made of, so somebody has to have changed that folder by hand."""
    shutil.copytree(cache / "prepared", tmp_path / "prepared")
    build_dataset("phantom", cache_dir=tmp_path, num_proc=1)
    shelf = Shelf.open(tmp_path)
    small, default = (next(iter((tmp_path / "prepared/phantom/1" / name).iterdir())) for name in ("small", "default"))
    with visited(shelf) as visitor:
        rows = visitor.ask("rows", config=["small"])["rows"]
        seen = visitor.get(f"/thumb/{rows[0]['build']}/0").body
        shutil.rmtree(small)
        shutil.copytree(default, small)
        assert visitor.get(f"/thumb/{rows[0]['build']}/0").body == seen  # as long as it is kept
        last = rows[-1]
        own = Looking(shelf)
        shown = visitor.get(f"/plane/{last['build']}/{last['row']}/0")
        place = shelf.place(last["build"], last["row"])
        assert shown.status == 200, "what is mapped stays what it was"
        with pytest.raises(GoneError, match="removed or built anew"):
            own.thumbnail(place, last["row"])
