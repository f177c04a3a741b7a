"""The page of `covid-datasets browse` in a headless Chromium, over a synthetic build of a million rows.

    python -m benchmarks.browse                                     # 1,000,000 rows, then 100,000 pictures to scroll
    python -m benchmarks.browse --rows 20000 --pictures 2000        # a quick look
    python -m benchmarks.browse --cache CACHE --ids covid19_radiography --rows 0 --pictures 0

Seconds of the clock are those that somebody at the page waits, and grow with the load of the machine, which is printed
beside them; those of the processor are of the server alone. What an empty answer takes is printed too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from benchmarks.many_rows import multiplied
from benchmarks.memory import resident_mb
from covid_datasets import build_dataset
from tests.view.chromium import Chromium, chromium

SHOWN = "cells.size > 3 && [...cells.values()].every(cell => cell.querySelector('img')?.complete)"
NAMED = "cells.size > 3 && [...cells.values()].every(cell => cell.getAttribute('aria-label'))"
TIMED = """(async () => {
  const start = performance.now();
  ACT;
  await new Promise(requestAnimationFrame);
  while (!(DONE)) await new Promise(requestAnimationFrame);
  return performance.now() - start;
})()"""
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"finding": ["COVID-19"]},
    {"finding": ["COVID-19"], "sex": ["F", None]},
    {"split": ["train", "test"], "country": ["Italy", "Spain"]},
    {"age": [60, None]},
    {"text": "covid"},
    {"text": "p00012 ct"},
    {"text": "50% of '_' or \"a.*b\""},
    {"order": "sample_id", "descending": True},
    {"order": "country", "modality": ["CT"]},
    {"order": "age", "text": "s1"},
)
STEPS = 250
"""Places of the grid at which its thumbnails are waited for while it is scrolled from its top to its end."""


@dataclass(frozen=True)
class Server:
    """The command under test."""

    pid: int
    address: str

    def cpu(self) -> float:
        """Return the seconds of the processor that it has taken."""
        told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def held(self) -> dict[str, float]:
        """Return its own memory, without files that are mapped, in MB, and how many threads and files it has open."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        said = {
            name: int(value.split()[0])
            for name, value in (line.split(":\t") for line in lines if "\t" in line)
            if name in ("RssAnon", "Threads")
        }
        files = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        return {"own MB": said["RssAnon"] / 1000, "threads": said["Threads"], "files": files}


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """Start the command, and say what that took."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "covid_datasets", "browse", "--no-open", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            server = Server(process.pid, told["address"])
            taken = time.perf_counter() - started
            print(
                f"{told['rows']:,} rows opened in {taken:.1f} s, {server.cpu():.1f} s of the processor; load {load()}"
            )
            yield server
        finally:
            process.terminate()


@contextmanager
def opened(server: Server) -> Iterator[Chromium]:
    """Open the page in a new browser."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        chromium(Path(home), "--window-size=1600,1000") as browser,
    ):
        browser.ask("Page.navigate", url=server.address)
        browser.until("typeof cells !== 'undefined' && total > 0")
        yield browser


def load() -> str:
    """Return the load of the last minute."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def first_thumbnails(server: Server, rounds: int) -> None:
    """Open the page in new browsers, of which the first finds nothing kept."""
    for number in range(rounds):
        before = server.cpu()
        with opened(server) as browser:
            browser.until(SHOWN)
            last = "Math.max(...performance.getEntriesByType('resource').filter(of).map(each => each.responseEnd))"
            sent = browser.script(f"(of => {last})(each => each.name.includes('/thumb/'))") / 1000
            page = browser.script("performance.getEntriesByType('navigation')[0].responseEnd") / 1000
            count = browser.script("cells.size")
        kept = "thumbnails that are kept" if number else "first thumbnails"
        took = f"the empty page {page:.2f}, of the server's processor {server.cpu() - before:.2f} s"
        print(f"  {kept}: {count} within {sent:.2f} s (aim 1), {took}; load {load()}")


def questions(server: Server) -> None:
    """Ask the server alone, and then in the page."""
    port = urlsplit(server.address).port
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(path: str, cookie: str = "") -> tuple[http.client.HTTPResponse, float]:
        started = time.perf_counter()
        caller.request("GET", path, headers={"cookie": cookie} if cookie else {})
        answer = caller.getresponse()
        answer.read()
        return answer, 1000 * (time.perf_counter() - started)

    answer, _ = get(f"/?{urlsplit(server.address).query}")
    cookie = str(answer.getheader("set-cookie")).partition(";")[0]
    empty = statistics.median(get("/favicon.ico", cookie)[1] for _ in range(20))
    waited: dict[str, list[float]] = {"rows": [], "counts": []}
    before = server.cpu()
    for question in QUESTIONS:
        asked = quote(json.dumps(question))
        for kind, found in waited.items():
            found.append(get(f"/{kind}?ask={asked}&start=0&count=200", cookie)[1])
    taken = 1000 * (server.cpu() - before) / len(QUESTIONS)
    told = "; ".join(
        f"{kind} {statistics.median(found):.0f} ms, at most {max(found):.0f}" for kind, found in waited.items()
    )
    print(
        f"  a question to the server: {told} (aim 200); of its processor {taken:.0f} ms for both; "
        f"an empty answer {empty:.1f} ms"
    )
    caller.close()
    acts = {
        "a tick": "choose('modality', 'CT', true)",
        "a second tick": "choose('sex', 'M', true)",
        "an order": "ask.order = 'sample_id', changed()",
        "from the end": "ask.descending = true, changed()",
        "a word": "ask.text = 'no finding', changed()",
        "a range": "ask.age = [20, 50], changed()",
        "all again": "$('clear').click()",
    }
    done = "$('total').textContent !== 'asking' && pages.has(0) && Array.isArray(pages.get(0)) && " + NAMED
    with opened(server) as browser:
        browser.until(SHOWN)
        frame = browser.script(TIMED.replace("ACT", "0").replace("DONE", "true"))
        waits = []
        for name, act in acts.items():
            timed = TIMED.replace("ACT", f"$('total').textContent = 'asking', {act}").replace("DONE", done)
            waits.append(f"{name} {browser.script(timed):.0f}")
            browser.until(SHOWN)
    said = f"an empty frame {frame:.0f} ms; load {load()}"
    print(f"  in the page, until the rows are there: {', '.join(waits)} ms (aim 200); {said}")


def scroll(server: Server) -> None:
    """Scroll from the top to the end, waiting for thumbnails; then throw the grid about while filters change."""
    with opened(server) as browser:
        browser.until(SHOWN)
        browser.ask("HeapProfiler.enable")
        print(
            f"  {'scrolled':<30}{'server MB':>10}{'threads':>9}{'files':>7}{'JS MB':>7}{'nodes':>7}{'browser MB':>12}"
        )

        def say(where: str) -> None:
            browser.ask("HeapProfiler.collectGarbage")
            heap = browser.ask("Runtime.getHeapUsage")["usedSize"] / 1e6
            nodes = browser.ask("Memory.getDOMCounters")["nodes"]
            held = server.held()
            figures = f"{held['own MB']:>10.0f}{held['threads']:>9.0f}{held['files']:>7.0f}"
            print(f"  {where:<30}{figures}{heap:>7.1f}{nodes:>7}{resident_mb(browser.process):>12.0f}")

        say("nothing")
        before, started = server.cpu(), time.perf_counter()
        for step in range(STEPS + 1):
            browser.script(f"$('grid').scrollTop = ($('grid').scrollHeight - $('grid').clientHeight) * {step / STEPS}")
            browser.until(f"still && {SHOWN}")
            if step and step % (STEPS // 5) == 0:
                say(f"{step / STEPS:.0%}")
        each = 1000 * (server.cpu() - before) / STEPS
        wait = 1000 * (time.perf_counter() - started) / STEPS
        print(f"  a screen: {wait:.0f} ms, and {each:.0f} ms of the server's processor; load {load()}")
        before = server.cpu()
        for step in range(STEPS * 4):
            part = (step * 37 % 101) / 100
            browser.script(f"$('grid').scrollTop = $('grid').scrollHeight * {part}")
            if step % 20 == 0:
                browser.script("choose('sex', 'M', !ask.sex)")
        browser.until(f"still && {SHOWN}")
        say("thrown about, filters changed")
        print(
            f"  of the server's processor {server.cpu() - before:.1f} s meanwhile; "
            f"complaints: {browser.complaints or 'none'}"
        )


def main() -> None:
    """Measure in this order: thumbnails and questions over many rows, then scrolling over larger pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--cache", help="with real builds, to see their first thumbnails")
    parser.add_argument("--ids", nargs="*", default=[])
    options = parser.parse_args()
    if options.cache:
        with serving(*options.ids, "--cache-dir", options.cache) as server:
            first_thumbnails(server, 3)
    with tempfile.TemporaryDirectory() as folder:
        built = build_dataset("phantom", cache_dir=Path(folder) / "small", num_proc=1)
        for name, rows, side in (("rows", options.rows, 32), ("pictures", options.pictures, 256)):
            if not rows:
                continue
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                multiplied(built, rows, side, Path(cache))
                with serving("--cache-dir", cache) as server:
                    first_thumbnails(server, 3)
                    if name == "rows":
                        questions(server)
                    else:
                        scroll(server)


if __name__ == "__main__":
    main()
