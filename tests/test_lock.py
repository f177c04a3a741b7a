"""The lock: one holder at a time, says who, and outlives neither its holder nor its expiry."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from covid_datasets.errors import CacheError
from covid_datasets.lock import Lock, read_holder

COUNT = """
import sys, time
from pathlib import Path
from covid_datasets.lock import Lock
counter = Path(sys.argv[1])
for _ in range(15):
    with Lock(counter.with_suffix(".lock")):
        number = int(counter.read_text())
        time.sleep(0.001)
        counter.write_text(str(number + 1))
"""


def python(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], text=True, stdout=subprocess.PIPE)


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "x.lock"


def forge(path: Path, **changes: object) -> None:
    """Leave a lock as another holder would."""
    with Lock(path):
        holder = read_holder(path)
    assert holder is not None
    path.write_text(json.dumps(asdict(replace(holder, token="other", **changes))))  # type: ignore[arg-type]


def test_it_says_who_holds_it_and_is_gone_afterwards(path: Path) -> None:
    with Lock(path) as lock:
        holder = read_holder(path)
        assert holder is not None
        assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
        assert lock.is_mine()
    assert list(path.parent.iterdir()) == []


def test_it_is_released_when_the_body_fails(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Lock(path):
        raise ZeroDivisionError
    assert not path.exists()


def test_the_one_who_waits_is_told_once_whom_for(path: Path) -> None:
    told: list[str] = []
    with Lock(path):
        with pytest.raises(
            CacheError, match=r"within 0\.2 s, found it held by .* \(process \d+\) since \d{4}-.*Next: "
        ):
            Lock(path, timeout=0.2, on_wait=told.append).__enter__()
        assert path.exists()
    assert len(told) == 1
    assert f"process {os.getpid()}" in told[0]
    assert socket.gethostname() in told[0]


def test_who_waits_can_give_up(path: Path) -> None:
    def give_up() -> None:
        raise InterruptedError

    with Lock(path), pytest.raises(InterruptedError):
        Lock(path, check=give_up).__enter__()


def test_threads_exclude_each_other(path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with Lock(path):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_processes_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [python(COUNT, counter) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    assert counter.read_text() == "60"


def test_many_who_find_a_stale_lock_still_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    forge(tmp_path / "counter.lock", pid=dead_pid())
    children = [python(COUNT, counter) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    assert counter.read_text() == "60"
    assert [file.name for file in tmp_path.iterdir()] == ["counter"]


def test_a_killed_holder_is_noticed_at_once(path: Path) -> None:
    code = "import sys, time; from covid_datasets.lock import Lock; Lock(sys.argv[1]).__enter__(); print(1, flush=True)"
    child = python(code + "; time.sleep(60)", path)
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    child.kill()
    child.wait()
    start = time.monotonic()
    with Lock(path):
        assert time.monotonic() - start < 2


def test_a_dead_pid_of_another_machine_proves_nothing(path: Path) -> None:
    forge(path, host="elsewhere", pid=dead_pid())
    with pytest.raises(CacheError, match="on elsewhere"):
        Lock(path, timeout=0.1).__enter__()
    forge_time(path, age=200)
    with Lock(path, timeout=0.1):
        holder = read_holder(path)
        assert holder is not None
        assert holder.pid == os.getpid()


def forge_time(path: Path, age: float) -> None:
    os.utime(path, (time.time() - age, time.time() - age))


@pytest.mark.parametrize("skew", [-10_000.0, 10_000.0])
def test_expiry_is_by_the_clock_of_the_file_server(path: Path, skew: float, monkeypatch: pytest.MonkeyPatch) -> None:
    forge(path, host="elsewhere")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + skew)
    with pytest.raises(CacheError):
        Lock(path, timeout=0.1).__enter__()


def test_a_file_without_a_name_in_it_expires_too(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(CacheError, match="unknown process"):
        Lock(path, timeout=0.1).__enter__()
    forge_time(path, age=200)
    with Lock(path, timeout=0.1) as lock:
        assert lock.is_mine()


def test_the_holder_keeps_its_lock_fresh(path: Path) -> None:
    with Lock(path, expire=1.0):
        forge_time(path, age=100)
        time.sleep(0.6)
        with pytest.raises(CacheError):
            Lock(path, expire=1.0, timeout=1.2).__enter__()


def test_only_the_own_lock_is_released(path: Path) -> None:
    with Lock(path):
        forge_other = json.loads(path.read_text()) | {"token": "other"}
        path.write_text(json.dumps(forge_other))
    assert path.exists()


def test_a_newer_lock_is_put_back(path: Path) -> None:
    """The race itself: between looking at a stale lock and moving it away, somebody else took it."""
    forge(path, host="elsewhere")
    breaker = Lock(path)
    real = os.rename

    def just_before(source: Path, target: Path) -> None:
        path.write_text(path.read_text().replace('"other"', '"newer"'))
        real(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", just_before)
        breaker._break("other")
    holder = read_holder(path)
    assert holder is not None
    assert holder.token == "newer"
    assert [file.name for file in path.parent.iterdir()] == ["x.lock"]


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"Next: "):
        Lock(tmp_path / "file" / "x.lock").__enter__()


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the refusal is the file system's, made up here."""

    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CacheError, match=r"found that it cannot be written\. Next: .*COVID_DATASETS_CACHE"):
        Lock(tmp_path / "x.lock").__enter__()
