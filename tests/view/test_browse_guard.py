"""The page of `browse` is for one person at this machine: what reaches it otherwise gets nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.view.browse.guard import HEADERS
from covid_datasets.view.browse.shelf import Shelf
from tests.view.browsed import Visitor, visited

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("duckdb")


@pytest.fixture(scope="module")
def visitor(cache: Path) -> Iterator[Visitor]:
    with visited(Shelf.open(cache)) as found:
        yield found


def test_the_token_opens_the_page_and_only_its_cookie_the_rest(visitor: Visitor) -> None:
    stranger = Visitor(visitor.address)
    for path in ("/", "/?token=", "/?token=wrong", "/rows", "/browse.js", "/about", f"/about?{visitor.address[-49:]}"):
        assert stranger.get(path).status == 403, path
    assert stranger.get("/?" + "&".join(["token=a"] * 50)).status == 403
    assert stranger.get("/?token=%C3%A4%00").status == 403
    assert Visitor(visitor.address, "covid_datasets_browse=x; a=b; \xff").get("/").status == 403
    assert visitor.get("/").status == visitor.get("/about").status == 200
    token = visitor.address.partition("token=")[2]
    assert len(token) > 40
    assert all(token not in visitor.get(path).body.decode() for path in ("/", "/browse.js", "/about"))


def test_the_cookie_is_for_nobody_else(visitor: Visitor) -> None:
    stranger = Visitor(visitor.address)
    cookie = stranger.get(visitor.address.partition(str(visitor.port))[2]).headers["set-cookie"]
    assert cookie.startswith(f"covid_datasets_browse_{visitor.port}=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil:{}", ""]
)
def test_another_host_is_refused_with_token_and_cookie(host: str, visitor: Visitor) -> None:
    for path in ("/about", visitor.address.partition(str(visitor.port))[2]):
        found = visitor.get(path, host=host.format(visitor.port))
        assert found.status in (400, 421), path
        assert "set-cookie" not in found.headers
    assert visitor.get("/about", host=f"localhost:{visitor.port}").status == 200


def test_two_hosts_are_none(visitor: Visitor) -> None:
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=30) as line:
        own = f"127.0.0.1:{visitor.port}"
        request = f"GET /about HTTP/1.1\r\nHost: {own}\r\nHost: {own}\r\nCookie: {visitor.cookie}\r\n\r\n"
        line.sendall(request.encode())
        assert re.match(rb"HTTP/1.1 4\d\d", line.recv(100))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_scripts_of_other_sites_are_refused(site: str, visitor: Visitor) -> None:
    assert visitor.get("/about", sec_fetch_site=site).status == 403
    assert visitor.get("/about", sec_fetch_site="same-origin").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(method: str, visitor: Visitor) -> None:
    for path in ("/", "/rows", "/save/csv"):
        assert visitor.get(path, method).status in (400, 405)


ESCAPES = """
/..%2f..%2fetc%2fpasswd /../../etc/passwd /%2e%2e/%2e%2e/etc/passwd //etc/passwd /browse.js/..%2f..%2fguard.py
/page/index.html /guard.py /thumb/..%2f..%2f/0 /thumb/..%2f..%2fetc%2fpasswd/0 /thumb/{key}/..%2f0 /thumb/{key}/-1
/plane/{key}/0/..%2f0 /mask/{key}/0/..%2flung/0 /mask/{key}/0/lung/9999 /save/..%2fcsv /save/xlsx /thumb/{key}/0%00
/thumb/{key}/999999999 /thumb/{key}/1e3 /plane/{key}/0/1 /plane/{key}/0/-1 /thumb/{key}/%D9%A3
/sample/0000000000000000/0
"""


@pytest.mark.parametrize("path", ESCAPES.split())
def test_rows_are_named_by_build_and_number_and_by_nothing_else(path: str, visitor: Visitor) -> None:
    key = visitor.ask("rows")["rows"][0]["build"]
    found = visitor.get(path.format(key=key))
    assert found.status in (400, 404, 410)
    assert b"root:" not in found.body
    assert b"Traceback" not in found.body


@pytest.mark.parametrize("number", ["9" * 9, "9" * 5000, "-5", "1.5", "", "NaN", "0x10"])
def test_odd_numbers_of_pages(number: str, visitor: Visitor) -> None:
    found = visitor.get(f"/rows?start={number}&count=10")
    assert (found.status, found.json.get("rows")) == (200, []) if number == "9" * 9 else found.status == 400
    found = visitor.get(f"/rows?start=0&count={number}")
    assert found.status == 400 or len(found.json["rows"]) == visitor.ask("rows")["total"]
    key = visitor.ask("rows")["rows"][0]["build"]
    assert visitor.get(f"/thumb/{key}/{number}").status in (400, 404, 410)


def test_every_answer_is_under_the_policy(visitor: Visitor) -> None:
    key = visitor.ask("rows")["rows"][0]["build"]
    answers = [visitor.get(path) for path in ("/", "/browse.js", "/about", f"/thumb/{key}/0", "/nowhere", "/save/csv")]
    for found in (*answers, Visitor(visitor.address).get("/"), visitor.get("/", host="evil.example")):
        assert {name: found.headers.get(name) for name in HEADERS} == HEADERS
        assert "server" not in found.headers
    policy = HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_needs_nothing_but_itself() -> None:
    """No script or style in the page, no other host, and no way from text to markup."""
    folder = Path(__file__).parents[2] / "covid_datasets" / "view" / "browse" / "page"
    page, script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("index.html", "browse.js", "browse.css")
    )
    assert not re.search(r"<script(?! src=\"/browse\.js\" defer>)|<style|\son\w+=|\sstyle=|javascript:", page)
    assert not re.search(r"https?:|@import|url\(", page + script + style)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|srcdoc", script)


def test_a_port_that_is_taken_is_told(visitor: Visitor, cache: Path, tmp_path: Path) -> None:
    from covid_datasets.cli import main

    told = ("browse", "--no-open", "--cache-dir", str(cache))
    assert main([*told, "--port", str(visitor.port)]) == 2
    assert main(["browse", "hannover", "--no-open", "--cache-dir", str(cache)]) == 1
    assert main(["browse", "--no-open", "--cache-dir", str(tmp_path / "empty")]) == 1
    with pytest.raises(SystemExit):
        main([*told, "--port", "70000"])
