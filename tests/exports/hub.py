"""A Hub of Hugging Face on loopback, with as much of its protocol as one commit needs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Hub(ThreadingHTTPServer):
    """Holds the files of one dataset, by path; ``None`` where it is not there. ``commits`` counts what changed it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files: dict[str, bytes] | None = None
        self.private: bool | None = None
        self.commits = 0
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub, path = self.server, self.path.partition("?")[0]
        if path == "/api/repos/create":
            hub.private = json.loads(body).get("visibility") == "private"
            hub.files = {".gitattributes": b""} if hub.files is None else hub.files
            self.reply({"url": f"{hub.url}/datasets/me/ct", "id": "me/ct"})
        elif hub.files is None:
            self.reply({"error": "not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif hub.refuses and "/commit/" in path:
            self.reply({"error": "no"}, 403)
        elif "/tree/" in path:
            self.reply([{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in hub.files])
        elif "/preupload/" in path:
            names = [each["path"] for each in json.loads(body)["files"]]
            self.reply({"files": [{"path": each, "uploadMode": "regular", "shouldIgnore": False} for each in names]})
        elif "/commit/" in path:
            self.commit(hub, [json.loads(line) for line in body.splitlines()])
        elif "/resolve/" in path:
            data = hub.files[path.split("/resolve/")[1].partition("/")[2]]
            self.send_response(200)
            for name, value in {
                "ETag": f'"{hub.commits}"',
                "X-Repo-Commit": "a" * 40,
                "Content-Length": len(data),
            }.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(data if self.command == "GET" else b"")
        else:
            self.reply({})

    def commit(self, hub: Hub, lines: list[dict[str, Any]]) -> None:
        assert hub.files is not None
        for line in lines:
            if line["key"] == "file":
                hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                del hub.files[line["value"]["path"]]
        hub.commits += 1
        oid = f"{hub.commits:040}"
        self.reply({"commitUrl": f"{hub.url}/datasets/me/ct/commit/{oid}", "commitOid": oid, "hookOutput": ""})

    def reply(self, value: Any, code: int = 200, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        for name, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data if self.command != "HEAD" else b"")

    do_GET = do_POST = do_HEAD = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Run a Hub until the block ends."""
    with Hub() as hub:
        Thread(target=hub.serve_forever, daemon=True).start()
        yield hub
        hub.shutdown()
