"""Ctrl-C and SIGTERM, whatever the program is doing: one line, the usual exit code, no traceback, nothing broken."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from covid_datasets.prepare.find import find_build
from tests.processes import leftovers

ENDS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc what a process catches")


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the program in a process group of its own, as a shell does, and wait until it takes care of signals.

    The moments before that are Python's own: it has not read a line of ours yet.
    """
    command = [sys.executable, "-m", "covid_datasets", *arguments]
    environment = os.environ | {"no_proxy": "127.0.0.1", "COVID_DATASETS_PROGRESS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    while process.poll() is None and not catches(process.pid, signal.SIGTERM):
        time.sleep(0.002)
    return process


def catches(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Signal the whole group, as a terminal does; return the exit code and what was said."""
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=1000)
    return process.returncode, told


@pytest.mark.slow
@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_ten_of_ten_builds_end_with_one_line(number: signal.Signals, tmp_path: Path) -> None:
    """Moments are drawn from the whole length of a build: imports, workers, shards, the last rename, the answer."""
    build = ("build", "phantom", "--config", "small", "--num-proc", "2", "--cache-dir")
    began = time.monotonic()
    start(*build, str(tmp_path / "whole")).communicate(timeout=1000)
    length = time.monotonic() - began
    code, word = ENDS[number]
    moments, stopped = random.Random(number), 0
    while stopped < 10:
        process = start(*build, str(tmp_path / "stopped" / str(stopped)))
        time.sleep(moments.uniform(0, length))
        if process.poll() is not None:  # it was quicker this time
            process.communicate()
            continue
        found, told = stop(process, number)
        if found == 0:
            continue
        assert (found, told) == (code, f"{word}; the same command goes on where this one stopped\n")
        stopped += 1
    for each in (tmp_path / "stopped").iterdir():
        assert start(*build, str(each)).wait(timeout=1000) == 0
        assert find_build("phantom", "small", cache_dir=each).rows == 42
        # Who ends between its last two steps leaves its lock, which holds nobody up, and nothing else.
        assert [left for left in leftovers(each) if not left.endswith(".lock")] == []


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_download_ends_with_one_line(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = start("build", "covid_ct", "--mirror", mirror, "--cache-dir", str(tmp_path))
        client, _ = silent.accept()  # and never an answer
        with client:
            client.recv(1)
            found, told = stop(process, number)
    code, word = ENDS[number]
    assert (found, told) == (code, f"{word}; the same command goes on where this one stopped\n")
