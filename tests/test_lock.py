"""The lock: one holder at a time, says who, and outlives neither its holder nor its expiry."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from covid_datasets.errors import CacheError
from covid_datasets.holder import read_holder
from covid_datasets.lock import Lock

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
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stdin=subprocess.PIPE)


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "x.lock"


@contextmanager
def held_by_a_thread(path: Path, expire: float = 120.0) -> Iterator[None]:
    """Hold a lock in a thread of its own: nobody waits for a lock that it holds itself."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with Lock(path, expire=expire):
            taken.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


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
        assert lock.still_mine()
    assert list(path.parent.iterdir()) == []


def test_it_is_released_when_the_body_fails(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Lock(path):
        raise ZeroDivisionError
    assert not path.exists()


def test_the_one_who_waits_is_told_once_whom_for(path: Path) -> None:
    told: list[str] = []
    with held_by_a_thread(path):
        with pytest.raises(
            CacheError, match=r"within 0\.2 s, found it held by .* \(process \d+\) since \d{4}-.*Next: "
        ):
            Lock(path, timeout=0.2, on_wait=told.append).take()
        assert path.exists()
    assert len(told) == 1
    assert "held by another thread of this process: " in told[0]
    assert f"process {os.getpid()}" in told[0]
    assert socket.gethostname() in told[0]


def test_who_waits_can_give_up(path: Path) -> None:
    def give_up() -> None:
        raise InterruptedError

    with held_by_a_thread(path), pytest.raises(InterruptedError):
        Lock(path, cancel=give_up).take()


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


def test_a_thread_that_is_just_taking_it_is_not_taken_for_dead(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is seen by other threads before it knows itself that it made it."""
    link, inside = os.link, []

    def slow(source: Path, target: Path) -> None:
        link(source, target)
        time.sleep(0.2)

    monkeypatch.setattr("os.link", slow)

    def work() -> None:
        with Lock(path) as lock:
            inside.append(1)
            time.sleep(0.1)
            assert lock.still_mine()
            inside.append(-1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [1, -1] * 3


def test_processes_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [python(COUNT, counter) for _ in range(4)]
    assert [child.wait(1000) for child in children] == [0, 0, 0, 0]
    assert counter.read_text() == "60"


def test_many_who_find_a_stale_lock_still_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    forge(tmp_path / "counter.lock", pid=dead_pid())
    children = [python(COUNT, counter) for _ in range(4)]
    assert [child.wait(1000) for child in children] == [0, 0, 0, 0]
    assert counter.read_text() == "60"
    assert [file.name for file in tmp_path.iterdir()] == ["counter"]


def test_a_killed_holder_is_noticed_at_once(path: Path) -> None:
    code = "import sys, time; from covid_datasets.lock import Lock; Lock(sys.argv[1]).take(); print(1, flush=True)"
    child = python(code + "; time.sleep(1000)", path)
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    child.kill()
    child.wait()
    start = time.monotonic()
    with Lock(path):
        assert time.monotonic() - start < 110, "expected that a dead process is seen before its lock expires, in 120 s"


def test_a_dead_pid_of_another_machine_proves_nothing(path: Path) -> None:
    forge(path, host="elsewhere", pid=dead_pid())
    with pytest.raises(CacheError, match="on elsewhere"):
        Lock(path, timeout=0.1).take()
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
        Lock(path, timeout=0.1).take()


def test_a_file_without_a_name_in_it_expires_too(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(CacheError, match="unknown process"):
        Lock(path, timeout=0.1).take()
    forge_time(path, age=200)
    with Lock(path, timeout=0.1) as lock:
        assert lock.still_mine()


def test_the_holder_keeps_its_lock_fresh(path: Path) -> None:
    with held_by_a_thread(path, expire=4.0):
        forge_time(path, age=100)
        while time.time() - path.stat().st_mtime > 50:
            time.sleep(0.01)
        with pytest.raises(CacheError):
            Lock(path, expire=4.0, timeout=1.2).take()


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
        Lock(tmp_path / "file" / "x.lock").take()


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so the refusal is the file system's, made up here."""

    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(CacheError, match=r"cannot be written: Permission denied\. Next: .*COVID_DATASETS_CACHE"):
        Lock(tmp_path / "x.lock").take()


TAKE = "import sys, time; from covid_datasets.lock import Lock; Lock(sys.argv[1]).take(); print(1, flush=True)"


def test_nobody_waits_for_itself(path: Path) -> None:
    with Lock(path), pytest.raises(CacheError, match="this thread holds the lock already"):
        Lock(path).take()
    assert not path.exists()


def test_a_lock_of_an_earlier_process_with_our_number_is_stale(path: Path) -> None:
    """After a restart of a container its processes get the numbers that they had."""
    forge(path, pid=os.getpid())
    told: list[str] = []
    with Lock(path, timeout=0, on_wait=told.append) as lock:
        assert lock.still_mine()
    assert told == []


def test_a_lock_of_an_earlier_process_with_the_number_of_a_living_one_is_stale(path: Path) -> None:
    forge(path, pid=os.getppid(), born="before the restart 1")
    with Lock(path, timeout=0) as lock:
        assert lock.still_mine()


def test_our_number_in_another_container_is_told_apart(path: Path) -> None:
    forge(path, pid=os.getpid(), namespace="pid:[1]")
    with pytest.raises(CacheError, match=rf"in another container \(process {os.getpid()}\)"):
        Lock(path, timeout=0.1).take()
    forge_time(path, age=200)
    Lock(path, timeout=0.1).take()


def test_a_real_process_of_another_container_holds_until_it_expires(path: Path) -> None:
    start = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*start, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs to make a pid namespace")
    code = f"{TAKE}; time.sleep(1000)"
    command = [*start, sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        holder = read_holder(path)
        assert holder is not None
        assert holder.pid == 1
        with pytest.raises(CacheError, match=r"in another container \(process 1\)"):
            Lock(path, timeout=0.2).take()
        child.kill()
    forge_time(path, age=200)
    with Lock(path, timeout=0.2) as lock:
        assert lock.still_mine()


def test_a_killed_holder_whose_parent_does_not_look_is_noticed_at_once(path: Path) -> None:
    child = python(f"{TAKE}; time.sleep(1000)", path)
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    child.kill()
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.001)
    with Lock(path, timeout=1):
        pass
    child.wait()


@pytest.mark.parametrize("call", ["link", "write"])
def test_killed_while_taking_it_nobody_has_to_wait(path: Path, call: str) -> None:
    """A lock that was there before its content would hold up everybody until it expires."""
    target = "os.link" if call == "link" else "pathlib.Path.write_text"
    code = f"import os, signal, pathlib, sys; {target} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL); {TAKE}"
    assert python(code, path).wait() == -signal.SIGKILL
    with Lock(path, timeout=0) as lock:
        assert lock.still_mine()


def test_a_suspended_holder_learns_that_it_lost_its_lock(path: Path) -> None:
    code = "import sys; from covid_datasets.lock import Lock; lock = Lock(sys.argv[1], expire=0.5); lock.take(); "
    child = python(f"{code}print(1, flush=True); sys.stdin.readline(); print(lock.still_mine()); lock.release()", path)
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    child.send_signal(signal.SIGSTOP)
    with Lock(path, expire=0.5, timeout=600) as lock:
        child.send_signal(signal.SIGCONT)
        assert child.communicate(input="\n")[0] == "False\n"
        assert lock.still_mine()
    assert not path.exists()


def test_a_forked_child_neither_holds_nor_releases_the_lock_of_its_parent(path: Path) -> None:
    with Lock(path) as lock:
        child = os.fork()
        if child == 0:  # pragma: no cover
            mine = lock.still_mine()
            lock.release()
            os._exit(mine)
        assert os.waitpid(child, 0)[1] == 0
        assert lock.still_mine()


def test_where_there_are_no_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    with held_by_a_thread(path), pytest.raises(CacheError, match="held by another thread"):
        Lock(path, timeout=0.1).take()
    assert list(path.parent.iterdir()) == []


def test_an_answer_that_the_network_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS sends a request again whose answer was lost; the second one finds the link that the first one made."""
    real = os.link

    def twice(source: Path, target: Path) -> None:
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", twice)
    with Lock(path, timeout=0) as lock:
        assert lock.still_mine()


def test_litter_of_killed_waiters_goes_with_the_lock(path: Path) -> None:
    with Lock(path, expire=1.0):
        (litter := path.with_name(f".{path.name}.0123.part")).touch()
        forge_time(litter, age=100)
    assert list(path.parent.iterdir()) == []
