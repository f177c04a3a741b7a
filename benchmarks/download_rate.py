"""W8: a file from loopback beside `curl -o f && sha256sum f`, and from a host that limits each connection beside aria2.

The host is a process of its own: a plain server with ranges, that can hold each connection to some megabytes a second.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import in_turns, median, show
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.settings import Settings

BLOCK = 1 << 18


def serve(path: Path, limit: float, listener: socket.socket) -> None:
    """Answer with a file, or a range of it, at most ``limit`` bytes a second on each connection (0: no limit)."""
    while True:
        client = listener.accept()[0]
        threading.Thread(target=_answer, args=(client, path, limit), daemon=True).start()


def _answer(client: socket.socket, path: Path, limit: float) -> None:
    size = path.stat().st_size
    with client, path.open("rb") as file:
        asked = b""
        while True:
            while b"\r\n\r\n" not in asked:
                if not (more := client.recv(1 << 16)):
                    return
                asked += more
            head, _, asked = asked.partition(b"\r\n\r\n")
            wanted = [line.split(b"=")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"range:")]
            start, _, last = (wanted[0] if wanted else b"0-").partition(b"-")
            first, end = int(start), min(int(last) + 1 if last else size, size)
            status = b"206 Partial Content" if wanted else b"200 OK"
            span = b"Content-Range: bytes %d-%d/%d\r\n" % (first, end - 1, size) if wanted else b""
            client.sendall(
                b'HTTP/1.1 %b\r\n%bContent-Length: %d\r\nAccept-Ranges: bytes\r\nETag: "one"\r\n\r\n'
                % (status, span, end - first)
            )
            began = time.monotonic()
            try:
                for at in range(first, end, BLOCK):
                    client.sendfile(file, at, min(BLOCK, end - at))
                    if limit and (ahead := (at + BLOCK - first) / limit - (time.monotonic() - began)) > 0:
                        time.sleep(ahead)
            except OSError:
                return
            if head.startswith(b"HEAD"):
                return


def ours(url: str, work: Path, sha256: str, size: int) -> None:
    """Download with this library, hash included."""
    found = fetch(
        url, Asset(name="f", urls=(url,), size=size, sha256=sha256), Transfer(Settings.resolve(work / "cache"))
    )
    assert found.sha256 == sha256


def curl(url: str, work: Path) -> None:
    """Download with curl, then hash."""
    subprocess.run(
        f"curl -s -o {work}/f {url} && sha256sum {work}/f", shell=True, check=True, stdout=subprocess.DEVNULL
    )


def aria2(url: str, work: Path) -> None:
    """Download with aria2 over eight connections, then hash."""
    command = f"aria2c -q -x8 -s8 --file-allocation=none -d {work} -o f {url} && sha256sum {work}/f"
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)


def timed(size: int, download: Callable[..., None], *arguments: object) -> dict[str, float]:
    """Time a download into a folder of its own."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
        before, used = time.perf_counter(), os.times()
        download(arguments[0], Path(work), *arguments[1:])
        wall, now = time.perf_counter() - before, os.times()
    cpu = sum(now[:4]) - sum(used[:4])
    return {"mb_per_s": size / 1e6 / wall, "cpu_s": cpu}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--limit", type=float, default=20.0, help="megabytes a second of each connection")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        print(listener.getsockname()[1], flush=True)
        serve(Path(chosen.serve[0]), float(chosen.serve[1]), listener)
    with tempfile.TemporaryDirectory() as folder:
        file, size = Path(folder, "f.bin"), chosen.megabytes * 10**6
        digest = hashlib.sha256()
        with file.open("wb") as sink:
            for left in range(size, 0, -(1 << 20)):
                block = os.urandom(min(left, 1 << 20))
                digest.update(block)
                sink.write(block)
        sha256 = digest.hexdigest()
        print(f"{chosen.megabytes:,} MB; load of the machine {os.getloadavg()[0]:.1f}")
        for what, limit, peer in (("no limit", 0.0, curl), ("each connection limited", chosen.limit * 1e6, aria2)):
            if shutil.which("curl" if peer is curl else "aria2c") is None:
                print(f"{what}: {peer.__name__} is not installed")
                continue
            command = [sys.executable, "-m", "benchmarks.download_rate", "--serve", str(file), str(limit)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
                assert host.stdout is not None
                url = f"http://127.0.0.1:{int(host.stdout.readline())}/f.bin"
                results = in_turns(
                    {
                        "covid_datasets": lambda url=url: timed(size, ours, url, sha256, size),  # type: ignore[misc]
                        peer.__name__: lambda url=url, peer=peer: timed(size, peer, url),  # type: ignore[misc]
                    },
                    chosen.rounds,
                )
                host.kill()
            print(what)
            for name, measured in results.items():
                show(name, measured, "mb_per_s", "MB/s")
                show(f"{name}, CPU", measured, "cpu_s", "s")
            rates = [median(measured, "mb_per_s") for measured in results.values()]
            print(
                f"  covid_datasets over {peer.__name__}: {rates[0] / rates[1]:.2f} (aim {0.9 if peer is curl else 0.8})"
            )


if __name__ == "__main__":
    main()
