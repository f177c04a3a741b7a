"""Builds of the same thing at the same time: one works, the others wait and share; executors are the caller's."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from covid_datasets.builders import phantom

from covid_datasets.lock import Lock
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.schema import RawReader
from tests.prepare.test_build import fail, replaced
from tests.processes import Serial, digest_of, fork, leftovers, python

BUILD = """
import sys
from covid_datasets import build_dataset
built = build_dataset("phantom", cache_dir=sys.argv[1], num_proc=1, shard_bytes=1 << 17)
print(built.path, built.fingerprint, built.seconds)
"""


def build_and_tell(cache: Path, start: Any, told: Any) -> None:
    executor = Serial()
    start.wait()
    built = build_dataset("phantom", "small", cache_dir=cache, executor=executor, shard_bytes=1)
    told.put((str(built.path), built.fingerprint, built.seconds, executor.submitted))


def test_processes_that_build_at_once_share_the_work_of_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(3), context.SimpleQueue()
    processes = [fork(build_and_tell, tmp_path, start, told) for _ in range(3)]
    for process in processes:  # before the answers: who failed has none, and a wait for it has no end
        process.join()
        assert process.exitcode == 0
    found = [told.get() for _ in processes]
    # One path, one fingerprint, one manifest; and one of them did all 42 pieces.
    assert len({answer[:3] for answer in found}) == 1
    assert sorted(answer[3] for answer in found) == [0, 0, 42]
    assert leftovers(tmp_path) == []


def test_threads_that_build_at_once_share_the_work_of_one(tmp_path: Path) -> None:
    executors = [Serial(), Serial()]
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(build_dataset, "phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=1)
            for executor in executors
        ]
        assert futures[0].result() == futures[1].result()
    assert sorted(executor.submitted for executor in executors) == [0, 42]


def test_who_waits_is_told_for_whom(tmp_path: Path) -> None:
    # The lock's name is found out from a build that is under way.
    lock = start_until_locked(tmp_path)
    with Lock(lock):
        process = fork(run_build, tmp_path, tmp_path / "stderr")
        while process.is_alive() and "waiting for" not in read_there(tmp_path / "stderr"):
            time.sleep(0.01)
        assert process.is_alive()
        assert not list(tmp_path.glob("prepared/phantom/*/*/*"))
    process.join()
    assert process.exitcode == 0
    text = (tmp_path / "stderr").read_text()
    assert text.count("waiting for phantom-1-small-") == 1
    assert f"(process {os.getpid()}) since " in text


def read_there(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def start_until_locked(cache: Path) -> Path:
    """Start a build, kill it, and return the lock that it held."""
    locks: list[Path] = []
    process = fork(run_build, cache, cache / "first")
    while not (locks := list(cache.glob("prepared/.work/phantom-*.lock"))):
        time.sleep(0.001)
    process.kill()
    process.join()
    return locks[0]


def run_build(cache: Path, stderr: Path) -> None:
    sys.stderr = stderr.open("w", buffering=1)
    build_dataset("phantom", "small", cache_dir=cache, num_proc=1, shard_bytes=1)


def test_fresh_interpreters_that_build_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: python(BUILD, tmp_path), range(2)))
    assert [each.returncode for each in done] == [0, 0], done
    assert done[0].stdout == done[1].stdout != ""
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("kind", ["threads", "spawned processes"])
def test_the_executor_of_the_caller_is_used_and_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    context = multiprocessing.get_context("spawn")
    with ThreadPoolExecutor(2) if kind == "threads" else ProcessPoolExecutor(1, context) as executor:
        submitted: list[Any] = []
        real = executor.submit

        def submit(function: Any, task: Any) -> Any:
            submitted.append(task)
            return real(function, task)

        monkeypatch.setattr(executor, "submit", submit)
        built = build_dataset("phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=100_000)
        assert sum(len(task.piece.rows) for task in submitted) == built.rows
        assert real(abs, -3).result() == 3


def slow(_: RawReader) -> bytes:
    time.sleep(0.4)
    return b"no image"


def test_after_an_error_no_worker_goes_on_behind_the_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom, "records", replaced({0: slow, 1: fail}))
    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(ZeroDivisionError):
            build_dataset("phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=1)
        before = sorted(tmp_path.rglob("*"))
        assert not [path for path in before if path.suffix in (".part", ".lock")]
        time.sleep(0.5)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_piece_that_a_power_cut_damaged_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build_dataset("phantom", "small", cache_dir=tmp_path / "whole", num_proc=1)
    with monkeypatch.context() as patch:
        patch.setattr(phantom, "records", replaced({41: fail}))
        with pytest.raises(ZeroDivisionError):
            build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, shard_bytes=1)
    first, second, third, *_ = sorted(tmp_path.glob("prepared/.work/*/pieces-*/piece-*"))
    (first / "index.arrow").write_bytes(b"")
    (second / "rows.arrow").write_bytes(b"")
    (third / "rows.arrow").unlink()
    executor = Serial()
    built = build_dataset("phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=1)
    assert executor.submitted >= 3
    assert digest_of(built) == digest_of(whole)
    assert leftovers(tmp_path) == []


def torn(path: Path) -> None:
    """Leave a file with its size and without its end, as a disk may whose cache was lost."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)
        file.truncate(size)


def test_pieces_that_a_restart_of_the_machine_tore_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = build_dataset("phantom", "small", cache_dir=tmp_path / "whole", num_proc=1)
    with monkeypatch.context() as patch:
        patch.setattr(phantom, "records", replaced({41: fail}))
        with pytest.raises(ZeroDivisionError):
            build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, shard_bytes=1)
    finished = sorted(tmp_path.glob("prepared/.work/*/pieces-*/piece-*"))
    torn(finished[0] / "rows.arrow")
    torn(finished[1] / "index.arrow")
    torn(finished[2] / "seal.json")
    monkeypatch.setattr("covid_datasets.prepare.place.started", lambda: "after the restart")
    executor = Serial()
    built = build_dataset("phantom", "small", cache_dir=tmp_path, executor=executor, shard_bytes=1)
    assert executor.submitted == whole.rows - len(finished) + 3
    assert digest_of(built) == digest_of(whole)
    assert leftovers(tmp_path) == []


def test_all_of_a_build_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by file, whatever it is called then: pieces are linked into the build."""
    synced: set[tuple[int, int]] = set()
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noting(file: int) -> None:
        synced.add((os.fstat(file).st_ino, os.fstat(file).st_size))
        steps.append("sync")
        fsync(file)

    def publishing(source: Path, target: Path) -> None:
        if Path(source).name == "build":
            files = [path.stat() for path in Path(source).rglob("*") if path.is_file()]
            assert {(file.st_ino, file.st_size) for file in files} <= synced
            steps.append("publish")
        rename(source, target)

    monkeypatch.setattr("os.fsync", noting)
    monkeypatch.setattr("os.rename", publishing)
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    inside = list(built.path.rglob("*"))
    assert steps == ["sync"] * (len(inside) + 1) + ["publish", "sync"], "each once, and nothing twice"


def test_the_folder_of_a_killed_attempt_goes_and_the_pieces_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phantom, "records", replaced({41: fail}))
    with pytest.raises(ZeroDivisionError):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, shard_bytes=1)
    (work,) = [path for path in (tmp_path / "prepared" / ".work").iterdir() if path.is_dir()]
    pieces = len(list(work.glob("pieces-*/piece-*")))
    killed = work / "attempt-0123"
    (killed / "0.abc").mkdir(parents=True)
    with pytest.raises(ZeroDivisionError):
        build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1, shard_bytes=1)
    assert not list(work.glob("attempt-*"))
    assert len(list(work.glob("pieces-*/piece-*"))) == pieces > 0
